#include "signer/dispatch.h"

#include "ipc/signer_msg.h"
#include "signer/parked.h"

#define JOBS_MAX      256 /* credentials whose signature is being made, or waits for the thread */
#define JOB_ARENA     (16u * 1024)
#define JOB_ARENA_MAX (1u << 20)

struct dispatch {
    struct dispatch_config config;
    struct parked_queue parked;
    size_t jobs;
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

static RESULT respond(struct channel *to, uint64_t id, enum err e, const struct signer_signed *out, const char *detail)
{
    struct frame request = {.type = SIGNER_SIGN, .id = id, .fd = -1};

    if (e == OK)
        e = channel_answer(to, &request, &signer_signed_entity, out);
    return e == OK ? OK : channel_refuse(to, SIGNER_SIGN, id, e, detail);
}

/* The same for one that waited: a front that does not take its answer would wait for ever. */
static void respond_late(const struct parked *p, enum err e, const struct signer_signed *out, const char *detail)
{
    struct channel *to = p->from;

    if (to && respond(to, p->id, e, out, detail) != OK)
        channel_break(to);
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
    enum err e = j->d->config.listen(j->d->config.context);

    if (e == OK && j->request->from)
        e = signer_finish(j->pass, &out, &why);
    else
        signer_drop(j->pass);
    respond_late(j->request, e, &out, why.detail);
    job_end(j);
}

static void job_run(struct worker_job *w)
{
    signer_work(((struct job *)w)->pass);
}

static RESULT job_new(struct dispatch *d, struct parked_line *line, struct job **ret)
{
    AUTO(job_free) struct job *j = NULL;

    if (d->jobs == JOBS_MAX)
        return ERR_BUSY;
    j = calloc(1, sizeof *j);
    if (!j)
        return ERR_NO_MEMORY;
    *j = (struct job){.work = {.mail = {.deliver = job_done}, .run = job_run}, .d = d, .line = line};
    TRY(arena_new(JOB_ARENA, JOB_ARENA_MAX, &j->arena));
    TRY(entity_decode(&signer_sign_entity, VIEW(line->first->body, line->first->len), j->arena, &j->q));
    *ret = TAKE(j);
    return OK;
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
    AUTO(job_free) struct job *j = NULL;
    struct signer_reply reply = {.outcome = SIGNER_ANSWER};
    struct problem why = {0};
    enum err e = job_new(d, line, &j);

    if (e == OK)
        e = signer_sign(d->config.signer, &j->q, j->arena, &reply, &why);
    if (e == OK && reply.outcome == SIGNER_WAIT)
        return false;
    if (e == OK && reply.outcome == SIGNER_WORK) {
        job_submit(d, TAKE(j), reply.pass);
        return true;
    }
    respond_late(line->first, e, &reply.answer, why.detail);
    parked_free(parked_take(&d->parked, line));
    return true;
}

static bool serve_quick(struct dispatch *d, struct parked_line *line, const struct signer_sign *q)
{
    struct signer_reply reply = {.outcome = SIGNER_ANSWER};
    struct problem why = {0};
    enum err e = signer_sign(d->config.signer, q, d->config.arena, &reply, &why);

    if (e == OK && reply.outcome == SIGNER_WAIT)
        return false;
    respond_late(line->first, e, &reply.answer, why.detail);
    parked_free(parked_take(&d->parked, line));
    return true;
}

static bool serve_first(struct dispatch *d, struct parked_line *line)
{
    struct signer_sign q = {0};
    bool done = true;
    enum err e = entity_decode(&signer_sign_entity, VIEW(line->first->body, line->first->len), d->config.arena, &q);

    if (e != OK) {
        respond_late(line->first, e, NULL, "");
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
        enum err e = signer_sign(d->config.signer, &q, d->config.arena, &reply, &why);
        if (e != OK || reply.outcome == SIGNER_ANSWER)
            return respond(from, id, e, &reply.answer, why.detail);
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
        respond_late(p, why, NULL, "");
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
            respond_late(j->request, why, NULL, "");
            job_abandon(j);
        }
        refuse_line(d, l, why);
    }
    parked_sweep(&d->parked);
}

void dispatch_forget(struct dispatch *d, const struct channel *from)
{
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
    free(d);
}
