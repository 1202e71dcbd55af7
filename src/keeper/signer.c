/* What the signer asks of the keeper besides unwrapping. */
#include "keeper/core.h"

#define NONCE_AHEAD_LONGEST_MS 60000u

HANDLER(signer_hello)
{
    struct keeper_signer_welcome *w = answer;
    const struct author *a = &k->authors[1];

    (void)request, (void)arena, (void)why;
    memcpy(w->author_key, a->chain.key, 32);
    memcpy(w->previous, a->chain.previous, 32);
    memcpy(w->installation, k->head.installation, sizeof w->installation);
    w->next_sequence = a->chain.next_sequence;
    k->signer_open = true;
    w->nonce_mark_ms = k->nonce_mark_ms;
    w->sequence_limit = k->room_told = authors_signer_limit(k);
    return OK;
}

HANDLER(signer_authored)
{
    const struct keeper_authored *q = request;

    (void)answer, (void)arena, (void)why;
    return authors_take_signed(k, q->authored);
}

/* What was authored before it has been read by now. */
HANDLER(signer_closed)
{
    (void)request, (void)answer, (void)arena, (void)why;
    k->signer_open = false;
    return OK;
}

static RESULT take_windows(struct credential *c, const struct entity_list *list)
{
    const struct window_mark *marks = list->items;

    if (list->count > WINDOWS_MAX)
        return ERR_OUT_OF_RANGE;
    for (size_t i = 0; i < list->count; i++) {
        c->windows[i].start_ms = marks[i].start_ms;
        c->windows[i].orders = marks[i].orders;
        TRY(view_to_str(marks[i].notional, c->windows[i].notional, sizeof c->windows[i].notional));
    }
    c->window_count = list->count;
    return OK;
}

HANDLER(signer_reserve)
{
    const struct keeper_reserve *q = request;
    struct credential *c = q->has_credential ? credentials_find(k, q->id) : NULL;
    uint64_t latest = k->config.clock->wall_ms(k->config.clock) + NONCE_AHEAD_LONGEST_MS;
    uint64_t before = k->nonce_mark_ms;
    struct credential kept = {0};
    enum err e = OK;

    (void)answer, (void)arena;
    if (q->has_credential && !c)
        return ERR_NOT_FOUND;
    if (q->nonce_mark_ms > latest && q->nonce_mark_ms > before)
        return problem_set(why, ERR_OUT_OF_RANGE, "nonce_mark_ms", "at most %u ms ahead", NONCE_AHEAD_LONGEST_MS);
    if (c)
        kept = *c;
    if (c)
        e = take_windows(c, &q->windows);
    if (q->nonce_mark_ms > before)
        k->nonce_mark_ms = q->nonce_mark_ms; /* marks only rise */
    if (e == OK)
        e = save_write(k);
    if (e == OK)
        return OK;
    k->nonce_mark_ms = before;
    if (c)
        *c = kept;
    return e;
}
