/* Emergency access (SPEC SEC-3): for a while a session may touch secrets that no role of its user lets it touch. It
 * needs a reason, ends by itself, and the keeper's record of it is in the log before anybody has it. Where the rule of
 * four eyes names it, an administrator who is somebody else has approved this user, this time and this reason. */
#include "api/people.h"
#include "api/refusal.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"
#include "domain/approvals/requests.h"

#define SECONDS_DEFAULT 3600
#define ASKED_MS        (3600ull * 1000) /* how long an administrator has for an answer */
#define ASKED_MOST      4                /* that wait, of one person: the others' places are not his */

struct begin {
    struct http_request *req;
    struct view reason, request; /* request: its id, or empty */
    uint32_t seconds;
    struct request_found found; /* of request; version 0: none */
    struct refusal_of of;
    uint64_t until;
};

static const struct field begin_fields[] = {
    FIELD(1, struct begin, seconds, U32, EMERGENCY_MOST_S, .doc = "How long: 60 to 14400; 3600 if left out."),
    FIELD(2, struct begin, reason, TEXT, REQUEST_REASON_MAX, .doc = "Why; kept in the record. Needed."),
    FIELD(3, struct begin, request, TEXT, 32, .doc = "The request that was approved, where that is needed."),
};
static const struct entity begin_entity = ENTITY("EmergencyBegin", 0x0694, 1, struct begin, begin_fields);
static const struct field ask_fields[] = {
    FIELD(1, struct begin, seconds, U32, EMERGENCY_MOST_S, .doc = "How long: 60 to 14400; 3600 if left out."),
    FIELD(2, struct begin, reason, TEXT, REQUEST_REASON_MAX, .doc = "Why; kept in the record. Needed."),
};
static const struct entity ask_entity = ENTITY("EmergencyAsk", 0x0695, 1, struct begin, ask_fields);
static const struct field begun_fields[] = {
    FIELD(1, struct begin, until, TIME, 0, .flags = FIELD_REQUIRED, .doc = "When it ends by itself."),
};
static const struct entity begun_entity = ENTITY("EmergencyBegun", 0x0696, 1, struct begin, begun_fields);

/* --- what is asked */

static bool blank(struct view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] > ' ')
            return false;
    return true;
}

static RESULT read_begin(struct http_request *req, struct begin *b, struct problem *why)
{
    struct request_context who;

    *b = (struct begin){.req = req};
    TRY(http_request_entity(req, b, why));
    api_request_context(req, b->reason, &who);
    b->req = req;
    b->reason = who.reason;
    b->seconds = b->seconds ? b->seconds : SECONDS_DEFAULT;
    b->of = (struct refusal_of){.type = req->route->event, .what = req->route->name, .reason = b->reason};
    TRY(refusal_resource(req, "user:", people_caller_name(req), &b->of.resource));
    if (b->seconds < EMERGENCY_LEAST_S)
        return problem_set(why, ERR_OUT_OF_RANGE, "/seconds", "%d to %d", EMERGENCY_LEAST_S, EMERGENCY_MOST_S);
    return blank(b->reason) ? problem_set(why, ERR_REASON_NEEDED, "/reason", "%s", "") : OK;
}

/* One's own, and answered. What was approved then counts, not what is sent now. */
static RESULT find_request(struct begin *b, struct problem *why)
{
    struct id id;
    enum err e;

    if (b->request.len == 0)
        return OK;
    e = id_parse(b->request, &id);
    if (e == OK)
        e = request_get(api_of(b->req)->reader, people_keys(b->req), id.b, people_now(b->req), b->req->arena,
                        &b->found);
    const struct approval_request *r = &b->found.request;
    if (e == OK && (r->kind != APPROVE_EMERGENCY || !view_eq(r->name, people_caller_name(b->req))))
        e = ERR_NOT_FOUND;
    if (e != OK)
        return problem_set(why, e == ERR_NO_MEMORY ? e : ERR_NOT_FOUND, "/request", "%s",
                           "you have no such request, or it has expired");
    if (r->state != REQUEST_APPROVED)
        return problem_set(why, ERR_APPROVAL_NEEDED, "/request", "%s", "nobody has approved it yet");
    b->seconds = r->to;
    b->reason = b->of.reason = r->reason;
    return OK;
}

/* --- the keeper's record, then the session with it */

static enum http_outcome committed(struct api_change *c)
{
    struct begin *b = c->context;

    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return http_answer_entity(b->req, 200, &begun_entity, b);
}

static RESULT fill(struct begin *b, struct view entity, struct api_change *c)
{
    struct api_shared *s = api_of(b->req)->shared;
    struct record_object what = {.resource = b->of.resource};
    struct keeper_sealed done;
    struct txn_change put;
    uint8_t hash[32];

    TRY(entity_decode(&keeper_sealed_entity, entity, b->req->arena, &done));
    TRY(hex_get(api_caller_of(b->req)->session_id, hash, sizeof hash));
    b->until = people_now(b->req) + b->seconds * 1000ull;
    TRY(identity_session_emergency(s->identity, hash, b->until, b->req->arena, &put));
    TRY(api_change_put(c, &put));
    if (b->found.version) {
        TRY(request_remove(people_keys(b->req), &b->found, b->req->arena, &put));
        TRY(api_change_put(c, &put));
        TRY(request_detail(&b->found.request, b->req->arena, &what.detail));
    }
    /* Beside the keeper's, one of the front's own, which names the rows that it changed. */
    TRY(api_change_record(c, EVENT_EMERGENCY_BEGUN, OUTCOME_DONE, &what, b->reason));
    return api_change_authored(c, done.authored);
}

/* What can't be done here has its record all the same: the keeper's list of pending ones brings it. */
static enum http_outcome recorded(struct http_request *req, void *context, enum err error, struct view entity,
                                  const struct problem *why)
{
    struct begin *b = context;
    struct api_change *c = NULL;

    if (error != OK)
        return refusal_answer(req, &b->of, why);
    error = api_change_new(req, &c);
    if (error == OK)
        error = fill(b, entity, c);
    if (error != OK) {
        atomic_store(&api_of(req)->shared->health.look_for_lost, true);
        return http_answer_error(req, error == ERR_NOT_FOUND ? ERR_UNAUTHENTICATED : error);
    }
    c->then = committed;
    c->context = b;
    return api_change_submit(c);
}

static enum http_outcome begin_post(struct http_request *req)
{
    struct begin *b = arena_alloc(req->arena, sizeof *b);
    struct keeper_emergency q = {.name = people_caller_name(req)};
    struct problem why = {0};

    if (!b)
        return http_answer_error(req, ERR_NO_MEMORY);
    enum err e = read_begin(req, b, &why);
    if (e == OK)
        e = find_request(b, &why);
    if (e != OK)
        return why.code ? http_answer_problem(req, &why) : http_answer_error(req, e);
    q.seconds = b->seconds;
    memcpy(q.nonce, b->found.request.previous, sizeof q.nonce);
    q.approval = b->found.request.second;
    e = api_who(req, b->reason, &q.who);
    return e == OK ? api_call_keeper(req, KEEPER_EMERGENCY, &keeper_emergency_entity, &q, recorded, b)
                   : http_answer_error(req, e);
}

/* --- asking an administrator first */

struct asked {
    struct http_request *req;
    struct approval_request request;
};

static enum http_outcome asked(struct api_change *c)
{
    const struct asked *a = c->context;

    return c->txn.result == OK ? http_answer_entity(a->req, 201, &approval_request_entity, &a->request)
                               : api_change_failed(c);
}

static RESULT make_request(const struct begin *b, struct approval_request *r)
{
    const struct random *random = api_of(b->req)->shared->random;
    struct request_context who;

    api_request_context(b->req, b->reason, &who);
    *r = (struct approval_request){.kind = APPROVE_EMERGENCY,
                                   .state = REQUEST_WAITING,
                                   .name = people_caller_name(b->req),
                                   .to = b->seconds,
                                   .asked_by = who.actor,
                                   .asked_ms = people_now(b->req),
                                   .reason = b->reason};
    r->expiry_ms = (r->asked_ms + ASKED_MS) / 1000 * 1000; /* what is signed is the time as JSON writes it */
    TRY(random->fill(random, r->id, sizeof r->id));
    return random->fill(random, r->previous, sizeof r->previous);
}

static RESULT fill_asked(struct asked *a, const struct begin *b, struct api_change *c)
{
    struct record_object what = {0};
    struct txn_change put;

    TRY(make_request(b, &a->request));
    TRY(request_put(people_keys(a->req), &a->request, NULL, a->req->arena, &put));
    TRY(api_change_put(c, &put));
    TRY(request_resource(&a->request, a->req->arena, &what.resource));
    TRY(request_detail(&a->request, a->req->arena, &what.detail));
    return api_change_record(c, EVENT_APPROVAL_REQUESTED, OUTCOME_DONE, &what, b->reason);
}

struct waiting {
    struct view name;
    uint64_t now_ms;
    size_t all, his;
};

static RESULT count_one(void *context, const struct request_found *found)
{
    struct waiting *w = context;
    const struct approval_request *r = &found->request;

    w->all++;
    w->his += r->kind == APPROVE_EMERGENCY && view_eq(r->name, w->name) && !request_over(r, w->now_ms);
    return OK;
}

/* Whoever may override must not fill the list for everybody. */
static RESULT check_room(struct http_request *req, struct problem *why)
{
    struct waiting w = {.name = people_caller_name(req), .now_ms = people_now(req)};

    TRY(request_each(api_of(req)->reader, people_keys(req), count_one, &w));
    if (w.his >= ASKED_MOST)
        return problem_set(why, ERR_LIMIT_REACHED, "", "%d requests of yours wait already", ASKED_MOST);
    return w.all < REQUESTS_MAX ? OK : problem_set(why, ERR_LIMIT_REACHED, "", "%d requests wait", REQUESTS_MAX);
}

static enum http_outcome ask_post(struct http_request *req)
{
    struct asked *a = arena_alloc(req->arena, sizeof *a);
    struct begin b;
    struct api_change *c = NULL;
    struct problem why = {0};

    if (!a)
        return http_answer_error(req, ERR_NO_MEMORY);
    *a = (struct asked){.req = req};
    enum err e = read_begin(req, &b, &why);
    if (e == OK)
        e = check_room(req, &why);
    if (e == OK)
        e = api_change_new(req, &c);
    if (e == OK)
        e = fill_asked(a, &b, c);
    if (e != OK)
        return why.code ? http_answer_problem(req, &why) : http_answer_error(req, e);
    c->then = asked;
    c->context = a;
    return api_change_submit(c);
}

/* --- ending */

static enum http_outcome ended(struct api_change *c)
{
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return http_answer_empty(c->req, 204);
}

static RESULT fill_end(struct http_request *req, struct api_change *c)
{
    struct record_object what = {0};
    struct txn_change put;
    uint8_t hash[32];

    TRY(hex_get(api_caller_of(req)->session_id, hash, sizeof hash));
    TRY(identity_session_emergency(api_of(req)->shared->identity, hash, 0, req->arena, &put));
    TRY(api_change_put(c, &put));
    TRY(refusal_resource(req, "user:", people_caller_name(req), &what.resource));
    return api_change_record(c, EVENT_EMERGENCY_ENDED, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome end_delete(struct http_request *req)
{
    struct api_change *c = NULL;
    enum err e = api_change_new(req, &c);

    if (e == OK)
        e = fill_end(req, c);
    if (e != OK)
        return http_answer_error(req, e == ERR_NOT_FOUND ? ERR_UNAUTHENTICATED : e);
    c->then = ended;
    return api_change_submit(c);
}

#define EMERGENCY_ROW(method, address, handler, ...)                                                                   \
    ROUTE(method, "/api/v1/emergency" address, PERMISSION_EMERGENCY_OVERRIDE, handler, .tag = "emergency",             \
          .ways = WAY_SESSION, __VA_ARGS__)

static const struct route rows[] = {
    EMERGENCY_ROW(HTTP_POST, "", begin_post, .name = "emergency-begin", .flags = ROUTE_STEP_UP,
                  .summary = "Touch every secret for a while, in this session: break glass.",
                  .event = EVENT_EMERGENCY_ACCESS, .request = &begin_entity, .response = &begun_entity,
                  .body_limit = 8192),
    EMERGENCY_ROW(HTTP_POST, "/ask", ask_post, .name = "emergency-ask",
                  .summary = "Ask an administrator to approve it, where that is needed.",
                  .event = EVENT_APPROVAL_REQUESTED, .request = &ask_entity, .response = &approval_request_entity,
                  .status = 201, .body_limit = 8192),
    EMERGENCY_ROW(HTTP_DELETE, "", end_delete, .name = "emergency-end", .summary = "End it before its time.",
                  .event = EVENT_EMERGENCY_ENDED),
};
const struct route_table emergency_routes = {rows, ARRAY_LEN(rows)};
