/* Memory tables that many threads read while a few change them (liburcu, membarrier(2)). Readers never wait and never
 * write to shared memory; writers take turns. What a reader has found stays valid until its section ends, also if it is
 * replaced or removed meanwhile.
 *
 * A value is immutable once it was put, except for atomic members. */
#ifndef HOLDFAST_BASE_TABLE_H
#define HOLDFAST_BASE_TABLE_H

#include "base/buf.h"
#include "base/rcu.h"

struct table;

/* release (may be NULL) runs on each value before its memory goes, in whatever thread. */
RESULT table_new(void (*release)(void *value), struct table **ret);
void table_free(struct table *t); /* nobody reads or writes any more */

/* Zeroed memory for one value, with a copy of its key; NULL when memory is used up. It is put, or freed here. */
void *table_value_new(size_t size, struct view key);
void table_value_free(const struct table *t, void *value);
struct view table_key(const void *value);

/* Readers: a section (base/rcu.h) holds what it finds. */
static inline void table_enter(void)
{
    rcu_enter();
}
static inline void table_leave(void)
{
    rcu_leave();
}
void *table_find(struct table *t, struct view key); /* inside a section; NULL if there is none */
/* For a look-up that comes when something else is done: in a large table it waits for memory twice, which these two
 * fetch into the cache meanwhile, first where values with this hash are, then them. Inside a section. */
uint64_t table_hash(const struct table *t, struct view key);
void *table_find_hashed(struct table *t, uint64_t hash, struct view key); /* table_find with this hash of key */
void table_fetch_place(struct table *t, uint64_t hash);
void table_fetch_value(struct table *t, uint64_t hash);
/* Inside a section, in no particular order; visit returns false to stop. What changes meanwhile may be missed, and what
 * is removed and put again may come twice. */
void table_visit(struct table *t, bool (*visit)(void *context, void *value), void *context);
size_t table_count(struct table *t);

/* Writers, outside of sections. table_put takes the value and replaces the one with the same key. */
void table_put(struct table *t, void *value);
void *table_put_new(struct table *t, void *value); /* unless there is one: then value is freed. Returns what is there */
RESULT table_remove(struct table *t, struct view key); /* ERR_NOT_FOUND */

AUTO_DEFINE(struct table *, table_free);

#endif
