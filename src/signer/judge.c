#include "signer/judge.h"

#include "base/text.h"

#define REQUEST_MAX 32768

static RESULT find_claimed(struct judging *j)
{
    const struct sign_request *q = j->request;
    bool frame = j->scheme->place == PLACE_FRAME;
    j->claimed = venue_endpoint_of(j->venue, q->method, frame ? VIEW(NULL, 0) : q->path);
    if (!j->claimed || (j->claimed->path.len == 0) != frame)
        return problem_set(j->why, ERR_UNKNOWN_ENDPOINT, "/path", "the venue's declaration has no such call");
    if (!venue_signable(j->claimed, j->scheme->algorithm))
        return problem_set(j->why, ERR_UNKNOWN_ENDPOINT, "/path", "this call is not made with the scheme %.*s",
                           (int)j->scheme->name.len, (const char *)j->scheme->name.ptr);
    return OK;
}

RESULT judge_request(const struct venue *venue, const struct venue_scheme *scheme, const struct sign_request *request,
                     struct arena *arena, struct intents *ret, struct problem *why)
{
    *ret = (struct intents){0};
    if (request->query.len > REQUEST_MAX || request->body.len > REQUEST_MAX || request->params.len > REQUEST_MAX)
        return problem_set(why, ERR_TOO_LONG, "", "a request has at most %d bytes", REQUEST_MAX);
    struct judging j = {
        .venue = venue, .scheme = scheme, .request = request, .arena = arena, .intents = ret, .why = why};
    TRY(find_claimed(&j));
    struct reading r;
    TRY(params_request(venue, scheme, request, arena, &r, why));
    TRY(params_check(venue, j.claimed, &r, why));
    TRY(judge_intents(&j, j.claimed, &r, AS_CLAIMED));
    if (venue_scheme_has(scheme, TOKEN_PATH))
        return judge_joined(&j, &r);
    if (venue_scheme_has(scheme, TOKEN_QUERY) || venue_scheme_has(scheme, TOKEN_PARAMS))
        return judge_flat(&j, &r);
    return OK;
}
