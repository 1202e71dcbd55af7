/* Users and sessions: what the store has of them, and the memory tables that the hot path reads. Pure rules; commits
 * are the caller's (api/), through changes that these functions fill in. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_IDENTITY_H
#define HOLDFAST_DOMAIN_IDENTITY_IDENTITY_H

#include "base/entity.h"
#include "domain/identity/mappings.h"
#include "domain/identity/permission.h"
#include "domain/identity/roles.h"
#include "domain/mfa/mfa.h"
#include "ipc/config.h"
#include "ledger/ledger.h"

#define USER_NAME_MAX    64
#define USER_NAME_RULE   "a lower-case letter, then up to 63 of a-z 0-9 . _ -"
#define USER_EMAIL_MAX   254
#define USER_ROLES_MAX   16
#define ENVIRONMENTS_ALL 7

enum user_state { USER_ACTIVE = 1, USER_LOCKED, USER_DISABLED };

struct user { /* entity User, TABLE_USER, key by name */
    uint8_t id[16];
    struct view name;
    struct view email;
    struct text_list roles;
    uint8_t state;
    struct view password_hash; /* FIELD_HIDDEN */
    uint64_t created_ms, last_login_ms, locked_until_ms, password_changed_ms;
    uint32_t failed_attempts;
    uint8_t environments;              /* where he may touch secrets and sign: bits */
    struct text_list password_history; /* FIELD_HIDDEN: hashes of former ones, newest first */
    uint8_t invite[32]; /* FIELD_HIDDEN: SHA-256 of the one-time token that sets his password; zero for none */
    uint64_t invited_until_ms;
    uint8_t enrolled[32]; /* FIELD_HIDDEN: SHA-256 of the one-time token that he enrolled with last; zero for none */
    struct mfa mfa;       /* FIELD_HIDDEN */
};
extern const struct entity user_entity;
bool user_name_valid(struct view name);
/* Wrong passwords in a row lock the user (IAM-2); a lock ends by itself. Live sessions go on: a stranger who guesses
 * must not be able to throw somebody out. */
bool user_may_login(const struct user *u, uint64_t now_ms);
/* Counts it; true if that locked the user now. */
bool user_login_failed(struct user *u, const struct config_passwords *rules, uint64_t now_ms);
void user_login_succeeded(struct user *u, uint64_t now_ms);
void user_unlock(struct user *u);
#define INVITE_TOKEN_SIZE 48 /* "hfi_" and 43 base62 characters of 32 random bytes */
RESULT user_invite(struct user *u, const struct random *random, uint64_t until_ms, char out[static INVITE_TOKEN_SIZE]);
bool user_invited_with(const struct user *u, struct view token, uint64_t now_ms);
bool user_password_expired(const struct user *u, const struct config_passwords *rules, uint64_t now_ms);
/* Hashes of what a new password must not be: the one in force and those before it, as many as history says. */
RESULT user_password_used(const struct user *u, uint32_t history, struct arena *arena, struct text_list *ret);
/* A new password, as its hash; the one of before goes into the history, and an invitation is over. */
RESULT user_set_password(struct user *u, struct view hash, uint32_t history, uint64_t now_ms, struct arena *arena);

/* What he can show beside his password: then a log-in asks for it. Recovery codes alone are none. */
bool user_has_second(const struct user *u);

/* Between the two steps of a log-in: says that the password of this user was right. Good for five minutes, and until he
 * has signed in or has another password; nothing is stored. Opened without a look at any user, so that a forged one
 * tells nothing. */
#define TICKET_MS         (5ull * 60 * 1000)
#define TICKET_PROOF_SIZE 32
#define TICKET_TEXT_MAX   256
RESULT ticket_make(const struct row_keys *keys, const struct user *u, uint64_t now_ms, struct writer *w);
/* ERR_BAD_CREDENTIALS. */
RESULT ticket_open(const struct row_keys *keys, struct view text, uint64_t now_ms, struct arena *arena,
                   struct view *ret_user, uint8_t ret_proof[static TICKET_PROOF_SIZE]);
RESULT ticket_fits(const struct row_keys *keys, const struct user *u, const uint8_t proof[static TICKET_PROOF_SIZE]);

struct session {            /* entity Session, TABLE_SESSION, key by token hash */
    uint8_t token_hash[32]; /* FIELD_HIDDEN: HMAC(pepper, SHA-256(token)) */
    struct view user;
    uint64_t created_ms, expires_ms;
    uint64_t idle_ms; /* a duration: how long it may be unused; 0 = as long as it lasts */
    struct view source, user_agent;
    bool cookie;           /* a browser's: taken from its cookie alone, and from the same program */
    uint64_t second_ms;    /* when a second factor was shown last; 0: never */
    uint64_t emergency_ms; /* emergency access until then; 0: none */
    uint8_t shown;         /* so far: enum shown_bits */
};
extern const struct entity session_entity;
/* What somebody has shown to be who he is. Part of rows: bits are never reused. */
enum shown_bits {
    SHOWN_PASSWORD = 1,   /* or the one-time token that let him choose one */
    SHOWN_CODE = 2,       /* a one-time password, or a recovery code */
    SHOWN_BOUND_KEY = 4,  /* a passkey that stays on its device, as it says itself */
    SHOWN_SYNCED_KEY = 8, /* a passkey that may be on others, too */
    SHOWN_SECOND = 16,    /* together two factors */
};
/* The same in words: claim amr of tokens (RFC 8176 §2). */
RESULT shown_methods(uint8_t shown, struct arena *arena, struct text_list *ret);
#define SESSION_AGENT_MAX 256
bool session_over(const struct session *s, uint64_t used_ms, uint64_t now_ms);

struct identity; /* the memory tables; look-ups from any thread, changes after commits */

RESULT identity_new(struct identity **ret);
void identity_free(struct identity *i);
/* Its own: loaded, distrusted and changed with it. */
struct roles *identity_roles(struct identity *i);
/* Fills the tables from the store. What is damaged is counted and left out (ledger_load); such a user can't sign in,
 * and nobody is locked out with him. */
RESULT identity_load(struct identity *i, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                     struct problem *why);
/* The row (hash of its key) of that table was found to be damaged, missing or put back: what was loaded from it goes.
 */
void identity_distrust(struct identity *i, uint16_t table, const uint8_t row[static 32]);

/* A copy of what the tables hold, in arena. ERR_NOT_FOUND. */
struct user_found {
    struct user user;
    uint64_t version;
    uint8_t commitment[32];
};
RESULT identity_user(struct identity *i, struct view name, struct arena *arena, struct user_found *ret);
/* The same of a passkey's owner: looking for nobody's takes as long as looking for somebody's who has one. */
RESULT identity_enrolled(struct identity *i, struct view name, struct arena *arena, struct user_found *ret);
/* A wrong password: counted in memory, exactly, also of many at once, and known to all threads when this returns. The
 * row follows when that locks him, which is the caller's to do; lesser counts begin anew at a restart. */
enum login_count {
    LOGIN_SHUT, /* there is nobody who could sign in: nothing was counted */
    LOGIN_COUNTED,
    LOGIN_LOCKED, /* it was the last one */
};
enum login_count identity_login_failed(struct identity *i, struct view name, const struct config_passwords *rules,
                                       uint64_t now_ms);
/* What a user may do now, without a copy of his row: asked on every request of his API keys. ERR_NOT_FOUND,
 * ERR_FORBIDDEN for one who is disabled. */
RESULT identity_user_rights(struct identity *i, struct view name, struct rights *ret);
/* Adds the users who have this role. Looks at every user. */
void identity_holding(struct identity *i, struct view role, struct role_holders *h);
/* Of struct user, by name; what is copied is no more than limit of them, however many there are. */
struct users_range {
    struct view after;  /* a name; empty = from the start */
    struct view prefix; /* of the name, or of the e-mail address in any case; empty = all */
    size_t limit;
};
RESULT identity_users_page(struct identity *i, const struct users_range *range, struct arena *arena,
                           struct entity_list *ret);

/* Session tokens: "hfs_" and 43 base62 characters of 32 random bytes. */
#define SESSION_TOKEN_SIZE 48
RESULT session_token_make(const struct random *random, char out[static SESSION_TOKEN_SIZE]);
RESULT session_token_hash(const struct row_keys *keys, struct view token, uint8_t out[static 32]);
/* ERR_UNAUTHENTICATED, ERR_TOKEN_EXPIRED (also idle). Also notes the use, in memory only: after a restart the idle time
 * begins anew. Roles are the user's now, not at login. */
RESULT identity_session(struct identity *i, const uint8_t token_hash[static 32], uint64_t now_ms, struct arena *arena,
                        struct session *ret_session, struct user *ret_user);

/* The row goes. What the tables know of its version stays until the process ends: a log-in that was under way must not
 * bring him back, and a new user of that name is newer. */
RESULT identity_remove_user(const struct row_keys *keys, const struct user_found *before, struct arena *arena,
                            struct txn_change *ret);
uint64_t identity_user_gone(struct identity *i, struct view name); /* version of the removed row; 0 if there is none */
/* Changes: fill one txn_change (key, expect, version, value in arena); apply the same to the tables once durable. */
RESULT identity_put_user(const struct row_keys *keys, const struct user *user, const struct user_found *before,
                         struct arena *arena, struct txn_change *ret);
RESULT identity_put_session(const struct row_keys *keys, const struct session *s, struct arena *arena,
                            struct txn_change *ret);
/* The session again, with a second factor that was shown now: enum shown_bits. ERR_NOT_FOUND. */
RESULT identity_renew_session(struct identity *i, const uint8_t token_hash[static 32], uint64_t now_ms, uint8_t shown,
                              struct arena *arena, struct txn_change *ret);
/* The session again, with emergency access until then; 0: with none. ERR_NOT_FOUND. */
RESULT identity_session_emergency(struct identity *i, const uint8_t token_hash[static 32], uint64_t until_ms,
                                  struct arena *arena, struct txn_change *ret);
/* Has a session of this user, one that is not over, emergency access now that ends by latest_ms? Looks at every
 * session.
 */
struct sessions_emergency {
    struct view user;
    uint64_t now_ms, latest_ms;
};
RESULT identity_in_emergency(struct identity *i, const struct sessions_emergency *of, struct arena *arena, bool *ret);
RESULT identity_remove_session(struct identity *i, const struct row_keys *keys, const uint8_t token_hash[static 32],
                               struct arena *arena, struct txn_change *ret);
/* What ends a user's sessions: all that are over, and the oldest, until at most keep are left. Not more than fit one
 * transaction. */
#define IDENTITY_ENDED_MAX 200
RESULT identity_end_sessions(struct identity *i, struct view user, uint64_t now_ms, size_t keep, struct arena *arena,
                             struct txn_change **ret, size_t *ret_count);
/* The same for all users, of what is over alone. */
RESULT identity_end_over(struct identity *i, uint64_t now_ms, struct arena *arena, struct txn_change **ret,
                         size_t *ret_count);
/* Everybody's. */
RESULT identity_end_all(struct identity *i, uint64_t now_ms, struct arena *arena, struct txn_change **ret,
                        size_t *ret_count);

/* What people call a session: the first bytes of its token's hash, which open nothing. */
#define SESSION_ID_SIZE 16
struct session_seen {
    struct session session;
    uint64_t used_ms;
};
struct sessions_range {
    struct view user;               /* empty = everybody's */
    uint8_t after[SESSION_ID_SIZE]; /* an id; zero = from the start */
    size_t limit;
    uint64_t now_ms;
};
/* Those that are not over, by id. */
RESULT identity_sessions_page(struct identity *i, const struct sessions_range *range, struct arena *arena,
                              struct session_seen **ret, size_t *ret_count);
/* Where the sessions that are not over began, of people who may do this: addresses as texts, which live until visit
 * returns. Looks at every session, and inside of a section, so visit must not block. */
void identity_session_sources(struct identity *i, enum permission may, uint64_t now_ms, struct arena *scratch,
                              void (*visit)(void *context, struct view source), void *context);
RESULT identity_session_by_id(struct identity *i, const uint8_t id[static SESSION_ID_SIZE], struct arena *arena,
                              struct session *ret); /* ERR_NOT_FOUND */
/* In any order: a change that is older than what the tables hold does nothing. */
RESULT identity_applied(struct identity *i, const struct txn_change *change); /* after the commit */

/* IAM-2: as long and as mixed as the rules say, not the name, not common. ERR_WEAK_PASSWORD with what to mend. What was
 * used before, and what is known from breaches, is asked elsewhere: it takes time. */
RESULT password_acceptable(struct view password, struct view user_name, const struct config_passwords *rules,
                           struct problem *why);

AUTO_DEFINE(struct identity *, identity_free);

#endif
