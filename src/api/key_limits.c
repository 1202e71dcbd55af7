/* What each request of a key costs it: counted, and told in the headers of the answer
 * (draft-ietf-httpapi-ratelimit-headers). */
#include "api/inside.h"
#include "api/keys.h"

/* Inline, as its texts are literals: each request of a key comes here. */
static inline void put(struct writer *w, const char *before, uint32_t number, const char *behind)
{
    writer_str(w, before);
    writer_decimal(w, number);
    writer_str(w, behind);
}

static void tell(struct http_request *req, const struct limits *l, const struct limits_state *s)
{
    char left[128] __attribute__((uninitialized)), limits[128] __attribute__((uninitialized));
    struct writer state = writer_fixed(left, sizeof left), policy = writer_fixed(limits, sizeof limits);
    if (l->per_hour) {
        put(&policy, "\"hour\";q=", l->per_hour, ";w=3600");
        put(&state, "\"hour\";r=", s->left_hour, ";t=");
        writer_decimal(&state, s->hour_seconds);
    }
    if (l->per_hour && l->per_day) {
        writer_str(&policy, ", ");
        writer_str(&state, ", ");
    }
    if (l->per_day) {
        put(&policy, "\"day\";q=", l->per_day, ";w=86400");
        put(&state, "\"day\";r=", s->left_day, ";t=");
        writer_decimal(&state, s->day_seconds);
    }
    api_rate_limits(req, &policy, &state);
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
