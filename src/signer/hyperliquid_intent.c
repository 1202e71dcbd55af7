/* What the members of an action mean to the policy. */
#include "signer/hyperliquid_check.h"

#include <ctype.h>

static RESULT copy_text(const struct hl_walk *w, struct view text, struct view *ret)
{
    return arena_copy(w->arena, text, ret);
}

RESULT hyperliquid_intent_to(struct hl_walk *w, struct view destination)
{
    struct hl_shape shape = {.intent = HL_INTENT};
    struct hl_draft draft;
    hyperliquid_intent_begin(w, &shape, &draft);
    draft.intent.destination = destination;
    return hyperliquid_intent_end(w);
}

void hyperliquid_intent_begin(struct hl_walk *w, const struct hl_shape *shape, struct hl_draft *draft)
{
    static const enum intent_class classes[] = {[HL_INTENT_ACCOUNT] = INTENT_ACCOUNT,
                                                [HL_INTENT_SESSION] = INTENT_SESSION,
                                                [HL_INTENT_TRANSFER] = INTENT_TRANSFER};
    *draft = (struct hl_draft){0};
    draft->intent.class = shape->intent == HL_INTENT ? w->row->class : classes[shape->intent];
    if (shape->order_type)
        draft->intent.order_type = view_str(shape->order_type);
    w->draft = draft;
}

/* The same action for another account is another endpoint: "vault/0x…/order", "multiSig/0x…/order". */
static RESULT put_endpoint(const struct hl_walk *w, struct view *ret)
{
    const struct hl_call *call = w->call;
    if (call->mode == HL_PLAIN_ACTION && !call->has_vault) {
        *ret = view_str(w->row->endpoint);
        return OK;
    }
    size_t room = 2 * (HL_ADDRESS_TEXT + sizeof("multiSig//")) + strlen(w->row->endpoint);
    uint8_t *memory = arena_alloc(w->arena, room);
    if (!memory)
        return ERR_NO_MEMORY;
    struct writer text = writer_fixed(memory, room);
    if (call->mode != HL_PLAIN_ACTION) {
        writer_str(&text, "multiSig/");
        writer_view(&text, call->multi_sig_user);
        writer_u8(&text, '/');
    }
    if (call->has_vault) {
        writer_str(&text, "vault/");
        writer_view(&text, w->request->vault_address);
        writer_u8(&text, '/');
    }
    writer_str(&text, w->row->endpoint);
    *ret = writer_view_of(&text);
    return writer_done(&text);
}

/* A size of 0 is an order for whatever the position is by then, so only one that closes it is taken. */
static RESULT check_size(const struct hl_walk *w, const struct hl_draft *d)
{
    bool closes = d->trigger && d->reduce_only;
    if (d->intent.side != SIDE_NONE && d->intent.has_size && decimal_is_zero(d->intent.size) && !closes)
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "size 0 is only for reduce-only trigger orders");
    return OK;
}

RESULT hyperliquid_intent_end(struct hl_walk *w)
{
    struct hl_draft *d = w->draft;
    struct intent *intent = &d->intent;
    TRY(check_size(w, d));
    if (d->trigger)
        intent->order_type = d->market ? VIEW_STR("trigger-market") : VIEW_STR("trigger-limit");
    intent->price_binds = intent->has_price && !d->market;
    if (intent->has_price && intent->has_size) {
        if (decimal_mul(intent->price, intent->size, &intent->notional) != OK)
            return hyperliquid_refuse(w, ERR_OUT_OF_RANGE, "price times size is too large");
        intent->has_notional = true;
    }
    if (d->spends_nothing)
        return OK;
    w->intent_count++;
    if (!w->intents)
        return OK;
    TRY(put_endpoint(w, &intent->endpoint));
    enum err e = intents_add(w->intents, w->arena, intent);
    if (e == ERR_LIMIT_REACHED)
        return hyperliquid_refuse(w, e, "at most %d items in one request", INTENTS_MAX);
    return e;
}

static RESULT note_asset(struct hl_walk *w, const json_t *value)
{
    char *text = arena_alloc(w->arena, 21);
    if (!text)
        return ERR_NO_MEMORY;
    struct writer out = writer_fixed(text, 21);
    writer_printf(&out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    w->draft->intent.symbol = writer_view_of(&out);
    return writer_done(&out);
}

static RESULT note_decimal(struct hl_walk *w, const json_t *value, struct decimal *ret, bool *ret_has)
{
    if (!json_is_string(value)) {
        *ret = (struct decimal){.digits = json_integer_value(value)};
    } else {
        struct view text = hl_text(value);
        const uint8_t *space = memchr(text.ptr, ' ', text.len); /* HL_USD_TEXT: the amount comes first */
        struct view number = space ? VIEW(text.ptr, (size_t)(space - text.ptr)) : text;
        if (decimal_parse(number, ret) != OK)
            return hyperliquid_refuse(w, ERR_OUT_OF_RANGE, "the number has too many digits");
    }
    *ret_has = true;
    return OK;
}

/* "12.5 subaccount:0x…" takes from or gives to that sub-account. */
static RESULT note_usd(struct hl_walk *w, const json_t *value)
{
    struct intent *intent = &w->draft->intent;
    TRY(note_decimal(w, value, &intent->notional, &intent->has_notional));
    struct view text = hl_text(value);
    const uint8_t *colon = memchr(text.ptr, ':', text.len);
    if (!colon)
        return OK;
    return copy_text(w, VIEW(colon + 1, text.len - (size_t)(colon + 1 - text.ptr)), &intent->destination);
}

static RESULT note_micro(struct hl_walk *w, const json_t *value)
{
    static const struct decimal micro = {.digits = 1, .scale = 6};
    struct intent *intent = &w->draft->intent;
    struct decimal n = {.digits = json_integer_value(value)};
    intent->has_notional = true;
    return decimal_mul(n, micro, &intent->notional);
}

static RESULT note_tif(struct hl_walk *w, const json_t *value)
{
    struct view text;
    TRY(copy_text(w, hl_text(value), &text));
    uint8_t *p = (uint8_t *)(uintptr_t)text.ptr; /* the copy is ours */
    for (size_t i = 0; i < text.len; i++)
        p[i] = (uint8_t)tolower(p[i]);
    w->draft->intent.order_type = text;
    return OK;
}

static RESULT note_price(struct hl_walk *w, const json_t *value)
{
    struct intent *intent = &w->draft->intent;
    TRY(note_decimal(w, value, &intent->price, &intent->has_price));
    if (decimal_is_zero(intent->price))
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "a price is above 0");
    return OK;
}

static RESULT note_nonce(const struct hl_walk *w, const json_t *value)
{
    if ((uint64_t)json_integer_value(value) == w->request->nonce)
        return OK;
    return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be the nonce of the request, %llu",
                              (unsigned long long)w->request->nonce);
}

RESULT hyperliquid_intent_note(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    if (m->meaning == HL_NONCE)
        return note_nonce(w, value);
    if (m->meaning == HL_PLAIN || !w->draft)
        return OK;
    struct intent *intent = &w->draft->intent;
    switch (m->meaning) {
    case HL_ASSET:
        return note_asset(w, value);
    case HL_SYMBOL:
        return copy_text(w, hl_text(value), &intent->symbol);
    case HL_SIDE:
        intent->side = json_is_true(value) ? SIDE_BUY : SIDE_SELL;
        return OK;
    case HL_PRICE:
        return note_price(w, value);
    case HL_SIZE:
        return note_decimal(w, value, &intent->size, &intent->has_size);
    case HL_USD:
        return note_usd(w, value);
    case HL_USD_MICRO:
        return note_micro(w, value);
    case HL_DESTINATION:
        return copy_text(w, hl_text(value), &intent->destination);
    case HL_REDUCE:
        w->draft->reduce_only = json_is_true(value);
        return OK;
    case HL_TIF:
        return note_tif(w, value);
    case HL_MARKET:
        w->draft->trigger = true;
        w->draft->market = json_is_true(value);
        return OK;
    case HL_SPENDS:
        w->draft->spends_nothing = json_integer_value(value) == 0;
        return OK;
    default:
        return OK;
    }
}
