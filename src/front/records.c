/* Records of what the front itself did or found. */
#include "front/front.h"

#include "base/log.h"

#define RETRY_MS 1000

struct own {
    struct front *front;
    struct txn txn;
    struct record record;
    char resource[128], detail[320];
    struct loop_timer *timer;
};

static void attempt(void *context);

static void own_free(struct own *o)
{
    arena_free(o->txn.arena);
    loop_timer_free(o->timer);
    free(o);
}

static void on_done(void *context, struct txn *t)
{
    struct own *o = context;

    if (t->result == OK)
        own_free(o);
    else
        loop_timer_arm(o->timer, RETRY_MS);
}

static void attempt(void *context)
{
    struct own *o = context;
    struct ledger *l = o->front->shared.ledger;

    arena_reset(o->txn.arena);
    o->txn.records = &o->record;
    o->txn.record_count = 1;
    o->txn.done = on_done;
    o->txn.context = o;
    if (ledger_prepare(l, &o->txn) != OK || ledger_submit(l, &o->txn, 1, o->front->threads[0].api.mailbox) != OK)
        loop_timer_arm(o->timer, RETRY_MS);
}

void record_own(struct front *f, uint16_t type, enum outcome outcome, const char *resource, const char *detail)
{
    struct own *o = f->shared.ledger ? calloc(1, sizeof *o) : NULL;

    if (!o || arena_new(8192, 1u << 20, &o->txn.arena) != OK ||
        loop_timer_new(front_loop(f), attempt, o, &o->timer) != OK) {
        log_error("could not record %s: %s", event_name(type), detail);
        if (o) {
            arena_free(o->txn.arena);
            free(o);
        }
        return;
    }
    o->front = f;
    (void)snprintf(o->resource, sizeof o->resource, "%s", resource);
    (void)snprintf(o->detail, sizeof o->detail, "%s", detail);
    o->record = (struct record){.type = type,
                                .outcome = (uint8_t)outcome,
                                .who = {.actor = VIEW_STR("front"), .source = VIEW_STR("front")},
                                .what = {.resource = view_str(o->resource), .detail = view_str(o->detail)}};
    attempt(o);
}
