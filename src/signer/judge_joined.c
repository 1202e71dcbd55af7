/* Phemex signs path + query + expiry + body, joined without separators, and no method. So the same signature serves
 *   - every method of that path, and of every declared path that the joined text begins with;
 *   - any run of digits as the expiry, if it lies in the future: the digits before it then belong to the query, and
 *     what follows is the body. Digits that the query ends with can move into the expiry, which then never comes.
 * Bodies are JSON objects, and the query holds no brace and no quote (rest_params.c refuses them in names and
 * escapes are not undone before signing), so a body can begin only where ours does, or be empty, or be no JSON at all,
 * which a method that takes its parameters from the query may ignore. */
#include "signer/judge.h"

#define EXPIRY_DIGITS 10 /* any fewer lie before the year 2002 */
#define DIGITS_MAX    64 /* in a row, in a query */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Position just after the first EXPIRY_DIGITS digits in a row, or 0. */
static size_t digit_run(struct view text, size_t from)
{
    size_t run = 0;
    for (size_t i = from; i < text.len; i++) {
        run = is_digit(text.ptr[i]) ? run + 1 : 0;
        if (run == EXPIRY_DIGITS)
            return i + 1;
    }
    return 0;
}

/* The end of the whole run that holds position i. */
static size_t run_end(struct view text, size_t i)
{
    while (i < text.len && is_digit(text.ptr[i]))
        i++;
    return i;
}

static bool path_begins(const struct venue_endpoint *e, struct view text)
{
    return e->path.len && e->path.len <= text.len && view_eq(VIEW(text.ptr, e->path.len), e->path);
}

/* Every endpoint that the text can address, with the query that then remains and the body as given. */
static RESULT address(struct judging *j, struct view path_and_query, const struct reading *body, enum reading_kind kind)
{
    for (size_t i = 0; i < j->venue->decl.endpoints.count; i++) {
        const struct venue_endpoint *e = venue_endpoint_at(j->venue, i);
        if (!path_begins(e, path_and_query) || (kind == FORMABLE && e == j->claimed))
            continue;
        struct reading r;
        TRY(reading_new(j->arena, &r));
        TRY(params_lenient(j->venue, VIEW(path_and_query.ptr + e->path.len, path_and_query.len - e->path.len), j->arena,
                           &r));
        for (size_t k = 0; body && k < body->count; k++)
            if (body->items[k].place == IN_BODY && !reading_find(&r, body->items[k].id))
                TRY(reading_add(&r, &body->items[k], j->why));
        /* What was cut to nothing may still be taken as given: not to be relied on when it stays valid. */
        for (size_t k = 0; kind == FORMABLE_LASTING && k < r.count; k++)
            if (r.items[k].id != NAME_NONE)
                name_set_add(&r.have, r.items[k].id);
        /* A read that stays valid is still a read. */
        if (kind == FORMABLE || e->class != INTENT_READ)
            TRY(judge_formable(j, e, &r, kind));
    }
    return OK;
}

/* The query ends in digits: they can be the beginning of another expiry. */
static RESULT shift_tail(struct judging *j, struct view text, const struct reading *r)
{
    if (!j->request->query.len || !is_digit(text.ptr[text.len - 1]))
        return OK;
    for (size_t len = text.len - 1; len > j->request->path.len; len--) {
        TRY(address(j, VIEW(text.ptr, len), r, FORMABLE_LASTING));
        if (!is_digit(text.ptr[len - 1]))
            break;
    }
    return OK;
}

/* The query holds digits that can be an expiry themselves: what follows them is cut off. */
static RESULT shift_inside(struct judging *j, struct view text)
{
    for (size_t end = digit_run(text, j->request->path.len); end;) {
        size_t last = run_end(text, end);
        if (last - end > DIGITS_MAX)
            return problem_set(j->why, ERR_BAD_VALUE, "/query", "more than %d digits in a row", DIGITS_MAX);
        for (size_t start = last - EXPIRY_DIGITS; start + EXPIRY_DIGITS >= end; start--)
            TRY(address(j, VIEW(text.ptr, start), NULL, FORMABLE_LASTING));
        end = digit_run(text, last);
    }
    return OK;
}

RESULT judge_joined(struct judging *j, const struct reading *r)
{
    const struct sign_request *q = j->request;
    uint8_t *text = arena_alloc(j->arena, q->path.len + q->query.len + 1);
    if (!text)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(text, q->path.len + q->query.len + 1);
    writer_view(&w, q->path);
    writer_view(&w, q->query);
    TRY(writer_done(&w));
    struct view joined = writer_view_of(&w);
    TRY(address(j, joined, r, FORMABLE));
    TRY(shift_inside(j, joined));
    TRY(shift_tail(j, joined, r));
    /* Digits in the body as expiry: the query grows by what is no parameter, and the body's own are gone. */
    return digit_run(q->body, 0) ? address(j, joined, NULL, FORMABLE_LASTING) : OK;
}
