/* Reading a policy, and refusing one that contradicts itself: a rule that can never match is a mistake that somebody
 * would find out at the worst moment. */
#include "signer/policy_model.h"

#include "base/text.h"

#define POLICY_MEMORY_MAX    ((size_t)1024 * 1024)
#define WHERE_SIZE           96
#define BAD(why, where, ...) problem_set(why, ERR_BAD_POLICY, where, __VA_ARGS__)
/* What each rule alone may say, and not both. */
#define CLASH(why, where, ...) problem_set(why, ERR_CONTRADICTORY_POLICY, where, __VA_ARGS__)

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const char *const side_names[] = {"buy", "sell", NULL};

static int index_in(struct view text, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (view_is(text, names[i]))
            return i;
    return -1;
}

static void put_where(char out[static WHERE_SIZE], const char *list, size_t row, const char *member)
{
    snprintf(out, WHERE_SIZE, "/%s/%zu%s%s", list, row, member[0] ? "/" : "", member);
}

static RESULT bad_row(struct problem *why, const char *list, size_t row, const char *member, const char *detail)
{
    char where[WHERE_SIZE];
    put_where(where, list, row, member);
    return BAD(why, where, "%s", detail);
}

static RESULT clash_row(struct problem *why, const char *list, size_t row, const char *member, const char *detail)
{
    char where[WHERE_SIZE];
    put_where(where, list, row, member);
    return CLASH(why, where, "%s", detail);
}

static RESULT positive(struct view text, struct decimal *ret)
{
    TRY(decimal_parse(text, ret));
    return decimal_is_negative(*ret) || decimal_is_zero(*ret) ? ERR_OUT_OF_RANGE : OK;
}

static RESULT no_repeats(const struct text_list *l, const char *name, struct problem *why)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].len == 0 || !text_printable(l->items[i]))
            return bad_row(why, name, i, "", "an empty text or one with control characters matches nothing");
        for (size_t k = 0; k < i; k++)
            if (view_eq(l->items[i], l->items[k]))
                return bad_row(why, name, i, "", "this is in the list already");
    }
    return OK;
}

static RESULT check_lists(const struct policy_doc *d, struct problem *why)
{
    TRY(no_repeats(&d->classes, "classes", why));
    TRY(no_repeats(&d->endpoints, "endpoints", why));
    TRY(no_repeats(&d->symbols, "symbols", why));
    TRY(no_repeats(&d->blocked_symbols, "blocked_symbols", why));
    TRY(no_repeats(&d->sides, "sides", why));
    TRY(no_repeats(&d->order_types, "order_types", why));
    TRY(no_repeats(&d->destinations, "destinations", why));
    TRY(no_repeats(&d->callers, "callers", why));
    return no_repeats(&d->sources, "sources", why);
}

static RESULT check_classes(struct policy_doc *d, struct problem *why)
{
    if (d->classes.count == 0)
        d->class_mask = 1U << INTENT_READ;
    for (size_t i = 0; i < d->classes.count; i++) {
        int class = index_in(d->classes.items[i], intent_class_names);
        if (class < 0)
            return bad_row(why, "classes", i, "", "there is no such class of request");
        d->class_mask |= 1U << class;
    }
    bool trades = d->class_mask & (1U << INTENT_ORDER | 1U << INTENT_AMEND);
    bool moves = d->class_mask & (1U << INTENT_TRANSFER | 1U << INTENT_WITHDRAW);
    if ((d->class_mask & 1U << INTENT_WITHDRAW) && d->destinations.count == 0)
        return CLASH(why, "/destinations", "withdrawals are allowed, but no destination is: name them");
    if (d->destinations.count && !moves)
        return CLASH(why, "/destinations", "nothing that moves funds is allowed, so destinations can never match");
    if (trades)
        return OK;
    if (d->sides.count || d->order_types.count || d->max_size.count || d->max_notional.len || d->windows.count ||
        d->reference_prices.count)
        return CLASH(why, "/classes", "there are limits for orders, but orders are not allowed");
    return OK;
}

static RESULT check_symbols(const struct policy_doc *d, struct problem *why)
{
    for (size_t i = 0; i < d->symbols.count; i++)
        if (policy_glob_any(&d->blocked_symbols, d->symbols.items[i]))
            return clash_row(why, "symbols", i, "", "this symbol is both allowed and blocked");
    for (size_t i = 0; i < d->sides.count; i++)
        if (index_in(d->sides.items[i], side_names) < 0)
            return bad_row(why, "sides", i, "", "a side is buy or sell");
    for (size_t i = 0; i < d->order_types.count; i++)
        for (size_t k = 0; k < d->order_types.items[i].len; k++)
            if (d->order_types.items[i].ptr[k] >= 'A' && d->order_types.items[i].ptr[k] <= 'Z')
                return bad_row(why, "order_types", i, "", "order types are written in lower case here");
    return OK;
}

/* A row for a symbol that no order may have can never match. */
static bool symbol_usable(const struct policy_doc *d, struct view symbol)
{
    if (policy_glob_any(&d->blocked_symbols, symbol))
        return false;
    return d->symbols.count == 0 || policy_glob_any(&d->symbols, symbol);
}

static RESULT check_sizes(struct policy_doc *d, struct problem *why)
{
    struct policy_size *s = d->max_size.items;
    for (size_t i = 0; i < d->max_size.count; i++) {
        if (positive(s[i].size, &s[i].limit) != OK)
            return bad_row(why, "max_size", i, "size", "a size is a decimal number larger than 0");
        if (!view_is(s[i].symbol, "*") && !symbol_usable(d, s[i].symbol))
            return clash_row(why, "max_size", i, "symbol", "this symbol is not allowed, so the limit can never match");
        for (size_t k = 0; k < i; k++)
            if (view_eq(s[i].symbol, s[k].symbol))
                return clash_row(why, "max_size", i, "symbol", "there is a limit for this symbol already");
    }
    return OK;
}

static RESULT check_prices(struct policy_doc *d, struct problem *why)
{
    struct policy_price *p = d->reference_prices.items;
    for (size_t i = 0; i < d->reference_prices.count; i++) {
        if (positive(p[i].price, &p[i].value) != OK)
            return bad_row(why, "reference_prices", i, "price", "a price is a decimal number larger than 0");
        if (!symbol_usable(d, p[i].symbol))
            return clash_row(why, "reference_prices", i, "symbol", "this symbol is not allowed");
        for (size_t k = 0; k < i; k++)
            if (view_eq(p[i].symbol, p[k].symbol))
                return clash_row(why, "reference_prices", i, "symbol", "there is a price for this symbol already");
    }
    return OK;
}

static RESULT check_windows(struct policy_doc *d, struct problem *why)
{
    struct policy_limit *w = d->windows.items;
    if (d->max_notional.len && positive(d->max_notional, &d->notional_limit) != OK)
        return BAD(why, "/max_notional", "a notional is a decimal number larger than 0");
    for (size_t i = 0; i < d->windows.count; i++) {
        if (w[i].orders == 0 && w[i].notional.len == 0)
            return bad_row(why, "windows", i, "", "a window limits orders, notional, or both");
        if (w[i].notional.len && positive(w[i].notional, &w[i].limit) != OK)
            return bad_row(why, "windows", i, "notional", "a notional is a decimal number larger than 0");
        for (size_t k = 0; k < i; k++)
            if (w[i].seconds == w[k].seconds)
                return clash_row(why, "windows", i, "seconds", "there is a window of this length already");
    }
    return OK;
}

static RESULT minute_of(struct view text, uint32_t *ret)
{
    static const uint8_t digits[] = {0, 1, 3, 4};
    if (text.len != 5 || text.ptr[2] != ':')
        return ERR_MALFORMED;
    for (size_t i = 0; i < ARRAY_LEN(digits); i++)
        if (text.ptr[digits[i]] < '0' || text.ptr[digits[i]] > '9')
            return ERR_MALFORMED;
    uint32_t hour = (uint32_t)(text.ptr[0] - '0') * 10 + (uint32_t)(text.ptr[1] - '0');
    uint32_t minute = (uint32_t)(text.ptr[3] - '0') * 10 + (uint32_t)(text.ptr[4] - '0');
    *ret = hour * 60 + minute;
    return minute > 59 || *ret > 1440 ? ERR_OUT_OF_RANGE : OK;
}

static RESULT check_hours(struct policy_doc *d, struct problem *why)
{
    struct policy_span *s = d->hours.items;
    for (size_t i = 0; i < d->hours.count; i++) {
        if (minute_of(s[i].from, &s[i].from_min) != OK)
            return bad_row(why, "hours", i, "from", "write the time as HH:MM in UTC");
        if (minute_of(s[i].to, &s[i].to_min) != OK)
            return bad_row(why, "hours", i, "to", "write the time as HH:MM in UTC, up to 24:00");
        if (s[i].from_min >= s[i].to_min)
            return bad_row(why, "hours", i, "to", "the time span is empty; write one over midnight as two");
        s[i].day_mask = s[i].days.count ? 0 : 0x7f;
        for (size_t k = 0; k < s[i].days.count; k++) {
            int day = index_in(s[i].days.items[k], day_names);
            if (day < 0 || (s[i].day_mask >> day & 1))
                return bad_row(why, "hours", i, "days", "each of sun, mon, tue, wed, thu, fri, sat at most once");
            s[i].day_mask |= (uint8_t)(1U << day);
        }
    }
    return OK;
}

static bool listed(const struct text_list *l, struct view text)
{
    for (size_t i = 0; i < l->count; i++)
        if (view_eq(l->items[i], text))
            return true;
    return false;
}

static RESULT check_callers(const struct policy_doc *d, struct problem *why)
{
    const struct policy_key *k = d->proof.keys.items;
    for (size_t i = 0; i < d->sources.count; i++)
        if (!policy_source_valid(d->sources.items[i]))
            return bad_row(why, "sources", i, "", "write a network as 192.0.2.0/24 or a local user as unix:1000");
    if (d->proof.required && d->proof.keys.count == 0)
        return CLASH(why, "/proof/keys", "a proof is demanded, but no key is named");
    for (size_t i = 0; i < d->proof.keys.count; i++) {
        if (d->callers.count && !listed(&d->callers, k[i].bot))
            return clash_row(why, "proof/keys", i, "bot", "this bot is not among the callers");
        for (size_t n = 0; n < i; n++)
            if (view_eq(k[i].bot, k[n].bot))
                return clash_row(why, "proof/keys", i, "bot", "there is a key for this bot already");
    }
    for (size_t i = 0; d->proof.required && i < d->callers.count; i++) {
        bool has = false;
        for (size_t n = 0; n < d->proof.keys.count; n++)
            has = has || view_eq(k[n].bot, d->callers.items[i]);
        if (!has)
            return clash_row(why, "callers", i, "", "a proof is demanded, but there is no key for this bot");
    }
    return OK;
}

static RESULT check_exceptions(const struct policy_doc *d, struct problem *why)
{
    const struct policy_exception *e = d->exceptions.items;
    for (size_t i = 0; i < d->exceptions.count; i++)
        for (size_t k = 0; k < i; k++)
            if (view_eq(e[i].endpoint, e[k].endpoint))
                return clash_row(why, "exceptions", i, "endpoint", "there is an exception for this endpoint already");
    return OK;
}

static RESULT check(struct policy_doc *d, struct problem *why)
{
    TRY(check_lists(d, why));
    TRY(check_classes(d, why));
    TRY(check_symbols(d, why));
    TRY(check_sizes(d, why));
    TRY(check_prices(d, why));
    TRY(check_windows(d, why));
    TRY(check_hours(d, why));
    TRY(check_callers(d, why));
    return check_exceptions(d, why);
}

RESULT policy_parse(struct view text, struct policy **ret, struct problem *why)
{
    if (text.len > POLICY_TEXT_MAX)
        return BAD(why, "", "a policy has at most %d bytes", POLICY_TEXT_MAX);
    AUTO(policy_free) struct policy *p = calloc(1, sizeof(*p));
    if (!p)
        return ERR_NO_MEMORY;
    TRY(arena_new(16384, POLICY_MEMORY_MAX, &p->arena));
    struct problem cause = {0};
    enum err e = entity_parse(&policy_entity, text, p->arena, &p->doc, &cause);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e)
        return BAD(why, cause.where, "%s", cause.detail[0] ? cause.detail : err_sentence(e));
    TRY(check(&p->doc, why));
    *ret = TAKE(p);
    return OK;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    arena_free(p->arena);
    free(p);
}

size_t policy_window_count(const struct policy *p)
{
    return p->doc.windows.count;
}

void policy_window(const struct policy *p, size_t i, uint64_t *ret_length_ms, uint64_t *ret_orders,
                   bool *ret_has_notional, struct decimal *ret_notional)
{
    const struct policy_limit *w = (const struct policy_limit *)p->doc.windows.items + i;
    *ret_length_ms = w->seconds * 1000;
    *ret_orders = w->orders;
    *ret_has_notional = w->notional.len > 0;
    *ret_notional = w->limit;
}

RESULT policy_proof_key(const struct policy *p, struct view bot, uint8_t ret_key[static 32])
{
    const struct policy_key *k = p->doc.proof.keys.items;
    for (size_t i = 0; i < p->doc.proof.keys.count; i++)
        if (view_eq(k[i].bot, bot)) {
            memcpy(ret_key, k[i].key, sizeof(k[i].key));
            return OK;
        }
    return ERR_NOT_FOUND;
}

bool policy_demands_proof(const struct policy *p)
{
    return p->doc.proof.required;
}
