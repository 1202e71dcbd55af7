#include "api/strikes.h"

#include "api/unsaved.h"

#include <pthread.h>

#define NS_OF_MS   1000000
#define ARENA_MAX  (1u << 20)
#define SIGNED_MAX 256
#define SIGNED_MS  60000 /* so long sessions that are over may count */

struct strike {
    struct prefix network;
    uint8_t reason; /* enum networks_reason */
};

/* Where those are signed in who may lift blocks. */
struct signed_in {
    struct address at[SIGNED_MAX];
    size_t count;
    bool full;         /* there are more: nobody is blocked */
    uint64_t known_ms; /* when that was looked up; monotonic; 0: never */
    uint64_t seen;     /* api_shared.applied at that time */
};

struct strikes {
    struct mail wake; /* first; posted while anything waits */
    struct api_shared *shared;
    pthread_mutex_t lock;
    struct strike waiting[STRIKES_WAITING];
    size_t waiting_count;
    bool posted;
    _Atomic uint64_t put_off;
    /* thread 0's */
    struct unsaved *unsaved;
    struct signed_in signed_in;
};

static void begin(struct strikes *x);

static uint64_t mono_ms(const struct api_shared *s)
{
    return s->clock->mono_ms(s->clock);
}

static uint64_t mono_ns(const struct api_shared *s)
{
    return mono_ms(s) * NS_OF_MS;
}

static uint64_t wall_ms(const struct api_shared *s)
{
    return s->clock->wall_ms(s->clock);
}

/* --- what waits, from any thread */

static bool waits(const struct strikes *x, const struct prefix *network)
{
    for (size_t i = 0; i < x->waiting_count; i++)
        if (memcmp(&x->waiting[i].network, network, sizeof *network) == 0)
            return true;
    return false;
}

static void add(struct strikes *x, const struct prefix *network, enum networks_reason reason)
{
    bool post = false;
    pthread_mutex_lock(&x->lock);
    bool known = waits(x, network), room = x->waiting_count < STRIKES_WAITING;
    if (!known && room) {
        x->waiting[x->waiting_count++] = (struct strike){*network, (uint8_t)reason};
        post = !x->posted;
        x->posted = true;
    }
    pthread_mutex_unlock(&x->lock);
    if (!known && !room)
        atomic_fetch_add(&x->put_off, 1);
    if (post)
        mailbox_post(x->shared->first->mailbox, &x->wake, &x->wake);
}

static void deliver(struct mail *m)
{
    struct strikes *x = (struct strikes *)(void *)m;
    pthread_mutex_lock(&x->lock);
    x->posted = false;
    pthread_mutex_unlock(&x->lock);
    begin(x);
}

void strikes_saw(struct api_thread *t, const struct http_request *req, const struct http_ended *how)
{
    struct guard *g = t->shared->guard;
    struct address from;
    enum networks_reason reason = how->code == OK ? NETWORKS_NO_REASON : automatic_reason(how->code);
    if (reason == NETWORKS_NO_REASON || req->peer.is_unix || !automatic_is_on(guard_automatic(g)))
        return;
    memcpy(from.b, req->peer.address, sizeof from.b);
    const struct prefix client = rates_client(&from);
    if (!guard_trusts(g, &from) && automatic_count(guard_automatic(g), &client, reason, mono_ns(t->shared)))
        add(t->shared->strikes, &client, reason);
}

/* --- who is never blocked */

static void note_source(void *context, struct view source)
{
    struct signed_in *in = context;
    struct address a;
    if (address_parse(source, &a) != OK)
        return; /* over a Unix socket */
    for (size_t i = 0; i < in->count; i++)
        if (address_eq(&in->at[i], &a))
            return;
    if (in->count < SIGNED_MAX)
        in->at[in->count++] = a;
    else
        in->full = true;
}

static RESULT look_who_is_signed_in(const struct api_shared *s, struct signed_in *in)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    uint64_t now = mono_ms(s), seen = atomic_load(&s->applied);
    if (in->known_ms && in->seen == seen && now - in->known_ms < SIGNED_MS)
        return OK;
    TRY(arena_new(4096, ARENA_MAX, &scratch));
    *in = (struct signed_in){.known_ms = now, .seen = seen};
    identity_session_sources(s->identity, PERMISSION_EMERGENCY_OVERRIDE, wall_ms(s), scratch, note_source, in);
    return OK;
}

static bool is_signed_in_at(const struct signed_in *in, const struct prefix *network)
{
    for (size_t i = 0; i < in->count; i++)
        if (prefix_holds(network, &in->at[i]))
            return true;
    return in->full;
}

/* NULL: it may be blocked. */
static const char *never(const struct api_shared *s, struct signed_in *in, const struct prefix *network)
{
    struct networks_rule rule;
    if (guard_trusts_in(s->guard, network))
        return "it is trusted (guard.trusted, guard.proxies)";
    networks_look_up(guard_networks(s->guard), &network->base, wall_ms(s), &rule);
    if (rule.action == NETWORKS_ALLOW)
        return "its network is let in by name";
    if (look_who_is_signed_in(s, in) != OK || is_signed_in_at(in, network))
        return "somebody who may lift blocks is signed in from there";
    return NULL;
}

/* --- one after the other, in thread 0 */

/* A network of which many hosts are blocked is blocked as a whole. */
static void count_host(struct strikes *x, const struct kept *k)
{
    struct automatic *a = guard_automatic(x->shared->guard);
    struct prefix network;
    if (k->reason != NETWORKS_HOSTS && automatic_network_of(a, &k->rule.network, &network) &&
        automatic_count_host(a, &network, mono_ns(x->shared)))
        add(x, &network, NETWORKS_HOSTS);
}

static void put_in_force(struct strikes *x, const struct strike *s, const struct kept *before)
{
    struct automatic *a = guard_automatic(x->shared->guard);
    const struct kept made = automatic_block(a, &s->network, (enum networks_reason)s->reason, before,
                                             wall_ms(x->shared));
    if (networks_count(guard_networks(x->shared->guard)).automatic >= STRIKES_BLOCKS ||
        unsaved_add(x->unsaved, &made, before) != OK) {
        atomic_fetch_add(&x->put_off, 1);
        return;
    }
    automatic_forget(a, &s->network, mono_ns(x->shared));
    count_host(x, &made);
}

static void look_at(struct strikes *x, const struct strike *s, struct arena *arena)
{
    const struct api_shared *shared = x->shared;
    struct kept before = {0};
    if (unsaved_has(x->unsaved, &s->network))
        return;
    if (never(shared, &x->signed_in, &s->network)) { /* so that he is not asked about with each of his refusals */
        automatic_forget(guard_automatic(shared->guard), &s->network, mono_ns(shared));
        return;
    }
    enum err e = kept_get(shared->first->reader, atomic_load(&shared->keys), &s->network, arena, &before);
    bool said = e == OK && (before.rule.ends_ms == 0 || before.rule.ends_ms > wall_ms(shared));
    if (!said && (e == OK || e == ERR_NOT_FOUND))
        put_in_force(x, s, &before);
}

/* The first ones that wait, as many as there is room for. */
static size_t take(struct strikes *x, struct strike ret[static STRIKES_WAITING])
{
    size_t room = unsaved_room(x->unsaved);
    pthread_mutex_lock(&x->lock);
    size_t n = x->waiting_count < room ? x->waiting_count : room;
    memcpy(ret, x->waiting, n * sizeof *ret);
    memmove(x->waiting, x->waiting + n, (x->waiting_count - n) * sizeof *ret);
    x->waiting_count -= n;
    pthread_mutex_unlock(&x->lock);
    return n;
}

static bool is_able(const struct strikes *x)
{
    const struct api_shared *s = x->shared;
    return s->ledger && atomic_load(&s->state) == API_SERVING && atomic_load(&s->health.log) == API_LOG_GOOD;
}

/* What can't be recorded now is not done, and comes again with the next refusal. */
static void begin(struct strikes *x)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct strike batch[STRIKES_WAITING];
    bool able = is_able(x) && arena_new(4096, ARENA_MAX, &arena) == OK;
    for (size_t n = take(x, batch); n; n = take(x, batch))
        for (size_t i = 0; able && i < n; i++) {
            look_at(x, &batch[i], arena);
            arena_reset(arena);
        }
    unsaved_save(x->unsaved);
}

static void on_room(void *strikes)
{
    begin(strikes);
}

/* --- its life */

RESULT strikes_new(struct api_shared *s, struct strikes **ret)
{
    struct strikes *x = calloc(1, sizeof *x);
    if (!x)
        return ERR_NO_MEMORY;
    x->wake.deliver = deliver;
    x->shared = s;
    pthread_mutex_init(&x->lock, NULL);
    *ret = x;
    return unsaved_new(s, on_room, x, &x->unsaved);
}

void strikes_free(struct strikes *x)
{
    if (!x)
        return;
    unsaved_free(x->unsaved);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

uint64_t strikes_put_off(const struct strikes *x)
{
    return atomic_load(&x->put_off);
}

RESULT strikes_withdraw(struct strikes *x, const struct prefix *network, struct kept *ret)
{
    return unsaved_withdraw(x->unsaved, network, ret);
}

/* --- for people */

RESULT strikes_explain(struct api_thread *t, const struct address *a, struct arena *arena, struct view *ret)
{
    static const char *const what[NETWORKS_REASONS] = {[NETWORKS_CREDENTIALS] = "wrong credentials",
                                                       [NETWORKS_ATTACKS] = "requests that look like an attack",
                                                       [NETWORKS_LIMITS] = "requests beyond a limit"};
    struct automatic *automatic = guard_automatic(t->shared->guard);
    const struct prefix client = rates_client(a);
    AUTO_WRITER w = writer_new(512);
    struct signed_in in = {0};
    const char *why = automatic_is_on(automatic) ? never(t->shared, &in, &client) : "guard.automatic.mode is off";
    writer_str(&w, why ? "never: " : "blocked after more than");
    writer_str(&w, why ? why : "");
    for (size_t i = NETWORKS_CREDENTIALS; !why && i < NETWORKS_HOSTS; i++)
        writer_printf(&w, "%s %u %s",
                      i == NETWORKS_CREDENTIALS ? ""
                      : i + 1 == NETWORKS_HOSTS ? " or"
                                                : ",",
                      (unsigned)automatic_left(automatic, &client, (enum networks_reason)i, mono_ns(t->shared)),
                      what[i]);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}
