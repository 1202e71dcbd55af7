/* Marks in the anchor, ahead of use: a signature costs no sync of its own, and after a crash nothing is signed twice.
 */
#include "signer/signer_core.h"

#define NONCE_AHEAD_MS 15000u
#define NONCE_RENEW_MS 5000u
/* Just after a start all that was reserved before counts as used, so nonces run ahead of the clock. Then they rise by
 * one a signature, and little is reserved: or a few starts in a row would lead further ahead than the keeper lets them.
 */
#define NONCE_STEP 500u

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool window_covered(const struct window_use *use, const struct window_use *reserved)
{
    return use->start_ms == reserved->start_ms && use->orders <= reserved->orders &&
           decimal_cmp(use->notional, reserved->notional) <= 0;
}

static bool windows_covered(const struct loaded *l, const struct window_use *use)
{
    for (size_t i = 0; i < l->window_count; i++)
        if (!window_covered(&use[i], &l->reserved[i]))
            return false;
    return true;
}

/* Reserved in steps of a sixteenth of the limit, so that a crash costs at most that much of a window. */
static void window_ahead(const struct policy *p, size_t i, const struct window_use *use, struct window_use *ret)
{
    static const struct decimal sixteenth = {.digits = 625, .scale = 4};
    struct decimal limit, step, total;
    uint64_t length_ms, orders;
    bool has_notional;

    *ret = *use;
    policy_window(p, i, &length_ms, &orders, &has_notional, &limit);
    if (orders) {
        uint64_t more = use->orders + (orders + 15) / 16;
        ret->orders = more < orders ? more : orders;
    } else {
        ret->orders = UINT64_MAX; /* nothing limits it, so nothing needs counting */
    }
    if (!has_notional) {
        /* Nothing limits it, but a later policy may: it is counted, and reserved twice as far, so that a window has few
         * writes for it. */
        if (decimal_add(use->notional, use->notional, &ret->notional) != OK)
            ret->notional = use->notional;
        return;
    }
    if (decimal_mul(limit, sixteenth, &step) != OK || decimal_add(use->notional, step, &total) != OK)
        total = limit;
    ret->notional = decimal_cmp(total, limit) < 0 ? total : limit;
}

static RESULT ask_windows(struct signer *s, struct loaded *l, const struct window_use *use)
{
    for (size_t i = 0; i < l->window_count; i++) {
        struct writer text = writer_fixed(s->asked_notional[i], sizeof s->asked_notional[i]);
        window_ahead(l->policy, i, &use[i], &s->asked_windows[i]);
        decimal_put(&text, s->asked_windows[i].notional);
        TRY(writer_done(&text));
        s->asked_marks[i] = (struct window_mark){.start_ms = s->asked_windows[i].start_ms,
                                                 .orders = s->asked_windows[i].orders,
                                                 .notional = writer_view_of(&text)};
    }
    s->asked.has_credential = true;
    memcpy(s->asked.id, l->id, sizeof s->asked.id);
    s->asked.windows = (struct entity_list){s->asked_marks, l->window_count};
    return OK;
}

static RESULT ask(struct signer *s, struct loaded *l, const struct window_use *use, uint64_t nonce, uint64_t now_ms)
{
    enum err e = OK;

    if (s->reserving)
        return OK;
    s->asked = (struct keeper_reserve){.nonce_mark_ms = later(now_ms + NONCE_AHEAD_MS, nonce + NONCE_STEP)};
    if (!windows_covered(l, use))
        e = ask_windows(s, l, use);
    s->reserving = true;
    if (e == OK)
        e = s->config.reserve(s->config.context, &s->asked);
    if (e != OK)
        s->reserving = false;
    return e;
}

RESULT marks_cover(struct signer *s, struct loaded *l, const struct window_use *use, uint64_t nonce, uint64_t now_ms)
{
    bool covered = nonce <= s->nonce_reserved && windows_covered(l, use);
    uint64_t margin = nonce > now_ms ? NONCE_STEP / 2 : NONCE_RENEW_MS;

    if (covered && nonce + margin <= s->nonce_reserved)
        return OK;
    TRY(ask(s, l, use, nonce, now_ms));
    return covered ? OK : ERR_BUSY;
}

void signer_reserved(struct signer *s, enum err result)
{
    struct loaded *l;

    s->reserving = false;
    if (result != OK)
        return;
    s->nonce_reserved = later(s->nonce_reserved, s->asked.nonce_mark_ms);
    if (!s->asked.has_credential)
        return;
    l = loaded_find(s, s->asked.id);
    if (!l || l->window_count != s->asked.windows.count)
        return;
    memcpy(l->reserved, s->asked_windows, l->window_count * sizeof l->reserved[0]);
}
