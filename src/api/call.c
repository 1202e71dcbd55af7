/* Calls to keeper and signer on behalf of a request: nobody waits, and the answer is handled even if the client left.
 */
#include "api/failure_table.h"
#include "api/inside.h"

#define CALL_MS 20000

struct call {
    struct http_request *req;
    api_answered then;
    void *context;
};

static void on_answer(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct call *c = context;
    struct http_request *req = c->req;
    struct api_thread *t = api_of(req);
    const struct problem none = {.code = error};

    t->inside->under_way--;
    /* The other side may have done it, and authored a record that nobody brought us. */
    if (error == ERR_UNAVAILABLE || error == ERR_TIMEOUT)
        atomic_store(&t->shared->health.look_for_lost, true);
    if (c->then(req, c->context, error, entity, why ? why : &none) == HTTP_ANSWER)
        http_request_finish(req);
}

static enum http_outcome call(struct http_request *req, struct caller *peer, enum failure missing, uint16_t type,
                              const struct entity *e, const void *object, api_answered then, void *context)
{
    struct call *c = arena_alloc(req->arena, sizeof *c);
    struct problem why;
    enum err error = c ? OK : ERR_NO_MEMORY;

    if (error == OK) {
        *c = (struct call){.req = req, .then = then, .context = context};
        error = peer ? caller_call(peer, type, e, object, CALL_MS, on_answer, c) : ERR_UNAVAILABLE;
    }
    if (error == OK) {
        api_of(req)->inside->under_way++;
        return HTTP_LATER;
    }
    if (error == ERR_UNAVAILABLE && failure_answer(missing, failure_class_of(req->route)) != OK)
        error = failure_answer(missing, failure_class_of(req->route));
    if (error == ERR_BUSY)
        api_retry_after(req, 1);
    (void)!problem_set(&why, error, "", "%s", "");
    return then(req, context, error, (struct view){0}, &why);
}

enum http_outcome api_call_keeper(struct http_request *req, uint16_t type, const struct entity *e, const void *object,
                                  api_answered then, void *context)
{
    return call(req, api_of(req)->keeper, FAILURE_KEEPER_DEAD, type, e, object, then, context);
}

enum http_outcome api_call_signer(struct http_request *req, uint16_t type, const struct entity *e, const void *object,
                                  api_answered then, void *context)
{
    return call(req, api_of(req)->signer, FAILURE_SIGNER_DEAD, type, e, object, then, context);
}
