#include "domain/guard/often.h"

#include <stdlib.h>

struct often {
    const struct config_guard_endpoint *rows;
    size_t row_count, limit_count;
    struct rates *of_rows[CONFIG_GUARD_ENDPOINTS_MAX]; /* NULL: no limit */
    struct {
        uint8_t by; /* enum config_guard_by */
        struct rates *rates;
    } limits[CONFIG_GUARD_RATES_MAX];
};

#define ROW_ROOM 4096 /* identities; there may be many rows */

static RESULT rates_of(const char *name, const struct config_guard_rate *from, const struct random *random,
                       struct rates **ret, struct problem *why)
{
    struct rates_limit limit = {
        .quota = from->requests, .window_ms = 1000ull * from->seconds, .burst = from->burst, .room = from->room};
    (void)snprintf(limit.name, sizeof limit.name, "%s", name);
    return rates_new(&limit, random, ret, why);
}

static RESULT add_limits(const struct entity_list *from, const struct random *random, struct often *o,
                         struct problem *why)
{
    const struct config_guard_rate *items = from->items;
    char name[RATES_NAME_MAX + 1];
    for (size_t i = 0; i < from->count; i++) {
        TRY(view_to_str(items[i].name, name, sizeof name));
        TRY(rates_of(name, &items[i], random, &o->limits[i].rates, why));
        o->limits[i].by = items[i].by;
        o->limit_count++;
    }
    return OK;
}

static RESULT add_rows(const struct random *random, struct often *o, struct problem *why)
{
    for (size_t i = 0; i < o->row_count; i++) {
        struct config_guard_rate rate = o->rows[i].rate;
        rate.room = rate.room ? rate.room : ROW_ROOM;
        if (rate.requests)
            TRY(rates_of("endpoint", &rate, random, &o->of_rows[i], why));
    }
    return OK;
}

RESULT often_new(const struct config_guard *config, const struct random *random, struct often **ret,
                 struct problem *why)
{
    struct often *o = calloc(1, sizeof *o);
    if (!o)
        return ERR_NO_MEMORY;
    o->rows = config->endpoints.items;
    o->row_count = config->endpoints.count;
    enum err e = add_limits(&config->rates, random, o, why);
    if (e == OK)
        e = add_rows(random, o, why);
    if (e == OK)
        *ret = o;
    else
        often_free(o);
    return e;
}

void often_free(struct often *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->limit_count; i++)
        rates_free(o->limits[i].rates);
    for (size_t i = 0; i < o->row_count; i++)
        rates_free(o->of_rows[i]);
    free(o);
}

bool often_take(struct often *o, const struct often_ask *ask, struct writer *ret_policy, struct writer *ret_state,
                uint64_t *ret_retry)
{
    struct rates_ask asks[CONFIG_GUARD_RATES_MAX + 1];
    struct rates_state states[CONFIG_GUARD_RATES_MAX + 1];
    const struct prefix client = rates_client(&ask->from);
    const struct view address = VIEW_OF(client.base.b);
    struct view who = ask->actor.len ? ask->actor : address;
    struct rates *row = ask->row ? o->of_rows[ask->row - o->rows] : NULL;
    bool known = ask->actor.len != 0;
    size_t n = 0;
    for (; n < o->limit_count; n++)
        asks[n] = (struct rates_ask){o->limits[n].rates, o->limits[n].by == CONFIG_BY_ADDRESS ? address : who, known};
    if (row)
        asks[n++] = (struct rates_ask){row, who, known};
    *ret_retry = 0;
    if (n == 0)
        return true;
    bool good = rates_take(asks, n, ask->now_ns, states);
    rates_put_policy(asks, n, ret_policy);
    rates_put_state(asks, states, n, ret_state);
    *ret_retry = rates_retry_after(states, n);
    return good;
}

void often_each(const struct often *o, uint64_t now_ns, void (*visit)(void *context, const struct often_limit *limit),
                void *context)
{
    for (size_t i = 0; i < o->limit_count; i++)
        visit(context, &(struct often_limit){.limit = rates_limit_of(o->limits[i].rates),
                                             .by = o->limits[i].by,
                                             .taken = rates_live(o->limits[i].rates, now_ns)});
    for (size_t i = 0; i < o->row_count; i++)
        if (o->of_rows[i])
            visit(context, &(struct often_limit){.limit = rates_limit_of(o->of_rows[i]),
                                                 .by = CONFIG_BY_IDENTITY,
                                                 .row = &o->rows[i],
                                                 .taken = rates_live(o->of_rows[i], now_ns)});
}
