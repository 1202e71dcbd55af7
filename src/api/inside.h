/* What the files of admission, changes and calls share. Route files need context.h alone. */
#ifndef HOLDFAST_API_INSIDE_H
#define HOLDFAST_API_INSIDE_H

#include "api/context.h"

#include "base/sip.h"

/* A change that waits for a record which somebody else is logging. */
struct api_wait {
    struct api_wait *next;
    struct api_change *change;
};

/* Refusals of strangers, added up by source prefix, reason and second. */
#define ANONYMOUS_SLOTS 64
#define PREFIX_SIZE     HTTP_PEER_TEXT_SIZE
struct api_anonymous {
    char prefix[PREFIX_SIZE];
    enum err code;
    uint64_t second, last_second;
    uint32_t count;
};

#define REFUSED_SLOTS 1024

struct allowed;
struct orphan;
struct api_parked;
struct sweep;
struct upkeep;

struct api_inside {
    struct txn *first, *last; /* handed over at the end of the turn */
    size_t count;
    struct api_wait *waits;
    struct loop_timer *wait_timer;
    struct api_parked *parked, **parked_end; /* requests that came while Holdfast was starting */
    size_t parked_count;
    struct loop_timer *parked_timer;
    size_t under_way; /* changes and calls that are not finished */
    struct orphan *orphans;
    struct random_pool nonces;
    struct sweep *sweep;   /* thread 0's, … */
    struct upkeep *upkeep; /* … and this as well: upkeep.h */
    struct allowed *allowed;
    struct api_anonymous anonymous[ANONYMOUS_SLOTS];
    size_t anonymous_count;
    uint32_t budget; /* records that strangers may cause, in quarters; refilled with time */
    bool anonymous_busy;
    struct sip_seed refused_seed;
    uint32_t refused[REFUSED_SLOTS]; /* when those who hash to it were last named: admit_anonymous.c */
};

/* admit.c */
enum http_outcome admit_now(struct http_request *req);
enum http_outcome admit_judge(struct http_request *req); /* once it is known who asks */
/* admit_wait.c: puts a request off until Holdfast serves, or has not begun to for too long. False: no room. */
bool admit_wait(struct http_request *req);
bool admit_is_starting(const struct api_thread *t);
void admit_retry(void *thread);

/* admit_anonymous.c */
void anonymous_count(struct api_thread *t, const struct http_request *req, enum err code);
void anonymous_flush(struct api_thread *t);
/* One record that a stranger causes, if the budget still allows it. */
bool anonymous_budget(struct api_thread *t);
/* Who proved to be this identity is refused for this reason: whether a record is to name him. The first one in 5
 * minutes is, the others within the strangers' budget: what was revoked or expired fills no log. */
bool anonymous_names(struct api_thread *t, struct view who, enum err code, uint64_t now_ms);
/* Is it the first time in 5 minutes? Two that share one of REFUSED_SLOTS may count as one. */
bool anonymous_first(struct api_thread *t, struct view who, enum err code, uint64_t now_ms);

/* sweep.c: from time to time, ends sessions and requests for approval that are over. */
void sweep_look(struct api_thread *t);
void sweep_free(struct sweep *s); /* when the ledger is closed */

/* auth.c: who asks; *ret_id_known tells whether the key or session named exists. Anonymous is OK with an empty actor.
 */
struct basic;
struct api_entry {
    uint64_t seen; /* api_shared.applied when it was looked up */
    bool proven;   /* the secret was right, or it is the Unix user: but it may not be used, or not for this */
    struct api_caller caller;
    const struct api_key *key; /* of caller.key_id, where the way in has read it; else NULL */
    enum err error;            /* why nobody was found although something was shown */
    struct view known;         /* the actor that was named, where the proof failed: for the record */
    uint16_t event;            /* of the refusal's record; 0: what the error says */
    struct basic *basic;       /* a password that has yet to be proven, by basic_prove; else NULL */
    bool quiet;                /* this refusal leaves no record of its own: one like it did just now */
    struct view named, detail; /* known is empty, and this was named: recorded behind the answer, with event */
    bool recorded;             /* so it was */
    bool spent;                /* it counts as one of the key's requests */
    bool tried;                /* it counts as a failed try to sign in, until it is known to be none: tries.h */
};
void auth_find(struct http_request *req, struct api_entry *ret);
/* One of his roles asks for a second factor. */
bool auth_asks_for_second(const struct http_request *req, const struct user *u);
/* Somebody who is proven to be this user, by a way in that can't show a second factor: ERR_WAY_REFUSED if he has to.
 */
RESULT auth_user(const struct http_request *req, const struct user *u, enum way_in way, struct api_caller *ret);

/* key_limits.c: one request of this key: OK, ERR_RATE_LIMITED, ERR_USAGE_EXCEEDED, ERR_KEY_DISABLED. Sets headers. */
RESULT key_limits_spend(struct http_request *req, struct view id, struct api_entry *entry);

/* change.c */
void change_collect(struct api_thread *t, struct txn *txn); /* prepared: handed over with this turn's others */
void change_hand_over(struct api_thread *t);
void change_retry_waits(void *thread);
/* Notes how a commit ended, for health; returns the code to be answered. */
enum err change_noted(struct api_shared *s, enum err result);

/* change_orphan.c: a record that its request could not get into the log. Takes it off the gate's claim holder; the rest
 * happens on thread 0. */
void orphan_of(struct api_thread *t, const struct authored_record *record, const struct txn *from, bool with_changes);
void orphans_retry(struct api_thread *t);
void orphans_drop(struct api_thread *t);
/* The change of t that this leaf speaks of; NULL if there is none. */
const struct txn_change *orphan_change_of(const struct txn *t, const struct leaf *leaf);

#endif
