/* Changes that wait for a second administrator: asked, shown, approved, rejected. Nothing here decides: what was
 * approved twice is sent where it would have been sent with one approval, and the keeper looks at both. */
#include "api/approvals_entity.h"
#include "api/people.h"
#include "api/routes.h"
#include "base/text.h"

#define ASK_BODY ((size_t)128 * 1024)

struct edit {
    struct http_request *req;
    struct request_found found; /* before; version 0: it is new */
    struct approval_request after;
    struct approval_page page;
    struct view reason;
    uint16_t event;
    unsigned status; /* 204: the request goes */
};

/* --- all */

struct listing {
    struct http_request *req;
    struct approval_brief *out;
    size_t count, open;
    uint64_t now_ms;
};

static RESULT copy_brief(const struct listing *l, const struct approval_request *r, struct approval_brief *ret)
{
    struct arena *arena = l->req->arena;

    *ret = (struct approval_brief){
        .kind = r->kind, .state = r->state, .asked_ms = r->asked_ms, .expiry_ms = r->expiry_ms};
    memcpy(ret->id, r->id, sizeof ret->id);
    TRY(arena_copy(arena, r->name, &ret->name));
    TRY(arena_copy(arena, r->asked_by, &ret->asked_by));
    return arena_copy(arena, r->reason, &ret->reason);
}

static RESULT add_brief(void *context, const struct request_found *found)
{
    struct listing *l = context;

    if (request_over(&found->request, l->now_ms) || l->count == REQUESTS_MAX)
        return OK;
    return copy_brief(l, &found->request, &l->out[l->count++]);
}

static int by_age(const void *a, const void *b)
{
    const struct approval_brief *x = a, *y = b;

    return (x->asked_ms > y->asked_ms) - (x->asked_ms < y->asked_ms);
}

static RESULT list(struct http_request *req, struct entity_list *ret)
{
    struct listing l = {.req = req, .now_ms = people_now(req)};

    l.out = arena_alloc(req->arena, REQUESTS_MAX * sizeof *l.out);
    if (!l.out)
        return ERR_NO_MEMORY;
    TRY(request_each(api_of(req)->reader, people_keys(req), add_brief, &l));
    qsort(l.out, l.count, sizeof *l.out, by_age);
    *ret = (struct entity_list){l.out, l.count};
    return OK;
}

static RESULT names_of(uint8_t rule, struct arena *arena, struct text_list *ret)
{
    struct text_list l = {.items = arena_alloc(arena, 8 * sizeof *l.items)};

    if (!l.items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; four_eyes_names[i]; i++)
        if (rule & 1u << i)
            l.items[l.count++] = view_str(four_eyes_names[i]);
    *ret = l;
    return OK;
}

static enum http_outcome told_rule(struct http_request *req, void *context, enum err error, struct view entity,
                                   const struct problem *why)
{
    struct approval_page *page = context;
    struct keeper_status status;

    if (error != OK)
        return http_answer_problem(req, why);
    error = entity_decode(&keeper_status_entity, entity, req->arena, &status);
    if (error == OK)
        error = names_of(status.four_eyes, req->arena, &page->four_eyes);
    return error == OK ? http_answer_entity(req, 200, &approval_page_entity, page) : http_answer_error(req, error);
}

static enum http_outcome list_get(struct http_request *req)
{
    struct approval_page *page = arena_alloc(req->arena, sizeof *page);
    enum err e = page ? list(req, &page->requests) : ERR_NO_MEMORY;

    return e == OK ? api_call_keeper(req, KEEPER_STATUS, NULL, NULL, told_rule, page) : http_answer_error(req, e);
}

/* --- one */

static RESULT find(struct http_request *req, struct request_found *ret)
{
    struct view text = {0};
    struct id id;

    if (!http_param(req, "id", &text) || id_parse(text, &id) != OK)
        return ERR_NOT_FOUND;
    return request_get(api_of(req)->reader, people_keys(req), id.b, people_now(req), req->arena, ret);
}

static enum http_outcome one_get(struct http_request *req)
{
    struct request_found found;
    enum err e = find(req, &found);

    return e == OK ? http_answer_entity(req, 200, &approval_request_entity, &found.request) : http_answer_error(req, e);
}

/* --- changes of them */

static enum http_outcome edited(struct api_change *c)
{
    const struct edit *e = c->context;

    if (c->txn.result != OK)
        return api_change_failed(c);
    return e->status == 204 ? http_answer_empty(e->req, 204)
                            : http_answer_entity(e->req, e->status, &approval_request_entity, &e->after);
}

static RESULT fill(void *context, struct api_change *c)
{
    const struct edit *e = context;
    const struct request_found *before = e->found.version ? &e->found : NULL;
    struct record_object what = {0};
    struct txn_change change;

    if (e->status == 204)
        TRY(request_remove(people_keys(e->req), &e->found, e->req->arena, &change));
    else
        TRY(request_put(people_keys(e->req), &e->after, before, e->req->arena, &change));
    TRY(api_change_put(c, &change));
    /* What was asked, and by whom, also where somebody else answers it. */
    TRY(request_resource(&e->after, e->req->arena, &what.resource));
    TRY(request_detail(&e->after, e->req->arena, &what.detail));
    return api_change_record(c, e->event, OUTCOME_DONE, &what, e->reason);
}

static enum http_outcome commit(struct edit *e)
{
    return api_change_run(e->req, e, fill, edited);
}

static struct edit *edit_new(struct http_request *req, unsigned status)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);

    if (e)
        *e = (struct edit){.req = req, .event = req->route->event, .status = status};
    return e;
}

/* --- asking */

static RESULT complete(struct edit *e, struct problem *why)
{
    struct approval_request *r = &e->after;
    struct request_context who;

    if (r->kind == APPROVE_EMERGENCY)
        return problem_set(why, ERR_BAD_VALUE, "/kind", "%s", "who needs it asks at /api/v1/emergency/ask");
    r->state = REQUEST_WAITING;
    r->asked_ms = people_now(e->req);
    r->expiry_ms = r->approval.expiry_ms;
    e->reason = r->reason;
    api_request_context(e->req, r->reason, &who);
    r->asked_by = who.actor;
    r->reason = who.reason;
    TRY(api_of(e->req)->shared->random->fill(api_of(e->req)->shared->random, r->id, sizeof r->id));
    TRY(request_check(r, r->asked_ms, why));
    TRY(list(e->req, &e->page.requests));
    if (e->page.requests.count == REQUESTS_MAX)
        return problem_set(why, ERR_LIMIT_REACHED, "", "%d requests wait; reject some", REQUESTS_MAX);
    return OK;
}

static enum http_outcome ask_post(struct http_request *req)
{
    struct edit *e = edit_new(req, 201);
    struct problem why = {0};

    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &e->after, &why) != OK)
        return http_answer_problem(req, &why);
    enum err error = complete(e, &why);
    if (error != OK)
        return why.code ? http_answer_problem(req, &why) : http_answer_error(req, error);
    return commit(e);
}

/* --- answering */

static enum http_outcome approve_post(struct http_request *req)
{
    struct edit *e = edit_new(req, 200);
    struct approval_give q = {0};
    struct request_context who;
    struct problem why = {0};

    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err error = find(req, &e->found);
    if (error != OK)
        return http_answer_error(req, error);
    e->after = e->found.request;
    api_request_context(req, (struct view){0}, &who);
    if (e->after.state != REQUEST_WAITING)
        return people_problem(req, ERR_CONFLICT, "id", "It was approved already.");
    if (memcmp(q.approval.key, e->after.approval.key, 32) == 0 || view_eq(who.actor, e->after.asked_by))
        return people_refuse(req, "approval:", e->after.name, "nobody approves what he asked for himself");
    if (q.approval.expiry_ms != e->after.expiry_ms)
        return people_problem(req, ERR_BAD_VALUE, "/approval/expiry_ms", "It must end when the first approval does.");
    e->after.second = q.approval;
    e->after.state = REQUEST_APPROVED;
    e->after.approved_by = who.actor;
    return commit(e);
}

/* Who asked may take it back; after it was made use of, it is closed. */
static enum http_outcome end(struct http_request *req)
{
    struct edit *e = edit_new(req, 204);
    struct approval_reason q = {0};
    struct problem why = {0};

    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err error = find(req, &e->found);
    if (error != OK)
        return http_answer_error(req, error);
    e->after = e->found.request;
    e->reason = q.reason;
    return commit(e);
}

#define APPROVAL_ROW(method, address, handler, ...)                                                                    \
    ROUTE(method, "/api/v1/approvals" address, PERMISSION_SYSTEM_CONFIG, handler, .tag = "approvals",                  \
          .ways = WAYS_ALL, __VA_ARGS__)

static const struct route rows[] = {
    APPROVAL_ROW(HTTP_GET, "", list_get, .name = "approval-list",
                 .summary = "Changes that wait for a second administrator, and what takes one.",
                 .durability = DURABLE_NONE, .response = &approval_page_entity),
    APPROVAL_ROW(HTTP_POST, "", ask_post, .name = "approval-ask",
                 .summary = "Ask a second administrator for his approval of what you approved.",
                 .event = EVENT_APPROVAL_REQUESTED, .request = &approval_ask_entity,
                 .response = &approval_request_entity, .status = 201, .body_limit = ASK_BODY),
    APPROVAL_ROW(HTTP_GET, "/{id}", one_get, .name = "approval-show", .summary = "One of them, whole.",
                 .durability = DURABLE_NONE, .response = &approval_request_entity),
    APPROVAL_ROW(HTTP_POST, "/{id}/approve", approve_post, .name = "approval-give",
                 .summary = "Approve it as the second administrator. What is approved is then sent as if by one.",
                 .event = EVENT_APPROVAL_GIVEN, .request = &approval_give_entity, .response = &approval_request_entity),
    APPROVAL_ROW(HTTP_POST, "/{id}/reject", end, .name = "approval-reject",
                 .summary = "Reject it, or take back one's own.", .event = EVENT_APPROVAL_REJECTED,
                 .request = &approval_reason_entity),
    APPROVAL_ROW(HTTP_POST, "/{id}/close", end, .name = "approval-close",
                 .summary = "Close it, once the change was made.", .event = EVENT_APPROVAL_CLOSED,
                 .request = &approval_reason_entity),
};
const struct route_table approvals_routes = {rows, ARRAY_LEN(rows)};
