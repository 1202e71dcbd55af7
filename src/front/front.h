/* What the files of the front share. Thread 0 looks after everything that there is one of: the channel to the
 * supervisor, the life between sealed and serving, the feeding of the log. All threads serve HTTP. */
#ifndef HOLDFAST_FRONT_FRONT_H
#define HOLDFAST_FRONT_FRONT_H

#include "api/context.h"
#include "http/server.h"
#include "ipc/start.h"
#include "ipc/supervisor_msg.h"

#include <pthread.h>

struct front;
struct feed;
struct life;
struct loader;
struct rewrap;
struct firewall;

/* The other end of a channel: keeper or signer, for one thread. */
struct peer {
    struct front_thread *thread;
    uint8_t kind; /* enum start_fd_kind */
    struct caller *caller;
};

struct front_thread {
    struct front *front;
    struct api_thread api;
    struct http_server *http;
    struct loop_source *http_source;
    struct peer keeper, signer;
    pthread_t id;
    bool runs;                 /* has a thread of its own */
    bool draining;             /* accepts nothing more */
    atomic_bool drained;       /* nothing is under way any more */
    atomic_uint coming;        /* connections that other threads handed over and that are not served yet */
    struct loop_task http_due; /* a request was finished: its answer goes out before the loop sleeps */
};

struct front {
    struct api_shared shared;
    struct clock_forward clock;
    struct config config;
    struct start start;
    struct arena *arena; /* of config */
    struct front_thread threads[CONFIG_FRONT_THREADS_MAX];
    size_t thread_count;
    struct channel *supervisor;
    struct life *life;
    struct feed *feed;
    struct rewrap *rewrap;
    struct firewall *firewall; /* NULL: none is configured */
    struct loader *loader;
    struct loop_timer *stop_timer;
    struct {
        uint16_t event; /* 0: none */
        uint8_t outcome;
        char detail[320];
    } news;               /* waits for the record to be open */
    uint64_t stop_by_ms;  /* monotonic; 0 = not stopping */
    uint32_t grace_ms;    /* for what is under way, once the farewell is over */
    bool leaving;         /* another front follows: nobody is turned away */
    atomic_bool draining; /* each thread keeps what it accepts */
};

static inline struct loop *front_loop(struct front *f)
{
    return f->threads[0].api.loop;
}

static inline struct caller *front_keeper(struct front *f)
{
    return f->threads[0].keeper.caller;
}

/* --- thread.c */
struct view front_file(const struct front *f, const char *name); /* what the supervisor gave; empty if it did not */
RESULT thread_init(struct front *f, size_t number, struct problem *why);
RESULT thread_start(struct front_thread *t);   /* number > 0: in a thread of its own */
void thread_wind_down(struct front_thread *t); /* from any thread: each answer is the last on its connection */
void thread_drain(struct front_thread *t);     /* from any thread */
void thread_end(struct front_thread *t);       /* its loop ends; joins it */
void thread_done(struct front_thread *t);

/* --- share.c: each connection goes to the thread that has the fewest. For http_config.elsewhere; context is a struct
 * api_thread. */
bool share_connection(void *api, const struct http_accepted *a);

/* --- peers.c */
RESULT peer_open(struct front_thread *t, uint8_t kind, int fd); /* takes fd; replaces the former one */
void peer_close(struct peer *p);
RESULT peer_hand(struct front *f, uint8_t kind, uint8_t which, int fd); /* to the thread it is for; takes fd */

/* --- supervisor.c: what the supervisor says, and the end */
RESULT supervisor_open(struct front *f);
struct sandbox_report;
RESULT supervisor_ready(struct front *f, const struct sandbox_report *report);
void supervisor_status(struct front *f, const char *text);
/* Finishes what is under way, for at most grace_ms, and ends the process's loops. */
void front_stop(struct front *f, uint32_t grace_ms);
/* The same for a front that another one follows: for farewell_ms it goes on as ever, but that each answer ends its
 * connection, so that a client who keeps one does not send his next request into its end. */
void front_leave(struct front *f, uint32_t farewell_ms, uint32_t grace_ms);

/* --- news.c: what became of a reload */
void news_take(struct front *f, const struct supervisor_config *q);
void news_record(struct front *f); /* the record is open: this start, and what waits */

/* --- life.c */
RESULT life_new(struct front *f);
void life_free(struct life *l);
void life_look(struct front *f);   /* asks the keeper how it is, and goes on from there */
void life_hello(struct front *f);  /* unsealed, rotated, or the feed lost its place */
void life_sealed(struct front *f); /* the keeper was sealed */
void life_gone(struct front *f);   /* the keeper's channel ended */
/* Why nothing is served until a person mends it. */
enum life_refusal { REFUSE_MISMATCH, REFUSE_DAMAGED, REFUSE_TOO_NEW };
void life_refuse(struct front *f, enum life_refusal r, const char *sentence);

/* --- pending.c: what keeper and signer authored and nobody brought. all: also what may still be on its way to another
 * thread; for the time when nothing is under way. done (may be NULL) is told how many records were taken. */
void pending_ask(struct front *f, bool all, void (*done)(struct front *f, enum err e, size_t taken));

/* --- token_keys.c: asks the keeper for the public halves of the keys that sign tokens. */
void token_keys_ask(struct front *f);

/* --- feed.c */
RESULT feed_new(struct front *f);
void feed_free(struct feed *d);
RESULT feed_subscribe(struct front *f);
void feed_from(struct front *f, uint64_t size); /* the keeper's log has so many leaves; sends it the rest */
void feed_pause(struct front *f);               /* until feed_from */
bool feed_caught_up(const struct front *f);

/* --- compare.c: the root over the first size leaves of the store's log. ERR_NOT_FOUND if it has fewer. */
RESULT compare_root(struct store *reader, uint64_t size, uint8_t ret_root[static 32]);

/* --- rewrap.c */
RESULT rewrap_new(struct front *f);
void rewrap_free(struct rewrap *r); /* before the ledger is closed: ends its thread */
void rewrap_start(struct front *f); /* if rows may be sealed under older epochs */

/* --- firewall.c: tells the warden what the guard blocks. Without guard.firewall none of these does anything. */
RESULT firewall_new(struct front *f);          /* before the other threads run */
void firewall_free(struct firewall *w);        /* when they have ended, before thread 0's loop goes */
RESULT firewall_open(struct front *f, int fd); /* a channel to the warden; takes fd */
void firewall_loaded(struct front *f);         /* the guard has its rules: those in force go to the warden */
/* --- patterns.c: into f->shared.patterns, unless the configuration says off */
RESULT patterns_open(struct front *f, struct problem *why);
RESULT patterns_policy(struct front *f); /* the hash of the policy that they are part of, into f->shared.policy_hash */

/* --- loader.c: the files of the guard, by number (config_guard_file in ipc/config.h). ERR_MALFORMED: there is no such
 * number; ERR_NO_MEMORY. */
RESULT loader_new(struct front *f);
void loader_end(struct loader *d); /* before the mailbox goes: finishes the file that it is at, and ends its thread */
void loader_free(struct loader *d);
RESULT loader_take(struct front *f, uint8_t which, uint32_t number, int fd); /* takes fd */
RESULT loader_missing(struct front *f, uint8_t which, struct view why);

/* --- records.c: a record of the front's own doing, on thread 0. Retried until it is logged. */
void record_own(struct front *f, uint16_t type, enum outcome outcome, const char *resource, const char *detail);

#endif
