/* Longest-prefix match over very many prefixes: a tree bitmap (Eatherton, Varghese, Dittia 2004) with a stride of 6
 * bits and compressed paths. A node is one bitmap of the prefixes that end in it, one of its children, and a pointer
 * for each.
 *
 * One writer at a time, who brings a bin for what it takes away (base/rcu.h); readers are in a section, never wait, and
 * see each change wholly or not at all. */
#ifndef HOLDFAST_DOMAIN_GUARD_TRIE_H
#define HOLDFAST_DOMAIN_GUARD_TRIE_H

#include "base/rcu.h"
#include "base/result.h"

#include <stdatomic.h>
#include <stdint.h>

typedef unsigned __int128 trie_key; /* an address, from the highest bit down: IPv4 fills the upper 32 */

#define TRIE_BITS     128
#define TRIE_PATH_MAX (TRIE_BITS + 1) /* prefixes that one address can be in */

/* What is said of one prefix; nothing of it changes once it was put. 40 bytes, since there are a million of them. */
struct trie_item {
    uint64_t hi, lo; /* the key; zero beyond bits */
    uint8_t bits;
    uint8_t operator_says; /* enum networks_action */
    uint8_t configured;    /* likewise */
    bool automatic;
    uint32_t feeds;                         /* one bit for each feed that lists it */
    uint64_t operator_ends, automatic_ends; /* milliseconds since 1970; 0: never */
};

#define TRIE_ROOT_BITS 16

struct trie {
    _Atomic uintptr_t top;   /* of shorter prefixes */
    _Atomic uintptr_t *root; /* by the first 16 bits */
    size_t items, bytes;     /* bytes of nodes and items, as they were asked for */
};

static inline trie_key trie_key_of(const struct trie_item *i)
{
    return (trie_key)i->hi << 64 | i->lo;
}

RESULT trie_init(struct trie *t); /* ERR_NO_MEMORY */
void trie_done(struct trie *t);   /* nobody reads any more */

/* In a section: the items whose prefixes hold key, the shortest first; their number. */
size_t trie_path(const struct trie *t, trie_key key, const struct trie_item *ret[static TRIE_PATH_MAX]);
/* In a section, or the writer. NULL if there is none. */
const struct trie_item *trie_find(struct trie *t, trie_key key, unsigned bits);
/* In a section, or the writer: up to max items behind `after` (NULL: from the first): those of less than 16 bits, then
 * the others, each by key, then by bits. */
size_t trie_after(const struct trie *t, const struct trie_item *after, const struct trie_item **ret, size_t max);

/* The writer. Takes a copy of item, instead of one with the same prefix. ERR_NO_MEMORY: nothing changed. */
RESULT trie_put(struct trie *t, const struct trie_item *item, struct rcu_bin *bin);
RESULT trie_remove(struct trie *t, trie_key key, unsigned bits, struct rcu_bin *bin); /* also ERR_NOT_FOUND */

#endif
