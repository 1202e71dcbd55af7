#include "api/key_notices.h"

#include "api/inside.h"
#include "api/people.h"

#include <stdio.h>

#define AT_ONCE   32
#define ARENA_MAX (1u << 20)

struct key_notices {
    struct mail mail; /* to thread 0 */
    struct api_thread *first;
    atomic_bool under_way; /* ids are thread 0's */
    char ids[AT_ONCE][API_KEY_ID_LEN];
    size_t count;
    struct txn txn;
    struct txn_change changes[AT_ONCE];
    struct record records[AT_ONCE];
};

static const char *const words[] = {[NOTICE_14_DAYS] = "expires within 14 days",
                                    [NOTICE_7_DAYS] = "expires within 7 days",
                                    [NOTICE_1_DAY] = "expires within a day",
                                    [NOTICE_EXPIRED] = "expired"};

static void finish(struct key_notices *n)
{
    arena_free(n->txn.arena);
    n->txn.arena = NULL;
    n->first->inside->under_way--;
    atomic_store(&n->under_way, false);
}

/* What could not be committed, also because somebody changed one of the keys meanwhile, is found again. */
static void on_done(void *context, struct txn *t)
{
    struct key_notices *n = context;
    struct api_shared *s = n->first->shared;

    for (size_t i = 0; t->result == OK && i < t->change_count; i++)
        (void)!api_keys_applied(s->api_keys, &t->changes[i]); /* without memory the table lets go of it */
    if (t->result == OK)
        atomic_fetch_add(&s->applied, 1);
    (void)change_noted(s, t->result);
    finish(n);
}

static RESULT add(struct key_notices *n, struct view id, uint64_t now_ms)
{
    struct api_shared *s = n->first->shared;
    struct txn *t = &n->txn;
    struct record *r = &n->records[t->record_count];
    struct api_key_found f;
    TRY(api_keys_find(s->api_keys, id, t->arena, &f));
    struct api_key after = f.key;
    struct api_key_times times = api_key_times_of(&after);
    enum api_key_notice notice = api_key_notice_due(&times, now_ms);
    if (notice == NOTICE_NONE)
        return ERR_NOT_FOUND; /* rotated or renewed meanwhile */
    after.told = (uint8_t)notice;
    if (notice == NOTICE_EXPIRED)
        after.status = KEY_EXPIRED;
    *r = (struct record){.type = notice == NOTICE_EXPIRED ? EVENT_API_KEY_EXPIRED : EVENT_API_KEY_EXPIRING,
                         .outcome = OUTCOME_DONE,
                         .who = {.actor = VIEW_STR("front"), .source = VIEW_STR("front")},
                         .what.detail = view_str(words[notice])};
    TRY(people_named(t->arena, "key:", id, &r->what.resource));
    TRY(api_key_put(atomic_load(&s->keys), &after, &f, t->arena, &n->changes[t->change_count]));
    t->change_count++;
    t->record_count++;
    return OK;
}

static RESULT commit(struct key_notices *n)
{
    struct api_shared *s = n->first->shared;
    uint64_t now_ms = s->clock->wall_ms(s->clock);

    n->txn = (struct txn){.done = on_done, .context = n, .changes = n->changes, .records = n->records};
    if (!s->ledger || atomic_load(&s->state) != API_SERVING || atomic_load(&s->health.log) != API_LOG_GOOD)
        return ERR_UNAVAILABLE;
    TRY(arena_new(16384, ARENA_MAX, &n->txn.arena));
    for (size_t i = 0; i < n->count; i++) {
        enum err e = add(n, VIEW_OF(n->ids[i]), now_ms);
        if (e != OK && e != ERR_NOT_FOUND)
            return e;
    }
    if (n->txn.record_count == 0)
        return ERR_NOT_FOUND;
    TRY(ledger_prepare(s->ledger, &n->txn));
    return ledger_submit(s->ledger, &n->txn, 1, n->first->mailbox);
}

static void deliver(struct mail *m)
{
    struct key_notices *n = (struct key_notices *)(void *)m; /* its first member */

    n->first->inside->under_way++;
    if (commit(n) != OK)
        finish(n);
}

bool key_notices_look(struct key_notices *n)
{
    struct api_shared *s = n->first->shared;

    if (atomic_load(&n->under_way))
        return true;
    n->count = api_keys_to_notice(s->api_keys, s->clock->wall_ms(s->clock), n->ids, AT_ONCE);
    if (n->count == 0)
        return false;
    atomic_store(&n->under_way, true);
    mailbox_post(n->first->mailbox, &n->mail, &n->mail);
    return n->count == AT_ONCE;
}

RESULT key_notices_new(struct api_thread *first, struct key_notices **ret)
{
    struct key_notices *n = calloc(1, sizeof *n);

    if (!n)
        return ERR_NO_MEMORY;
    n->first = first;
    n->mail.deliver = deliver;
    *ret = n;
    return OK;
}

void key_notices_free(struct key_notices *n)
{
    if (!n)
        return;
    arena_free(n->txn.arena);
    free(n);
}
