/* Rows of values. A row is found by id and version; the keeper sealed the value itself, and beside it stands, sealed by
 * the front, which secret it is: rewrapping needs that, and a row that was moved here is known by it.
 *
 *   u32-counted { id[16] ‖ u64 version ‖ path, as row_seal() seals it } ‖ what the keeper sealed */
#include "domain/secrets/inside.h"

#include "crypto/hash.h"

#define NAME_MAX_BYTES 2048

static RESULT value_key(const struct row_keys *keys, const uint8_t id[static 16], uint64_t version, struct arena *arena,
                        struct view *ret)
{
    uint8_t name[24], bytes[STORE_KEY_MAX];
    struct writer n = writer_fixed(name, sizeof name), w = writer_fixed(bytes, sizeof bytes);

    writer_bytes(&n, id, 16);
    writer_u64(&n, version);
    TRY(row_key_exact(keys, TABLE_SECRET_VALUE, writer_view_of(&n), &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static void put_name(const struct secret_sealed *v, struct writer *w)
{
    writer_bytes(w, v->id, sizeof v->id);
    writer_u64(w, v->version);
    writer_view(w, v->path);
}

static RESULT split(const struct store_row *row, struct view *ret_name, struct view *ret_sealed)
{
    struct reader r = reader_new(row->value);

    if (reader_var(&r, NAME_MAX_BYTES, ret_name) != OK)
        return ERR_TAMPERED;
    *ret_sealed = VIEW(r.ptr, r.left);
    return OK;
}

RESULT secret_value_open(const struct row_keys *keys, const struct store_row *row, struct arena *arena,
                         struct secret_sealed *ret)
{
    AUTO_WRITER name = writer_new(NAME_MAX_BYTES);
    struct store_row sealed_name = *row;
    struct secret_sealed v;
    uint8_t unused[32];
    struct reader r;

    TRY(split(row, &sealed_name.value, &v.sealed));
    TRY(row_open(keys, TABLE_SECRET_VALUE, &sealed_name, &name, unused));
    r = reader_new(writer_view_of(&name));
    if (reader_copy(&r, v.id, sizeof v.id) != OK || reader_u64(&r, &v.version) != OK || v.version != row->version)
        return ERR_TAMPERED;
    TRY(arena_copy(arena, VIEW(r.ptr, r.left), &v.path));
    *ret = v;
    return OK;
}

RESULT secret_value_rewrap(const struct row_keys *keys, const struct store_row *row, struct view sealed,
                           const struct random *random, struct writer *w)
{
    AUTO_WRITER name = writer_new(NAME_MAX_BYTES);
    struct store_row sealed_name = *row;
    struct view former;

    TRY(split(row, &sealed_name.value, &former));
    TRY(row_rewrap(keys, TABLE_SECRET_VALUE, &sealed_name, random, &name));
    writer_var(w, writer_view_of(&name));
    writer_view(w, sealed);
    return writer_done(w);
}

/* --- reading */

static RESULT choose(const struct secret_found *s, const struct secret_wanted *want, uint64_t *ret)
{
    const struct secret_version *v = secret_version_find(&s->meta, want->version ? want->version : s->meta.current);
    enum secret_version_state state;

    if (s->meta.revoked && (!want->recover || want->now_ms >= s->meta.retained_until_ms))
        return ERR_REVOKED;
    if (!v)
        return ERR_NOT_FOUND;
    state = secret_state_at(v, want->now_ms);
    if (state == VERSION_DESTROYED || (state != VERSION_CURRENT && state != VERSION_GRACE && !want->recover))
        return ERR_NOT_FOUND;
    *ret = v->number;
    return OK;
}

RESULT secret_value(struct store *reader, const struct row_keys *keys, const struct secret_found *s,
                    const struct secret_wanted *want, struct arena *arena, struct secret_sealed *ret)
{
    struct secret_sealed v;
    struct store_row row;
    struct view key;
    uint64_t number;
    enum err e;

    TRY(choose(s, want, &number));
    TRY(value_key(keys, s->meta.id, number, arena, &key));
    e = store_get(reader, TABLE_SECRET_VALUE, key, arena, &row);
    if (e == ERR_NOT_FOUND)
        return ERR_TAMPERED; /* its metadata says that it is there */
    TRY(e);
    TRY(secret_value_open(keys, &row, arena, &v));
    if (memcmp(v.id, s->meta.id, sizeof v.id) != 0 || v.version != number || !view_eq(v.path, s->meta.path))
        return ERR_TAMPERED;
    *ret = v;
    return OK;
}

/* --- changes */

/* Rewrapping changes what the keeper sealed but not what it is: the commitment is to the first sealed form, which only
 * this value can have led to. */
static RESULT commit_to(const struct secret_sealed *v, uint8_t out[static 32])
{
    AUTO_WRITER name = writer_new(NAME_MAX_BYTES);

    writer_str(&name, "secret value");
    put_name(v, &name);
    TRY(writer_done(&name));
    const struct view parts[] = {writer_view_of(&name), v->sealed};
    sha256_list(parts, ARRAY_LEN(parts), out);
    return OK;
}

RESULT secret_value_put(const struct secret_edit *by, const struct secret_sealed *value, struct txn_change *ret)
{
    AUTO_WRITER name = writer_new(NAME_MAX_BYTES), sealed_name = writer_new(NAME_MAX_BYTES);
    AUTO_WRITER row = writer_new(STORE_VALUE_MAX);
    struct txn_change c = {.table = TABLE_SECRET_VALUE, .version = value->version, .raw = true};
    uint8_t unused[32];

    put_name(value, &name);
    TRY(writer_done(&name));
    TRY(value_key(by->keys, value->id, value->version, by->arena, &c.key));
    TRY(row_seal(by->keys, TABLE_SECRET_VALUE, c.key, c.version, writer_view_of(&name), by->random, &sealed_name,
                 unused));
    writer_var(&row, writer_view_of(&sealed_name));
    writer_view(&row, value->sealed);
    TRY(writer_done(&row));
    TRY(arena_copy(by->arena, writer_view_of(&row), &c.value));
    TRY(commit_to(value, c.commitment));
    *ret = c;
    return OK;
}

RESULT secret_value_remove(const struct secret_edit *by, const struct secret_meta *meta, uint64_t version,
                           struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_SECRET_VALUE, .remove = true, .raw = true};
    enum err e;

    TRY(value_key(by->keys, meta->id, version, by->arena, &c.key));
    e = ledger_commitment(by->reader, by->keys, TABLE_SECRET_VALUE, c.key, &c.expect, c.old_commitment);
    TRY(e == ERR_NOT_FOUND ? ERR_TAMPERED : e);
    *ret = c;
    return OK;
}
