#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/tokens/tokens.h"

#define PREFIX "hfr_"
#define SECRET 32
#define TAG    12
#define BODY   (16 + 4 + SECRET)
#define WHOLE  (BODY + TAG)
/* As with sessions: rotating the data key must not end them. The first epoch is never retired (crypto/keyring.h). */
#define PEPPER_EPOCH 1
#define PLAIN_MAX    4096u

static const struct field grant_fields[] = {
    FIELD(1, struct grant, id, FIXED, 16),
    FIELD(2, struct grant, user, TEXT, TOKEN_SUBJECT_MAX),
    FIELD(3, struct grant, client, TEXT, TOKEN_CLIENT_MAX),
    FIELD(4, struct grant, session, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(5, struct grant, created_ms, TIME, 0),
    FIELD(6, struct grant, expires_ms, TIME, 0),
    FIELD(7, struct grant, idle_ms, U64, 0),
    FIELD(8, struct grant, used_ms, TIME, 0),
    FIELD(9, struct grant, generation, U32, 0),
    FIELD(10, struct grant, verifier, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(11, struct grant, source, TEXT, 64),
    FIELD(12, struct grant, user_agent, TEXT, 256),
    FIELD(13, struct grant, auth_ms, TIME, 0),
    FIELD(14, struct grant, shown, U8, 0),
};
const struct entity grant_entity = ENTITY("Grant", 0x0552, 1, struct grant, grant_fields);

static const struct field revocation_fields[] = {
    FIELD(1, struct revocation, kind, U8, 0),       FIELD(2, struct revocation, name, TEXT, TOKEN_SUBJECT_MAX),
    FIELD(3, struct revocation, since_ms, TIME, 0), FIELD(4, struct revocation, at_ms, TIME, 0),
    FIELD(5, struct revocation, until_ms, TIME, 0),
};
const struct entity revocation_entity = ENTITY("TokenRevocation", 0x0553, 1, struct revocation, revocation_fields);

bool grant_over(const struct grant *g, uint64_t now_ms)
{
    return now_ms >= g->expires_ms || (now_ms >= g->used_ms && now_ms - g->used_ms >= g->idle_ms);
}

/* --- refresh tokens */

/* What is hashed is longer than a SHA-256 in the one case and one in the other, so neither stands for the other. */
static RESULT keyed(const struct row_keys *keys, const uint8_t body[static BODY], uint8_t ret_tag[static 32],
                    uint8_t ret_verifier[static 32])
{
    uint8_t pepper[32], plain[SHA256_SIZE];

    TRY(keyring_subkey(row_keys_ring(keys), PEPPER_EPOCH, PURPOSE_PEPPER, pepper));
    hmac_sha256_list(VIEW_OF(pepper), (struct view[]){VIEW_STR("refresh tag"), VIEW(body, BODY)}, 2, ret_tag);
    sha256(VIEW(body, BODY), plain);
    hmac_sha256(VIEW_OF(pepper), VIEW_OF(plain), ret_verifier);
    wipe(pepper, sizeof pepper);
    wipe(plain, sizeof plain);
    return OK;
}

static RESULT make(const struct row_keys *keys, const struct random *random, uint8_t whole[static WHOLE],
                   uint8_t ret_verifier[static 32])
{
    uint8_t tag[32];

    TRY(random->fill(random, whole + 20, SECRET));
    TRY(keyed(keys, whole, tag, ret_verifier));
    memcpy(whole + BODY, tag, TAG);
    return OK;
}

RESULT refresh_make(const struct row_keys *keys, const struct random *random, const uint8_t id[static 16],
                    uint32_t generation, char out[static REFRESH_TEXT_SIZE], uint8_t ret_verifier[static 32])
{
    struct writer text = writer_fixed(out, REFRESH_TEXT_SIZE - 1);
    uint8_t whole[WHOLE];
    struct writer head = writer_fixed(whole, sizeof whole);
    enum err e;

    writer_bytes(&head, id, 16);
    writer_u32(&head, generation);
    e = make(keys, random, whole, ret_verifier);
    if (e == OK) {
        writer_str(&text, PREFIX);
        base64url_put(&text, VIEW_OF(whole));
        e = writer_done(&text);
    }
    wipe(whole, sizeof whole);
    out[REFRESH_TEXT_SIZE - 1] = '\0';
    return e;
}

static RESULT take_apart(const struct row_keys *keys, struct view bytes, struct refresh *ret)
{
    struct reader r = reader_new(bytes);
    struct refresh out;
    uint8_t tag[32];

    if (bytes.len != WHOLE)
        return ERR_TOKEN_INVALID;
    TRY(keyed(keys, bytes.ptr, tag, out.verifier));
    if (!ct_eq(tag, bytes.ptr + BODY, TAG))
        return ERR_TOKEN_INVALID;
    TRY(reader_copy(&r, out.id, sizeof out.id));
    TRY(reader_u32(&r, &out.generation));
    *ret = out;
    return OK;
}

RESULT refresh_parse(const struct row_keys *keys, struct view text, struct refresh *ret)
{
    AUTO_WRITER bytes = writer_new(WHOLE);
    size_t skip = sizeof PREFIX - 1;

    if (text.len != REFRESH_TEXT_SIZE - 1 || !view_starts(text, PREFIX) ||
        base64url_get(VIEW(text.ptr + skip, text.len - skip), &bytes) != OK)
        return ERR_TOKEN_INVALID;
    return take_apart(keys, writer_view_of(&bytes), ret);
}

/* --- rows */

static RESULT row_of(const struct row_keys *keys, uint16_t table, struct view name, struct arena *arena,
                     struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    TRY(row_key_exact(keys, table, name, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT grant_put(const struct row_keys *keys, const struct grant *g, const struct grant_found *before,
                 struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_put(TABLE_GRANT, before ? before->version : 0, before ? before->commitment : NULL);
    AUTO_WRITER w = writer_new(PLAIN_MAX);

    TRY(row_of(keys, TABLE_GRANT, VIEW_OF(g->id), arena, &c.key));
    TRY(entity_encode(&grant_entity, g, &w));
    TRY(arena_copy(arena, writer_view_of(&w), &c.value));
    *ret = c;
    return OK;
}

RESULT grant_remove(const struct row_keys *keys, const struct grant_found *g, struct arena *arena,
                    struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_GRANT, g->version, g->commitment);

    TRY(row_of(keys, TABLE_GRANT, VIEW_OF(g->grant.id), arena, &c.key));
    *ret = c;
    return OK;
}
