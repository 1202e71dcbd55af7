/* What the guard does by itself about addresses whose requests fail again and again. */
#include "base/fields.h"
#include "base/prefix.h"
#include "base/yaml.h"
#include "ipc/config.h"

#define BLOCK_S 900u
#define DAY_S   86400u
#define MONTH_S (30 * DAY_S)
#define YEAR_S  (366 * DAY_S)

static const struct field allowance_fields[] = {
    FIELD(1, struct config_guard_allowance, requests, U32, 1000000, .min = 1, .flags = FIELD_REQUIRED,
          .doc = "of one address, in a window"),
    FIELD(2, struct config_guard_allowance, seconds, U32, DAY_S, .min = 1, .doc = "of the window"),
};
const struct entity config_guard_allowance_entity = ENTITY("ConfigGuardAllowance", 0x0838, 1,
                                                           struct config_guard_allowance, allowance_fields);

static const struct field strikes_fields[] = {
    FIELD(1, struct config_guard_strikes, count, U32, 1000000, .min = 1, .flags = FIELD_REQUIRED,
          .doc = "so many in a window; one more leads to a block"),
    FIELD(2, struct config_guard_strikes, seconds, U32, DAY_S, .min = 1, .doc = "of the window"),
};
const struct entity config_guard_strikes_entity = ENTITY("ConfigGuardStrikes", 0x0839, 1, struct config_guard_strikes,
                                                         strikes_fields);

const char *const config_automatic_modes[] = {"default", "off", "block", NULL};

#define STRIKES(no, member, text)                                                                                      \
    FIELD(no, struct config_guard_automatic, member, ENTITY, 0, .nested = &config_guard_strikes_entity, .doc = (text))

static const struct field automatic_fields[] = {
    FIELD(1, struct config_guard_automatic, mode, ENUM, 0, .names = config_automatic_modes,
          .doc = "whether it blocks at all"),
    STRIKES(2, credentials, "wrong credentials"),
    STRIKES(3, attacks, "requests that look like an attack"),
    STRIKES(4, limits, "requests beyond a limit"),
    STRIKES(5, hosts, "blocked addresses of one network, which is then blocked as a whole"),
    FIELD(6, struct config_guard_automatic, block_seconds, U32, MONTH_S, .min = 1, .doc = "of the first block"),
    FIELD(7, struct config_guard_automatic, longest_seconds, U32, YEAR_S, .min = 1,
          .doc = "each block lasts twice as long as the one before, and this at most"),
    FIELD(8, struct config_guard_automatic, prefix4, U8, 32, .min = 8, .doc = "length of an IPv4 network"),
    FIELD(9, struct config_guard_automatic, prefix6, U8, PREFIX_SUBSCRIBER6, .min = 16,
          .doc = "length of an IPv6 network"),
};
const struct entity config_guard_automatic_entity = ENTITY("ConfigGuardAutomatic", 0x083a, 1,
                                                           struct config_guard_automatic, automatic_fields);

static void complete_strikes(struct config_guard_strikes *s, uint32_t count, uint32_t seconds)
{
    s->count = s->count ? s->count : count;
    s->seconds = s->seconds ? s->seconds : seconds;
}

static void complete_allowance(struct config_guard_allowance *a, uint32_t requests, uint32_t seconds)
{
    a->requests = a->requests ? a->requests : requests;
    a->seconds = a->seconds ? a->seconds : seconds;
}

void config_automatic_complete(struct config_guard *g)
{
    static struct view loopback[] = {VIEW_STR("127.0.0.0/8"), VIEW_STR("::1")};
    struct config_guard_automatic *a = &g->automatic;
    if (g->trusted.count == 0)
        g->trusted = (struct text_list){loopback, ARRAY_LEN(loopback)};
    complete_allowance(&g->authentication, 5, 300);
    complete_allowance(&g->failures, 3, 900);
    a->mode = a->mode ? a->mode : CONFIG_AUTOMATIC_OFF;
    complete_strikes(&a->credentials, 20, 300);
    complete_strikes(&a->attacks, 5, 300);
    complete_strikes(&a->limits, 500, 60);
    complete_strikes(&a->hosts, 8, 3600);
    a->block_seconds = a->block_seconds ? a->block_seconds : BLOCK_S;
    if (a->longest_seconds == 0)
        a->longest_seconds = a->block_seconds > DAY_S ? a->block_seconds : DAY_S;
    a->prefix4 = a->prefix4 ? a->prefix4 : 24;
    a->prefix6 = a->prefix6 ? a->prefix6 : 48;
}

RESULT config_automatic_check(const struct config_guard_automatic *a, const struct yaml_node *root, struct problem *why)
{
    static const char sentence[] = "the longest block is shorter than the first one (block_seconds)";
    const struct yaml_node *at = yaml_get(yaml_get(yaml_get(root, "guard"), "automatic"), "longest_seconds");
    uint32_t first = a->block_seconds ? a->block_seconds : BLOCK_S; /* what is left out is filled in later */
    if (a->longest_seconds == 0 || a->longest_seconds >= first)
        return OK;
    return at ? yaml_refuse(why, ERR_BAD_CONFIG, at, "%s", sentence)
              : problem_set(why, ERR_BAD_CONFIG, "guard.automatic.longest_seconds", "%s", sentence);
}
