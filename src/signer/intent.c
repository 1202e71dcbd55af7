#include "signer/intent.h"

const char *const intent_class_names[] = {"read",    "cancel",   "amend",    "order", "account",
                                          "session", "transfer", "withdraw", NULL};

static bool decimal_same(bool has_a, struct decimal a, bool has_b, struct decimal b)
{
    return has_a == has_b && (!has_a || decimal_cmp(a, b) == 0);
}

static bool intent_same(const struct intent *a, const struct intent *b)
{
    return a->class == b->class && a->formable == b->formable && a->lasting == b->lasting && a->side == b->side &&
           view_eq(a->endpoint, b->endpoint) && view_eq(a->symbol, b->symbol) &&
           view_eq(a->order_type, b->order_type) && view_eq(a->destination, b->destination) &&
           a->price_binds == b->price_binds && a->other_size == b->other_size &&
           decimal_same(a->has_size, a->size, b->has_size, b->size) &&
           decimal_same(a->has_price, a->price, b->has_price, b->price) &&
           decimal_same(a->has_notional, a->notional, b->has_notional, b->notional);
}

RESULT intents_add(struct intents *list, struct arena *arena, const struct intent *intent)
{
    /* What is said twice by the caller counts twice in the windows; what is merely formable needs to be said once. */
    for (size_t i = 0; intent->formable && i < list->count; i++)
        if (intent_same(&list->items[i], intent))
            return OK;
    if (list->count >= INTENTS_MAX)
        return ERR_LIMIT_REACHED;
    if (!list->items) {
        list->items = arena_alloc(arena, INTENTS_MAX * sizeof(*list->items));
        if (!list->items)
            return ERR_NO_MEMORY;
    }
    list->items[list->count++] = *intent;
    return OK;
}
