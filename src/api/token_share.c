#include "api/token_share.h"

#include "api/inside.h"
#include "api/people.h"

#define NS_OF_MS    1000000
#define MINUTE_MS   60000
#define TENTH       10 /* of the minute's tokens, if nothing is said */
#define FIFTH       5  /* of those at once */
#define BURST_LEAST 5
#define ROOM        16384u /* subjects: a megabyte or two */
#define REFUSAL     "this user or key has had its share of tokens: tokens.per_subject_per_minute"

RESULT token_share_new(const struct config_tokens *limits, const struct random *random, struct rates **ret,
                       struct problem *why)
{
    uint32_t quota = limits->per_subject_per_minute ? limits->per_subject_per_minute : limits->per_minute / TENTH;
    uint32_t burst = limits->burst / FIFTH;
    const struct rates_limit limit = {.name = "tokens",
                                      .quota = quota ? quota : 1,
                                      .window_ms = MINUTE_MS,
                                      .burst = burst > BURST_LEAST ? burst : BURST_LEAST,
                                      .room = ROOM};
    return rates_new(&limit, random, ret, why);
}

bool token_share_take(struct http_request *req, struct view subject, bool tell)
{
    const struct api_shared *s = api_of(req)->shared;
    const struct rates_ask ask = {.rates = s->token_share, .key = subject, .known = true};
    AUTO_WRITER policy = writer_new(128), left = writer_new(128);
    struct rates_state state;
    bool good = rates_take(&ask, 1, s->clock->mono_ms(s->clock) * NS_OF_MS, &state);
    if (tell) {
        rates_put_policy(&ask, 1, &policy);
        rates_put_state(&ask, &state, 1, &left);
        api_rate_limits(req, &policy, &left);
    }
    if (!good)
        api_retry_after(req, (unsigned)rates_retry_after(&state, 1));
    return good;
}

static enum http_outcome recorded(struct api_change *c)
{
    return c->txn.result == OK ? people_problem(c->req, ERR_TOO_MANY_REQUESTS, "", REFUSAL) : api_change_failed(c);
}

enum http_outcome token_share_refuse(struct http_request *req, struct view subject)
{
    struct record_object what = {
        .resource = subject, .detail = view_str(req->route->name), .error = view_str(err_code(ERR_TOO_MANY_REQUESTS))};
    struct api_change *c = NULL;
    if (!anonymous_first(api_of(req), subject, ERR_TOO_MANY_REQUESTS, req->wall_ms)) {
        anonymous_count(api_of(req), req, ERR_TOO_MANY_REQUESTS);
        return people_problem(req, ERR_TOO_MANY_REQUESTS, "", REFUSAL);
    }
    enum err e = api_change_new(req, &c);
    if (e == OK)
        e = people_record_as(c, EVENT_RATE_LIMIT_EXCEEDED, OUTCOME_REFUSED, subject, &what);
    if (e != OK)
        return http_answer_error(req, e);
    c->then = recorded;
    return api_change_submit(c);
}
