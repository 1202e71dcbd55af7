#include "api/allowed.h"
#include "api/inside.h"
#include "api/upkeep.h"

#define TEXT_MAX 512 /* of a header in a record */

static const struct api_caller nobody;

const struct api_caller *api_caller_of(const struct http_request *req)
{
    const struct api_entry *e = req->caller;

    return e ? &e->caller : &nobody;
}

/* Not in the middle of a character: what goes into a record must be UTF-8. */
static struct view cut(struct view v, size_t max)
{
    if (v.len <= max)
        return v;
    while (max > 0 && (v.ptr[max] & 0xc0) == 0x80)
        max--;
    return VIEW(v.ptr, max);
}

void api_request_context(const struct http_request *req, struct view reason, struct request_context *ret)
{
    struct request_context c = {
        .actor = api_caller_of(req)->actor, .source = view_str(req->peer.text), .request_id = view_str(req->id)};

    (void)http_header(req, "User-Agent", &c.user_agent);
    if (reason.len == 0)
        (void)http_header(req, "X-Holdfast-Reason", &reason);
    c.user_agent = cut(c.user_agent, TEXT_MAX);
    c.reason = cut(reason, 2 * TEXT_MAX);
    *ret = c;
}

RESULT api_who(const struct http_request *req, struct view reason, struct view *ret)
{
    AUTO_WRITER w = writer_new(4096);
    struct request_context c;

    api_request_context(req, reason, &c);
    TRY(entity_encode(&request_context_entity, &c, &w));
    return arena_copy(req->arena, writer_view_of(&w), ret);
}

void api_retry_after(struct http_request *req, unsigned seconds)
{
    char text[16];
    struct writer w = writer_fixed(text, sizeof text - 1);

    writer_printf(&w, "%u", seconds);
    text[w.len] = '\0';
    (void)!http_answer_header(req, "Retry-After", text);
}

static void add_items(struct http_request *req, const char *name, const struct writer *items)
{
    if (items->len && writer_done(items) == OK)
        (void)!http_answer_list(req, name, writer_view_of(items));
}

void api_rate_limits(struct http_request *req, const struct writer *policy, const struct writer *state)
{
    add_items(req, "RateLimit-Policy", policy);
    add_items(req, "RateLimit", state);
}

/* --- a thread's part in all this */

static void on_turn(void *context)
{
    struct api_thread *t = context;

    allowed_turn(t->inside->allowed);
    change_hand_over(t);
}

static void on_second(void *context)
{
    anonymous_flush(context);
    orphans_retry(context);
    sweep_look(context);
    upkeep_begin(context);
}

RESULT api_thread_start(struct api_thread *t)
{
    t->inside = calloc(1, sizeof *t->inside);
    if (!t->inside)
        return ERR_NO_MEMORY;
    random_pool_init(&t->inside->nonces, t->shared->random);
    TRY(t->shared->random->fill(t->shared->random, &t->inside->refused_seed, sizeof t->inside->refused_seed));
    t->inside->budget = 4 * ANONYMOUS_SLOTS;
    t->inside->parked_end = &t->inside->parked;
    TRY(allowed_new(t, &t->inside->allowed));
    TRY(loop_each_turn(t->loop, on_turn, t));
    TRY(loop_timer_new(t->loop, admit_retry, t, &t->inside->parked_timer));
    TRY(loop_timer_new(t->loop, change_retry_waits, t, &t->inside->wait_timer));
    return loop_every(t->loop, 1000, on_second, t);
}

void api_thread_stop(struct api_thread *t)
{
    if (!t->inside)
        return;
    orphans_drop(t);
    allowed_free(t->inside->allowed);
    upkeep_end(t);
    upkeep_free(t->inside->upkeep);
    sweep_free(t->inside->sweep);
    loop_timer_free(t->inside->wait_timer);
    loop_timer_free(t->inside->parked_timer);
    free(t->inside);
    t->inside = NULL;
}

size_t api_thread_waiting(const struct api_thread *t)
{
    return t->inside->under_way;
}
