#include "domain/identity/passkeys.h"

#include "crypto/hash.h"
#include "domain/identity/tables.h"

void passkeys_hash(struct view id, uint8_t out[static PASSKEY_HASH_SIZE])
{
    sha256(id, out);
}

/* As large as one of an ordinary authenticator. */
RESULT passkeys_nobodys(struct known **ret)
{
    static const uint8_t key[77], id[32];
    AUTO(arena_free) struct arena *arena = NULL;
    struct txn_change c = {.table = TABLE_PASSKEY};
    const struct webauthn_credential p = {.id = VIEW_OF(id),
                                          .user = VIEW_STR("nobody"),
                                          .public_key = VIEW_OF(key),
                                          .created_ms = 1,
                                          .last_used_ms = 1,
                                          .name = VIEW_STR("nobody's")};
    TRY(arena_new(2048, TABLES_SCRATCH, &arena));
    TRY(tables_encoded(&webauthn_credential_entity, &p, arena, &c.value));
    *ret = tables_known(p.id, &c);
    return *ret ? OK : ERR_NO_MEMORY;
}

RESULT passkeys_find(struct identity *i, const uint8_t hash[static PASSKEY_HASH_SIZE], struct arena *arena,
                     struct passkey_found *ret)
{
    struct passkey_found f = {0};
    table_enter();
    const struct known *k = table_find(i->passkeys, VIEW(hash, PASSKEY_HASH_SIZE));
    enum err e = tables_copy(k ? k : i->no_passkey, &webauthn_credential_entity, arena, &f.passkey);
    if (!k)
        e = ERR_NOT_FOUND;
    if (e == OK) {
        f.version = k->version;
        memcpy(f.commitment, k->commitment, sizeof f.commitment);
    }
    table_leave();
    TRY(e);
    *ret = f;
    return OK;
}

RESULT passkeys_of(struct identity *i, const struct user *u, struct arena *arena, struct passkey_found **ret,
                   size_t *ret_count)
{
    const struct passkey_ref *refs = u->mfa.passkeys.items;
    struct passkey_found *found = arena_alloc(arena, (u->mfa.passkeys.count + 1) * sizeof *found);
    size_t count = 0;
    if (!found)
        return ERR_NO_MEMORY;
    for (size_t n = 0; n < u->mfa.passkeys.count; n++) {
        enum err e = passkeys_find(i, refs[n].hash, arena, &found[count]);
        if (e != OK && e != ERR_NOT_FOUND)
            return e;
        count += e == OK;
    }
    *ret = found;
    *ret_count = count;
    return OK;
}

static RESULT row_of(const struct row_keys *keys, struct view id, struct arena *arena, struct view *ret)
{
    uint8_t hash[PASSKEY_HASH_SIZE];
    passkeys_hash(id, hash);
    return tables_named(keys, TABLE_PASSKEY, VIEW_OF(hash), arena, ret);
}

RESULT passkeys_put(const struct row_keys *keys, const struct webauthn_credential *passkey,
                    const struct passkey_found *before, struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_put(TABLE_PASSKEY, before ? before->version : 0, before ? before->commitment : NULL);
    TRY(row_of(keys, passkey->id, arena, &c.key));
    TRY(tables_encoded(&webauthn_credential_entity, passkey, arena, &c.value));
    *ret = c;
    return OK;
}

RESULT passkeys_remove(const struct row_keys *keys, const struct passkey_found *before, struct arena *arena,
                       struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_PASSKEY, before->version, before->commitment);
    TRY(row_of(keys, before->passkey.id, arena, &c.key));
    *ret = c;
    return OK;
}
