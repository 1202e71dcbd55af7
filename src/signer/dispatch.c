#include "signer/dispatch.h"

#include "ipc/signer_msg.h"
#include "signer/parked.h"

#define JOBS_MAX      256 /* credentials whose signature is being made, or waits for the thread */
#define HELD_MAX      (8u << 20)
#define HELD_FULL     (4u << 20) /* no further signatures: the keeper does not take their records */
#define JOB_ARENA     (16u * 1024)
#define JOB_ARENA_MAX (1u << 20)

struct dispatch {
    struct dispatch_config config;
    struct parked_queue parked;
    size_t jobs;
    struct writer
        held; /* answers whose records have not all left: struct held and its frame's body, one after the other */
};

struct held {
    struct channel *to; /* NULL once he is gone */
    uint64_t id;
    size_t len;
};

/* The first of a line, while its signature is being made. */
struct job {
    struct worker_job work; /* stays first */
    struct dispatch *d;
    struct parked_line *line;
    struct parked *request;
    struct arena *arena;
    struct signer_sign q;
    struct signer_pass *pass;
};

static void serve(struct dispatch *d, struct parked_line *line);

/* --- answers, behind their records */

static void cut_held(struct dispatch *d, size_t len)
{
    explicit_bzero(d->held.ptr + len, d->held.len - len);
    d->held.len = len;
}

static RESULT hold(struct dispatch *d, struct channel *to, uint64_t id, const struct signer_signed *out)
{
    struct writer *w = &d->held;
    struct held head = {.to = to, .id = id};
    size_t from = w->len, body = from + sizeof head;
    enum err e;

    writer_bytes(w, &head, sizeof head);
    writer_u16(w, OK);
    e = entity_encode(&signer_signed_entity, out, w);
    if (e == OK && w->len - body > CHANNEL_FRAME_MAX - CHANNEL_HEADER)
        e = ERR_TOO_LONG;
    if (e != OK) {
        w->failed = OK;
        cut_held(d, from);
        return e;
    }
    head.len = w->len - body;
    memcpy(w->ptr + from, &head, sizeof head);
    return OK;
}

/* The next one from *at on, or false. */
static bool next_held(const struct dispatch *d, size_t *at, struct held *ret, struct view *ret_body)
{
    if (*at >= d->held.len)
        return false;
    memcpy(ret, d->held.ptr + *at, sizeof *ret);
    *ret_body = VIEW(d->held.ptr + *at + sizeof *ret, ret->len);
    *at += sizeof *ret + ret->len;
    return true;
}

void dispatch_release(struct dispatch *d)
{
    struct held h;
    struct view body;

    if (d->held.len == 0 || d->config.recorded(d->config.context) != OK)
        return;
    for (size_t at = 0; next_held(d, &at, &h, &body);)
        if (h.to && channel_send(h.to, SIGNER_SIGN | CHANNEL_ANSWER, h.id, body, -1) != OK)
            channel_break(h.to);
    for (size_t at = 0; next_held(d, &at, &h, &body);)
        if (h.to)
            (void)!channel_flush(h.to); /* reading tells its owner */
    cut_held(d, 0);
}

void dispatch_withdraw(struct dispatch *d, enum err why)
{
    struct held h;
    struct view body;

    for (size_t at = 0; next_held(d, &at, &h, &body);)
        if (h.to && channel_refuse(h.to, SIGNER_SIGN, h.id, why, "") != OK)
            channel_break(h.to);
    if (d->held.len)
        cut_held(d, 0);
}

static void forget_held(struct dispatch *d, const struct channel *from)
{
    struct held h;
    struct view body;

    for (size_t at = 0, here = 0; next_held(d, &at, &h, &body); here = at)
        if (h.to == from) {
            h.to = NULL;
            memcpy(d->held.ptr + here, &h, sizeof h);
        }
}

/* Signs, if there is room for the answer. */
static RESULT sign(struct dispatch *d, const struct signer_sign *q, struct arena *arena, struct signer_reply *ret,
                   struct problem *why)
{
    *ret = (struct signer_reply){.outcome = SIGNER_ANSWER};
    return d->held.len < HELD_FULL ? signer_sign(d->config.signer, q, arena, ret, why) : ERR_BUSY;
}

static RESULT respond(struct dispatch *d, const struct parked *p, enum err e, const struct signer_signed *out,
                      const char *detail)
{
    if (e == OK)
        e = hold(d, p->from, p->id, out);
    return e == OK ? OK : channel_refuse(p->from, SIGNER_SIGN, p->id, e, detail);
}

/* The same for one that waited: a front that does not take its answer would wait for ever. */
static void respond_late(struct dispatch *d, const struct parked *p, enum err e, const struct signer_signed *out,
                         const char *detail)
{
    if (p->from && respond(d, p, e, out, detail) != OK)
        channel_break(p->from);
}

/* --- what takes long */

static void job_free(struct job *j)
{
    if (!j)
        return;
    parked_free(j->request);
    arena_free(j->arena);
    explicit_bzero(j, sizeof *j);
    free(j);
}
AUTO_DEFINE(struct job *, job_free);

/* Its place in the line is free, and the next one's turn has come. */
static void job_end(struct job *j)
{
    struct dispatch *d = j->d;
    struct parked_line *line = j->line;

    job_free(j);
    line->out = NULL;
    d->jobs--;
    serve(d, line);
    parked_sweep(&d->parked);
}

static void job_done(struct mail *m)
{
    struct job *j = (struct job *)((uint8_t *)m - offsetof(struct worker_job, mail));
    struct signer_signed out;
    struct problem why = {0};
    enum err e = j->d->held.len < HELD_FULL ? j->d->config.listen(j->d->config.context) : ERR_BUSY;

    if (e == OK && j->request->from)
        e = signer_finish(j->pass, &out, &why);
    else
        signer_drop(j->pass);
    respond_late(j->d, j->request, e, &out, why.detail);
    job_end(j);
}

static void job_run(struct worker_job *w)
{
    signer_work(((struct job *)w)->pass);
}

static RESULT job_init(struct job *j, struct dispatch *d, struct parked_line *line)
{
    if (d->jobs == JOBS_MAX)
        return ERR_BUSY;
    *j = (struct job){.work = {.mail = {.deliver = job_done}, .run = job_run}, .d = d, .line = line};
    TRY(arena_new(JOB_ARENA, JOB_ARENA_MAX, &j->arena));
    return entity_decode(&signer_sign_entity, VIEW(line->first->body, line->first->len), j->arena, &j->q);
}

/* Takes the job. */
static void job_submit(struct dispatch *d, struct job *j, struct signer_pass *pass)
{
    j->pass = pass;
    j->request = parked_take(&d->parked, j->line);
    j->line->out = j;
    d->jobs++;
    worker_submit(d->config.worker, &j->work);
}

/* Nobody waits for it any more. What runs is dropped when it comes back. */
static void job_abandon(struct job *j)
{
    struct dispatch *d = j->d;

    j->request->from = NULL;
    if (!worker_cancel(d->config.worker, &j->work))
        return;
    signer_drop(j->pass);
    j->line->out = NULL;
    d->jobs--;
    job_free(j);
}

/* --- one after the other */

/* False if it has to wait on. */
static bool serve_slow(struct dispatch *d, struct parked_line *line)
{
    AUTO(job_free) struct job *j = calloc(1, sizeof *j);
    struct signer_reply reply = {.outcome = SIGNER_ANSWER};
    struct problem why = {0};
    enum err e = j ? job_init(j, d, line) : ERR_NO_MEMORY;

    if (e == OK)
        e = sign(d, &j->q, j->arena, &reply, &why);
    if (e == OK && reply.outcome == SIGNER_WAIT)
        return false;
    if (e == OK && reply.outcome == SIGNER_WORK) {
        job_submit(d, TAKE(j), reply.pass);
        return true;
    }
    respond_late(d, line->first, e, &reply.answer, why.detail);
    parked_free(parked_take(&d->parked, line));
    return true;
}

static bool serve_quick(struct dispatch *d, struct parked_line *line, const struct signer_sign *q)
{
    struct signer_reply reply = {.outcome = SIGNER_ANSWER};
    struct problem why = {0};
    enum err e = sign(d, q, d->config.arena, &reply, &why);

    if (e == OK && reply.outcome == SIGNER_WAIT)
        return false;
    respond_late(d, line->first, e, &reply.answer, why.detail);
    parked_free(parked_take(&d->parked, line));
    return true;
}

static bool serve_first(struct dispatch *d, struct parked_line *line)
{
    struct signer_sign q = {0};
    bool done = true;
    enum err e = entity_decode(&signer_sign_entity, VIEW(line->first->body, line->first->len), d->config.arena, &q);

    if (e != OK) {
        respond_late(d, line->first, e, NULL, "");
        parked_free(parked_take(&d->parked, line));
    } else {
        done = signer_is_slow(d->config.signer, &q) ? serve_slow(d, line) : serve_quick(d, line, &q);
    }
    arena_reset(d->config.arena);
    return done;
}

static void serve(struct dispatch *d, struct parked_line *line)
{
    while (!line->out && line->first && serve_first(d, line))
        ;
}

static void serve_all(struct dispatch *d)
{
    for (struct parked_line *l = d->parked.lines; l; l = l->next)
        serve(d, l);
    parked_sweep(&d->parked);
}

RESULT dispatch_sign(struct dispatch *d, struct channel *from, uint64_t id, struct view body)
{
    struct signer_sign q = {0};
    struct signer_reply reply = {.outcome = SIGNER_WAIT};
    struct problem why = {0};
    bool slow, waits;

    TRY(entity_decode(&signer_sign_entity, body, d->config.arena, &q));
    waits = parked_find(&d->parked, q.id) != NULL;
    slow = !waits && signer_is_slow(d->config.signer, &q);
    if (!waits && !slow) {
        enum err e = sign(d, &q, d->config.arena, &reply, &why);
        if (e != OK || reply.outcome == SIGNER_ANSWER) {
            TRY(respond(d, &(struct parked){.from = from, .id = id}, e, &reply.answer, why.detail));
            dispatch_release(d); /* at once: the front commits this one while the next one is signed */
            return OK;
        }
    }
    TRY(parked_add(&d->parked, from, id, q.id, body));
    if (slow)
        serve(d, parked_find(&d->parked, q.id));
    parked_sweep(&d->parked);
    return OK;
}

void dispatch_reserved(struct dispatch *d)
{
    serve_all(d);
}

static void refuse_line(struct dispatch *d, struct parked_line *line, enum err why)
{
    struct parked *p;

    while ((p = parked_take(&d->parked, line))) {
        respond_late(d, p, why, NULL, "");
        parked_free(p);
    }
}

void dispatch_refuse_unmarked(struct dispatch *d, enum err why)
{
    for (struct parked_line *l = d->parked.lines; l; l = l->next)
        if (!l->out) /* else it waits for a signature, and its marks may be there */
            refuse_line(d, l, why);
    parked_sweep(&d->parked);
}

void dispatch_refuse_all(struct dispatch *d, enum err why)
{
    for (struct parked_line *l = d->parked.lines; l; l = l->next) {
        struct job *j = l->out;
        if (j) {
            respond_late(j->d, j->request, why, NULL, "");
            job_abandon(j);
        }
        refuse_line(d, l, why);
    }
    parked_sweep(&d->parked);
}

void dispatch_forget(struct dispatch *d, const struct channel *from)
{
    forget_held(d, from);
    parked_forget(&d->parked, from);
    for (struct parked_line *l = d->parked.lines; l; l = l->next) {
        struct job *j = l->out;
        if (j && j->request->from == from)
            job_abandon(j);
    }
    if (d->config.listen(d->config.context) == OK)
        serve_all(d); /* what waited behind it */
    parked_sweep(&d->parked);
}

/* --- life */

RESULT dispatch_new(const struct dispatch_config *config, struct dispatch **ret)
{
    struct dispatch *d = calloc(1, sizeof *d);

    if (!d)
        return ERR_NO_MEMORY;
    d->config = *config;
    d->held = writer_new(HELD_MAX);
    *ret = d;
    return OK;
}

void dispatch_free(struct dispatch *d)
{
    if (!d)
        return;
    for (struct parked_line *l = d->parked.lines; l; l = l->next) {
        struct job *j = l->out;
        if (j) {
            signer_drop(j->pass);
            job_free(j);
        }
        l->out = NULL;
        while (l->first)
            parked_free(parked_take(&d->parked, l));
    }
    parked_sweep(&d->parked);
    writer_free(&d->held);
    free(d);
}
