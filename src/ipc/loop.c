#include "ipc/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LOOP_BATCH 64
#define LOOP_HOOKS 16

struct loop_source {
    struct loop *loop;
    struct loop_source *previous, *next;
    int fd;
    loop_fn fn;
    void *context;
    bool removed;
};

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next;
    void (*fn)(void *context);
    void *context;
    uint64_t due_ms, period_ms;
    bool armed, removed;
};

struct hook {
    void (*fn)(void *context);
    void *context;
};

struct loop {
    const struct clock *clock;
    int epoll;
    bool stopped;
    struct loop_source *sources; /* watched */
    struct loop_source *removed; /* unlinked, but perhaps named by an event of the turn under way */
    struct loop_timer *timers;
    bool timers_removed;
    struct hook hooks[LOOP_HOOKS];
    size_t hook_count;
    struct loop_task *tasks, **tasks_end;
};

RESULT loop_new(const struct clock *clock, struct loop **ret)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return ERR_NO_MEMORY;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        free(l);
        return ERR_IO;
    }
    l->clock = clock;
    l->tasks_end = &l->tasks;
    *ret = l;
    return OK;
}

const struct clock *loop_clock(const struct loop *l)
{
    return l->clock;
}

static void free_sources(struct loop_source *s)
{
    while (s) {
        struct loop_source *next = s->next;
        free(s);
        s = next;
    }
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    free_sources(l->sources);
    free_sources(l->removed);
    while (l->timers) {
        struct loop_timer *next = l->timers->next;
        free(l->timers);
        l->timers = next;
    }
    close(l->epoll);
    free(l);
}

RESULT loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *context, struct loop_source **ret)
{
    struct loop_source *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NO_MEMORY;
    *s = (struct loop_source){.loop = l, .next = l->sources, .fd = fd, .fn = fn, .context = context};
    struct epoll_event event = {.events = events, .data.ptr = s};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        free(s);
        return ERR_IO;
    }
    if (l->sources)
        l->sources->previous = s;
    l->sources = s;
    *ret = s;
    return OK;
}

RESULT loop_change(struct loop_source *s, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = s};
    return epoll_ctl(s->loop->epoll, EPOLL_CTL_MOD, s->fd, &event) < 0 ? ERR_IO : OK;
}

void loop_remove(struct loop_source *s)
{
    if (!s || s->removed)
        return;
    struct loop *l = s->loop;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    if (s->next)
        s->next->previous = s->previous;
    if (s->previous)
        s->previous->next = s->next;
    else
        l->sources = s->next;
    s->removed = true;
    s->next = l->removed;
    l->removed = s;
}

RESULT loop_each_turn(struct loop *l, void (*fn)(void *context), void *context)
{
    if (l->hook_count == LOOP_HOOKS)
        return ERR_LIMIT_REACHED;
    l->hooks[l->hook_count++] = (struct hook){.fn = fn, .context = context};
    return OK;
}

/* --- timers: a process has a handful, so a list is searched */

RESULT loop_timer_new(struct loop *l, void (*fn)(void *context), void *context, struct loop_timer **ret)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    *t = (struct loop_timer){.loop = l, .next = l->timers, .fn = fn, .context = context};
    l->timers = t;
    *ret = t;
    return OK;
}

void loop_timer_arm(struct loop_timer *t, uint64_t delay_ms)
{
    uint64_t now = t->loop->clock->mono_ms(t->loop->clock);
    t->due_ms = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
    t->armed = true;
}

void loop_timer_disarm(struct loop_timer *t)
{
    t->armed = false;
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    /* The list may be under way in run_timers: it is swept there or at the next turn. */
    t->armed = false;
    t->removed = true;
    t->loop->timers_removed = true;
}

RESULT loop_every(struct loop *l, uint64_t period_ms, void (*fn)(void *context), void *context)
{
    struct loop_timer *t = NULL;
    if (period_ms == 0)
        return ERR_OUT_OF_RANGE;
    TRY(loop_timer_new(l, fn, context, &t));
    t->period_ms = period_ms;
    loop_timer_arm(t, period_ms);
    return OK;
}

static void sweep_timers(struct loop *l)
{
    if (!l->timers_removed)
        return;
    l->timers_removed = false;
    for (struct loop_timer **at = &l->timers; *at;) {
        struct loop_timer *t = *at;
        if (!t->removed) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        free(t);
    }
}

static void run_timers(struct loop *l)
{
    uint64_t now = l->clock->mono_ms(l->clock);
    for (struct loop_timer *t = l->timers; t; t = t->next) {
        if (!t->armed || t->due_ms > now)
            continue;
        t->armed = t->period_ms > 0;
        t->due_ms = now + t->period_ms;
        t->fn(t->context);
    }
    sweep_timers(l);
}

/* Milliseconds that epoll may sleep: at most limit (-1: no limit). */
static int sleep_for(const struct loop *l, int limit)
{
    if (l->tasks)
        return 0;
    uint64_t now = l->clock->mono_ms(l->clock);
    uint64_t least = limit < 0 ? INT32_MAX : (uint64_t)limit;
    bool bounded = limit >= 0;
    for (const struct loop_timer *t = l->timers; t; t = t->next) {
        if (!t->armed)
            continue;
        uint64_t wait = t->due_ms > now ? t->due_ms - now : 0;
        least = wait < least ? wait : least;
        bounded = true;
    }
    return bounded ? (int)least : -1;
}

/* --- tasks */

void loop_defer(struct loop *l, struct loop_task *t)
{
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    *l->tasks_end = t;
    l->tasks_end = &t->next;
}

void loop_cancel(struct loop *l, struct loop_task *t)
{
    if (!t->queued)
        return;
    for (struct loop_task **at = &l->tasks; *at; at = &(*at)->next) {
        if (*at != t)
            continue;
        *at = t->next;
        if (l->tasks_end == &t->next)
            l->tasks_end = at;
        break;
    }
    t->queued = false;
}

static void run_tasks(struct loop *l)
{
    /* A mark in the queue: what a task queues waits for the next turn, so that sources get theirs in between. */
    struct loop_task mark = {.queued = false};
    if (!l->tasks)
        return;
    loop_defer(l, &mark);
    while (l->tasks != &mark) {
        struct loop_task *t = l->tasks;
        loop_cancel(l, t);
        t->run(t);
    }
    loop_cancel(l, &mark);
}

RESULT loop_turn(struct loop *l, int timeout_ms)
{
    struct epoll_event events[LOOP_BATCH];
    int n = epoll_wait(l->epoll, events, LOOP_BATCH, sleep_for(l, timeout_ms));
    if (n < 0 && errno != EINTR)
        return ERR_IO;
    for (int i = 0; i < n; i++) {
        struct loop_source *s = events[i].data.ptr;
        if (!s->removed)
            s->fn(s->context, events[i].events);
    }
    run_timers(l);
    for (size_t i = 0; i < l->hook_count; i++)
        l->hooks[i].fn(l->hooks[i].context);
    run_tasks(l);
    free_sources(l->removed);
    l->removed = NULL;
    return OK;
}

RESULT loop_run(struct loop *l)
{
    l->stopped = false;
    while (!l->stopped)
        TRY(loop_turn(l, -1));
    return OK;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
