/* The counts of all keys that were used since the start. A value is never replaced or removed, so it may be used beyond
 * the table's section in which it was found. */
#include "base/table.h"
#include "domain/keys/usage.h"
#include "domain/keys/usage_row.h"

#include <pthread.h>
#include <stdatomic.h>

#define AT_ONCE   256 /* rows of one commit, so that others' commits come in between */
#define ARENA_MAX (16u << 20)
#define NAMES_MAX 1024

struct counted {
    struct counted *_Atomic next; /* among those that changed */
    atomic_bool changed;
    pthread_mutex_t lock; /* of all below */
    struct usage usage;   /* names of endpoints are static, or among those of struct usages */
    char from[USAGE_FROM_MAX + 1];
    bool merged;      /* what the store had is in it */
    uint64_t version; /* of the row */
};

struct name {
    struct name *next;
    size_t len;
    char text[];
};

struct usages {
    struct table *table;
    struct counted *_Atomic changed;
    struct name *names; /* read from the store; the writing thread's */
    size_t name_count;
};

static void release(void *value)
{
    struct counted *c = value;
    pthread_mutex_destroy(&c->lock);
}

RESULT usages_new(struct usages **ret)
{
    AUTO(usages_free) struct usages *u = calloc(1, sizeof *u);
    if (!u)
        return ERR_NO_MEMORY;
    TRY(table_new(release, &u->table));
    *ret = TAKE(u);
    return OK;
}

void usages_free(struct usages *u)
{
    if (!u)
        return;
    table_free(u->table);
    for (struct name *n = u->names, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    free(u);
}

static struct counted *look_up(struct usages *u, struct view id)
{
    table_enter();
    struct counted *c = table_find(u->table, id);
    table_leave();
    return c;
}

/* --- counting */

/* Two threads may make one for the same key at once: the first that is there stays. */
static struct counted *begin(struct usages *u, struct view id)
{
    struct counted *mine = table_value_new(sizeof *mine, id);
    if (!mine)
        return NULL;
    pthread_mutex_init(&mine->lock, NULL);
    return table_put_new(u->table, mine);
}

static void note_change(struct usages *u, struct counted *c)
{
    if (atomic_exchange(&c->changed, true))
        return;
    struct counted *head = atomic_load(&u->changed);
    do
        atomic_store(&c->next, head);
    while (!atomic_compare_exchange_weak(&u->changed, &head, c));
}

void usages_count(struct usages *u, struct view id, uint64_t now_ms, const char *from, const char *endpoint)
{
    struct counted *c = look_up(u, id);
    if (!c)
        c = begin(u, id);
    if (!c)
        return;
    size_t n = strnlen(from, USAGE_FROM_MAX);
    pthread_mutex_lock(&c->lock);
    memcpy(c->from, from, n);
    usage_count(&c->usage, now_ms, VIEW(c->from, n), view_str(endpoint));
    pthread_mutex_unlock(&c->lock);
    note_change(u, c);
}

/* --- reading */

static RESULT copy(const struct usage *from, struct arena *arena, struct usage *ret)
{
    *ret = *from;
    return arena_copy(arena, from->last_from, &ret->last_from); /* the names stay where they are */
}

RESULT usages_read(struct usages *u, struct view id, struct store *reader, const struct row_keys *keys, uint64_t now_ms,
                   struct arena *arena, struct usage *ret)
{
    struct usage now = {.at_ms = now_ms}, stored;
    uint64_t version;
    bool merged = false;
    enum err e = OK;
    /* The store first: what is moved there meanwhile is then in the copy as well, and marked as merged. */
    enum err had = usage_row_get(reader, keys, id, arena, &stored, &version);
    struct counted *c = look_up(u, id);
    if (c) {
        pthread_mutex_lock(&c->lock);
        e = copy(&c->usage, arena, &now);
        merged = c->merged;
        pthread_mutex_unlock(&c->lock);
    }
    TRY(e);
    if (!merged && had == OK)
        usage_merge(&now, &stored);
    if (!merged && had != OK && had != ERR_NOT_FOUND)
        return had;
    usage_advance(&now, now_ms);
    *ret = now;
    return OK;
}

/* --- writing */

static RESULT keep_name(struct usages *u, struct view text, struct view *ret)
{
    for (const struct name *n = u->names; n; n = n->next)
        if (view_eq(VIEW(n->text, n->len), text)) {
            *ret = VIEW(n->text, n->len);
            return OK;
        }
    struct name *n = u->name_count < NAMES_MAX ? calloc(1, sizeof *n + text.len) : NULL;
    if (!n)
        return ERR_NO_MEMORY;
    memcpy(n->text, text.ptr, text.len);
    n->len = text.len;
    n->next = u->names;
    u->names = n;
    u->name_count++;
    *ret = VIEW(n->text, n->len);
    return OK;
}

static void merge(struct counted *c, const struct usage *stored)
{
    usage_merge(&c->usage, stored);
    struct view from = c->usage.last_from;
    size_t n = from.len < USAGE_FROM_MAX ? from.len : USAGE_FROM_MAX;
    memmove(c->from, from.ptr, n);
    c->usage.last_from = VIEW(c->from, n);
}

/* Once for each key, before it is written for the first time. */
static RESULT add_stored(struct usages *u, struct counted *c, struct store *reader, const struct row_keys *keys,
                         struct arena *arena)
{
    struct usage stored = {0};
    uint64_t version = 0;
    enum err e = usage_row_get(reader, keys, table_key(c), arena, &stored, &version);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    for (size_t i = 0; i < stored.endpoint_count; i++)
        TRY(keep_name(u, stored.endpoints[i].name, &stored.endpoints[i].name));
    pthread_mutex_lock(&c->lock);
    if (e == OK)
        merge(c, &stored);
    c->version = version;
    c->merged = true;
    pthread_mutex_unlock(&c->lock);
    return OK;
}

static RESULT put(struct usages *u, struct counted *c, struct store *reader, const struct row_keys *keys,
                  struct arena *arena, struct store_change *ret)
{
    struct usage now;
    if (!c->merged)
        TRY(add_stored(u, c, reader, keys, arena));
    pthread_mutex_lock(&c->lock);
    enum err e = copy(&c->usage, arena, &now);
    pthread_mutex_unlock(&c->lock);
    TRY(e);
    c->version++; /* only this thread's */
    return usage_row_put(keys, table_key(c), &now, c->version, arena, ret);
}

/* Takes up to AT_ONCE off the list and writes them; those that it could not are back in the list. */
static RESULT write_some(struct usages *u, struct counted **list, struct ledger *l, struct store *reader,
                         const struct row_keys *keys)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct counted *some[AT_ONCE];
    struct store_change changes[AT_ONCE];
    size_t n = 0;
    for (; *list && n < AT_ONCE; n++) {
        some[n] = *list;
        *list = atomic_load(&some[n]->next);
        atomic_store(&some[n]->changed, false); /* what is counted from now on is for the next time */
    }
    enum err e = arena_new(65536, ARENA_MAX, &arena);
    for (size_t i = 0; i < n && e == OK; i++)
        e = put(u, some[i], reader, keys, arena, &changes[i]);
    if (e == OK)
        e = ledger_put_counts(l, changes, n);
    for (size_t i = 0; i < n && e != OK; i++)
        note_change(u, some[i]);
    return e;
}

RESULT usages_write(struct usages *u, struct ledger *l, struct store *reader, const struct row_keys *keys)
{
    struct counted *list = atomic_exchange(&u->changed, NULL);
    enum err first = OK;
    while (list) {
        enum err e = write_some(u, &list, l, reader, keys);
        if (first == OK)
            first = e;
    }
    return first;
}
