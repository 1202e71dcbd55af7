#include "api/credential_row.h"

#include "base/fields.h"
#include "crypto/hash.h"

#define ROW_MAX (DESCRIPTOR_MAX + SEALED_SECRET_MAX + 64)

static const struct field fields[] = {
    FIELD(1, struct credential_row, descriptor, BYTES, DESCRIPTOR_MAX, .flags = FIELD_REQUIRED),
    FIELD(2, struct credential_row, sealed, BYTES, SEALED_SECRET_MAX, .flags = FIELD_HIDDEN),
};
const struct entity credential_row_entity = ENTITY("CredentialRow", 0x0601, 1, struct credential_row, fields);

static RESULT key_of(const struct row_keys *keys, struct view path, struct arena *arena, struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    TRY(row_key_path(keys, TABLE_CREDENTIAL, path, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT credential_row_get(struct store *reader, const struct row_keys *keys, struct view path, struct arena *arena,
                          struct credential_row *ret)
{
    struct store_row row;
    struct view key;

    TRY(key_of(keys, path, arena, &key));
    TRY(store_get(reader, TABLE_CREDENTIAL, key, arena, &row));
    return entity_decode(&credential_row_entity, row.value, arena, ret) == OK ? OK : ERR_TAMPERED;
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
