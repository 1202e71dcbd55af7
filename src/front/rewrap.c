/* After a rotation of the data key: seals all rows under the newest epoch, in a thread of its own. The ledger knows the
 * front's rows; what the keeper sealed goes to the keeper, by way of thread 0. Which rows are left is told by the rows
 * themselves, and that none is left by the record REWRAP_FINISHED, so a walk that was killed is begun anew at the next
 * start. */
#include "api/credential_row.h"
#include "domain/secrets/secrets.h"
#include "front/front.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

#define CALL_MS   20000
#define RETRY_MS  10000
#define MENDED_MS 3600000 /* between looks whether somebody mended a damaged row */
#define ARENA_MAX (8u << 20)

enum call_state { CALL_NONE, CALL_ASKED, CALL_DONE };

struct rewrap {
    struct front *front;
    pthread_t thread;
    bool runs;  /* to be joined */
    bool again; /* rotated meanwhile */
    struct loop_timer *retry;
    struct mail ended;
    enum err result;
    uint64_t rows;
    uint32_t epoch;

    /* One call to the keeper at a time, between the thread and thread 0. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    enum call_state state;
    struct mail mail;
    uint16_t type;
    const struct entity *entity;
    const void *object;
    enum err error;
    struct writer answer;
};

/* --- the call, in thread 0 */

static void answered(struct rewrap *r, enum err error, struct view entity)
{
    pthread_mutex_lock(&r->lock);
    writer_reset(&r->answer);
    writer_view(&r->answer, entity);
    r->error = error;
    r->state = CALL_DONE;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

static void on_answer(void *context, enum err error, struct view entity, const struct problem *why)
{
    (void)why;
    answered(context, error, entity);
}

static void on_mail(struct mail *m)
{
    struct rewrap *r = (struct rewrap *)(void *)((uint8_t *)m - offsetof(struct rewrap, mail));
    struct caller *keeper = front_keeper(r->front);
    enum err e = keeper ? caller_call(keeper, r->type, r->entity, r->object, CALL_MS, on_answer, r) : ERR_UNAVAILABLE;

    if (e != OK)
        answered(r, e, (struct view){0});
}

/* --- in the thread */

/* The answer is copied into arena. */
static RESULT ask(struct rewrap *r, uint16_t type, const struct entity *e, const void *object, struct arena *arena,
                  struct keeper_sealed *ret)
{
    struct view bytes = {0};
    enum err error;

    r->type = type;
    r->entity = e;
    r->object = object;
    r->mail.deliver = on_mail;
    pthread_mutex_lock(&r->lock);
    if (r->stop) {
        pthread_mutex_unlock(&r->lock);
        return ERR_UNAVAILABLE;
    }
    r->state = CALL_ASKED;
    mailbox_post(r->front->threads[0].api.mailbox, &r->mail, &r->mail);
    while (r->state != CALL_DONE && !r->stop)
        pthread_cond_wait(&r->wake, &r->lock);
    error = r->state == CALL_DONE ? r->error : ERR_UNAVAILABLE;
    if (error == OK)
        error = arena_copy(arena, writer_view_of(&r->answer), &bytes);
    pthread_mutex_unlock(&r->lock);
    TRY(error);
    return entity_decode(&keeper_sealed_entity, bytes, arena, ret);
}

static bool is_old(const struct rewrap *r, struct view sealed)
{
    uint32_t epoch = 0;

    return sealed_epoch(sealed, &epoch) == OK && epoch < r->epoch;
}

static RESULT secret_row(struct rewrap *r, const struct store_row *row, struct arena *arena, struct writer *w)
{
    struct api_shared *s = &r->front->shared;
    const struct row_keys *keys = atomic_load(&s->keys);
    struct secret_sealed v;
    struct keeper_rewrap q = {0};
    struct keeper_sealed fresh;

    TRY(secret_value_open(keys, row, arena, &v));
    if (!is_old(r, v.sealed))
        return OK;
    memcpy(q.id, v.id, sizeof q.id);
    q.version = v.version;
    q.path = v.path;
    q.sealed = v.sealed;
    TRY(ask(r, KEEPER_SECRET_REWRAP, &keeper_rewrap_entity, &q, arena, &fresh));
    return secret_value_rewrap(keys, row, fresh.sealed, s->random, w);
}

static RESULT credential(struct rewrap *r, const struct store_row *row, struct arena *arena, struct writer *w)
{
    struct credential_row c;
    struct keeper_unwrap q = {0};
    struct keeper_sealed fresh;

    TRY(entity_decode(&credential_row_entity, row->value, arena, &c));
    if (!is_old(r, c.sealed))
        return OK;
    q.descriptor = c.descriptor;
    q.sealed = c.sealed;
    TRY(ask(r, KEEPER_CREDENTIAL_REWRAP, &keeper_unwrap_entity, &q, arena, &fresh));
    c.sealed = fresh.sealed;
    return entity_encode(&credential_row_entity, &c, w);
}

static enum err raw_row(void *context, uint16_t table, const struct store_row *row, struct writer *w)
{
    struct rewrap *r = context;
    AUTO(arena_free) struct arena *arena = NULL;

    TRY(arena_new(65536, ARENA_MAX, &arena));
    return table == TABLE_CREDENTIAL ? credential(r, row, arena, w) : secret_row(r, row, arena, w);
}

static bool last_epoch(void *context, const struct record_view *record)
{
    char text[128];

    if (view_to_str(record->what.detail, text, sizeof text) == OK)
        (void)sscanf(text, "{\"epoch\":%" SCNu32, (uint32_t *)context);
    return false;
}

/* Says the record that this epoch is done? */
static bool is_finished(struct rewrap *r, struct store *reader)
{
    const struct record_filter filter = {.type = EVENT_REWRAP_FINISHED, .limit = 1};
    uint32_t epoch = 0;
    uint64_t next;
    struct problem why;

    return query_search(reader, atomic_load(&r->front->shared.keys), &filter, last_epoch, &epoch, &next, &why) == OK &&
           epoch >= r->epoch;
}

static RESULT walk(struct rewrap *r)
{
    struct ledger *l = r->front->shared.ledger;
    AUTO(store_close) struct store *reader = NULL;

    TRY(ledger_reader(l, &reader));
    if (is_finished(r, reader))
        return ERR_EXISTS;
    atomic_store(&r->front->shared.health.rewrapping, true);
    return ledger_rewrap(l, raw_row, r, &r->rows);
}

static void on_ended(struct mail *m);

static void *body(void *context)
{
    struct rewrap *r = context;

    r->result = walk(r);
    r->ended.deliver = on_ended;
    mailbox_post(r->front->threads[0].api.mailbox, &r->ended, &r->ended);
    return NULL;
}

/* --- in thread 0 again */

static void on_ended(struct mail *m)
{
    struct rewrap *r = (struct rewrap *)(void *)((uint8_t *)m - offsetof(struct rewrap, ended));
    char detail[96];

    (void)pthread_join(r->thread, NULL);
    r->runs = false;
    atomic_store(&r->front->shared.health.rewrapping, false);
    if (r->result == OK) {
        (void)snprintf(detail, sizeof detail, "{\"epoch\":%" PRIu32 ",\"rows\":%" PRIu64 "}", r->epoch, r->rows);
        record_own(r->front, EVENT_REWRAP_FINISHED, OUTCOME_DONE, "installation", detail);
        log_info("all rows are sealed under epoch %" PRIu32 ": %" PRIu64 " were rewrapped", r->epoch, r->rows);
    } else if (r->result != ERR_EXISTS) {
        bool damaged = r->result == ERR_TAMPERED;
        log_warn("%s: %s", damaged ? "damaged rows stay under an older epoch" : "rewrapping stopped and is tried again",
                 err_sentence(r->result));
        loop_timer_arm(r->retry, damaged ? MENDED_MS : RETRY_MS);
    }
    if (r->again)
        rewrap_start(r->front);
}

static void on_retry(void *context)
{
    rewrap_start(context);
}

void rewrap_start(struct front *f)
{
    struct rewrap *r = f->rewrap;

    if (f->stop_by_ms || atomic_load(&f->shared.state) != API_SERVING)
        return; /* serving begins with it */
    r->again = r->runs;
    if (r->runs)
        return;
    r->epoch = keyring_epoch(row_keys_ring(atomic_load(&f->shared.keys)));
    r->rows = 0;
    if (r->epoch <= 1)
        return; /* never rotated */
    r->runs = pthread_create(&r->thread, NULL, body, r) == 0;
    if (!r->runs)
        loop_timer_arm(r->retry, RETRY_MS);
}

RESULT rewrap_new(struct front *f)
{
    struct rewrap *r = calloc(1, sizeof *r);

    if (!r)
        return ERR_NO_MEMORY;
    r->front = f;
    r->answer = writer_new(CHANNEL_FRAME_MAX);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    f->rewrap = r;
    return loop_timer_new(front_loop(f), on_retry, f, &r->retry);
}

void rewrap_free(struct rewrap *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (r->runs)
        (void)pthread_join(r->thread, NULL);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
    writer_free(&r->answer);
    free(r);
}
