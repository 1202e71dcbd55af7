#include "domain/guard/attempts.h"

#include <stdlib.h>

struct attempts {
    struct rates *log_ins, *failures;
};

static RESULT rates_of(const char *name, const struct config_guard_allowance *from, const struct random *random,
                       struct rates **ret, struct problem *why)
{
    struct rates_limit limit = {.quota = from->requests, .window_ms = 1000ull * from->seconds};
    (void)snprintf(limit.name, sizeof limit.name, "%s", name);
    return rates_new(&limit, random, ret, why);
}

RESULT attempts_new(const struct config_guard *config, const struct random *random, struct attempts **ret,
                    struct problem *why)
{
    AUTO(attempts_free) struct attempts *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NO_MEMORY;
    TRY(rates_of("authentication", &config->authentication, random, &a->log_ins, why));
    TRY(rates_of("failures", &config->failures, random, &a->failures, why));
    *ret = TAKE(a);
    return OK;
}

void attempts_free(struct attempts *a)
{
    if (!a)
        return;
    rates_free(a->log_ins);
    rates_free(a->failures);
    free(a);
}

bool attempts_take(struct attempts *a, enum attempts_kind kind, const struct address *from, uint64_t now_ns,
                   struct attempts_said *ret)
{
    const struct prefix client = rates_client(from);
    const struct view key = VIEW_OF(client.base.b);
    const struct rates_ask asks[] = {{.rates = a->failures, .key = key}, {.rates = a->log_ins, .key = key}};
    struct rates_state states[ARRAY_LEN(asks)];
    size_t n = kind == ATTEMPTS_LOG_IN ? 2 : 1;
    bool good = rates_take(asks, n, now_ns, states);
    rates_put_policy(asks, n, ret->policy);
    rates_put_state(asks, states, n, ret->state);
    ret->retry = rates_retry_after(states, n);
    return good;
}

void attempts_give(struct attempts *a, const struct address *from, uint64_t now_ns)
{
    const struct prefix client = rates_client(from);
    const struct rates_ask ask = {.rates = a->failures, .key = VIEW_OF(client.base.b)};
    rates_give(&ask, 1, now_ns);
}
