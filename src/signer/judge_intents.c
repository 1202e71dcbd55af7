/* From parameters to what the policy judges: symbol, side, type, size, price, notional, destination. */
#include "signer/judge.h"

#include "base/json.h"
#include "base/text.h"

struct leg {
    uint32_t roles; /* which are there */
    struct intent intent;
    struct view venue_type; /* order type as the venue writes it */
    bool quoted;            /* notional is what the request states in quote currency */
};

enum param_role judge_role(const struct venue *v, const struct venue_endpoint *e, uint16_t id)
{
    if (id == NAME_NONE || !name_set_has(&e->all, id) || name_set_has(&e->roleless, id))
        return ROLE_NONE;
    return v->names[id].param->role;
}

static RESULT lower(struct arena *arena, struct view text, struct view *ret)
{
    char *copy = arena_str(arena, text);
    if (!copy)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < text.len; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    *ret = VIEW(copy, text.len);
    return OK;
}

static bool view_is_any_case(struct view v, const char *s)
{
    return v.len == strlen(s) && strncasecmp((const char *)v.ptr, s, v.len) == 0;
}

/* False where the text is no number: then the size is not known, which the policy treats as such. */
static bool amount(struct view value, uint8_t scale, struct decimal *ret)
{
    struct decimal d, unit = {1, scale};
    if (decimal_parse(value, &d) != OK || decimal_is_negative(d))
        return false;
    return decimal_mul(d, unit, ret) == OK;
}

static void take_max(bool *has, struct decimal *kept, struct decimal d)
{
    if (!*has || decimal_cmp(d, *kept) > 0)
        *kept = d;
    *has = true;
}

static RESULT leg_take(struct judging *j, const struct venue_param *p, enum param_role role, struct view value,
                       struct leg *leg)
{
    struct decimal d = {0};
    struct intent *in = &leg->intent;
    switch (role) {
    case ROLE_SYMBOL:
        in->symbol = value;
        break;
    case ROLE_SIDE:
        in->side = view_is_any_case(value, "buy") ? SIDE_BUY : view_is_any_case(value, "sell") ? SIDE_SELL : SIDE_NONE;
        break;
    case ROLE_ORDER_TYPE:
        leg->venue_type = value;
        TRY(lower(j->arena, value, &in->order_type));
        break;
    case ROLE_SIZE:
        if (amount(value, p->scale, &d))
            take_max(&in->has_size, &in->size, d);
        break;
    case ROLE_QUOTE_SIZE:
        leg->quoted = amount(value, p->scale, &in->notional);
        in->other_size = in->other_size || !leg->quoted || !decimal_is_zero(in->notional);
        break;
    case ROLE_PRICE:
        if (amount(value, p->scale, &d))
            take_max(&in->has_price, &in->price, d);
        break;
    case ROLE_CLOSE_ALL:
        if (!view_is_any_case(value, "true"))
            return OK;
        in->other_size = true;
        break;
    case ROLE_DESTINATION:
        in->destination = value;
        break;
    default:
        break;
    }
    leg->roles |= ROLE_BIT(role);
    return OK;
}

static RESULT legs_read(struct judging *j, const struct venue_endpoint *e, const struct reading *r, struct leg *legs)
{
    for (size_t pass = 0; pass < 2; pass++) {
        /* What legs share comes first, so that each can begin as a copy of it. */
        for (size_t n = 1; pass == 1 && n < LEGS_MAX; n++)
            legs[n] = legs[0];
        for (size_t i = 0; i < r->count; i++) {
            const struct given *g = &r->items[i];
            enum param_role role = judge_role(j->venue, e, g->id);
            if (role == ROLE_NONE || g->value.len == 0)
                continue;
            const struct venue_param *p = j->venue->names[g->id].param;
            uint8_t mask = p->legs ? p->legs : 1;
            for (size_t n = pass; n < (pass ? LEGS_MAX : 1); n++)
                if (mask >> n & 1)
                    TRY(leg_take(j, p, role, g->value, &legs[n]));
        }
    }
    return OK;
}

/* Every venue refuses an order without a size, and a limit order without a price. */
static bool order_complete(const struct venue *v, const struct leg *leg)
{
    if (!(leg->roles & (ROLE_BIT(ROLE_SIZE) | ROLE_BIT(ROLE_QUOTE_SIZE) | ROLE_BIT(ROLE_CLOSE_ALL))))
        return false;
    const struct venue_order_type *t = venue_order_type_of(v, leg->venue_type);
    for (size_t i = 0; t && i < t->needs.count; i++)
        if (!(t->need_bits[i] & leg->roles))
            return false;
    return true;
}

/* A price that stands beside a market order is one that the venue may ignore, and so is that of an amendment, which
 * does not say of what type its order is. */
static bool price_binds(const struct venue *v, const struct leg *leg)
{
    const struct venue_order_type *t = venue_order_type_of(v, leg->venue_type);
    for (size_t i = 0; t && i < t->needs.count; i++)
        if (t->need_bits[i] & ROLE_BIT(ROLE_PRICE))
            return !(leg->roles & ROLE_BIT(ROLE_PRICE_RULE)); /* else the venue finds a price of its own */
    return false;
}

static void notional_set(const struct venue_endpoint *e, struct leg *leg)
{
    struct intent *in = &leg->intent;
    if (e->contracts) {
        in->has_notional = leg->quoted = false;
        return;
    }
    struct decimal product;
    bool both = in->has_size && in->has_price;
    bool known = both && decimal_mul(in->size, in->price, &product) == OK;
    in->has_notional = both ? known : leg->quoted;
    if (known && (!leg->quoted || decimal_cmp(product, in->notional) > 0))
        in->notional = product;
}

/* Some calls take several symbols, joined by commas: each is an intent. */
static RESULT add_each_symbol(struct judging *j, struct intent in)
{
    struct view rest = in.symbol;
    const uint8_t *comma;
    while (rest.len && (comma = memchr(rest.ptr, ',', rest.len))) {
        in.symbol = VIEW(rest.ptr, (size_t)(comma - rest.ptr));
        rest = VIEW(comma + 1, rest.len - in.symbol.len - 1);
        TRY(intents_add(j->intents, j->arena, &in));
    }
    in.symbol = rest;
    return intents_add(j->intents, j->arena, &in);
}

static RESULT leg_add(struct judging *j, const struct venue_endpoint *e, struct leg *leg, enum reading_kind kind)
{
    struct intent *in = &leg->intent;
    in->class = e->class;
    in->endpoint = e->call;
    in->formable = kind != AS_CLAIMED;
    in->lasting = kind == FORMABLE_LASTING;
    bool fits = venue_symbol_fits(e, in->symbol);
    if (!fits && kind == AS_CLAIMED)
        return problem_set(j->why, ERR_BAD_VALUE, "symbol", "this endpoint has no symbol of that form");
    bool complete = e->class != INTENT_ORDER || order_complete(j->venue, leg);
    if (!complete && kind == AS_CLAIMED)
        return problem_set(j->why, ERR_BAD_VALUE, "type", "an order of this type needs a size, a price or a trigger");
    if (!fits || (!complete && kind == FORMABLE))
        return OK;
    in->price_binds = price_binds(j->venue, leg);
    notional_set(e, leg);
    TRY(add_each_symbol(j, *in));
    if (!e->also_cancels)
        return OK;
    struct intent cancel = {.class = INTENT_CANCEL,
                            .endpoint = e->call,
                            .formable = in->formable,
                            .lasting = in->lasting,
                            .symbol = in->symbol};
    return add_each_symbol(j, cancel);
}

static RESULT member_reading(struct judging *j, const struct venue_endpoint *e, json_t *member, enum reading_kind kind,
                             struct reading *r)
{
    char *text = json_dumps(member, JSON_COMPACT);
    if (!text)
        return ERR_NO_MEMORY;
    enum err err = reading_new(j->arena, r);
    if (err == OK)
        err = params_json(j->venue, view_str(text), IN_BODY, j->arena, r, j->why);
    free(text);
    TRY(err);
    if (kind == AS_CLAIMED)
        return params_check(j->venue, e->member, r, j->why);
    return venue_formable(e->member, &r->have) ? OK : ERR_MISSING_FIELD;
}

static RESULT judge_list(struct judging *j, const struct venue_endpoint *e, struct view text, enum reading_kind kind)
{
    AUTO(json_decref) json_t *list = NULL;
    enum err err = json_read(text, &list, j->why);
    if (err == OK && (!json_is_array(list) || json_array_size(list) == 0))
        err = problem_set(j->why, ERR_WRONG_TYPE, "", "expected a list of orders");
    struct venue_endpoint like = e->member ? *e->member : *e;
    like.call = e->call;
    like.class = e->class;
    like.each = VIEW(NULL, 0);
    for (size_t i = 0; err == OK && i < json_array_size(list); i++) {
        struct reading r;
        err = json_is_object(json_array_get(list, i)) ? member_reading(j, e, json_array_get(list, i), kind, &r)
                                                      : ERR_WRONG_TYPE;
        if (err == OK)
            err = judge_intents(j, &like, &r, kind);
    }
    /* Text that the venue can't read as orders forms nothing. */
    return kind == AS_CLAIMED || err == ERR_NO_MEMORY || err == ERR_LIMIT_REACHED ? err : OK;
}

RESULT judge_intents(struct judging *j, const struct venue_endpoint *e, const struct reading *r, enum reading_kind kind)
{
    if (e->member)
        for (size_t i = 0; i < r->count; i++)
            if (judge_role(j->venue, e, r->items[i].id) == ROLE_ORDERS)
                return judge_list(j, e, r->items[i].value, kind);
    struct leg legs[LEGS_MAX] = {0};
    TRY(legs_read(j, e, r, legs));
    bool listed = false;
    for (size_t n = 1; n < LEGS_MAX; n++) {
        /* A leg is an order of its own once it has a type of its own. */
        bool own = legs[n].venue_type.ptr != legs[0].venue_type.ptr;
        if (own)
            TRY(leg_add(j, e, &legs[n], kind));
        listed = listed || own;
    }
    return listed ? OK : leg_add(j, e, &legs[0], kind);
}

RESULT judge_formable(struct judging *j, const struct venue_endpoint *e, const struct reading *r,
                      enum reading_kind kind)
{
    if (!venue_signable(e, j->scheme->algorithm) || !venue_formable(e, &r->have))
        return OK;
    if (e->class == INTENT_READ) {
        if (j->read_said || (j->claimed && j->claimed->class == INTENT_READ))
            return OK;
        j->read_said = true;
        struct intent in = {.class = INTENT_READ, .endpoint = e->call, .formable = true};
        return intents_add(j->intents, j->arena, &in);
    }
    return judge_intents(j, e, r, kind);
}
