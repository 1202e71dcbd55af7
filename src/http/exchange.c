#include "http/exchange.h"

#include "http/reply.h"

#define ARENA_FIRST_BLOCK 16384 /* kept from request to request: most need no more */

static void set_up(struct exchange *x, struct arena *arena, const struct http_limits *limits)
{
    memset(x, 0, sizeof *x);
    x->req.arena = arena;
    x->req.peer.uid = (uid_t)-1;
    x->req.peer.gid = (gid_t)-1;
    x->answer = writer_new(limits->answer_max);
}

RESULT exchange_new(const struct http_limits *limits, struct exchange **ret)
{
    struct arena *arena = NULL;
    struct exchange *x = malloc(sizeof *x);
    if (!x)
        return ERR_NO_MEMORY;
    if (arena_new(ARENA_FIRST_BLOCK, limits->arena_max, &arena) != OK) {
        free(x);
        return ERR_NO_MEMORY;
    }
    set_up(x, arena, limits);
    *ret = x;
    return OK;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    writer_free(&x->body);
    writer_free(&x->answer);
    reply_drop(x);
    arena_free(x->req.arena);
    free(x);
}

void exchange_reset(struct exchange *x, const struct http_limits *limits)
{
    struct arena *arena = x->req.arena;
    struct MHD_Response *kept = x->kept;
    writer_free(&x->body);
    writer_free(&x->answer);
    arena_reset(arena);
    set_up(x, arena, limits);
    x->kept = kept;
}

struct view exchange_body(const struct exchange *x)
{
    bool bodiless = !x->content_type || x->status < 200 || x->status == 204 || x->status == 304;
    if (bodiless)
        return VIEW("", 0);
    return x->static_body.ptr ? x->static_body : writer_view_of(&x->answer);
}
