/* API keys (KEY-1, KEY-2). The key is shown once; kept is HMAC(pepper of its epoch, SHA-256(key)), found by id. */
#ifndef HOLDFAST_DOMAIN_KEYS_KEYS_H
#define HOLDFAST_DOMAIN_KEYS_KEYS_H

#include "base/entity.h"
#include "domain/identity/permission.h"
#include "domain/identity/roles.h"
#include "domain/keys/limits.h"
#include "domain/keys/rules.h"
#include "ledger/ledger.h"

/* hfk_<env>_<id 16><secret 43… with its own separator '_'><check 6>: "hfk_live_<16 base62>_<43 base62><6 base62
 * CRC32>". env is dev, stg or live. The check is the CRC32 of everything before it. */
#define API_KEY_ID_LEN    16
#define API_KEY_TEXT_SIZE 96

struct api_key_parts {
    uint8_t environment; /* 1 development, 2 staging, 3 production; 0: its text does not say, it was issued elsewhere */
    char id[API_KEY_ID_LEN + 1];
    uint8_t hash[32]; /* SHA-256 of the whole text */
};
RESULT api_key_make(const struct random *random, uint8_t environment, char out[static API_KEY_TEXT_SIZE],
                    struct api_key_parts *ret);
struct api_key;
/* A new secret for the same key: its text has the same id. */
RESULT api_key_remake(const struct random *random, const struct api_key *key, char out[static API_KEY_TEXT_SIZE],
                      struct api_key_parts *ret);
RESULT api_key_parse(struct view text, struct api_key_parts *ret); /* ERR_KEY_MALFORMED without any look-up */

/* Keys that were issued elsewhere: any text without the prefix, of which the SHA-256 was imported. Their id is a keyed
 * hash of it, so that they are found by what is shown, and a look-up's time tells nothing about it. */
#define API_KEY_FOREIGN_MIN 16
#define API_KEY_FOREIGN_MAX 256
RESULT api_key_foreign(const struct row_keys *keys, const uint8_t sha256[static 32], struct api_key_parts *ret);
/* Either kind. ERR_KEY_MALFORMED. */
RESULT api_key_read(const struct row_keys *keys, struct view text, struct api_key_parts *ret);

#define API_KEY_NAME_MAX        128
#define API_KEY_DESCRIPTION_MAX 512
#define API_KEY_CREDENTIALS_MAX 32
#define API_KEY_PATTERN_RULE    "a credential's path, or one that ends in /* for all below"
bool api_key_id_valid(struct view id);
bool api_key_pattern_valid(struct view pattern);
bool api_key_proof_valid(struct view base64);

enum api_key_status { KEY_ACTIVE = 1, KEY_SUSPENDED, KEY_EXPIRED, KEY_REVOKED };
enum api_key_usage { KEY_READ_ONLY = 1, KEY_READ_WRITE, KEY_EXECUTE_ONLY, KEY_FULL_ACCESS };

struct api_key {             /* entity ApiKey, TABLE_KEY, key by id */
    struct view id;          /* 16 characters */
    struct view name, owner; /* owner: a user */
    struct view description;
    uint8_t environment, status, usage;
    struct text_list roles;       /* what it may do, never more than its creator's permissions */
    struct text_list credentials; /* paths it may sign with; a star as the last component allowed; empty = none */
    uint8_t verifier[32];         /* FIELD_HIDDEN */
    uint32_t pepper_epoch;        /* FIELD_HIDDEN */
    uint8_t old_verifier[32];     /* FIELD_HIDDEN: of the key before rotation, until */
    uint32_t old_pepper_epoch;
    uint64_t old_until_ms;
    uint64_t created_ms, expires_ms, rotated_ms, last_used_ms;
    uint8_t secret_environments; /* environments whose secrets it may touch */
    struct view proof_key;       /* base64 Ed25519 public key of the bot, for people; what counts is in the policy */
    uint32_t unix_uid;           /* with has_unix_uid: the Unix user that is this bot (SGN-10) */
    bool has_unix_uid;
    uint32_t per_hour, per_day, burst;                                                         /* struct limits */
    struct text_list allowed_networks, blocked_networks, allowed_endpoints, blocked_endpoints; /* rules.h */
    bool mfa_required;    /* it works only until unlocked_ms, which its owner sets with a second factor */
    bool renewable;       /* its end can be put off */
    uint64_t unlocked_ms; /* until */
    uint64_t term_ms;     /* since when its life counts; 0: since it was rotated, or made */
    bool imported;        /* issued elsewhere: its text is not ours */
    uint8_t told;         /* FIELD_HIDDEN: enum api_key_notice that was recorded last, of this life */
};
extern const struct entity api_key_entity;
uint8_t api_key_status_at(const struct api_key *k, uint64_t now_ms); /* what has expired says so by itself */
/* --- life.c: how long it lasts */
#define API_KEY_RENEW_DAYS    7
#define API_KEY_ROTATION_DAYS 30
uint64_t api_key_secret_ms(const struct api_key *k); /* since when it has this secret */
void api_key_begin(struct api_key *k, uint64_t now_ms);
/* As long again as it lasted so far. ERR_OUT_OF_RANGE: it is not within the last 7 days. */
RESULT api_key_renew(struct api_key *k, uint64_t now_ms);
bool api_key_rotation_due(const struct api_key *k, uint64_t now_ms); /* works, with a secret of 30 days or more */
bool api_key_locked(const struct api_key *k, uint64_t now_ms);
/* What the record is to say of it before and when it expires: each once. */
enum api_key_notice { NOTICE_NONE, NOTICE_14_DAYS, NOTICE_7_DAYS, NOTICE_1_DAY, NOTICE_EXPIRED };
struct api_key_times {
    uint64_t begun_ms, expires_ms;
    uint8_t status, told;
};
struct api_key_times api_key_times_of(const struct api_key *k);
/* The newest one that is due and was not told yet; none that is as long as the whole life. */
enum api_key_notice api_key_notice_due(const struct api_key_times *t, uint64_t now_ms);

/* One of its patterns is this credential's path, or covers it. */
bool api_key_signs_with(const struct api_key *k, struct view path);
bool api_key_names(const struct text_list *patterns, struct view path);

/* Its rules (rules.h) allow this request. */
bool api_key_allows(const struct api_key *k, const struct network_source *from, struct view method, struct view path);

struct api_keys; /* memory table (liburcu); look-ups from any thread */
RESULT api_keys_new(struct api_keys **ret);
void api_keys_free(struct api_keys *k);
/* What is damaged is counted and left out (ledger_load): such a key is refused, like one that does not exist. */
RESULT api_keys_load(struct api_keys *k, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                     struct problem *why);
/* The row (hash of its key) of that table was found to be damaged, missing or put back: the key loaded from it goes. */
void api_keys_distrust(struct api_keys *k, const struct row_keys *keys, uint16_t table, const uint8_t row[static 32]);

struct api_key_found {
    struct api_key key;
    uint64_t version;
    uint8_t commitment[32];
    bool by_old; /* the key before rotation, in its grace period */
};
/* Why a key that was shown is refused with ERR_BAD_CREDENTIALS: for the record alone. */
enum api_key_why {
    API_KEY_UNKNOWN,
    API_KEY_WRONG,
    API_KEY_SUSPENDED_NOW,  /* wrong, and once too often: this source is suspended from now on */
    API_KEY_SUSPENDED_HERE, /* for this source: whatever the secret was (failures.h) */
};
struct api_key_shown {
    struct view text;                  /* either kind; empty: it was read before, into parts */
    struct api_key_parts *parts;       /* else filled, but for ERR_KEY_MALFORMED */
    const struct network_source *from; /* who shows it; NULL: not known, then failures are not counted */
    struct view via;                   /* whose word that is: "key:<id>"; empty: he is connected to us */
    uint64_t now_ms;
    enum api_key_why why; /* set for ERR_BAD_CREDENTIALS */
};
/* Constant work for unknown id, wrong secret, suspended for this source: ERR_BAD_CREDENTIALS. Only with the right
 * secret, and where it is not suspended: ERR_KEY_EXPIRED, ERR_KEY_DISABLED. ERR_KEY_MALFORMED whether there is such a
 * key or not, and it is no failure of that key. ret NULL: only whether it is good. */
RESULT api_keys_verify(struct api_keys *k, const struct row_keys *keys, struct api_key_shown *shown,
                       struct arena *arena, struct api_key_found *ret);
/* From how many sources the key is suspended now; and none of it is held against it any more. */
size_t api_keys_suspended_sources(struct api_keys *k, struct view id, uint64_t now_ms);
void api_keys_forgive(struct api_keys *k, struct view id);
/* Counts one request of a key whose secret was right: ERR_NOT_FOUND, ERR_RATE_LIMITED (this hour, or too many at once),
 * ERR_USAGE_EXCEEDED (this day). *ret is filled but for ERR_NOT_FOUND; *ret_limits (may be NULL) are its limits. */
RESULT api_keys_spend(struct api_keys *k, struct view id, uint64_t now_ms, struct limits_state *ret,
                      struct limits *ret_limits);
bool api_keys_used_up(struct api_keys *k, struct view id, uint64_t now_ms); /* of this hour or day; counts nothing */
RESULT api_keys_find(struct api_keys *k, struct view id, struct arena *arena, struct api_key_found *ret);
/* A Unix user's key: ERR_NOT_FOUND if he has none, ERR_KEY_EXPIRED, ERR_KEY_DISABLED (also if its row is damaged). */
RESULT api_keys_by_uid(struct api_keys *k, uint32_t uid, uint64_t now_ms, struct arena *arena,
                       struct api_key_found *ret);
RESULT api_keys_list(struct api_keys *k, struct view owner, struct arena *arena,
                     struct entity_list *ret); /* of struct api_key */
struct api_keys_range {
    struct view owner; /* empty = all */
    struct view after; /* an id; empty = from the start */
    size_t limit;
    uint64_t now_ms;        /* for what follows */
    uint64_t expires_by_ms; /* only those that work and will have expired then; 0: all */
    bool rotation_due;      /* only those */
    bool not_revoked;       /* only those */
};
/* What this owner has, and how many of his keys, revoked ones included, got their secret since then. Looks at every
 * key. */
struct api_keys_owned {
    size_t not_revoked, since;
};
struct api_keys_owned api_keys_owned(struct api_keys *k, struct view owner, uint64_t since_ms);
/* Ids of keys that have something to be told of (api_key_notice_due), at most max. Looks at every key. */
size_t api_keys_to_notice(struct api_keys *k, uint64_t now_ms, char (*ids)[API_KEY_ID_LEN], size_t max);
RESULT api_keys_page(struct api_keys *k, const struct api_keys_range *range, struct arena *arena,
                     struct entity_list *ret); /* of struct api_key, by id */
/* Adds the keys that have this role, not empty, and are not revoked. Looks at every key. */
RESULT api_keys_holding(struct api_keys *k, struct view role, struct role_holders *h);
bool api_keys_uid_taken(struct api_keys *k, uint32_t uid); /* by a key that is not revoked */
RESULT api_key_put(const struct row_keys *keys, const struct api_key *key, const struct api_key_found *before,
                   struct arena *arena, struct txn_change *ret);
RESULT api_key_verifier(const struct row_keys *keys, uint32_t epoch, const uint8_t hash[static 32],
                        uint8_t out[static 32]);
/* In any order: a change that is older than what the table holds does nothing. */
RESULT api_keys_applied(struct api_keys *k, const struct txn_change *change);

AUTO_DEFINE(struct api_keys *, api_keys_free);

#endif
