#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>

static uint64_t read_clock(clockid_t which)
{
    struct timespec t = {0};

    (void)clock_gettime(which, &t); /* fails only for a clock that does not exist */
    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t system_wall(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_REALTIME);
}

static uint64_t system_mono(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_BOOTTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {.wall_ms = system_wall, .mono_ms = system_mono};

    return &system_clock;
}

static uint64_t forward_wall(const struct clock *c)
{
    struct clock_forward *f = c->context;
    uint64_t now = f->source->wall_ms(f->source);
    uint64_t highest = atomic_load_explicit(&f->highest_ms, memory_order_relaxed);

    while (now > highest)
        if (atomic_compare_exchange_weak_explicit(&f->highest_ms, &highest, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return now;
    return highest;
}

static uint64_t forward_mono(const struct clock *c)
{
    const struct clock_forward *f = c->context;

    return f->source->mono_ms(f->source);
}

void clock_forward_init(struct clock_forward *f, const struct clock *source)
{
    f->clock = (struct clock){.wall_ms = forward_wall, .mono_ms = forward_mono, .context = f};
    f->source = source;
    atomic_init(&f->highest_ms, source->wall_ms(source));
}

uint64_t clock_forward_behind_ms(const struct clock_forward *f)
{
    uint64_t now = f->source->wall_ms(f->source);
    uint64_t highest = atomic_load_explicit(&f->highest_ms, memory_order_relaxed);

    return highest > now ? highest - now : 0;
}

static enum err system_fill(const struct random *r, void *out, size_t n)
{
    uint8_t *to = out;

    (void)r;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            explicit_bzero(out, (size_t)(to - (uint8_t *)out));
            return ERR_NO_RANDOM;
        }
        to += got;
        n -= (size_t)got;
    }
    return OK;
}

const struct random *random_system(void)
{
    static const struct random system_generator = {.fill = system_fill};

    return &system_generator;
}

static enum err pool_fill(const struct random *r, void *out, size_t n)
{
    struct random_pool *p = r->context;

    if (n > sizeof p->bytes)
        return p->source->fill(p->source, out, n);
    if (n > p->left) {
        p->left = 0;
        TRY(p->source->fill(p->source, p->bytes, sizeof p->bytes));
        p->left = sizeof p->bytes;
    }
    p->left -= n;
    memcpy(out, p->bytes + p->left, n);
    explicit_bzero(p->bytes + p->left, n);
    return OK;
}

void random_pool_init(struct random_pool *p, const struct random *source)
{
    *p = (struct random_pool){.random = {.fill = pool_fill, .context = p}, .source = source};
}
