#include "api/refusal.h"

RESULT refusal_resource(const struct http_request *req, const char *prefix, struct view path, struct view *ret)
{
    AUTO_WRITER w = writer_new(2048);

    writer_str(&w, prefix);
    writer_view(&w, path);
    TRY(writer_done(&w));
    return arena_copy(req->arena, writer_view_of(&w), ret);
}

static const struct {
    enum err code;
    uint16_t event;
    uint8_t outcome;
} kinds[] = {
    {ERR_FORBIDDEN, EVENT_PERMISSION_DENIED, OUTCOME_REFUSED},
    {ERR_TAMPERED, EVENT_TAMPERING_FOUND, OUTCOME_FAILED},
};

static void kind_of(const struct refusal_of *of, enum err code, uint16_t *ret_event, uint8_t *ret_outcome)
{
    *ret_event = of->type;
    *ret_outcome = OUTCOME_REFUSED;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].code == code) {
            *ret_event = kinds[i].event;
            *ret_outcome = kinds[i].outcome;
        }
}

static enum http_outcome recorded(struct api_change *c)
{
    return c->txn.result == OK ? http_answer_problem(c->req, c->context) : api_change_failed(c);
}

/* What is told may say less than what is recorded: why.code is the answer, the record has of->what beside it. */
static RESULT record(struct http_request *req, const struct refusal_of *of, const struct problem *why,
                     struct api_change **ret)
{
    AUTO_WRITER detail = writer_new(1024);
    struct record_object what = {.resource = of->resource, .error = view_str(err_code(why->code))};
    struct problem *kept = arena_alloc(req->arena, sizeof *kept);
    struct api_change *c;
    uint16_t event;
    uint8_t outcome;

    if (!kept)
        return ERR_NO_MEMORY;
    *kept = *why;
    writer_str(&detail, of->what);
    if (why->detail[0])
        writer_printf(&detail, ": %s", why->detail);
    TRY(writer_done(&detail));
    TRY(arena_copy(req->arena, writer_view_of(&detail), &what.detail));
    TRY(api_change_new(req, &c));
    c->then = recorded;
    c->context = kept;
    kind_of(of, why->code, &event, &outcome);
    TRY(api_change_record(c, event, (enum outcome)outcome, &what, of->reason));
    *ret = c;
    return OK;
}

enum http_outcome refusal_answer(struct http_request *req, const struct refusal_of *of, const struct problem *why)
{
    struct api_change *c;
    enum err e;

    if (err_http(why->code) >= 500 && why->code != ERR_TAMPERED)
        return http_answer_problem(req, why);
    e = record(req, of, why, &c);
    return e == OK ? api_change_submit(c) : http_answer_error(req, e);
}

enum http_outcome refusal_code(struct http_request *req, const struct refusal_of *of, enum err code, const char *detail)
{
    struct problem why = {0};

    (void)!problem_set(&why, code, "", "%s", detail);
    return refusal_answer(req, of, &why);
}
