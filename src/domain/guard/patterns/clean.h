/* Texts of which it is known that no rule speaks, so that what a client sends with each request (its User-Agent, its
 * cookies, the paths of a bot) is not searched anew each time. For one thread; of a fixed size; nothing is allocated
 * after it was made.
 *
 * A text is known by its SipHash-2-4-128 under a seed of its own for each table, so nobody outside can make an attack
 * that passes for a harmless text, nor texts that push each other out; and the texts themselves, which may be secrets,
 * are not kept. Half of the places are for texts that came again: a flood of others leaves them. */
#ifndef HOLDFAST_GUARD_PATTERNS_CLEAN_H
#define HOLDFAST_GUARD_PATTERNS_CLEAN_H

#include "base/clock.h"
#include "domain/guard/patterns/split.h"

#define CLEAN_TEXTS 4096 /* that a table holds at most: 64 KiB */

struct clean;

/* The name of a text at a part of the request: what stands there decides which rules speak of it. */
struct clean_tag {
    uint64_t w[2];
};

/* ERR_NO_MEMORY, or what random says. */
RESULT clean_new(const struct random *random, struct clean **ret);
void clean_free(struct clean *c);

void clean_name(const struct clean *c, const struct split_field *f, struct clean_tag *ret);
/* Is it in? Then it also stays longer. */
bool clean_has(struct clean *c, const struct clean_tag *tag);
void clean_put(struct clean *c, const struct clean_tag *tag);
void clean_forget(struct clean *c); /* all of them */

AUTO_DEFINE(struct clean *, clean_free);

#endif
