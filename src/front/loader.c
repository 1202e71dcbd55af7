/* The files of the guard: read in a thread of their own, since a million networks take a second, and their result told
 * to the log, the record and the supervisor on thread 0. */
#include "base/log.h"
#include "front/front.h"
#include "ipc/supervisor_msg.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define RETRY_MS 1000

struct job {
    struct mail mail;
    struct job *next;
    struct loader *loader;
    uint8_t which;
    uint32_t number;
    int fd;             /* -1: there is no file */
    struct problem why; /* then, and when it was not taken; else code OK */
};

/* What the record is still to be told of a file. */
struct told {
    bool due;
    uint16_t event;
    char resource[80], detail[320];
};

struct loader {
    struct front *front;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct job *first, *last;
    bool stop;
    struct told told[CONFIG_GUARD_FILES_MAX]; /* thread 0 */
};

static struct netfiles *files_of(const struct loader *d)
{
    return guard_netfiles(d->front->shared.guard);
}

static uint64_t now_of(const struct loader *d)
{
    const struct clock *c = d->front->shared.clock;
    return c->wall_ms(c);
}

static void job_free(struct job *j)
{
    if (j->fd >= 0)
        close(j->fd);
    free(j);
}

/* --- what came of it, on thread 0 */

static void name_of(const struct loader *d, size_t which, char *out, size_t cap)
{
    const struct config_guard_feed *feed = config_guard_file(&d->front->config.guard, which).feed;
    if (feed)
        (void)snprintf(out, cap, "feed:%.*s", (int)feed->name.len, (const char *)feed->name.ptr);
    else
        (void)snprintf(out, cap, "countries");
}

static void describe(const struct loader *d, size_t which, char *out, size_t cap)
{
    struct netfiles_status s;
    char time[TIME_TEXT_SIZE], hash[2 * SHA256_SIZE + 1];
    netfiles_status(files_of(d), which, now_of(d), &s);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        (void)snprintf(hash + 2 * i, 3, "%02x", s.sha256[i]);
    if (s.database.loaded) {
        time_format(s.database.built_ms, time);
        (void)snprintf(out, cap, "%s, built %s%s; sha256:%s", s.database.type, time,
                       s.state == NETFILES_OLD ? ", too old" : "", hash);
    } else {
        (void)snprintf(out, cap, "%zu networks, %zu lines that are none%s; sha256:%s", s.report.prefixes, s.report.bad,
                       s.state == NETFILES_OLD ? ", too old" : "", hash);
    }
}

static void record_due(void *context)
{
    struct loader *d = context;
    for (size_t i = 0; i < ARRAY_LEN(d->told); i++) {
        struct told *t = &d->told[i];
        if (!t->due || atomic_load(&d->front->shared.state) != API_SERVING)
            continue;
        t->due = false;
        record_own(d->front, t->event, t->event == EVENT_NETWORK_FILE_LOADED ? OUTCOME_DONE : OUTCOME_FAILED,
                   t->resource, t->detail);
    }
}

static void tell(struct loader *d, const struct job *j)
{
    struct told *t = &d->told[j->which];
    bool taken = j->why.code == OK;
    name_of(d, j->which, t->resource, sizeof t->resource);
    t->event = taken ? EVENT_NETWORK_FILE_LOADED : EVENT_NETWORK_FILE_REFUSED;
    if (taken) {
        describe(d, j->which, t->detail, sizeof t->detail);
        log_info("%s: %s", t->resource, t->detail);
    } else {
        (void)snprintf(t->detail, sizeof t->detail, "%s", j->why.detail);
        log_warn("%s: the file was not taken, and what was in force stays: %s", t->resource, t->detail);
    }
    t->due = true;
    record_due(d);
}

static void on_done(struct mail *m)
{
    struct job *j = (struct job *)(void *)((uint8_t *)m - offsetof(struct job, mail));
    struct front *f = j->loader->front;
    const struct supervisor_file_read said = {.which = j->which, .number = j->number, .taken = j->why.code == OK};
    AUTO_WRITER body = writer_new(64);
    tell(j->loader, j);
    if (j->fd >= 0 && f->supervisor && entity_encode(&supervisor_file_read_entity, &said, &body) == OK)
        (void)!channel_send(f->supervisor, SUPERVISOR_FILE_READ, 0, writer_view_of(&body), -1);
    job_free(j);
}

/* --- the thread */

static struct job *next_job(struct loader *d)
{
    pthread_mutex_lock(&d->lock);
    while (!d->first && !d->stop)
        pthread_cond_wait(&d->wake, &d->lock);
    struct job *j = d->stop ? NULL : d->first;
    if (j)
        d->first = j->next;
    pthread_mutex_unlock(&d->lock);
    return j;
}

static void *run(void *context)
{
    struct loader *d = context;
    for (struct job *j; (j = next_job(d)) != NULL;) {
        if (j->fd < 0)
            netfiles_missing(files_of(d), j->which, &j->why, now_of(d));
        else if (netfiles_take(files_of(d), j->which, j->fd, now_of(d), &j->why) == OK)
            j->why.code = OK;
        mailbox_post(d->front->threads[0].api.mailbox, &j->mail, &j->mail);
    }
    return NULL;
}

static RESULT give(struct loader *d, const struct job *from)
{
    struct job *j = from->which < netfiles_count(files_of(d)) ? malloc(sizeof *j) : NULL;
    if (!j) {
        if (from->fd >= 0)
            close(from->fd);
        return from->which < netfiles_count(files_of(d)) ? ERR_NO_MEMORY : ERR_MALFORMED;
    }
    *j = *from;
    j->mail.deliver = on_done;
    j->loader = d;
    pthread_mutex_lock(&d->lock);
    if (d->first)
        d->last->next = j;
    else
        d->first = j;
    d->last = j;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    return OK;
}

RESULT loader_take(struct front *f, uint8_t which, uint32_t number, int fd)
{
    return give(f->loader, &(struct job){.which = which, .number = number, .fd = fd});
}

RESULT loader_missing(struct front *f, uint8_t which, struct view why)
{
    struct job j = {.which = which, .fd = -1};
    (void)!problem_set(&j.why, ERR_NOT_FOUND, "", "%.*s", (int)why.len, (const char *)why.ptr);
    return give(f->loader, &j);
}

/* --- its life */

RESULT loader_new(struct front *f)
{
    struct loader *d = calloc(1, sizeof *d);
    if (!d)
        return ERR_NO_MEMORY;
    d->front = f;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wake, NULL);
    f->loader = d;
    d->runs = pthread_create(&d->thread, NULL, run, d) == 0;
    return d->runs ? loop_every(front_loop(f), RETRY_MS, record_due, d) : ERR_NO_MEMORY;
}

void loader_end(struct loader *d)
{
    if (!d || !d->runs)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    (void)pthread_join(d->thread, NULL);
    d->runs = false;
}

void loader_free(struct loader *d)
{
    if (!d)
        return;
    while (d->first) {
        struct job *j = d->first;
        d->first = j->next;
        job_free(j);
    }
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
