/* Has the warden drop in the kernel what the guard blocks. The guard refuses the same by itself, so that nothing
 * depends on it. On thread 0, but for the notice that something changed. */
#include "front/front.h"

#include "api/blocks.h"
#include "base/log.h"
#include "domain/guard/firewall.h"
#include "ipc/warden_msg.h"

#define CHANGED_MAX 512
#define CALL_MS     20000u
#define SOON_MS     100u  /* changes of who is let in come together */
#define RECOUNT_MS  5000u /* a block was left out, or one that was is none any more */
#define AGAIN_MS    1500u /* after a failure: twice as long each time … */
#define AGAIN_MAX   48000u

struct firewall {
    struct front *front;
    struct caller *warden; /* NULL: there is none at the moment */
    struct loop_timer *timer;
    struct firewall_plan plan; /* as of the last restore */
    bool loaded;               /* the guard has its rules */
    bool restoring, ready;     /* ready: the kernel has all but `changed` */
    bool failing;              /* it was said and recorded */
    unsigned failures;         /* in a row */
    pthread_mutex_t lock;      /* of what follows */
    struct prefix changed[CHANGED_MAX];
    size_t changed_count;
    bool too_many, posted;
    struct mail mail;
};

static uint64_t wall_of(const struct firewall *w)
{
    return w->front->shared.clock->wall_ms(w->front->shared.clock);
}

static void show(struct firewall *w, enum api_firewall state)
{
    atomic_store(&w->front->shared.health.firewall, state);
}

/* --- what goes wrong */

static void record(struct firewall *w, uint16_t event, enum outcome outcome, const char *detail)
{
    if (w->front->shared.ledger)
        record_own(w->front, event, outcome, "firewall", detail);
}

static void say_failing(struct firewall *w, const char *detail)
{
    show(w, API_FIREWALL_FAILING);
    if (w->failing)
        return;
    w->failing = true;
    log_error("the firewall fails (%s): what is blocked still reaches this host, and is refused by the guard alone",
              detail);
    record(w, EVENT_FIREWALL_FAILED, OUTCOME_FAILED, detail);
}

static void failed(struct firewall *w, enum err e, const struct problem *why)
{
    uint64_t wait = (uint64_t)AGAIN_MS << (w->failures < 5 ? w->failures : 5);
    bool hurried = e == ERR_BUSY || e == ERR_CONFLICT; /* once is no more than too many changes in a second */
    w->ready = false;
    if (e == ERR_UNAVAILABLE)
        return; /* the channel's end says it */
    if (w->failures++ > 0 || !hurried)
        say_failing(w, why && *why->detail ? why->detail : err_sentence(e));
    loop_timer_arm(w->timer, wait < AGAIN_MAX ? wait : AGAIN_MAX);
}

/* --- one by one */

static void on_told(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct firewall *w = context;
    (void)entity;
    if (error == OK || !w->ready)
        return; /* of several that fail together the first one says it */
    if (error == ERR_FORBIDDEN || error == ERR_LIMIT_REACHED)
        loop_timer_arm(w->timer, RECOUNT_MS);
    else
        failed(w, error, why);
}

static uint32_t seconds_until(uint64_t ends_ms, uint64_t now_ms)
{
    uint64_t seconds = ends_ms > now_ms ? (ends_ms - now_ms + 999) / 1000 : 1;
    if (ends_ms == 0)
        return 0;
    return seconds < WARDEN_SECONDS_MAX ? (uint32_t)seconds : WARDEN_SECONDS_MAX;
}

static struct warden_block block_of(const struct firewall_block *b, uint64_t now_ms)
{
    struct warden_block q = {.bits = b->network.bits, .seconds = seconds_until(b->ends_ms, now_ms)};
    memcpy(q.base, b->network.base.b, sizeof q.base);
    return q;
}

static void tell(struct firewall *w, const struct prefix *network)
{
    struct networks *networks = guard_networks(w->front->shared.guard);
    struct networks_rule said[2];
    struct firewall_block b = {.network = *network};
    uint64_t now = wall_of(w);
    bool wanted = firewall_plan_wants(&w->plan, networks, network, now, &b);
    if (!wanted && networks_said(networks, network, now, said) > 0)
        loop_timer_arm(w->timer, RECOUNT_MS);
    const struct warden_block q = block_of(&b, now);
    enum err e = caller_call(w->warden, wanted ? WARDEN_BLOCK : WARDEN_UNBLOCK, &warden_block_entity, &q, CALL_MS,
                             on_told, w);
    if (e != OK)
        failed(w, e, NULL);
}

static size_t take_changed(struct firewall *w, struct prefix out[static CHANGED_MAX], bool *ret_too_many)
{
    pthread_mutex_lock(&w->lock);
    size_t count = w->changed_count;
    memcpy(out, w->changed, count * sizeof *out);
    *ret_too_many = w->too_many;
    w->changed_count = 0;
    w->too_many = false;
    pthread_mutex_unlock(&w->lock);
    return count;
}

/* What changes while all is being restored waits: the plan may not know it. */
static void tell_changed(struct firewall *w)
{
    struct prefix changed[CHANGED_MAX];
    bool again;
    if (!w->ready || !w->warden)
        return;
    size_t count = take_changed(w, changed, &again);
    for (size_t i = 0; i < count && w->ready; i++) {
        if (firewall_plan_is_shaken(&w->plan, guard_networks(w->front->shared.guard), &changed[i], wall_of(w)))
            again = true;
        else
            tell(w, &changed[i]);
    }
    if (again)
        loop_timer_arm(w->timer, SOON_MS);
}

static void on_changed(struct mail *m)
{
    struct firewall *w = (struct firewall *)(void *)((uint8_t *)m - offsetof(struct firewall, mail));
    pthread_mutex_lock(&w->lock);
    w->posted = false;
    pthread_mutex_unlock(&w->lock);
    tell_changed(w);
}

/* In any thread. */
static void changed(void *context, const struct prefix *network, uint64_t until_ms)
{
    struct firewall *w = context;
    (void)until_ms; /* what is in force is looked up when it is told: the newest counts */
    pthread_mutex_lock(&w->lock);
    if (w->changed_count < CHANGED_MAX)
        w->changed[w->changed_count++] = *network;
    else
        w->too_many = true;
    if (!w->posted)
        mailbox_post(w->front->threads[0].api.mailbox, &w->mail, &w->mail);
    w->posted = true;
    pthread_mutex_unlock(&w->lock);
}

/* --- all at once */

static void restored(struct firewall *w, const struct warden_restored *r)
{
    struct api_health *h = &w->front->shared.health;
    uint64_t out = (uint64_t)w->plan.left_out + r->refused + r->beyond;
    bool again = atomic_load(&h->firewall) == API_FIREWALL_WORKING;
    w->ready = true;
    w->failures = 0;
    atomic_store(&h->firewall_left_out, out < UINT32_MAX ? (uint32_t)out : UINT32_MAX);
    show(w, API_FIREWALL_WORKING);
    if (!again)
        log_info("the firewall drops what is blocked: %u blocks; %u are left to the guard alone", (unsigned)r->taken,
                 (unsigned)out);
    if (w->failing)
        record(w, EVENT_FIREWALL_RESTORED, OUTCOME_DONE, "");
    w->failing = false;
    tell_changed(w);
}

static void on_restored(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct firewall *w = context;
    AUTO(arena_free) struct arena *arena = NULL;
    struct warden_restored r = {0};
    w->restoring = false;
    if (error == OK)
        error = arena_new(256, 4096, &arena);
    if (error == OK)
        error = entity_decode(&warden_restored_entity, entity, arena, &r);
    if (error == OK)
        restored(w, &r);
    else
        failed(w, error, why);
}

/* The end's answer says how it went. */
static void on_part(void *context, enum err error, struct view entity, const struct problem *why)
{
    (void)context, (void)error, (void)entity, (void)why;
}

static RESULT send_all(struct firewall *w)
{
    struct warden_block blocks[WARDEN_PART_MAX];
    uint64_t now = wall_of(w);
    TRY(caller_call(w->warden, WARDEN_RESTORE_BEGIN, NULL, NULL, CALL_MS, on_part, w));
    for (size_t at = 0; at < w->plan.block_count;) {
        struct warden_part part = {.blocks.items = blocks};
        while (at < w->plan.block_count && part.blocks.count < WARDEN_PART_MAX)
            blocks[part.blocks.count++] = block_of(&w->plan.blocks[at++], now);
        TRY(caller_call(w->warden, WARDEN_RESTORE_PART, &warden_part_entity, &part, CALL_MS, on_part, w));
    }
    return caller_call(w->warden, WARDEN_RESTORE_END, NULL, NULL, CALL_MS, on_restored, w);
}

static void restore(void *context)
{
    struct firewall *w = context;
    if (!w->warden || !w->loaded || w->restoring)
        return;
    firewall_plan_free(&w->plan);
    w->ready = false;
    enum err e = firewall_plan_new(guard_networks(w->front->shared.guard), wall_of(w),
                                   WARDEN_HOSTS_MAX + WARDEN_NETWORKS_MAX, &w->plan);
    if (e == OK)
        e = send_all(w);
    w->restoring = e == OK;
    if (e != OK)
        failed(w, e, NULL);
}

/* --- the warden */

static RESULT on_event(void *context, struct channel *c, struct frame *f)
{
    struct firewall *w = context;
    (void)c;
    if (f->type != WARDEN_EVENT_LOST)
        return ERR_MALFORMED;
    say_failing(w, "somebody removed the table from the kernel's rules");
    restore(w);
    return OK;
}

static void close_warden(struct firewall *w)
{
    struct caller *gone = TAKE(w->warden);
    w->restoring = w->ready = false;
    caller_free(gone);
    w->restoring = false;
}

static void on_gone(void *context, struct channel *c)
{
    struct firewall *w = context;
    (void)c;
    close_warden(w);
    if (w->front->stop_by_ms == 0)
        say_failing(w, "the warden ended");
}

RESULT firewall_open(struct front *f, int fd)
{
    struct firewall *w = f->firewall;
    const struct channel_handler handler = {.frame = on_event, .closed = on_gone, .context = w};
    close_warden(w);
    TRY(caller_new(front_loop(f), fd, &handler, &w->warden));
    restore(w);
    return OK;
}

void firewall_loaded(struct front *f)
{
    if (!f->firewall || f->firewall->loaded)
        return;
    f->firewall->loaded = true;
    restore(f->firewall);
}

RESULT firewall_new(struct front *f)
{
    int fd = start_fd_of(&f->start, START_FD_WARDEN, 0);
    if (!config_firewall_wanted(&f->config))
        return OK;
    struct firewall *w = f->firewall = calloc(1, sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    w->front = f;
    w->mail.deliver = on_changed;
    pthread_mutex_init(&w->lock, NULL);
    show(w, API_FIREWALL_STARTING);
    f->shared.on_block = (struct block_listener){.changed = changed, .context = w};
    TRY(loop_timer_new(front_loop(f), restore, w, &w->timer));
    return fd >= 0 ? firewall_open(f, fd) : OK;
}

void firewall_free(struct firewall *w)
{
    if (!w)
        return;
    close_warden(w);
    firewall_plan_free(&w->plan);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
