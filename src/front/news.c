/* What became of a reload: in the record, and in the status as long as the file is not the one in force. */
#include "base/text.h"
#include "front/front.h"

#include <stdio.h>

/* One that comes before the record is open waits; of several the newest. */
static void put(struct front *f, uint16_t event, enum outcome outcome, const char *detail)
{
    if (f->shared.ledger) {
        record_own(f, event, outcome, "configuration", detail);
        return;
    }
    f->news.event = event;
    f->news.outcome = outcome;
    (void)snprintf(f->news.detail, sizeof f->news.detail, "%s", detail);
}

static void hex(const uint8_t hash[static CONFIG_POLICY_HASH], char ret[static 2 * CONFIG_POLICY_HASH + 1])
{
    struct writer w = writer_fixed(ret, 2 * CONFIG_POLICY_HASH);
    hex_put(&w, VIEW(hash, CONFIG_POLICY_HASH));
    ret[w.len] = 0;
}

static void put_reloaded(struct front *f, const uint8_t before[static CONFIG_POLICY_HASH])
{
    char now[2 * CONFIG_POLICY_HASH + 1], then[2 * CONFIG_POLICY_HASH + 1], detail[320];
    hex(f->shared.policy_hash, now);
    hex(before, then);
    if (memcmp(f->shared.policy_hash, before, CONFIG_POLICY_HASH) == 0)
        (void)snprintf(detail, sizeof detail, "guard policy sha256:%s, as before", now);
    else
        (void)snprintf(detail, sizeof detail, "guard policy sha256:%s, before it sha256:%s", now, then);
    put(f, EVENT_CONFIGURATION_CHANGED, OUTCOME_DONE, detail);
}

void news_take(struct front *f, const struct supervisor_config *q)
{
    char detail[SUPERVISOR_REFUSED_MAX + 1];
    api_news_set(&f->shared.news, q->refused);
    if (q->reloaded)
        put_reloaded(f, q->before);
    if (q->refused.len && !q->again && view_to_str(q->refused, detail, sizeof detail) == OK)
        put(f, EVENT_CONFIGURATION_REFUSED, OUTCOME_REFUSED, detail);
}

void news_record(struct front *f)
{
    char hash[2 * CONFIG_POLICY_HASH + 1], detail[128];
    hex(f->shared.policy_hash, hash);
    (void)snprintf(detail, sizeof detail, "guard policy sha256:%s", hash);
    record_own(f, EVENT_SERVER_STARTED, OUTCOME_DONE, "server", detail);
    if (f->news.event)
        record_own(f, f->news.event, (enum outcome)f->news.outcome, "configuration", f->news.detail);
    f->news.event = 0;
}
