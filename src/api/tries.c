#include "api/tries.h"

#include "api/inside.h"

#define NS_OF_MS 1000000

static uint64_t now_ns(const struct api_thread *t)
{
    const struct clock *c = t->shared->clock;
    return c->mono_ms(c) * NS_OF_MS;
}

static struct address address_of(const struct http_request *req)
{
    struct address a;
    memcpy(a.b, req->peer.address, sizeof a.b);
    return a;
}

static bool is_free(const struct http_request *req)
{
    const struct address a = address_of(req);
    return req->peer.is_unix || guard_trusts(api_of(req)->shared->guard, &a);
}

static bool take(struct http_request *req, enum attempts_kind kind)
{
    struct api_thread *t = api_of(req);
    const struct address from = address_of(req);
    AUTO_WRITER policy = writer_new(256), state = writer_new(256);
    struct attempts_said said = {&policy, &state, 0};
    bool good = attempts_take(guard_attempts(t->shared->guard), kind, &from, now_ns(t), &said);
    api_rate_limits(req, &policy, &state);
    if (!good)
        api_retry_after(req, (unsigned)said.retry);
    return good;
}

static bool refuse(struct http_request *req, enum err code)
{
    anonymous_count(api_of(req), req, code);
    (void)http_answer_error(req, code);
    return false;
}

/* Where it is noted that this is a try. */
static struct api_entry *entry_of(struct http_request *req)
{
    if (!req->caller)
        req->caller = arena_alloc(req->arena, sizeof(struct api_entry));
    return req->caller;
}

bool tries_admit(struct http_request *req, enum attempts_kind kind)
{
    const struct address from = address_of(req);
    if (kind == ATTEMPTS_NONE || is_free(req))
        return true;
    if (guard_keeps_out(api_of(req)->shared->guard, &from, req->wall_ms))
        return refuse(req, ERR_ADDRESS_BLOCKED);
    struct api_entry *entry = entry_of(req);
    if (!entry)
        return refuse(req, ERR_NO_MEMORY);
    entry->tried = take(req, kind);
    return entry->tried || refuse(req, ERR_TOO_MANY_ATTEMPTS);
}

/* Who left without waiting for the answer may have been wrong. */
void tries_ended(struct api_thread *t, const struct http_request *req, const struct http_ended *how)
{
    const struct api_entry *entry = req->caller;
    const struct address from = address_of(req);
    if (entry && entry->tried && how->status != 0 && automatic_reason(how->code) != NETWORKS_CREDENTIALS)
        attempts_give(guard_attempts(t->shared->guard), &from, now_ns(t));
}

bool tries_failed(struct http_request *req)
{
    return is_free(req) || take(req, ATTEMPTS_PROOF);
}
