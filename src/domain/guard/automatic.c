#include "domain/guard/automatic.h"

#include <stdlib.h>

#define TIMES_MAX 32 /* doublings: more than any longest block takes */

struct automatic {
    const struct config_guard_automatic *config;
    struct rates *of[NETWORKS_REASONS]; /* NULL: off */
};

static RESULT rates_of(const char *name, const struct config_guard_strikes *from, const struct random *random,
                       struct rates **ret, struct problem *why)
{
    struct rates_limit limit = {.quota = from->count, .window_ms = 1000ull * from->seconds};
    (void)snprintf(limit.name, sizeof limit.name, "%s", name);
    return rates_new(&limit, random, ret, why);
}

RESULT automatic_new(const struct config_guard_automatic *config, const struct random *random, struct automatic **ret,
                     struct problem *why)
{
    const struct config_guard_strikes *of[NETWORKS_REASONS] = {[NETWORKS_CREDENTIALS] = &config->credentials,
                                                               [NETWORKS_ATTACKS] = &config->attacks,
                                                               [NETWORKS_LIMITS] = &config->limits,
                                                               [NETWORKS_HOSTS] = &config->hosts};
    AUTO(automatic_free) struct automatic *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NO_MEMORY;
    a->config = config;
    for (size_t i = NETWORKS_CREDENTIALS; config->mode == CONFIG_AUTOMATIC_BLOCK && i < NETWORKS_REASONS; i++)
        TRY(rates_of(networks_reasons[i], of[i], random, &a->of[i], why));
    *ret = TAKE(a);
    return OK;
}

void automatic_free(struct automatic *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < NETWORKS_REASONS; i++)
        rates_free(a->of[i]);
    free(a);
}

bool automatic_is_on(const struct automatic *a)
{
    return a->config->mode == CONFIG_AUTOMATIC_BLOCK;
}

/* --- counting. What is merely old or not enough, such as a session that is over, counts as nothing: it happens to
 * honest programs, and guesses nothing. */

enum networks_reason automatic_reason(enum err refusal)
{
    static const struct {
        enum err refusal;
        enum networks_reason reason;
    } table[] = {
        {ERR_BAD_CREDENTIALS, NETWORKS_CREDENTIALS},   {ERR_KEY_MALFORMED, NETWORKS_CREDENTIALS},
        {ERR_TOKEN_INVALID, NETWORKS_CREDENTIALS},     {ERR_ENROLMENT_INVALID, NETWORKS_CREDENTIALS},
        {ERR_TOO_MANY_ATTEMPTS, NETWORKS_CREDENTIALS}, {ERR_PASSKEY_CLONED, NETWORKS_CREDENTIALS},
        {ERR_ATTACK_PATTERN, NETWORKS_ATTACKS},        {ERR_PATH_AMBIGUOUS, NETWORKS_ATTACKS},
        {ERR_TOO_MANY_REQUESTS, NETWORKS_LIMITS},      {ERR_RATE_LIMITED, NETWORKS_LIMITS},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].refusal == refusal)
            return table[i].reason;
    return NETWORKS_NO_REASON;
}

static bool count(struct rates *r, const struct prefix *who, uint64_t now_ns)
{
    const struct rates_ask ask = {.rates = r, .key = VIEW((const uint8_t *)who, sizeof *who)};
    struct rates_state unused;
    return r && !rates_take(&ask, 1, now_ns, &unused);
}

bool automatic_count(struct automatic *a, const struct prefix *client, enum networks_reason reason, uint64_t now_ns)
{
    return count(a->of[reason], client, now_ns);
}

uint32_t automatic_left(struct automatic *a, const struct prefix *client, enum networks_reason reason, uint64_t now_ns)
{
    const struct rates_ask ask = {.rates = a->of[reason], .key = VIEW((const uint8_t *)client, sizeof *client)};
    struct rates_state state = {0};
    if (ask.rates)
        (void)rates_look(&ask, 1, now_ns, &state);
    return state.left;
}

void automatic_forget(struct automatic *a, const struct prefix *client, uint64_t now_ns)
{
    for (size_t i = 0; i < NETWORKS_REASONS; i++)
        if (a->of[i])
            rates_forget(a->of[i], VIEW((const uint8_t *)client, sizeof *client), now_ns);
}

/* --- networks */

bool automatic_network_of(const struct automatic *a, const struct prefix *client, struct prefix *ret)
{
    unsigned bits = prefix_is_ipv4(client) ? ADDRESS_IPV4_BITS + a->config->prefix4 : a->config->prefix6;
    if (client->bits <= bits)
        return false;
    *ret = prefix_around(&client->base, bits);
    return true;
}

bool automatic_count_host(struct automatic *a, const struct prefix *network, uint64_t now_ns)
{
    return count(a->of[NETWORKS_HOSTS], network, now_ns);
}

/* --- for how long */

static uint64_t lasts_ms(const struct config_guard_automatic *c, uint32_t times)
{
    uint64_t seconds = c->block_seconds;
    for (uint32_t i = 1; i < times && seconds < c->longest_seconds; i++)
        seconds *= 2;
    return 1000 * (seconds < c->longest_seconds ? seconds : c->longest_seconds);
}

struct kept automatic_block(const struct automatic *a, const struct prefix *network, enum networks_reason reason,
                            const struct kept *before, uint64_t now_ms)
{
    bool again = before->version != 0 && before->rule.origin == NETWORKS_AUTOMATIC && !kept_is_over(before, now_ms);
    uint32_t times = again ? before->times + 1 : 1;
    times = times > TIMES_MAX ? TIMES_MAX : times;
    return (struct kept){.rule = {.network = *network,
                                  .action = NETWORKS_BLOCK,
                                  .origin = NETWORKS_AUTOMATIC,
                                  .ends_ms = now_ms + lasts_ms(a->config, times)},
                         .since_ms = now_ms,
                         .times = times,
                         .reason = (uint8_t)reason};
}
