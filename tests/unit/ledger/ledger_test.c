#include "ledger_test.h"

#include <unistd.h>

static uint64_t rig_now(const struct clock *c)
{
    const struct rig *r = c->context;
    return r->now_ms;
}

struct rig *rig_new(const char *url, const char *options)
{
    struct rig *r = calloc(1, sizeof(*r));
    bool locked;
    assert_non_null(r);
    assert_int_equal(crypto_init(&locked), OK);
    r->now_ms = 1790000000000u;
    r->clock = (struct clock){rig_now, rig_now, r};
    snprintf(r->path, sizeof(r->path), "/tmp/holdfast-ledger-XXXXXX");
    int fd = mkstemp(r->path);
    assert_true(fd >= 0);
    close(fd);
    unlink(r->path);
    if (url)
        snprintf(r->url, sizeof(r->url), "%s", url);
    else
        snprintf(r->url, sizeof(r->url), "sqlite:%s%s%s", r->path, options ? "?" : "", options ? options : "");
    assert_int_equal(keyring_new(KEY_CLASS_STATE, &r->ring), OK);
    assert_int_equal(keyring_rotate(r->ring, 1, random_system()), OK);
    assert_int_equal(row_keys_new(r->ring, AEAD_XAES_256_GCM, &r->keys), OK);
    assert_int_equal(loop_new(clock_system(), &r->loop), OK);
    assert_int_equal(mailbox_new(r->loop, &r->box), OK);
    return r;
}

void rig_close(struct rig *r)
{
    store_close(r->reader);
    r->reader = NULL;
    ledger_close(r->ledger);
    r->ledger = NULL;
}

struct rig *rig_ready(struct arena **ret_arena)
{
    struct rig *r = rig_new(NULL, NULL);
    struct problem why = {0};
    assert_int_equal(rig_open(r, &why), OK);
    assert_int_equal(arena_new(4096, 4u << 20, ret_arena), OK);
    return r;
}

void rig_free(struct rig *r)
{
    static const char *const sides[] = {"-wal", "-shm", "-kept"};
    char side[300];
    rig_close(r);
    mailbox_free(r->box);
    loop_free(r->loop);
    row_keys_free(r->keys);
    keyring_free(r->ring);
    unlink(r->path);
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        snprintf(side, sizeof(side), "%s%s", r->path, sides[i]);
        unlink(side);
    }
    free(r);
}

enum err rig_open(struct rig *r, struct problem *why)
{
    struct ledger_config config = {
        .store_url = r->url, .keys = r->keys, .clock = &r->clock, .random = random_system(), .batch_max = 64};
    TRY(ledger_open(&config, &r->ledger, why));
    assert_int_equal(ledger_reader(r->ledger, &r->reader), OK);
    return OK;
}

void rig_rotate(struct rig *r)
{
    assert_int_equal(keyring_rotate(r->ring, r->now_ms, random_system()), OK);
    row_keys_free(r->keys);
    assert_int_equal(row_keys_new(r->ring, AEAD_XAES_256_GCM, &r->keys), OK);
    ledger_set_keys(r->ledger, r->keys);
}

static void answered(void *context, struct txn *t)
{
    struct rig *r = context;
    (void)t;
    r->answers++;
}

void rig_wait(struct rig *r, size_t answers)
{
    for (unsigned i = 0; r->answers < answers; i++) {
        assert_true(i < 1000);
        assert_int_equal(loop_turn(r->loop, 20), OK);
    }
}

enum err rig_submit(struct rig *r, struct txn *t)
{
    size_t before = r->answers;
    t->done = answered;
    t->context = r;
    TRY(ledger_prepare(r->ledger, t));
    TRY(ledger_submit(r->ledger, t, 1, r->box));
    rig_wait(r, before + 1);
    return t->result;
}

bool rig_row(struct rig *r, uint16_t table, const char *name, bool raw, struct row_now *ret)
{
    struct arena *arena = NULL;
    struct store_row row;
    struct writer key = writer_fixed(ret->key, sizeof(ret->key));
    assert_int_equal(row_key_exact(r->keys, table, view_str(name), &key), OK);
    ret->key_len = key.len;
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    enum err e = store_get(r->reader, table, writer_view_of(&key), arena, &row);
    if (e == OK && raw) {
        assert_int_equal(
            ledger_commitment(r->reader, r->keys, table, writer_view_of(&key), &ret->version, ret->commitment), OK);
    } else if (e == OK) {
        struct writer plain = writer_fixed(ret->value, sizeof(ret->value) - 1);
        assert_int_equal(row_open(r->keys, table, &row, &plain, ret->commitment), OK);
        ret->value[plain.len] = '\0';
        ret->version = row.version;
    }
    arena_free(arena);
    return e == OK;
}

static void fill_change(struct rig *r, const struct change *c, struct arena *arena, struct txn_change *out)
{
    struct row_now now = {0};
    bool there = rig_row(r, c->table, c->name, c->raw, &now);
    *out = (struct txn_change){.table = c->table, .remove = !c->value, .raw = c->raw, .value = view_str(c->value)};
    assert_int_equal(arena_copy(arena, VIEW(now.key, now.key_len), &out->key), OK);
    out->expect = there ? now.version : 0;
    out->version = out->expect + 1;
    memcpy(out->old_commitment, now.commitment, 32);
    if (c->raw && c->value)
        sha256(view_str(c->value), out->commitment);
}

enum err rig_change(struct rig *r, const struct change *c, size_t count, const struct event *e)
{
    struct arena *arena = NULL;
    struct txn t = {0};
    struct record record = {.type = e->type,
                            .outcome = e->outcome,
                            .who = {.actor = view_str(e->actor), .source = VIEW_STR("192.0.2.1")},
                            .what = {.resource = view_str(e->resource),
                                     .detail = VIEW_STR("a \"quoted\"\n\x01 detail"),
                                     .also = view_str(e->also ? e->also : "")}};
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    t.arena = arena;
    t.changes = arena_alloc(arena, (count + 1) * sizeof(*t.changes));
    t.change_count = count;
    t.records = &record;
    t.record_count = 1;
    for (size_t i = 0; i < count; i++)
        fill_change(r, &c[i], arena, &t.changes[i]);
    enum err result = rig_submit(r, &t);
    arena_free(arena);
    return result;
}

enum err rig_put(struct rig *r, uint16_t table, const char *name, const char *value)
{
    const struct change c = {table, name, value, false};
    const struct event e = {EVENT_USER_CHANGED, OUTCOME_DONE, "user:alice", name};
    return rig_change(r, &c, 1, &e);
}

enum err rig_record(struct rig *r, const char *actor)
{
    const struct event e = {EVENT_AUTHENTICATION_SUCCESS, OUTCOME_DONE, actor, "session"};
    return rig_change(r, NULL, 0, &e);
}

void rig_root(struct rig *r, uint64_t size, uint8_t out[static 32])
{
    struct frontier f = {0};
    struct arena *arena = NULL;
    assert_int_equal(arena_new(65536, 1 << 24, &arena), OK);
    for (uint64_t i = 0; i < size; i++) {
        struct record_view v;
        uint8_t hash[32];
        arena_reset(arena);
        assert_int_equal(query_record(r->reader, r->keys, i, arena, &v), OK);
        leaf_hash(v.leaf_bytes, hash);
        frontier_append(&f, hash);
    }
    frontier_root(&f, out);
    arena_free(arena);
}

void rig_checkpoint(struct rig *r, const uint8_t seed[static 32], struct writer *note, struct writer *verifier)
{
    struct checkpoint c = {.origin = "holdfast/test/log/0", .size = ledger_size(r->ledger)};
    uint8_t key[32];
    rig_root(r, c.size, c.root);
    assert_int_equal(note_sign(&c, seed, note), OK);
    assert_int_equal(ed25519_public(seed, key), OK);
    assert_int_equal(note_verifier_put(c.origin, key, verifier), OK);
}

void rig_export(struct rig *r, struct view checkpoint, struct view verifier, struct writer *w)
{
    struct arena *arena = NULL;
    assert_int_equal(arena_new(65536, 1 << 24, &arena), OK);
    assert_int_equal(export_head(verifier, checkpoint, w), OK);
    writer_u8(w, '\n');
    for (uint64_t i = 0; i < ledger_size(r->ledger); i++) {
        struct record_view v;
        arena_reset(arena);
        assert_int_equal(query_record(r->reader, r->keys, i, arena, &v), OK);
        assert_int_equal(export_record(&v, w), OK);
        writer_u8(w, '\n');
    }
    arena_free(arena);
}
