#include "store_test.h"

#include <unistd.h>

void place_make(struct place *p, const char *options)
{
    snprintf(p->folder, sizeof(p->folder), "/tmp/holdfast-store-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof(p->path), "%s/store.db", p->folder);
    snprintf(p->url, sizeof(p->url), "sqlite:%s%s", p->path, options);
}

void place_empty(struct place *p)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s", p->path, endings[i]);
        unlink(name);
    }
}

void place_remove(struct place *p)
{
    place_empty(p);
    assert_int_equal(rmdir(p->folder), 0);
}

struct store *open_store(const char *url)
{
    struct store *s = NULL;
    struct problem why = {0};
    enum err e = store_open(url, &s, &why);
    if (e != OK)
        fail_msg("%s: %s: %s", url, err_code(e), why.detail);
    return s;
}

struct store *share_store(struct store *s, bool read_only)
{
    struct store *other = NULL;
    assert_int_equal(store_share(s, read_only, &other), OK);
    return other;
}

struct store_change change(uint16_t table, const char *key, uint64_t expect, uint64_t version, const char *value)
{
    return (struct store_change){
        version ? STORE_PUT : STORE_DELETE, table, view_str(key), expect, version, view_str(value)};
}

void commit_one(struct store *s, struct store_change c)
{
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, &c, 1, NULL), OK);
    assert_int_equal(store_commit(s), OK);
}

uint64_t version_of(struct store *s, uint16_t table, const char *key, const char *value)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct store_row row = {0};
    assert_int_equal(arena_new(4096, 4u << 20, &arena), OK);
    enum err e = store_get(s, table, view_str(key), arena, &row);
    if (e == ERR_NOT_FOUND)
        return 0;
    assert_int_equal(e, OK);
    assert_true(view_is(row.key, key));
    if (value)
        assert_true(view_is(row.value, value));
    return row.version;
}

static bool list_one(void *context, const struct store_row *row)
{
    struct listing *l = context;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof(l->text) - n, "%.*s ", (int)row->key.len, (const char *)row->key.ptr);
    return ++l->count != l->stop_after;
}

void list_range(struct store *s, uint16_t table, const char *from, const char *to, bool reverse, size_t limit,
                struct listing *ret)
{
    *ret = (struct listing){.stop_after = ret->stop_after};
    assert_int_equal(store_range(s, table, view_str(from), view_str(to), reverse, limit, list_one, ret), OK);
}

uint64_t prng(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state * 0x2545f4914f6cdd1du) >> 16;
}
