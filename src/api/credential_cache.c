#include "api/credential_cache.h"

#include "crypto/hash.h"

#include <stdatomic.h>

#define SLOTS 4096u

/* Five words that belong together, behind a counter that is odd while they change: who reads an odd one, or another one
 * afterwards than before, has read nothing. */
enum { WORD_PATH, WORD_ID = 2, WORD_ENVIRONMENT = 4, WORDS = 5 };
struct slot {
    _Atomic uint32_t sequence;
    _Atomic uint64_t words[WORDS];
};

struct credential_cache {
    struct slot slots[SLOTS];
};

RESULT credential_cache_new(struct credential_cache **ret)
{
    struct credential_cache *c = calloc(1, sizeof *c);

    if (!c)
        return ERR_NO_MEMORY;
    *ret = c;
    return OK;
}

void credential_cache_free(struct credential_cache *c)
{
    free(c);
}

/* 128 bits of a hash stand for the path: two that are alike nobody can make. */
static size_t name_of(struct view path, uint64_t out[static 2])
{
    uint8_t hash[SHA256_SIZE];

    sha256(path, hash);
    memcpy(out, hash, 2 * sizeof *out);
    return out[0] % SLOTS;
}

bool credential_cache_get(const struct credential_cache *c, struct view path, struct credential_known *ret)
{
    uint64_t name[2], words[WORDS];
    const struct slot *s = &c->slots[name_of(path, name)];
    uint32_t before = atomic_load_explicit(&s->sequence, memory_order_acquire);

    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&s->words[i], memory_order_acquire);
    if (before % 2 || before == 0 || atomic_load_explicit(&s->sequence, memory_order_acquire) != before)
        return false;
    if (memcmp(&words[WORD_PATH], name, sizeof name) != 0)
        return false;
    memcpy(ret->id, &words[WORD_ID], sizeof ret->id);
    ret->environment = (uint8_t)words[WORD_ENVIRONMENT];
    return true;
}

static void write_slot(struct slot *s, const uint64_t words[static WORDS])
{
    uint32_t before = atomic_load_explicit(&s->sequence, memory_order_relaxed);

    if (before % 2 || !atomic_compare_exchange_strong(&s->sequence, &before, before + 1))
        return; /* somebody else is at it, and his is as good */
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&s->words[i], words[i], memory_order_release);
    atomic_store_explicit(&s->sequence, before + 2, memory_order_release);
}

void credential_cache_put(struct credential_cache *c, struct view path, const struct credential_known *known)
{
    uint64_t words[WORDS];
    struct slot *s = &c->slots[name_of(path, words)];

    memcpy(&words[WORD_ID], known->id, sizeof known->id);
    words[WORD_ENVIRONMENT] = known->environment;
    write_slot(s, words);
}

void credential_cache_drop(struct credential_cache *c, struct view path)
{
    uint64_t name[2], nothing[WORDS] = {0};
    struct slot *s = &c->slots[name_of(path, name)];

    write_slot(s, nothing);
}
