/* The decision, rule by rule: who and when, then each thing the request does, then what else its bytes could do, then
 * the windows.
 *
 * Notional. A limit price bounds what a purchase costs, and a stated quote amount bounds both sides. A sale may run far
 * above its limit price, and a market order has none: then only a reference price bounds it. Where nothing does, a
 * policy that limits notional refuses. */
#include "signer/policy_model.h"

#include <stdarg.h>

#define SHOW(v) (int)((v).len > 80 ? 80 : (v).len), (const char *)(v).ptr

struct judgement {
    const struct policy_doc *doc;
    const struct policy_caller *caller;
    uint64_t now_ms;
    struct policy_decision *ret;
};

static bool refuse(struct judgement *j, enum err code, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Always false, so that a rule can say: return refuse(…). */
static bool refuse(struct judgement *j, enum err code, const char *rule, const char *format, ...)
{
    va_list args;
    j->ret->code = code;
    snprintf(j->ret->rule, sizeof(j->ret->rule), "%s", rule);
    va_start(args, format);
    vsnprintf(j->ret->sentence, sizeof(j->ret->sentence), format, args);
    va_end(args);
    return false;
}

static bool in_list(const struct text_list *l, struct view text)
{
    for (size_t i = 0; i < l->count; i++)
        if (view_eq(l->items[i], text))
            return true;
    return false;
}

static bool caller_ok(struct judgement *j)
{
    const struct policy_doc *d = j->doc;
    const struct policy_caller *c = j->caller;
    if (d->proof.required && !c->proven)
        return refuse(j, ERR_PROOF_NEEDED, "/proof/required", "the caller must sign the request with its own key");
    if (d->callers.count && !in_list(&d->callers, c->bot))
        return refuse(j, ERR_POLICY_REFUSED, "/callers", "%.*s is not in /callers", SHOW(c->bot));
    if (d->sources.count == 0)
        return true;
    for (size_t i = 0; i < d->sources.count; i++)
        if (policy_source_in(d->sources.items[i], c->source))
            return true;
    return refuse(j, ERR_POLICY_REFUSED, "/sources", "requests from %.*s are not allowed", SHOW(c->source));
}

static bool hours_ok(struct judgement *j)
{
    const struct policy_span *s = j->doc->hours.items;
    uint64_t minutes = j->now_ms / 60000;
    uint32_t minute = (uint32_t)(minutes % 1440), day = (uint32_t)((minutes / 1440 + 4) % 7); /* 1970-01-01: Thursday */
    for (size_t i = 0; i < j->doc->hours.count; i++)
        if ((s[i].day_mask >> day & 1) && minute >= s[i].from_min && minute < s[i].to_min)
            return true;
    if (j->doc->hours.count == 0)
        return true;
    return refuse(j, ERR_POLICY_REFUSED, "/hours", "it is outside the hours in which the credential may be used");
}

static bool moves_funds(const struct intent *in)
{
    return in->class == INTENT_TRANSFER || in->class == INTENT_WITHDRAW;
}

static bool trades(const struct intent *in)
{
    return in->class == INTENT_ORDER || in->class == INTENT_AMEND;
}

static bool class_ok(struct judgement *j, const struct intent *in)
{
    if (j->doc->class_mask >> in->class & 1)
        return true;
    return refuse(j, moves_funds(in) ? ERR_MOVES_FUNDS : ERR_POLICY_REFUSED,
                  j->doc->classes.count ? "/classes" : "default", "%.*s is of class %s, which is not allowed",
                  SHOW(in->endpoint), intent_class_names[in->class]);
}

static bool endpoint_ok(struct judgement *j, const struct intent *in)
{
    if (j->doc->endpoints.count == 0 || policy_glob_any(&j->doc->endpoints, in->endpoint))
        return true;
    return refuse(j, ERR_POLICY_REFUSED, "/endpoints", "%.*s is not in /endpoints", SHOW(in->endpoint));
}

/* Venues differ in whether they mind the case, so a block holds for every spelling. */
static bool blocked(const struct policy_doc *d, struct view symbol)
{
    char lower[2][160];
    for (size_t i = 0; i < d->blocked_symbols.count; i++) {
        struct view both[2] = {d->blocked_symbols.items[i], symbol};
        for (size_t k = 0; k < 2; k++) {
            if (both[k].len > sizeof(lower[k]))
                return true;
            for (size_t n = 0; n < both[k].len; n++) {
                char c = (char)both[k].ptr[n];
                lower[k][n] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
            }
        }
        if (policy_glob(VIEW(lower[0], both[0].len), VIEW(lower[1], both[1].len)))
            return true;
    }
    return false;
}

static bool symbol_ok(struct judgement *j, const struct intent *in)
{
    const struct policy_doc *d = j->doc;
    bool matters = trades(in) || in->class == INTENT_CANCEL || in->class == INTENT_ACCOUNT;
    if (!matters || (d->symbols.count == 0 && d->blocked_symbols.count == 0))
        return true;
    if (in->symbol.len == 0)
        return refuse(j, ERR_POLICY_REFUSED, d->symbols.count ? "/symbols" : "/blocked_symbols",
                      "%.*s names no symbol, so it could be for any", SHOW(in->endpoint));
    if (blocked(d, in->symbol))
        return refuse(j, ERR_POLICY_REFUSED, "/blocked_symbols", "symbol %.*s is blocked", SHOW(in->symbol));
    if (d->symbols.count && !policy_glob_any(&d->symbols, in->symbol))
        return refuse(j, ERR_POLICY_REFUSED, "/symbols", "symbol %.*s is not in /symbols", SHOW(in->symbol));
    return true;
}

/* An amendment that does not restate side or type leaves them as they are. */
static bool kind_ok(struct judgement *j, const struct intent *in)
{
    static const char *const side_names[] = {"none", "buy", "sell"};
    const struct policy_doc *d = j->doc;
    bool amend = in->class == INTENT_AMEND;
    if (d->sides.count && !(amend && in->side == SIDE_NONE) && !in_list(&d->sides, view_str(side_names[in->side])))
        return refuse(j, ERR_POLICY_REFUSED, "/sides", "side %s is not in /sides", side_names[in->side]);
    if (d->order_types.count && !(amend && in->order_type.len == 0) && !in_list(&d->order_types, in->order_type))
        return refuse(j, ERR_POLICY_REFUSED, "/order_types", "order type '%.*s' is not in /order_types",
                      SHOW(in->order_type));
    return true;
}

static const struct policy_size *size_limit(const struct policy_doc *d, struct view symbol)
{
    const struct policy_size *s = d->max_size.items, *others = NULL;
    for (size_t i = 0; i < d->max_size.count; i++) {
        if (view_eq(s[i].symbol, symbol))
            return &s[i];
        if (view_is(s[i].symbol, "*"))
            others = &s[i];
    }
    return others;
}

static bool size_ok(struct judgement *j, const struct intent *in)
{
    const struct policy_doc *d = j->doc;
    if (d->max_size.count == 0 || (in->class == INTENT_AMEND && !in->has_size && !in->other_size))
        return true;
    const struct policy_size *limit = size_limit(d, in->symbol);
    if (!limit)
        return refuse(j, ERR_POLICY_REFUSED, "/max_size", "/max_size has no limit for %.*s and none for *",
                      SHOW(in->symbol));
    char rule[64];
    snprintf(rule, sizeof(rule), "/max_size/%zu", (size_t)(limit - (const struct policy_size *)d->max_size.items));
    if (!in->has_size)
        return refuse(j, ERR_POLICY_REFUSED, rule, "the order for %.*s does not state its size, which is limited",
                      SHOW(in->symbol));
    if (in->other_size)
        return refuse(j, ERR_POLICY_REFUSED, rule,
                      "the order for %.*s states its size in two ways, and which of them counts is the venue's matter",
                      SHOW(in->symbol));
    if (decimal_cmp(in->size, limit->limit) > 0)
        return refuse(j, ERR_POLICY_REFUSED, rule, "the size is above %.*s, the limit for %.*s", SHOW(limit->size),
                      SHOW(in->symbol));
    return true;
}

static const struct decimal *reference(const struct policy_doc *d, struct view symbol)
{
    const struct policy_price *p = d->reference_prices.items;
    for (size_t i = 0; i < d->reference_prices.count; i++)
        if (view_eq(p[i].symbol, symbol))
            return &p[i].value;
    return NULL;
}

/* Whether the notional is bounded, and by what. ERR_NOT_FOUND if nothing bounds it. */
static RESULT notional_of(const struct policy_doc *d, const struct intent *in, struct decimal *ret)
{
    const struct decimal *price = reference(d, in->symbol);
    bool stated = in->has_notional && !in->has_price && !in->has_size;
    bool bounded = stated || (in->has_notional && in->has_price && in->price_binds && in->side == SIDE_BUY);
    struct decimal kept = in->has_notional ? in->notional : (struct decimal){0};
    if (!stated && price && in->has_size) {
        struct decimal product;
        TRY(decimal_mul(in->size, *price, &product));
        if (decimal_cmp(product, kept) > 0)
            kept = product;
        bounded = true;
    }
    if (!bounded)
        return ERR_NOT_FOUND;
    *ret = kept;
    return OK;
}

/* An amendment of neither price nor size changes no notional. */
static bool notional_matters(const struct intent *in)
{
    return in->class == INTENT_ORDER ||
           (in->class == INTENT_AMEND && (in->has_size || in->has_price || in->has_notional));
}

static bool notional_unknown(struct judgement *j, const struct intent *in, const char *rule)
{
    const char *why = !in->has_size          ? "does not state its size"
                      : in->side != SIDE_BUY ? "may be filled far above its price"
                                             : "states no price that bounds it";
    return refuse(j, ERR_POLICY_REFUSED, rule,
                  "the notional is limited, but this order %s: /reference_prices must "
                  "name a price for %.*s",
                  why, SHOW(in->symbol));
}

static bool notional_ok(struct judgement *j, const struct intent *in, enum err *failed)
{
    const struct policy_doc *d = j->doc;
    struct decimal n;
    if (d->max_notional.len == 0 || !notional_matters(in))
        return true;
    enum err e = notional_of(d, in, &n);
    if (e == ERR_NOT_FOUND)
        return notional_unknown(j, in, "/max_notional");
    if (e) {
        *failed = e;
        return false;
    }
    if (decimal_cmp(n, d->notional_limit) > 0)
        return refuse(j, ERR_POLICY_REFUSED, "/max_notional", "the notional is above %.*s", SHOW(d->max_notional));
    return true;
}

static bool destination_ok(struct judgement *j, const struct intent *in)
{
    bool open = in->class == INTENT_TRANSFER && in->destination.len == 0;
    if (!moves_funds(in) || open || in_list(&j->doc->destinations, in->destination))
        return true;
    return refuse(j, ERR_MOVES_FUNDS, "/destinations", "destination '%.*s' is not in /destinations",
                  SHOW(in->destination));
}

static bool intent_ok(struct judgement *j, const struct intent *in, enum err *failed)
{
    if (!class_ok(j, in))
        return false;
    /* What a venue that signs no path lets anyone read is judged by its class alone. */
    if (in->formable && in->class == INTENT_READ)
        return true;
    if (!endpoint_ok(j, in) || !symbol_ok(j, in))
        return false;
    if (trades(in) && !(kind_ok(j, in) && size_ok(j, in) && notional_ok(j, in, failed)))
        return false;
    return destination_ok(j, in);
}

static bool excepted(const struct policy_doc *d, const struct intent *in)
{
    const struct policy_exception *e = d->exceptions.items;
    for (size_t i = 0; i < d->exceptions.count; i++)
        if (in->class <= e[i].class && policy_glob(e[i].endpoint, in->endpoint))
            return true;
    return false;
}

static bool formable_ok(struct judgement *j, const struct intent *in, enum err *failed)
{
    if (excepted(j->doc, in))
        return true;
    if (in->lasting)
        return refuse(j, ERR_AMBIGUOUS_SIGNATURE, "default",
                      "digits could be read as a later expiry, and %.*s would stay valid: put another parameter last "
                      "or use fewer digits",
                      SHOW(in->endpoint));
    if (intent_ok(j, in, failed))
        return true;
    if (*failed)
        return false;
    char cause[sizeof(j->ret->sentence)];
    memcpy(cause, j->ret->sentence, sizeof(cause));
    j->ret->code = ERR_AMBIGUOUS_SIGNATURE;
    snprintf(j->ret->sentence, sizeof(j->ret->sentence), "the same signed bytes also form %.*s: %.*s",
             SHOW(in->endpoint), 140, cause);
    return false;
}

/* What one request takes out of the windows. */
struct usage {
    uint64_t orders;
    struct decimal notional;
    bool known;
    const struct intent *unknown;
};

static RESULT usage_of(const struct policy_doc *d, const struct intents *list, struct usage *u)
{
    struct decimal largest = {0};
    bool formable = false;
    u->known = true;
    for (size_t i = 0; i < list->count; i++) {
        const struct intent *in = &list->items[i];
        struct decimal n = {0};
        if (!trades(in) || (in->formable && excepted(d, in)))
            continue;
        enum err e = notional_matters(in) ? notional_of(d, in, &n) : OK;
        if (e && e != ERR_NOT_FOUND)
            return e;
        if (e && u->known) {
            u->known = false;
            u->unknown = in;
        }
        if (in->formable) {
            formable = true;
            largest = decimal_cmp(n, largest) > 0 ? n : largest;
            continue;
        }
        u->orders++;
        TRY(decimal_add(u->notional, n, &u->notional));
    }
    if (formable && u->orders == 0)
        u->orders = 1;
    if (decimal_cmp(largest, u->notional) > 0)
        u->notional = largest;
    return OK;
}

static RESULT window_next(const struct policy_limit *w, const struct window_use *use, const struct usage *u,
                          uint64_t now_ms, struct window_use *ret)
{
    uint64_t length = w->seconds * 1000, start = now_ms - now_ms % length;
    /* A clock that went back does not open a window anew. */
    bool same = use->start_ms >= start;
    *ret = same ? *use : (struct window_use){.start_ms = start};
    if (__builtin_add_overflow(ret->orders, u->orders, &ret->orders))
        return ERR_OUT_OF_RANGE;
    return decimal_add(ret->notional, u->notional, &ret->notional);
}

static RESULT windows_ok(struct judgement *j, const struct intents *list, struct window_use *windows, bool dry_run,
                         bool *ret_ok)
{
    const struct policy_limit *w = j->doc->windows.items;
    size_t count = j->doc->windows.count;
    struct window_use next[POLICY_WINDOWS_MAX] = {0};
    struct usage u = {0};
    *ret_ok = true;
    if (count == 0)
        return OK;
    TRY(usage_of(j->doc, list, &u));
    if (u.orders == 0)
        return OK;
    for (size_t i = 0; i < count; i++) {
        char rule[32];
        snprintf(rule, sizeof(rule), "/windows/%zu", i);
        TRY(window_next(&w[i], &windows[i], &u, j->now_ms, &next[i]));
        if (w[i].notional.len && !u.known)
            *ret_ok = notional_unknown(j, u.unknown, rule);
        else if (w[i].orders && next[i].orders > w[i].orders)
            *ret_ok = refuse(j, ERR_WINDOW_EXCEEDED, rule, "more than %llu orders in %llu seconds",
                             (unsigned long long)w[i].orders, (unsigned long long)w[i].seconds);
        else if (w[i].notional.len && decimal_cmp(next[i].notional, w[i].limit) > 0)
            *ret_ok = refuse(j, ERR_WINDOW_EXCEEDED, rule, "the notional is above %.*s in %llu seconds",
                             SHOW(w[i].notional), (unsigned long long)w[i].seconds);
        if (!*ret_ok)
            return OK;
    }
    if (!dry_run)
        memcpy(windows, next, count * sizeof(*windows));
    return OK;
}

static bool intents_ok(struct judgement *j, const struct intents *list, enum err *failed)
{
    if (list->count == 0)
        return refuse(j, ERR_POLICY_REFUSED, "default", "the request does nothing that could be judged");
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].formable && !intent_ok(j, &list->items[i], failed))
            return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].formable && !formable_ok(j, &list->items[i], failed))
            return false;
    return true;
}

RESULT policy_judge(const struct policy *p, const struct intents *intents, const struct policy_caller *caller,
                    uint64_t now_ms, bool dry_run, struct window_use *windows, struct policy_decision *ret)
{
    struct policy_decision decision = {.code = OK, .rule = "", .sentence = ""};
    struct judgement j = {&p->doc, caller, now_ms, &decision};
    enum err failed = OK;
    bool ok = caller_ok(&j) && hours_ok(&j) && intents_ok(&j, intents, &failed);
    TRY(failed);
    if (ok)
        TRY(windows_ok(&j, intents, windows, dry_run, &ok));
    if (ok) {
        snprintf(decision.rule, sizeof(decision.rule), "%s", p->doc.classes.count ? "/classes" : "default");
        snprintf(decision.sentence, sizeof(decision.sentence), "every rule of the policy allows it");
    }
    *ret = decision;
    return OK;
}
