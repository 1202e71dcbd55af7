/* Access tokens (JWT, RFC 7519, RFC 9068) as Holdfast takes them, the grants that refresh them, and what ended before
 * its time. Memory tables: a token that was verified once costs a hash and look-ups, and each of them sees a revocation
 * at once. */
#ifndef HOLDFAST_DOMAIN_TOKENS_TOKENS_H
#define HOLDFAST_DOMAIN_TOKENS_TOKENS_H

#include "base/entity.h"
#include "crypto/token_key.h"
#include "ipc/keeper_msg.h"
#include "ledger/ledger.h"

#define TOKEN_SKEW_MS 5000u /* how far iat and nbf may be ahead; exp gets nothing */

/* --- one token, read and not yet believed */
struct jwt_claims {
    struct view iss, sub, aud, client_id;
    uint64_t exp, nbf, iat; /* seconds */
    uint8_t jti[TOKEN_ID_SIZE], sid[16];
    uint64_t auth_time;
    struct text_list amr;
};
extern const struct entity jwt_claims_entity;
struct jwt {
    uint8_t alg; /* enum token_alg */
    char kid[TOKEN_KID_LEN + 1];
    struct view signed_part; /* borrowed from the text */
    uint8_t signature[TOKEN_SIG_MAX];
    size_t signature_len;
    struct jwt_claims claims; /* in the arena */
};
/* Strict (RFC 7515 §5.2, RFC 8725): three parts, base64url without padding and without stray bits; a header of exactly
 * alg, kid and typ "at+jwt", so that no jku, jwk, x5u or crit can say where a key comes from; claims as the keeper
 * writes them, none twice and none unknown. ERR_TOKEN_INVALID for everything else, without a word about what it was. */
RESULT jwt_parse(struct view text, struct arena *arena, struct jwt *ret);

/* --- grants: what a refresh token stands for */
struct grant { /* entity Grant, TABLE_GRANT, key by id */
    uint8_t id[16];
    struct view user, client;
    uint8_t session[32]; /* token hash of the session that it came from */
    uint64_t created_ms, expires_ms, idle_ms, used_ms;
    uint32_t generation;  /* of the refresh token that is good now */
    uint8_t verifier[32]; /* FIELD_HIDDEN: keyed hash of that token */
    struct view source, user_agent;
    uint64_t auth_ms;
    uint8_t shown; /* to begin that session: enum shown_bits (identity.h) */
};
extern const struct entity grant_entity;
struct grant_found {
    struct grant grant;
    uint64_t version;
    uint8_t commitment[32];
};
#define GRANTS_PER_USER 20
/* Where a grant stands among the others: by age, then by id. */
struct grant_place {
    uint64_t created_ms;
    uint8_t id[16];
};

/* Refresh tokens: "hfr_" and base64url of id[16] ‖ u32 generation ‖ secret[32] ‖ tag[12]. The tag tells an old one from
 * one that never was: only the former ends its grant. */
#define REFRESH_TEXT_SIZE 91
struct refresh {
    uint8_t id[16];
    uint32_t generation;
    uint8_t verifier[32];
};
RESULT refresh_make(const struct row_keys *keys, const struct random *random, const uint8_t id[static 16],
                    uint32_t generation, char out[static REFRESH_TEXT_SIZE], uint8_t ret_verifier[static 32]);
RESULT refresh_parse(const struct row_keys *keys, struct view text, struct refresh *ret); /* ERR_TOKEN_INVALID */

/* --- what ended before its time */
enum revocation_kind { REVOKED_TOKEN = 1, REVOKED_SUBJECT, REVOKED_ALL, REVOKED_GRANT, REVOKED_SESSION };
struct revocation { /* entity TokenRevocation, TABLE_REVOCATION, key by kind and name */
    uint8_t kind;
    struct view name;  /* TOKEN, GRANT, SESSION: the id (of a session the token's hash) in hex; SUBJECT: "user:alice" */
    uint64_t since_ms; /* ALL: issued from then … */
    uint64_t at_ms;    /* … to here; SUBJECT: up to here */
    uint64_t until_ms; /* what it ends has ended by itself then */
};
extern const struct entity revocation_entity;

/* --- the memory tables; any thread */
struct tokens;
RESULT tokens_new(struct tokens **ret);
void tokens_free(struct tokens *t);
/* Grants and revocations from the store. Rows that don't open are left out and counted; is one a revocation, all tokens
 * and grants from before now have ended. */
RESULT tokens_load(struct tokens *t, struct store *reader, const struct row_keys *keys, uint64_t now_ms,
                   size_t *ret_bad, struct problem *why);
RESULT tokens_applied(struct tokens *t, const struct txn_change *change);
/* What the keeper publishes. Keys that are no longer in it sign nothing any more, tokens seen before included. */
RESULT tokens_set_keys(struct tokens *t, const struct keeper_token_keys *keys);
bool tokens_have_keys(struct tokens *t);
uint32_t tokens_max_seconds(struct tokens *t); /* 0 before the first keys */
/* RFC 7517 §5: the key set, keys whose last token has ended left out. ERR_UNAVAILABLE before the first keys. */
RESULT tokens_jwks(struct tokens *t, uint64_t now_ms, struct writer *w);

struct token_accepted {
    char subject[TOKEN_SUBJECT_MAX + 1];
    char client[TOKEN_CLIENT_MAX + 1];
    uint8_t id[TOKEN_ID_SIZE], grant[16]; /* zero: none */
    uint64_t issued_ms, expires_ms;
};
/* ERR_TOKEN_INVALID, ERR_UNAVAILABLE. With ERR_TOKEN_EXPIRED and ERR_TOKEN_REVOKED the signature was right, and ret is
 * filled in. Roles are not in a token: whoever asks looks them up. */
RESULT tokens_accept(struct tokens *t, struct view text, uint64_t now_ms, struct token_accepted *ret);

/* ERR_NOT_FOUND also for one that was revoked, or is too old. */
RESULT tokens_grant(struct tokens *t, const uint8_t id[static 16], uint64_t now_ms, struct arena *arena,
                    struct grant_found *ret);
bool grant_over(const struct grant *g, uint64_t now_ms);
/* Those that are not over, the oldest first; what is copied is no more than limit of them, however many there are. */
struct grants_range {
    struct view user;         /* empty: everybody's */
    struct grant_place after; /* zero: from the start */
    size_t limit;
    uint64_t now_ms;
};
RESULT tokens_grants(struct tokens *t, const struct grants_range *range, struct arena *arena,
                     struct entity_list *ret); /* of struct grant */

bool tokens_has_grant(struct tokens *t, struct view user); /* over or not */

/* Changes: one txn_change each, in arena. */
RESULT grant_put(const struct row_keys *keys, const struct grant *g, const struct grant_found *before,
                 struct arena *arena, struct txn_change *ret);
RESULT grant_remove(const struct row_keys *keys, const struct grant_found *g, struct arena *arena,
                    struct txn_change *ret);
/* What goes when this user gets a further grant: all that are over, and the oldest beyond GRANTS_PER_USER. */
#define TOKENS_ENDED_MAX 100
RESULT tokens_make_room(struct tokens *t, const struct row_keys *keys, struct view user, uint64_t now_ms,
                        struct arena *arena, struct txn_change **ret, size_t *ret_count);
/* Grants that nothing can be had from any more, whosever they are; ERR_NOT_FOUND. One whose access tokens may still be
 * good is not among them. */
RESULT tokens_end_over(struct tokens *t, const struct row_keys *keys, uint64_t now_ms, struct arena *arena,
                       struct txn_change **ret, size_t *ret_count);
/* Also widens what is there already: an end is never taken back. */
RESULT tokens_revoke(struct tokens *t, const struct row_keys *keys, const struct revocation *r, struct arena *arena,
                     struct txn_change *ret);
/* Revocations of what has ended by itself; ERR_NOT_FOUND. */
RESULT tokens_sweep(struct tokens *t, uint64_t now_ms, struct arena *arena, struct txn_change **ret, size_t *ret_count);

AUTO_DEFINE(struct tokens *, tokens_free);

#endif
