/* What a handler has at hand. One struct api_thread for each front thread, one struct api_shared for the process; the
 * front (front/) makes both, handlers find theirs through http_request.server_context. */
#ifndef HOLDFAST_API_CONTEXT_H
#define HOLDFAST_API_CONTEXT_H

#include "domain/guard/guard.h"
#include "domain/guard/patterns/patterns.h"
#include "domain/identity/decide.h"
#include "domain/identity/identity.h"
#include "domain/keys/keys.h"
#include "domain/keys/usage.h"
#include "domain/tokens/tokens.h"
#include "http/request.h"
#include "http/server.h"
#include "ipc/channel.h"
#include "ipc/config.h"
#include "ipc/keeper_msg.h"
#include "ledger/ledger.h"
#include "ledger/query.h"

#include <pthread.h>
#include <stdatomic.h>

enum api_state { API_SEALED, API_STARTING, API_SERVING, API_STOPPING };

/* What is known of the other processes and of the log, for health and for the failure table. Written by front/ and by
 * the completion of commits, read by anybody. */
enum api_keeper {
    API_KEEPER_UNKNOWN,
    API_KEEPER_DEAD,
    API_KEEPER_UNINITIALISED,
    API_KEEPER_SEALED,
    API_KEEPER_UNSEALED
};
/* From API_LOG_MISMATCH on nothing is served until a person mends it. */
enum api_log { API_LOG_GOOD, API_LOG_FULL, API_LOG_UNWRITABLE, API_LOG_MISMATCH, API_LOG_DAMAGED, API_LOG_TOO_NEW };
enum api_firewall { API_FIREWALL_OFF, API_FIREWALL_STARTING, API_FIREWALL_WORKING, API_FIREWALL_FAILING };
extern const char *const api_firewall_names[]; /* by it, as answers have them */

struct api_health {
    _Atomic int keeper;       /* enum api_keeper */
    _Atomic int sealed_cause; /* enum sealed_cause of the keeper's last word, 0: none; set before `keeper`, like … */
    _Atomic uint64_t sealed_since_ms; /* … these */
    _Atomic uint32_t sealed_wait_status;
    _Atomic int log;                    /* enum api_log */
    atomic_bool signer;                 /* thread 0's channel to it is there */
    _Atomic int firewall;               /* enum api_firewall */
    _Atomic uint32_t firewall_left_out; /* blocks that are left to the guard alone */
    atomic_bool tampered;               /* the background check found something; the record says what */
    atomic_bool rewrapping;
    atomic_bool look_for_lost;        /* an answer with an authored record may have been missed: ask KEEPER_PENDING */
    _Atomic uint64_t keeper_size;     /* leaves that the keeper has taken */
    _Atomic uint64_t checkpoint_size; /* of the last one stored in this run; 0 = none yet */
    _Atomic uint64_t commit_failures;
};

/* Who is told when a block of people or of Holdfast itself begins, lasts longer or shorter than was said before, or is
 * taken back; not when its time is over. Set before the threads run; called in any of them, after the commit, or ahead
 * of it where a block is automatic; must not block. until_ms: milliseconds since 1970; 0: it is not blocked any more;
 * UINT64_MAX: without an end. */
struct block_listener {
    void (*changed)(void *context, const struct prefix *network, uint64_t until_ms); /* NULL: nobody */
    void *context;
};

/* Why the newest configuration file is not the one in force; empty: it is. */
struct api_news {
    pthread_mutex_t lock;
    char refused[512];
    size_t len;
};
void api_news_set(struct api_news *n, struct view refused);
RESULT api_news_get(struct api_news *n, struct arena *arena, struct view *ret_refused);

struct api_shared {
    const struct config *config;
    const struct clock *clock;
    const struct random *random;
    _Atomic int state;             /* enum api_state; handlers run only while SERVING, but for ROUTE_WHEN_SEALED */
    struct ledger *ledger;         /* NULL until unsealed once */
    struct row_keys *_Atomic keys; /* swapped at a rotation; old ones stay until the process ends */
    struct identity *identity;     /* users, roles, sessions in memory */
    struct api_keys *api_keys;     /* API keys in memory */
    struct usages *usages;         /* what they were used for */
    struct tokens *tokens;         /* keys of access tokens, grants and revocations in memory */
    struct rates *token_share;     /* what of the keeper's signatures one subject gets (api/token_share.h) */
    _Atomic uint64_t applied;      /* rises when users, roles, sessions, keys or tokens were changed in memory */
    struct guard *guard;           /* rules of the verdict (domain/guard/guard.h) */
    struct block_listener on_block;
    struct watch *watch;           /* what people look at (api/watch.h) */
    struct strikes *strikes;       /* addresses that are about to be blocked (api/strikes.h) */
    struct patterns *patterns;     /* what attacks look like; NULL: nobody looks (domain/guard/patterns/patterns.h) */
    struct passwords *passwords;   /* the pool of threads for Argon2id (api/passwords.h) */
    struct passkey_site *passkeys; /* whose they are, and the open challenges (api/passkey.h) */
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t import_key[32], checkpoint_key[32];
    uint8_t cipher;
    const struct router *router;
    struct credential_cache *_Atomic credential_ids; /* made when first asked for; freed with the process's other tables
                                                        (api/credential_cache.h) */
    struct api_gate *gate;    /* lets each authored record into the log once (api/change_gate.h) */
    struct api_thread *first; /* thread 0: looks after records that could not be logged yet */
    struct api_health health;
    struct api_news news;
    uint8_t policy_hash[CONFIG_POLICY_HASH]; /* of config->guard, and the rules against attacks */
    struct writer openapi;                   /* the document, made once */
};

struct api_thread {
    struct api_shared *shared;
    struct loop *loop;
    struct mailbox *mailbox; /* ledger completions and password results for this thread */
    struct caller *keeper;   /* may be replaced when the supervisor brings a new channel; NULL while gone */
    struct caller *signer;
    struct store *reader;              /* this thread's own connection */
    struct patterns_scratch *patterns; /* beside shared->patterns, for this thread alone */
    uint8_t number;
    struct api_inside *inside; /* api's own, see api_thread_start */
};
/* With shared, loop, mailbox and number set: hooks the thread's turns into the loop. stop is for after the loop's end.
 */
RESULT api_thread_start(struct api_thread *t);
void api_thread_stop(struct api_thread *t);
void upkeep_end(struct api_thread *t); /* thread 0's work in the background: before the ledger is closed */
/* Requests and changes of this thread that wait for the ledger, the keeper or the signer. */
size_t api_thread_waiting(const struct api_thread *t);

static inline struct api_thread *api_of(const struct http_request *req)
{
    return req->server_context;
}

/* --- who asks. Found by api_head (auth.c) from the head of the request, before any handler runs. */
struct api_caller {
    enum way_in way;
    struct view actor;                  /* "user:alice", "key:<id>", "unix:1000"; empty for anonymous */
    struct standing standing;           /* what decide_may() judges him by */
    struct permission_set permissions;  /* effective, roles and denials applied: of standing */
    struct secret_access access;        /* level and environments for secrets (SEC-3): of standing */
    struct secret_access emergency;     /* while emergency access lasts: for secrets alone; else no level */
    struct view session_id;             /* hex; empty if none */
    bool has_second;                    /* a person who has a second factor, … */
    bool must_enrol;                    /* his roles ask for one, and it was not shown: nothing else is open to him */
    uint64_t second_ms;                 /* … and when this session showed one last; 0: never */
    struct view key_id;                 /* the API key's, also when a Unix user or a token was mapped to it */
    bool by_former;                     /* shown was the key's secret from before its rotation, … */
    uint64_t former_until_ms;           /* … which is good until then */
    const struct token_accepted *token; /* the way in, or NULL */
};
/* http_config.admit: what can be refused before a body is read: sealed, strangers. Finds out who asks. */
enum http_outcome api_head(struct http_request *req);
/* http_config.handle: checks the way in and the route's permission, records refusals of known identities durably before
 * the answer, and runs the route's handler. */
enum http_outcome api_admit(struct http_request *req);
/* http_config.ended: adds up what strangers were refused. */
void api_ended(void *context, const struct http_request *req, const struct http_ended *how);
const struct api_caller *api_caller_of(const struct http_request *req);
static inline struct rights api_rights_of(const struct http_request *req)
{
    const struct api_caller *c = api_caller_of(req);

    return (struct rights){c->permissions, c->access};
}
/* What counts for secrets. Never what counts for handing on rights: emergency access ends, and what is given stays. */
static inline const struct secret_access *api_secret_access(const struct http_request *req)
{
    const struct api_caller *c = api_caller_of(req);

    return c->emergency.level != ACCESS_NONE ? &c->emergency : &c->access;
}
/* A Retry-After of so many seconds with whatever is answered. */
void api_retry_after(struct http_request *req, unsigned seconds);
/* What limits say of themselves (draft-ietf-httpapi-ratelimit-headers): beside what others said in this answer. Headers
 * help, and an answer without them is right too. */
void api_rate_limits(struct http_request *req, const struct writer *policy, const struct writer *state);
/* For records: actor, source, user agent, request id, and the reason from the X-Holdfast-Reason header or `reason`. */
void api_request_context(const struct http_request *req, struct view reason, struct request_context *ret);
/* The same as canonical bytes for keeper and signer. */
RESULT api_who(const struct http_request *req, struct view reason, struct view *ret);

/* --- changes: a transaction in the request's arena. When it is durable (or lost), then() runs in this thread, sets the
 * answer, and the request is finished by the caller of then. */
struct api_change {
    struct http_request *req;
    struct txn txn;
    enum http_outcome (*then)(struct api_change *c); /* NULL: answers 204, or the problem; look at txn.result */
    void *context;
};
/* The answer for a change that was not made: 409, 507, 503 … */
enum http_outcome api_change_failed(struct api_change *c);
RESULT api_change_new(struct http_request *req, struct api_change **ret);
/* Appends to the transaction; all in the arena. */
RESULT api_change_put(struct api_change *c, const struct txn_change *change);
RESULT api_change_record(struct api_change *c, uint16_t type, enum outcome outcome, const struct record_object *what,
                         struct view reason);
RESULT api_change_authored(struct api_change *c, struct view authored_bytes); /* entity AuthoredRecord, encoded */
/* Queues it (handed over at the end of the turn) and returns HTTP_LATER, or sets the problem and returns HTTP_ANSWER.
 */
enum http_outcome api_change_submit(struct api_change *c);
/* The whole of it, for what is filled at once: a new one, fill(), and then as above; fill and then get context. What
 * fill does not let happen is answered with its error. */
enum http_outcome api_change_run(struct http_request *req, void *context,
                                 RESULT (*fill)(void *context, struct api_change *c),
                                 enum http_outcome (*then)(struct api_change *c));
/* A refusal: records PERMISSION_DENIED or the given type, durable first, then answers the problem. What `what` points
 * to must live as long as the request; detail (may be NULL) is copied. */
enum http_outcome api_refuse(struct http_request *req, uint16_t type, const struct record_object *what, enum err code,
                             const char *detail);

/* --- calls to keeper and signer. then() runs in this thread with the answer's entity bytes, valid until it returns,
 * and a why that is never NULL; its outcome is handled as a handler's. Every authored record that comes back must reach
 * the ledger, even if nobody waits for the answer any more: put it into an api_change. */
typedef enum http_outcome (*api_answered)(struct http_request *req, void *context, enum err error, struct view entity,
                                          const struct problem *why);
enum http_outcome api_call_keeper(struct http_request *req, uint16_t type, const struct entity *e, const void *object,
                                  api_answered then, void *context);
enum http_outcome api_call_signer(struct http_request *req, uint16_t type, const struct entity *e, const void *object,
                                  api_answered then, void *context);

/* --- the route tables: each file x.c of src/api with routes exports one, `const struct route_table x_routes`, declared
 * in api/routes.h and listed in routes.c. */
RESULT api_router_new(struct router **ret, struct problem *why);
/* The OpenAPI document of shared->router, into shared->openapi. */
RESULT api_openapi_new(struct api_shared *shared);

#endif
