/* What the rules against attack patterns say of a request that nobody sent: why one is refused, and which exclusion
 * mends it. Of one whose path has more than one reading the guard asks no rule, and neither do we. */
#include "api/inspect.h"
#include "api/proxied.h"
#include "api/routes.h"
#include "base/fields.h"

#include "domain/guard/patterns/rule_file.h"
#include "http/head.h"

#define HEADERS_MAX 64
#define BODY_LIMIT  ((size_t)512 * 1024)

struct header {
    struct view name, value;
};
static const struct field header_fields[] = {
    FIELD(1, struct header, name, TEXT, 128, .min = 1, .flags = FIELD_REQUIRED),
    FIELD(2, struct header, value, TEXT, 8192, .flags = FIELD_REQUIRED),
};
static const struct entity header_entity = ENTITY("GuardRequestHeader", 0x0790, 1, struct header, header_fields);

struct ask {
    struct view target, body;
    struct entity_list headers;
};
static const struct field ask_fields[] = {
    FIELD(1, struct ask, target, TEXT, 8192, .min = 1, .flags = FIELD_REQUIRED,
          .doc = "Path and query, as a client sends them."),
    FIELD(2, struct ask, headers, LIST, HEADERS_MAX, .nested = &header_entity,
          .doc = "Content-Type among them, if there is a body."),
    FIELD_AS(3, struct ask, body, "body_base64", BYTES, CONFIG_PATTERNS_BODY_MAX),
};
static const struct entity ask_entity = ENTITY("GuardRequest", 0x0791, 1, struct ask, ask_fields);

struct hit {
    struct view rule, class, part, parameter;
    uint32_t score;
    bool only_counts;
};
static const struct field hit_fields[] = {
    FIELD(1, struct hit, rule, TEXT, 64, .flags = FIELD_REQUIRED),
    FIELD_AS(2, struct hit, class, "class", TEXT, 32, .flags = FIELD_REQUIRED),
    FIELD(3, struct hit, part, TEXT, 32, .flags = FIELD_REQUIRED, .doc = "Of the request."),
    FIELD(4, struct hit, parameter, TEXT, 4 * PATTERNS_NAME_MAX, .doc = "Its name as it was sent, cut."),
    FIELD(5, struct hit, score, U32, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(6, struct hit, only_counts, BOOL, 0, .doc = "Not part of the score, by the rule's mode."),
};
static const struct entity hit_entity = ENTITY("GuardRequestHit", 0x0792, 1, struct hit, hit_fields);

struct finding {
    struct view verdict, detail;
    uint8_t mode; /* enum config_patterns_mode */
    uint32_t score, threshold;
    bool longer;
    struct entity_list hits;
};
static const struct field finding_fields[] = {
    FIELD(
        1, struct finding, verdict, TEXT, 64, .flags = FIELD_REQUIRED,
        .doc = "allowed, or the code with which the rules refuse it; path-ambiguous, if the guard would not ask them."),
    FIELD(2, struct finding, score, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "Of the worst parameter."),
    FIELD(3, struct finding, threshold, U32, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(4, struct finding, longer, BOOL, 0, .doc = "Something was beyond the limit, and not looked at."),
    FIELD(5, struct finding, hits, LIST, PATTERNS_HITS_MAX, .flags = FIELD_PRINT_ZERO, .nested = &hit_entity),
    FIELD(6, struct finding, mode, ENUM, 0, .min = 1, .names = config_patterns_modes,
          .doc = "Of the rules: count refuses nothing, and with off nothing was looked at."),
    FIELD(7, struct finding, detail, TEXT, 0, .doc = "What is ambiguous about the path."),
};
static const struct entity finding_entity = ENTITY("GuardRequestFinding", 0x0793, 1, struct finding, finding_fields);

static RESULT to_request(struct http_request *req, const struct ask *ask, struct patterns_request *ret,
                         struct problem *why)
{
    const struct header *headers = ask->headers.items;
    struct patterns_field *fields = arena_alloc(req->arena, ask->headers.count * sizeof *fields + 1);
    struct patterns_request r = {.target = ask->target, .headers = fields, .body = ask->body};
    if (!fields)
        return ERR_NO_MEMORY;
    TRY(proxied_path(ask->target, req->arena, &r.endpoint, why));
    for (size_t i = 0; i < ask->headers.count; i++) {
        if (inspect_looks_at(headers[i].name))
            fields[r.header_count++] = (struct patterns_field){headers[i].name, headers[i].value};
        if (ask->body.len && head_name_is(headers[i].name, VIEW_STR("content-type")))
            r.kind = patterns_body_kind(headers[i].value);
    }
    if (ask->body.len && r.kind == PATTERNS_BODY_NONE)
        r.kind = PATTERNS_BODY_TEXT;
    *ret = r;
    return OK;
}

static RESULT show_hit(struct arena *arena, const struct patterns_hit *from, struct hit *to)
{
    AUTO_WRITER w = writer_new(8 * PATTERNS_NAME_MAX);
    *to = (struct hit){.rule = view_str(from->id),
                       .class = view_str(patterns_class_names[from->class]),
                       .part = view_str(patterns_part_names[from->part]),
                       .score = from->score,
                       .only_counts = from->counts_only};
    text_put_safe(&w, VIEW(from->name, from->name_len));
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), &to->parameter);
}

static enum http_outcome answer_ambiguous(struct http_request *req, const struct problem *why)
{
    const struct config_patterns *c = &api_of(req)->shared->config->guard.patterns;
    const struct finding f = {.verdict = view_str(err_code(why->code)),
                              .detail = view_str(why->detail),
                              .threshold = c->threshold,
                              .mode = c->mode};
    return http_answer_entity(req, 200, &finding_entity, &f);
}

static enum http_outcome check_post(struct http_request *req)
{
    const struct api_thread *t = api_of(req);
    const struct config_patterns *c = &t->shared->config->guard.patterns;
    struct patterns_verdict v = {0};
    struct patterns_request r;
    struct hit hits[PATTERNS_HITS_MAX];
    struct ask ask = {0};
    struct problem why = {0};
    if (http_request_entity(req, &ask, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = to_request(req, &ask, &r, &why);
    if (e == ERR_PATH_AMBIGUOUS)
        return answer_ambiguous(req, &why);
    if (e == OK && t->shared->patterns)
        e = patterns_check(t->shared->patterns, &r, t->patterns, &v);
    for (size_t i = 0; e == OK && i < v.hit_count; i++)
        e = show_hit(req->arena, &v.hits[i], &hits[i]);
    if (e != OK)
        return http_answer_error(req, e);
    enum err refusal = inspect_refusal(c, &v);
    const struct finding f = {.verdict = view_str(refusal == OK ? "allowed" : err_code(refusal)),
                              .score = v.score,
                              .threshold = c->threshold,
                              .longer = v.longer,
                              .mode = c->mode,
                              .hits = {hits, v.hit_count}};
    return http_answer_entity(req, 200, &finding_entity, &f);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/guard/check-request", PERMISSION_SYSTEM_CONFIG, check_post, .name = "guard-check-request",
          .summary = "What the rules against attack patterns say of a request", .tag = "guard", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .request = &ask_entity, .response = &finding_entity, .body_limit = BODY_LIMIT),
};
const struct route_table patterns_routes = {routes, ARRAY_LEN(routes)};
