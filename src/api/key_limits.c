/* What each request of a key costs it: counted, and told in the headers of the answer
 * (draft-ietf-httpapi-ratelimit-headers). */
#include "api/inside.h"
#include "api/keys.h"

static void item(struct writer *w, const char *name, uint32_t left, uint32_t seconds)
{
    writer_str(w, w->len ? ", \"" : "\"");
    writer_str(w, name);
    writer_str(w, "\";r=");
    writer_decimal(w, left);
    writer_str(w, ";t=");
    writer_decimal(w, seconds);
}

static void policy(struct writer *w, const char *name, uint32_t limit, unsigned seconds)
{
    writer_str(w, w->len ? ", \"" : "\"");
    writer_str(w, name);
    writer_str(w, "\";q=");
    writer_decimal(w, limit);
    writer_str(w, ";w=");
    writer_decimal(w, seconds);
}

static void tell(struct http_request *req, const struct limits *l, const struct limits_state *s)
{
    char left[128], limits[128];
    struct writer a = writer_fixed(left, sizeof left), b = writer_fixed(limits, sizeof limits);
    if (l->per_hour) {
        item(&a, "hour", s->left_hour, s->hour_seconds);
        policy(&b, "hour", l->per_hour, 3600);
    }
    if (l->per_day) {
        item(&a, "day", s->left_day, s->day_seconds);
        policy(&b, "day", l->per_day, 86400);
    }
    api_rate_limits(req, &b, &a);
}

uint16_t key_limit_event(const struct limits_state *s)
{
    static const uint16_t events[] = {[LIMITS_BURSTING] = EVENT_RATE_LIMIT_EXCEEDED,
                                      [LIMITS_HOUR_USED] = EVENT_RATE_LIMIT_HOURLY,
                                      [LIMITS_DAY_USED] = EVENT_RATE_LIMIT_DAILY};
    return events[s->verdict];
}

/* A request whose body took its time is looked at twice, and counts once. */
static bool is_spent(const struct http_request *req, struct view id)
{
    const struct api_entry *before = req->caller;

    return before && before->spent && view_eq(before->caller.key_id, id);
}

RESULT key_limits_spend(struct http_request *req, struct view id, struct api_entry *entry)
{
    struct limits_state s = {0};
    struct limits l = {0};
    enum err e;

    entry->spent = is_spent(req, id);
    if (entry->spent)
        return OK;
    e = api_keys_spend(api_of(req)->shared->api_keys, id, req->wall_ms, &s, &l);
    if (e == ERR_NOT_FOUND)
        return ERR_KEY_DISABLED; /* it was distrusted in this moment */
    tell(req, &l, &s);
    if (e == OK) {
        entry->spent = true;
        usages_count(api_of(req)->shared->usages, id, req->wall_ms, req->peer.text, req->route->name);
        return OK;
    }
    api_retry_after(req, s.wait_seconds);
    entry->event = key_limit_event(&s);
    entry->quiet = !s.first; /* a loop that does not stop fills no log */
    return e;
}
