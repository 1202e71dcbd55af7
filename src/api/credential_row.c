#include "api/credential_row.h"

#include "base/fields.h"
#include "crypto/hash.h"

#define ROW_MAX (DESCRIPTOR_MAX + SEALED_SECRET_MAX + 64)

static const struct field fields[] = {
    FIELD(1, struct credential_row, descriptor, BYTES, DESCRIPTOR_MAX, .flags = FIELD_REQUIRED),
    FIELD(2, struct credential_row, sealed, BYTES, SEALED_SECRET_MAX, .flags = FIELD_HIDDEN),
};
/* Not 0x0601: a raw row that begins with the bytes 01 00 01 behind its first would be taken for one of the front's own
 * (row_is_state in ledger/rows.h). */
const struct entity credential_row_entity = ENTITY("CredentialRow", 0x0602, 1, struct credential_row, fields);

static RESULT key_of(const struct row_keys *keys, struct view path, struct arena *arena, struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    TRY(row_key_path(keys, TABLE_CREDENTIAL, path, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* The row says of itself what it is, and the ledger keeps what it must be: moved, altered and former ones don't pass.
 */
static RESULT check_row(struct store *reader, const struct row_keys *keys, struct view path,
                        const struct store_row *row, const struct credential_row *c, struct arena *arena)
{
    struct credential_descriptor d;
    uint8_t hash[32], commitment[32];
    uint64_t version;

    if (entity_decode(&credential_descriptor_entity, c->descriptor, arena, &d) != OK || !view_eq(d.path, path))
        return ERR_TAMPERED;
    TRY(ledger_commitment(reader, keys, TABLE_CREDENTIAL, row->key, &version, commitment));
    sha256(c->descriptor, hash);
    if (version != row->version || version != d.version || memcmp(hash, commitment, sizeof hash) != 0)
        return ERR_TAMPERED;
    return OK;
}

RESULT credential_row_get(struct store *reader, const struct row_keys *keys, struct view path, struct arena *arena,
                          struct credential_row *ret)
{
    struct credential_row found;
    struct store_row row;
    struct view key;
    enum err e;

    TRY(key_of(keys, path, arena, &key));
    TRY(store_get(reader, TABLE_CREDENTIAL, key, arena, &row));
    if (entity_decode(&credential_row_entity, row.value, arena, &found) != OK)
        return ERR_TAMPERED;
    e = check_row(reader, keys, path, &row, &found, arena);
    if (e != OK)
        return e == ERR_NOT_FOUND ? ERR_TAMPERED : e;
    *ret = found;
    return OK;
}

RESULT credential_row_change(struct store *reader, const struct row_keys *keys, struct view descriptor,
                             struct view sealed, struct arena *arena, struct txn_change *ret)
{
    struct credential_row row = {.descriptor = descriptor, .sealed = sealed};
    struct credential_descriptor d;
    struct txn_change c = {.table = TABLE_CREDENTIAL, .raw = true};
    AUTO_WRITER value = writer_new(ROW_MAX);
    enum err e;

    TRY(entity_decode(&credential_descriptor_entity, descriptor, arena, &d));
    TRY(key_of(keys, d.path, arena, &c.key));
    e = ledger_commitment(reader, keys, TABLE_CREDENTIAL, c.key, &c.expect, c.old_commitment);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && c.expect >= d.version)
        return ERR_EXISTS;
    c.version = d.version;
    sha256(descriptor, c.commitment);
    TRY(entity_encode(&credential_row_entity, &row, &value));
    TRY(arena_copy(arena, writer_view_of(&value), &c.value));
    *ret = c;
    return OK;
}
