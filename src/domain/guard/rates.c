#include "domain/guard/rates.h"

#include "base/sip.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>

#define WAYS      7
#define STRIPES   256 /* locks; a power of two */
#define MS_NS     UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define LOOK_MAX  32768 /* sets, of which 65536 of room are */
#define FULL_MAX  (UINT64_C(1) << 62)

/* A time on the monotonic clock at which its whole burst is there again: GCRA's theoretical arrival time. A place whose
 * time has come is free. */
struct place {
    uint64_t tag; /* hash of the key */
    uint64_t due;
};

struct set {
    uint64_t known;  /* one bit for each way: a known client has it */
    uint64_t shared; /* the time of all who have no place of their own here */
    struct place way[WAYS];
};
_Static_assert(sizeof(struct set) == 128, "two cache lines");

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
};

struct rates {
    struct rates_limit limit;
    uint64_t step, full; /* nanoseconds between two requests, and of a whole burst */
    struct sip_seed seed;
    size_t sets; /* a power of two */
    void *memory;
    struct set *set; /* in memory, where a cache line begins */
    /* What the headers say of it whoever asks: "address";q=100;w=60 and "address";r= */
    struct told {
        char text[RATES_NAME_MAX + 48];
        size_t len;
    } policy, state;
    struct stripe stripe[STRIPES];
};

/* --- its life */

static RESULT check(const struct rates_limit *l, struct problem *why)
{
    size_t len = strnlen(l->name, sizeof l->name);
    if (len == 0 || len > RATES_NAME_MAX || strspn(l->name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len)
        return problem_set(why, ERR_BAD_VALUE, "/name", "A limit's name has 1 to %u small letters, digits, - and _.",
                           RATES_NAME_MAX);
    if (l->quota == 0 || l->quota > RATES_MAX || l->window_ms * MS_NS / l->quota == 0)
        return problem_set(why, ERR_BAD_VALUE, "/quota", "The quota is 1 to %u requests, at most one a nanosecond.",
                           RATES_MAX);
    uint64_t step = l->window_ms * MS_NS / l->quota;
    if (l->burst > RATES_MAX || step > FULL_MAX / (l->burst ? l->burst : l->quota))
        return problem_set(why, ERR_BAD_VALUE, "/burst", "The burst is too large for this quota.");
    if (l->room > RATES_ROOM_MAX)
        return problem_set(why, ERR_BAD_VALUE, "/room", "There is room for %u clients at most.", RATES_ROOM_MAX);
    return OK;
}

static uint64_t seconds(uint64_t ns)
{
    return ns / SECOND_NS + (ns % SECOND_NS != 0);
}

static RESULT tell(const struct rates_limit *l, struct told *ret_policy, struct told *ret_state)
{
    struct writer policy = writer_fixed(ret_policy->text, sizeof ret_policy->text);
    struct writer state = writer_fixed(ret_state->text, sizeof ret_state->text);
    writer_printf(&policy, "\"%s\";q=%" PRIu32 ";w=%" PRIu64, l->name, l->quota, seconds(l->window_ms * MS_NS));
    writer_printf(&state, "\"%s\";r=", l->name);
    ret_policy->len = policy.len;
    ret_state->len = state.len;
    TRY(writer_done(&policy));
    return writer_done(&state);
}

static RESULT make(const struct rates_limit *limit, const struct random *random, struct rates *r)
{
    r->limit = *limit;
    r->limit.burst = limit->burst ? limit->burst : limit->quota;
    r->limit.room = limit->room ? limit->room : RATES_ROOM;
    r->step = limit->window_ms * MS_NS / limit->quota;
    r->full = r->step * r->limit.burst;
    /* Two clients for each set of seven places, so that a set is hardly ever full before the table is. */
    for (r->sets = 1; r->sets * 2 < r->limit.room;)
        r->sets *= 2;
    TRY(tell(&r->limit, &r->policy, &r->state));
    TRY(random->fill(random, &r->seed, sizeof r->seed));
    r->memory = calloc(r->sets + 1, sizeof *r->set); /* of the kernel, page by page, as clients come */
    if (!r->memory)
        return ERR_NO_MEMORY;
    uintptr_t at = (uintptr_t)r->memory, line = sizeof *r->set;
    r->set = (struct set *)((at + line - 1) / line * line);
    return OK;
}

RESULT rates_new(const struct rates_limit *limit, const struct random *random, struct rates **ret, struct problem *why)
{
    if (limit->window_ms < 1000 || limit->window_ms > RATES_WINDOW_MAX_MS)
        return problem_set(why, ERR_BAD_VALUE, "/window", "The window is 1 second to 366 days.");
    TRY(check(limit, why));
    struct rates *r = aligned_alloc(_Alignof(struct rates), sizeof *r);
    if (!r)
        return problem_set(why, ERR_NO_MEMORY, "", "There is no memory for this limit.");
    memset(r, 0, sizeof *r);
    enum err e = make(limit, random, r);
    if (e != OK) {
        free(r);
        return problem_set(why, e, "", "There is no memory for this limit.");
    }
    pthread_mutexattr_t spins;
    pthread_mutexattr_init(&spins);
    pthread_mutexattr_settype(&spins, PTHREAD_MUTEX_ADAPTIVE_NP); /* who has one gives it back at once */
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&r->stripe[i].lock, &spins);
    pthread_mutexattr_destroy(&spins);
    *ret = r;
    return OK;
}

void rates_free(struct rates *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&r->stripe[i].lock);
    free(r->memory);
    free(r);
}

const struct rates_limit *rates_limit_of(const struct rates *r)
{
    return &r->limit;
}

size_t rates_bytes(const struct rates *r)
{
    return sizeof *r + r->sets * sizeof *r->set;
}

struct prefix rates_client(const struct address *a)
{
    return prefix_around(a, address_is_ipv4(a) ? ADDRESS_BITS : PREFIX_SUBSCRIBER6);
}

/* --- places */

/* One ask, and where its client belongs. */
struct asked {
    struct rates *rates;
    struct set *set;
    uint64_t tag, now;
    bool known;
    pthread_mutex_t *lock;
};

/* Further ahead than a whole burst nothing can be: such a time is from another clock. */
static uint64_t due_at(const struct rates *r, uint64_t due, uint64_t now)
{
    if (due < now)
        return now;
    return due > now + r->full ? now + r->full : due;
}

static struct place *own_place(const struct asked *a)
{
    for (size_t i = 0; i < WAYS; i++)
        if (a->set->way[i].tag == a->tag && a->set->way[i].due > a->now)
            return &a->set->way[i];
    return NULL;
}

static bool is_known(const struct set *s, const struct place *p)
{
    return s->known >> (p - s->way) & 1;
}

static struct place *free_place(const struct asked *a)
{
    for (size_t i = 0; i < WAYS; i++)
        if (a->set->way[i].due <= a->now)
            return &a->set->way[i];
    return NULL;
}

/* The stranger's that is free soonest. */
static struct place *strangers_place(const struct asked *a)
{
    struct place *best = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        struct place *p = &a->set->way[i];
        if (!is_known(a->set, p) && (!best || p->due < best->due))
            best = p;
    }
    return best;
}

/* The client's time; p: his own place, or NULL. Newcomers go on where those stand who share a place here: they may be
 * one of them. */
static uint64_t due_of(const struct asked *a, const struct place *p)
{
    if (p)
        return due_at(a->rates, p->due, a->now);
    if (a->known && (free_place(a) || strangers_place(a)))
        return a->now;
    return due_at(a->rates, a->set->shared, a->now);
}

static void settle(const struct asked *a, struct place *p, uint64_t due)
{
    uint64_t bit = UINT64_C(1) << (p - a->set->way);
    p->tag = a->tag;
    p->due = due;
    a->set->known = a->known ? a->set->known | bit : a->set->known & ~bit;
}

/* The client's time afterwards. */
static uint64_t spend(const struct asked *a)
{
    struct place *p = own_place(a);
    uint64_t due = due_of(a, p) + a->rates->step;
    if (p) {
        p->due = due;
        if (a->known)
            a->set->known |= UINT64_C(1) << (p - a->set->way);
        return due;
    }
    p = free_place(a);
    if (!p && a->known && (p = strangers_place(a)) && p->due > a->set->shared)
        a->set->shared = p->due;
    if (p)
        settle(a, p, due);
    else
        a->set->shared = due;
    return due;
}

/* --- asking */

struct held {
    pthread_mutex_t *lock[RATES_AT_ONCE];
    size_t count;
};

/* Among those that are sorted already; each once. */
static void insert(struct held *h, pthread_mutex_t *lock)
{
    size_t i = h->count;
    while (i > 0 && (uintptr_t)h->lock[i - 1] > (uintptr_t)lock)
        i--;
    if (i > 0 && h->lock[i - 1] == lock)
        return;
    memmove(&h->lock[i + 1], &h->lock[i], (h->count - i) * sizeof(h->lock[0]));
    h->lock[i] = lock;
    h->count++;
}

/* In one order everywhere. */
static void lock_all(const struct asked *all, size_t count, struct held *h)
{
    h->count = 0;
    for (size_t i = 0; i < count; i++)
        insert(h, all[i].lock);
    for (size_t i = 0; i < h->count; i++)
        pthread_mutex_lock(h->lock[i]);
}

static void unlock_all(const struct held *h)
{
    for (size_t i = h->count; i-- > 0;)
        pthread_mutex_unlock(h->lock[i]);
}

static void find_all(const struct rates_ask *asks, size_t count, uint64_t now_ns, struct asked *ret)
{
    assert(count <= RATES_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        struct rates *r = asks[i].rates;
        uint64_t hash = sip_hash(&r->seed, asks[i].key);
        size_t at = hash & (r->sets - 1);
        ret[i] = (struct asked){.rates = r,
                                .set = &r->set[at],
                                .tag = hash,
                                .now = now_ns,
                                .known = asks[i].known,
                                .lock = &r->stripe[at & (STRIPES - 1)].lock};
        __builtin_prefetch(ret[i].set, 1);
        __builtin_prefetch((const char *)ret[i].set + 64, 1);
    }
}

static struct rates_state state_at(const struct asked *a, uint64_t due)
{
    const struct rates *r = a->rates;
    uint64_t end = a->now + r->full;
    bool room = due + r->step <= end;
    return (struct rates_state){
        .left = (uint32_t)((end - due) / r->step), .wait_ns = room ? 0 : due + r->step - end, .full_ns = due - a->now};
}

static bool ask(const struct rates_ask *asks, size_t count, uint64_t now_ns, bool take, struct rates_state *ret)
{
    struct asked all[RATES_AT_ONCE];
    struct held h;
    bool room = true;
    find_all(asks, count, now_ns, all);
    lock_all(all, count, &h);
    for (size_t i = 0; i < count; i++) {
        ret[i] = state_at(&all[i], due_of(&all[i], own_place(&all[i])));
        ret[i].refused = ret[i].wait_ns > 0;
        room = room && !ret[i].refused;
    }
    for (size_t i = 0; i < count && take && room; i++)
        ret[i] = state_at(&all[i], spend(&all[i]));
    unlock_all(&h);
    return room;
}

bool rates_take(const struct rates_ask *asks, size_t count, uint64_t now_ns, struct rates_state *ret)
{
    return ask(asks, count, now_ns, true, ret);
}

bool rates_look(const struct rates_ask *asks, size_t count, uint64_t now_ns, struct rates_state *ret)
{
    return ask(asks, count, now_ns, false, ret);
}

void rates_give(const struct rates_ask *asks, size_t count, uint64_t now_ns)
{
    struct asked all[RATES_AT_ONCE];
    struct held h;
    find_all(asks, count, now_ns, all);
    lock_all(all, count, &h);
    for (size_t i = 0; i < count; i++) {
        struct place *p = own_place(&all[i]);
        if (p)
            p->due -= p->due < all[i].rates->step ? p->due : all[i].rates->step;
    }
    unlock_all(&h);
}

void rates_forget(struct rates *r, struct view key, uint64_t now_ns)
{
    const struct rates_ask ask = {.rates = r, .key = key};
    struct asked a;
    find_all(&ask, 1, now_ns, &a);
    pthread_mutex_lock(a.lock);
    struct place *p = own_place(&a);
    if (p)
        p->due = now_ns;
    pthread_mutex_unlock(a.lock);
}

size_t rates_live(struct rates *r, uint64_t now_ns)
{
    size_t live = 0, looked = r->sets < LOOK_MAX ? r->sets : LOOK_MAX;
    for (size_t at = 0; at < looked; at++) {
        pthread_mutex_t *lock = &r->stripe[at & (STRIPES - 1)].lock;
        pthread_mutex_lock(lock);
        for (size_t i = 0; i < WAYS; i++)
            live += r->set[at].way[i].due > now_ns;
        pthread_mutex_unlock(lock);
    }
    return looked < r->sets ? live * (r->sets / LOOK_MAX) : live;
}

/* --- headers */

static void put_told(struct writer *w, size_t i, const struct told *t)
{
    if (i > 0)
        writer_bytes(w, ", ", 2);
    writer_bytes(w, t->text, t->len);
}

void rates_put_policy(const struct rates_ask *asks, size_t count, struct writer *w)
{
    for (size_t i = 0; i < count; i++)
        put_told(w, i, &asks[i].rates->policy);
}

void rates_put_state(const struct rates_ask *asks, const struct rates_state *states, size_t count, struct writer *w)
{
    for (size_t i = 0; i < count; i++) {
        put_told(w, i, &asks[i].rates->state);
        writer_decimal(w, states[i].left);
        writer_bytes(w, ";t=", 3);
        writer_decimal(w, seconds(states[i].left ? states[i].full_ns : states[i].wait_ns));
    }
}

uint64_t rates_retry_after(const struct rates_state *states, size_t count)
{
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t s = states[i].refused ? seconds(states[i].wait_ns) : 0;
        most = s > most ? s : most;
    }
    return most;
}
