/* From sealed to serving and back, on thread 0:
 *
 *   look ─ status ─▶ sealed: wait for KEEPER_EVENT_UNSEALED
 *        └─ unsealed ─▶ hello ─▶ open, compare ─▶ feed what the keeper misses ─▶ log what the front misses ─▶ load ─▶
 * serve
 *
 * When the keeper is sealed the process ends, and the supervisor starts it anew without keys: nothing that was in its
 * memory can stay behind. */
#include "front/front.h"

#include "api/change_gate.h"
#include "api/passwords.h"
#include "base/log.h"
#include "ledger/note.h"

#include <inttypes.h>
#include <stdio.h>

#define CALL_MS      10000
#define STEP_MS      20   /* between looks at what has to finish first */
#define AGAIN_MS     1000 /* after something failed */
#define SEALED_MS    3000 /* for what is under way when the keeper is sealed */
#define FILES_MS     5000 /* at most, for the files of the guard: without them no stranger is let in, but others are */
#define FINDINGS_MAX 64   /* with more than that the store as a whole is not to be trusted */

enum step { STEP_WAIT, STEP_HELLO, STEP_FEED, STEP_PENDING, STEP_LOAD, STEP_SERVE };

struct life {
    enum step step;
    bool known;           /* a keeper was unsealed once: installation and keys are set */
    bool loaded;          /* the memory tables are filled */
    bool refused;         /* for good: only a person can mend it */
    atomic_uint findings; /* of the background check */
    struct loop_timer *timer;
    uint64_t files_by_ms; /* monotonic; 0: not waited for yet */
    int logged;           /* enum api_log that was logged last */
    bool clock_told;      /* that it went back */
};

static void set_state(struct front *f, enum api_state state)
{
    if (f->stop_by_ms == 0 || state == API_SEALED)
        atomic_store(&f->shared.state, state);
}

static void set_keeper(struct front *f, enum api_keeper keeper)
{
    atomic_store(&f->shared.health.keeper, keeper);
}

static void again(struct front *f, uint64_t ms)
{
    loop_timer_arm(f->life->timer, ms);
}

static const struct {
    const char *headline, *mend;
    enum api_log log;
} refusals[] = {
    [REFUSE_MISMATCH] = {"the log does not match the keeper",
                         "Look at the store before anything else: records were removed or altered, or an old copy was "
                         "put back.",
                         API_LOG_MISMATCH},
    [REFUSE_DAMAGED] = {"the store is damaged",
                        "Stop the server, keep a copy of its data directory, and put back the newest backup of the "
                        "whole of it.",
                        API_LOG_DAMAGED},
    [REFUSE_TOO_NEW] = {"the store was written by a newer Holdfast", "Install that version again.", API_LOG_TOO_NEW},
};

void life_refuse(struct front *f, enum life_refusal r, const char *sentence)
{
    char status[128];

    log_error("CRITICAL: %s: %s. Nothing is served. %s", refusals[r].headline, sentence, refusals[r].mend);
    f->life->refused = true;
    f->life->step = STEP_WAIT;
    atomic_store(&f->shared.health.log, refusals[r].log);
    set_state(f, API_SEALED);
    feed_pause(f);
    if (f->shared.ledger)
        ledger_begin_background(f->shared.ledger); /* to say which row or record it is */
    (void)snprintf(status, sizeof status, "%s: nothing is served", refusals[r].headline);
    supervisor_status(f, status);
}

/* --- opening, once */

static void on_tampering_mail(struct mail *m);

struct tampering {
    struct mail mail;
    struct front *front;
    unsigned number;
    struct problem why;
};

/* What depends on a damaged row is refused, the rest goes on. In the ledger's thread. */
static void on_tampering(void *context, const struct ledger_finding *found)
{
    struct front *f = context;
    const struct problem *why = &found->why;
    struct tampering *t;
    unsigned number;

    if (why->code != ERR_TAMPERED) {
        log_warn("the check of the store could not be finished and is tried again: %s", err_sentence(why->code));
        return;
    }
    number = ++f->life->findings;
    if (number > FINDINGS_MAX + 1)
        return;
    atomic_store(&f->shared.health.tampered, true);
    identity_distrust(f->shared.identity, found->table, found->row);
    api_keys_distrust(f->shared.api_keys, atomic_load(&f->shared.keys), found->table, found->row);
    guard_distrust(f->shared.guard, atomic_load(&f->shared.keys), found->table, found->row);
    log_error("CRITICAL: stored data was changed outside Holdfast: %s", why->detail);
    t = calloc(1, sizeof *t);
    if (!t)
        return;
    *t = (struct tampering){.mail.deliver = on_tampering_mail, .front = f, .number = number, .why = *why};
    mailbox_post(f->threads[0].api.mailbox, &t->mail, &t->mail);
}

static void on_tampering_mail(struct mail *m)
{
    struct tampering *t = (struct tampering *)(void *)((uint8_t *)m - offsetof(struct tampering, mail));

    if (t->number <= FINDINGS_MAX)
        record_own(t->front, EVENT_TAMPERING_FOUND, OUTCOME_FAILED, t->why.where, t->why.detail);
    else if (!t->front->life->refused)
        life_refuse(t->front, REFUSE_DAMAGED, "too many of its rows were changed outside Holdfast");
    free(t);
}

static RESULT open_ledger(struct front *f, struct problem *why)
{
    char url[4096];
    struct ledger_config config = {.store_url = url,
                                   .keys = atomic_load(&f->shared.keys),
                                   .clock = f->shared.clock,
                                   .random = f->shared.random,
                                   .tampering = on_tampering,
                                   .tampering_context = f,
                                   .background_later = true};
    struct writer w = writer_fixed(config.origin, sizeof config.origin - 1);

    TRY(view_to_str(f->config.store, url, sizeof url));
    log_origin_put(f->shared.installation, &w);
    TRY(writer_done(&w));
    config.origin[w.len] = '\0';
    TRY(ledger_open(&config, &f->shared.ledger, why));
    TRY(feed_subscribe(f));
    for (size_t i = 0; i < f->thread_count; i++)
        TRY(ledger_reader(f->shared.ledger, &f->threads[i].api.reader));
    news_record(f);
    return OK;
}

/* Is the store's log the one that the keeper signed, and all of it? */
static RESULT compare(struct front *f, const struct keeper_welcome *w)
{
    uint64_t size = ledger_size(f->shared.ledger);
    uint8_t root[32];
    char sentence[160];
    enum err e = ERR_NOT_FOUND;

    if (size >= w->log_size)
        e = compare_root(f->threads[0].api.reader, w->log_size, root);
    if (e == ERR_NOT_FOUND) {
        (void)snprintf(sentence, sizeof sentence, "it has %" PRIu64 " records, and the keeper saw %" PRIu64, size,
                       w->log_size);
        life_refuse(f, REFUSE_MISMATCH, sentence);
        return ERR_LOG_MISMATCH;
    }
    TRY(e);
    if (memcmp(root, w->frontier_root, sizeof root) == 0)
        return OK;
    (void)snprintf(sentence, sizeof sentence, "its first %" PRIu64 " records are not those that the keeper saw",
                   w->log_size);
    life_refuse(f, REFUSE_MISMATCH, sentence);
    return ERR_LOG_MISMATCH;
}

/* --- hello */

static RESULT take_keys(struct front *f, const struct keeper_welcome *w, struct problem *why)
{
    AUTO(keyring_free) struct keyring *ring = NULL;
    struct row_keys *keys = NULL;

    if (f->life->known && memcmp(f->shared.installation, w->installation, sizeof w->installation) != 0)
        return problem_set(why, ERR_TAMPERED, "keeper", "it is another installation's: its keys do not fit this store");
    TRY(keyring_import(w->state_ring, &ring));
    TRY(row_keys_new(ring, (enum aead_alg)w->cipher, &keys));
    memcpy(f->shared.installation, w->installation, sizeof w->installation);
    memcpy(f->shared.import_key, w->import_key, sizeof w->import_key);
    memcpy(f->shared.checkpoint_key, w->checkpoint_key, sizeof w->checkpoint_key);
    f->shared.cipher = w->cipher;
    f->life->known = true;
    /* Former keys stay: other threads may be using them this moment. */
    atomic_store(&f->shared.keys, keys);
    if (f->shared.ledger)
        ledger_set_keys(f->shared.ledger, keys);
    return OK;
}

/* What was measured at the initialisation, unless the configuration says otherwise. */
static RESULT take_cost(struct front *f, const struct keeper_welcome *w)
{
    const struct argon2_cost cost = {.passes = w->password_passes, .memory_kib = w->password_memory_kib};

    if (f->config.argon2.passes || cost.passes == 0 || cost.memory_kib == 0)
        return OK;
    return passwords_set_cost(f->shared.passwords, cost);
}

static RESULT take_welcome(struct front *f, struct view entity, struct problem *why)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_welcome w;

    TRY(arena_new(16384, 1u << 20, &arena));
    TRY(entity_decode(&keeper_welcome_entity, entity, arena, &w));
    TRY(take_keys(f, &w, why));
    TRY(take_cost(f, &w));
    if (!f->shared.ledger)
        TRY(open_ledger(f, why));
    TRY(compare(f, &w));
    feed_from(f, w.log_size);
    return OK;
}

/* What only a person can mend ends it; the rest is tried again. */
static void fail(struct front *f, enum err e, const struct problem *why)
{
    const char *detail = *why->detail ? why->detail : err_sentence(e);

    if (e == ERR_TAMPERED || e == ERR_TOO_NEW) {
        life_refuse(f, e == ERR_TOO_NEW ? REFUSE_TOO_NEW : REFUSE_DAMAGED, detail);
        return;
    }
    log_error("can't serve: %s%s%s", why->where, *why->where ? ": " : "", detail);
    again(f, AGAIN_MS);
}

static void on_welcome(void *context, enum err error, struct view entity, const struct problem *told)
{
    struct front *f = context;
    struct problem why = {.code = OK};
    enum err e = error == OK ? take_welcome(f, entity, &why) : error;

    (void)told;
    if (f->life->step == STEP_HELLO)
        f->life->step = STEP_WAIT;
    if (f->life->refused || e == ERR_UNAVAILABLE)
        return;
    if (e == OK) {
        set_keeper(f, API_KEEPER_UNSEALED);
        token_keys_ask(f);
        if (atomic_load(&f->shared.state) == API_SERVING) {
            f->life->step = STEP_SERVE; /* it was a rotation, or the feed asked */
            rewrap_start(f);
            return;
        }
        f->life->step = STEP_FEED;
        again(f, 0);
        return;
    }
    fail(f, e, &why);
}

void life_hello(struct front *f)
{
    struct keeper_hello q = {.thread = 0};
    struct caller *keeper = front_keeper(f);

    if (f->life->refused || f->life->step == STEP_HELLO || !keeper || f->stop_by_ms)
        return;
    if (atomic_load(&f->shared.state) != API_SERVING)
        set_state(f, API_STARTING);
    set_keeper(f, API_KEEPER_UNSEALED);
    feed_pause(f);
    f->life->step = STEP_HELLO;
    if (caller_call(keeper, KEEPER_HELLO, &keeper_hello_entity, &q, CALL_MS, on_welcome, f) != OK)
        f->life->step = STEP_WAIT;
}

/* --- status */

static void wiped(struct front *f)
{
    log_info("sealed: the process ends, and starts anew without keys");
    front_stop(f, SEALED_MS);
}

/* Before `keeper` says sealed, for health reads it only then. */
static void set_sealed(struct front *f, const struct sealed *s)
{
    struct api_health *h = &f->shared.health;

    atomic_store(&h->sealed_since_ms, s->since_ms);
    atomic_store(&h->sealed_wait_status, s->wait_status);
    atomic_store(&h->sealed_cause, s->cause);
}

static void on_status(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct front *f = context;
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_status st = {0};

    (void)why;
    if (error == ERR_UNAVAILABLE)
        return; /* life_gone has said it */
    if (error != OK || arena_new(1024, 16384, &arena) != OK ||
        entity_decode(&keeper_status_entity, entity, arena, &st) != OK) {
        again(f, AGAIN_MS);
        return;
    }
    if (st.state == STATE_UNSEALED) {
        life_hello(f);
        return;
    }
    if (f->life->known) {
        wiped(f);
        return;
    }
    set_sealed(f, &st.sealed);
    set_keeper(f, st.state == STATE_SEALED ? API_KEEPER_SEALED : API_KEEPER_UNINITIALISED);
    supervisor_status(f, st.state == STATE_SEALED ? "sealed" : "not initialised");
}

void life_look(struct front *f)
{
    struct caller *keeper = front_keeper(f);

    if (f->life->refused || !keeper || f->life->step == STEP_HELLO)
        return;
    if (caller_call(keeper, KEEPER_STATUS, NULL, NULL, CALL_MS, on_status, f) != OK)
        again(f, AGAIN_MS);
}

void life_sealed(struct front *f)
{
    set_sealed(f, &(struct sealed){0});
    set_keeper(f, API_KEEPER_SEALED);
    set_state(f, API_SEALED);
    supervisor_status(f, "sealed");
    feed_pause(f);
    f->life->step = STEP_WAIT;
    if (f->life->known)
        wiped(f);
    else
        life_look(f); /* for why and since when */
}

void life_gone(struct front *f)
{
    set_keeper(f, API_KEEPER_DEAD);
    set_state(f, API_SEALED);
    feed_pause(f);
    f->life->step = STEP_WAIT;
    loop_timer_disarm(f->life->timer);
    if (f->stop_by_ms == 0)
        supervisor_status(f, "sealed: the keeper is dead");
}

/* --- one step after the other */

static void on_pending(struct front *f, enum err e, size_t taken)
{
    if (f->life->step != STEP_PENDING)
        return;
    if (e == OK && taken == 0)
        f->life->step = STEP_LOAD;
    else
        f->life->step = STEP_FEED; /* once more, when those are logged */
    again(f, e == OK ? STEP_MS : AGAIN_MS);
}

static RESULT load(struct front *f, struct problem *why)
{
    struct store *reader = f->threads[0].api.reader;
    struct row_keys *keys = atomic_load(&f->shared.keys);
    size_t people = 0, bots = 0, tokens = 0, networks = 0;

    if (f->life->loaded)
        return OK;
    TRY(identity_load(f->shared.identity, reader, keys, &people, why));
    TRY(api_keys_load(f->shared.api_keys, reader, keys, &bots, why));
    TRY(tokens_load(f->shared.tokens, reader, keys, f->shared.clock->wall_ms(f->shared.clock), &tokens, why));
    TRY(guard_load(f->shared.guard, reader, keys, &networks, why));
    f->life->loaded = true;
    if (people + bots + tokens + networks > 0) {
        atomic_store(&f->shared.health.tampered, true);
        log_error("CRITICAL: stored data was changed outside Holdfast: %zu rows of users and sessions, %zu of API "
                  "keys, %zu of tokens and %zu of networks do not open. They are left out, and whoever they belong to "
                  "is refused; the "
                  "check that begins "
                  "now names them",
                  people, bots, tokens, networks);
    }
    return OK;
}

static void serve(struct front *f)
{
    struct problem why = {.code = OK};
    enum err e = load(f, &why);

    if (e != OK) {
        f->life->step = STEP_LOAD;
        fail(f, e, &why);
        return;
    }
    f->life->step = STEP_SERVE;
    set_state(f, API_SERVING);
    firewall_loaded(f);
    ledger_begin_background(f->shared.ledger);
    log_info("serving: the log has %" PRIu64 " records", ledger_size(f->shared.ledger));
    supervisor_status(f, "serving");
    rewrap_start(f);
}

/* Requests wait meanwhile; so that a start anew refuses nobody whom those files let in. */
static bool waits_for_files(struct front *f)
{
    const struct clock *c = f->shared.clock;
    uint64_t now = c->mono_ms(c);

    if (f->life->files_by_ms == 0)
        f->life->files_by_ms = now + FILES_MS;
    return !netfiles_ready(guard_netfiles(f->shared.guard)) && now < f->life->files_by_ms;
}

/* Records of a former keeper must be in its log before it is asked what is pending, for that closes its book on them.
 */
static void on_step(void *context)
{
    struct front *f = context;
    struct life *l = f->life;

    switch (l->step) {
    case STEP_WAIT:
        life_look(f);
        break;
    case STEP_FEED:
        if (gate_under_way(f->shared.gate) == 0 && feed_caught_up(f)) {
            l->step = STEP_PENDING;
            pending_ask(f, true, on_pending);
        } else {
            again(f, STEP_MS);
        }
        break;
    case STEP_LOAD:
        if (waits_for_files(f))
            again(f, STEP_MS);
        else
            serve(f);
        break;
    default:
        break;
    }
}

#define BACK_MS 5000 /* steps of less are what clocks are set by */

static void look_at_clock(struct front *f)
{
    uint64_t behind = clock_forward_behind_ms(&f->clock);
    char detail[160];

    if (behind == 0)
        f->life->clock_told = false;
    if (behind < BACK_MS || f->life->clock_told)
        return;
    f->life->clock_told = true;
    (void)snprintf(detail, sizeof detail,
                   "the clock went back by %" PRIu64 " s: until it has caught up, time stands still", behind / 1000);
    log_error("%s here, so that nothing that is over begins again. If it was wrong before, reload", detail);
    record_own(f, EVENT_CLOCK_JUMP_NOTICED, OUTCOME_DONE, "front", detail);
}

/* What changed without an event of its own. */
static void on_second(void *context)
{
    struct front *f = context;
    struct api_health *h = &f->shared.health;
    int log = atomic_load(&h->log);

    if (log != f->life->logged && log == API_LOG_FULL)
        log_error("the disk is full: nothing that leaves a record is done until there is space");
    if (log != f->life->logged && log == API_LOG_UNWRITABLE)
        log_error("the log can't be written: nothing that leaves a record is done");
    if (log != f->life->logged && log == API_LOG_GOOD)
        log_info("the log can be written again");
    f->life->logged = log;
    look_at_clock(f);
    if (atomic_load(&f->shared.state) == API_SERVING && atomic_exchange(&h->look_for_lost, false))
        pending_ask(f, false, NULL);
    if (atomic_load(&f->shared.state) == API_SERVING && !tokens_have_keys(f->shared.tokens))
        token_keys_ask(f);
}

RESULT life_new(struct front *f)
{
    f->life = calloc(1, sizeof *f->life);
    if (!f->life)
        return ERR_NO_MEMORY;
    TRY(loop_timer_new(front_loop(f), on_step, f, &f->life->timer));
    return loop_every(front_loop(f), 1000, on_second, f);
}

void life_free(struct life *l)
{
    free(l); /* its timer goes with the loop */
}
