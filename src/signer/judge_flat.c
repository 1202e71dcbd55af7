/* Binance and its like sign query + body and nothing else. So the same signature serves
 *   - every method, host and path whose required parameters are all there: the rest is ignored;
 *   - any place at which the text is split into query and body. A split inside a name or a value makes one parameter
 *     vanish, or become another whose name is the end of its name, or lose the end of its value.
 * A number that loses its end only gets smaller, which no limit of a policy forbids, so these need no reading. */
#include "signer/judge.h"

static RESULT every_endpoint(struct judging *j, const struct reading *r, uint16_t touched)
{
    for (size_t i = 0; i < j->venue->decl.endpoints.count; i++) {
        const struct venue_endpoint *e = venue_endpoint_at(j->venue, i);
        if (touched == NAME_NONE ? e == j->claimed : judge_role(j->venue, e, touched) == ROLE_NONE)
            continue;
        TRY(judge_formable(j, e, r, FORMABLE));
    }
    return OK;
}

/* Endpoints for which the name at the end of a name counts, whatever its role: it may be what they require. */
static RESULT every_endpoint_with(struct judging *j, const struct reading *r, uint16_t id)
{
    for (size_t i = 0; i < j->venue->decl.endpoints.count; i++) {
        const struct venue_endpoint *e = venue_endpoint_at(j->venue, i);
        if (name_set_has(&e->all, id))
            TRY(judge_formable(j, e, r, FORMABLE));
    }
    return OK;
}

static RESULT split_in_name(struct judging *j, const struct reading *r, size_t at)
{
    struct given g = r->items[at];
    struct reading without;
    TRY(reading_copy(j->arena, r, &without));
    reading_remove(&without, at);
    TRY(every_endpoint(j, &without, g.id));
    for (size_t cut = 1; cut < g.name.len; cut++) {
        struct given tail = g;
        tail.name = VIEW(g.name.ptr + cut, g.name.len - cut);
        tail.id = venue_name_id(j->venue, tail.name);
        if (tail.id == NAME_NONE)
            continue;
        struct reading renamed;
        TRY(reading_copy(j->arena, &without, &renamed));
        /* Where that name is there already, the venue sees it twice: refuse, it could take either. */
        if (reading_add(&renamed, &tail, NULL) != OK)
            return problem_set(j->why, ERR_AMBIGUOUS_SIGNATURE, "", "two parameters could be read as the same one");
        TRY(every_endpoint_with(j, &renamed, tail.id));
    }
    return OK;
}

static RESULT with_value(struct judging *j, const struct reading *r, size_t at, struct view value)
{
    struct reading cut;
    TRY(reading_copy(j->arena, r, &cut));
    cut.items[at].value = value;
    return every_endpoint(j, &cut, r->items[at].id);
}

static bool ends_in_quote(const struct venue *v, struct view symbol)
{
    for (size_t i = 0; i < v->decl.quotes.count; i++) {
        struct view q = v->decl.quotes.items[i];
        if (symbol.len > q.len && view_eq(VIEW(symbol.ptr + symbol.len - q.len, q.len), q))
            return true;
    }
    return false;
}

static RESULT split_in_value(struct judging *j, const struct reading *r, size_t at)
{
    const struct given *g = &r->items[at];
    enum param_role role = g->id == NAME_NONE ? ROLE_NONE : j->venue->names[g->id].param->role;
    if (role != ROLE_SYMBOL && role != ROLE_ORDER_TYPE && role != ROLE_DESTINATION)
        return OK;
    for (size_t len = g->value.len; len-- > 1;) {
        struct view value = VIEW(g->value.ptr, len);
        bool counts = role == ROLE_SYMBOL       ? ends_in_quote(j->venue, value)
                      : role == ROLE_ORDER_TYPE ? venue_order_type_of(j->venue, value) != NULL
                                                : len == g->value.len - 1;
        if (counts)
            TRY(with_value(j, r, at, value));
    }
    return OK;
}

RESULT judge_flat(struct judging *j, const struct reading *r)
{
    if (j->request->query.len && j->request->body.len)
        return problem_set(j->why, ERR_AMBIGUOUS_SIGNATURE, "",
                           "query and body are signed without a separator: send all parameters in one of them");
    TRY(every_endpoint(j, r, NAME_NONE));
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].place == BY_SIGNER)
            continue;
        TRY(split_in_name(j, r, i));
        TRY(split_in_value(j, r, i));
    }
    return OK;
}
