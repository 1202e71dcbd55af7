/* Marks ahead of use: whatever dies or fails in between, a window is never overrun and a nonce never comes twice. */
#include "pipeline_rig.h"

#define LIMIT   32u
#define HOUR_MS 3600000u

/* What the anchor holds after the last reservation that the keeper wrote. */
struct anchored {
    uint64_t nonce_ms, start_ms, orders;
};

static enum err once(struct desk *d, struct signer_reply *ret)
{
    struct signer_sign q = order(d);

    return signer_sign(d->signer, &q, d->arena, ret, &d->why);
}

static bool waits(struct desk *d)
{
    struct signer_reply reply;

    assert_int_equal(once(d, &reply), OK);
    return reply.outcome == SIGNER_WAIT;
}

/* The keeper writes what was asked for, if anything was. */
static void write_marks(struct desk *d, struct anchored *a)
{
    const struct window_mark *marks = d->asked.windows.items;

    if (d->asked.nonce_mark_ms == 0)
        return;
    if (d->asked.nonce_mark_ms > a->nonce_ms)
        a->nonce_ms = d->asked.nonce_mark_ms;
    if (d->asked.has_credential) {
        assert_int_equal(d->asked.windows.count, 1);
        assert_true(marks[0].orders <= LIMIT);
        a->start_ms = marks[0].start_ms;
        a->orders = marks[0].orders;
    }
    d->asked = (struct keeper_reserve){0};
    signer_reserved(d->signer, OK);
}

/* True if it was signed, false if the window is used up. */
static bool sign_one(struct desk *d, struct anchored *a, uint64_t *ret_nonce)
{
    struct signer_reply reply;

    for (int tries = 0; tries < 3; tries++) {
        assert_int_equal(once(d, &reply), OK);
        write_marks(d, a);
        if (reply.outcome == SIGNER_ANSWER)
            break;
    }
    assert_int_equal(reply.outcome, SIGNER_ANSWER);
    *ret_nonce = reply.answer.nonce;
    if (view_is(reply.answer.decision, "window-exceeded"))
        return false;
    assert_true(view_is(reply.answer.decision, "ok"));
    return true;
}

/* The process dies, and another one begins with what the anchor holds. */
static void die(struct desk *d, const struct anchored *a)
{
    struct keeper_signer_welcome w = {
        .next_sequence = d->authored + 1, .nonce_mark_ms = a->nonce_ms, .sequence_limit = 100000};
    struct window_mark mark = {.start_ms = a->start_ms, .orders = a->orders};

    signer_sealed(d->signer);
    signer_welcome(d->signer, &w);
    assert_int_equal(load(d, &binance, &mark, a->orders ? 1 : 0), OK);
}

static void deaths_cost_at_most_a_step_each_and_overrun_nothing(void **state)
{
    for (unsigned between = 1; between < LIMIT; between += 3) {
        struct desk *d = *state;
        struct anchored a = {0};
        uint64_t nonce, last = 0;
        unsigned done = 0, deaths = 0;

        d->wall_ms += HOUR_MS, d->mono_ms += HOUR_MS;
        die(d, &a);
        while (sign_one(d, &a, &nonce)) {
            assert_true(nonce > last);
            last = nonce;
            done++;
            assert_true(a.orders >= done); /* never signed beyond what is in the anchor */
            assert_true(a.nonce_ms >= nonce);
            if (done % between == 0) {
                die(d, &a);
                deaths++;
            }
        }
        assert_true(done <= LIMIT);
        assert_true(done + deaths * (LIMIT / 16) >= LIMIT);
    }
}

static void a_reservation_that_fails_is_asked_for_again(void **state)
{
    struct desk *d = *state;
    struct anchored a = {0};
    uint64_t nonce;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    for (size_t i = 1; i <= 3; i++) {
        assert_true(waits(d));
        assert_int_equal(d->reserves, i);
        assert_true(waits(d)); /* one at a time */
        assert_int_equal(d->reserves, i);
        signer_reserved(d->signer, ERR_NO_SPACE);
    }
    assert_int_equal(d->authored, 0);
    assert_true(sign_one(d, &a, &nonce));
}

/* What was reserved for a window that is over says nothing about the next one. */
static void a_window_that_begins_anew_is_reserved_anew(void **state)
{
    struct desk *d = *state;
    struct anchored a = {0};
    uint64_t nonce, first;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    while (sign_one(d, &a, &nonce))
        ;
    assert_int_equal(a.orders, LIMIT);
    first = a.start_ms;
    d->wall_ms += HOUR_MS, d->mono_ms += HOUR_MS;
    assert_true(waits(d));
    write_marks(d, &a);
    assert_true(a.start_ms == first + HOUR_MS);
    assert_true(a.orders < LIMIT);
    assert_true(sign_one(d, &a, &nonce));
    die(d, &a); /* nor does the former one come back */
    assert_true(sign_one(d, &a, &nonce));
}

/* Nothing more is asked of the keeper for a window that is used up: a bot that goes on trying costs no writes. */
static void an_exhausted_window_asks_for_nothing(void **state)
{
    struct desk *d = *state;
    struct anchored a = {0};
    uint64_t nonce;
    size_t before;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    while (sign_one(d, &a, &nonce))
        ;
    before = d->reserves;
    for (int i = 0; i < 50; i++)
        assert_false(sign_one(d, &a, &nonce));
    assert_int_equal(d->reserves, before);
}

/* The keeper's answer comes after the credential was changed, or is gone: it reserves nothing for what is there now. */
static void an_answer_for_what_is_gone_reserves_nothing(void **state)
{
    struct desk *d = *state;
    struct keeper_event_credential changed = {.version = 2};
    struct given next = binance;
    struct signer_reply reply;
    struct signer_sign q = order(d);

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    assert_true(waits(d));
    memcpy(changed.id, d->id, 16);
    signer_changed(d->signer, &changed);
    signer_reserved(d->signer, OK); /* nothing is loaded */
    assert_int_equal(once(d, &reply), ERR_NOT_FOUND);
    next.version = 2;
    next.policy = "{" CLASSES ",\"windows\":[{\"seconds\":3600,\"orders\":32},{\"seconds\":60,\"orders\":2}]}";
    assert_int_equal(load(d, &next, NULL, 0), OK);
    assert_true(waits(d));
    assert_true(d->asked.has_credential);
    signer_sealed(d->signer); /* and a seal in between */
    signer_reserved(d->signer, OK);
    assert_int_equal(signer_sign(d->signer, &q, d->arena, &reply, &d->why), ERR_SEALED);
    assert_int_equal(d->authored, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, pipeline_setup, pipeline_teardown)
    const struct CMUnitTest tests[] = {
        T(deaths_cost_at_most_a_step_each_and_overrun_nothing), T(a_reservation_that_fails_is_asked_for_again),
        T(a_window_that_begins_anew_is_reserved_anew),          T(an_exhausted_window_asks_for_nothing),
        T(an_answer_for_what_is_gone_reserves_nothing),
    };
    return cmocka_run_group_tests_name("signer-marks", tests, NULL, NULL);
}
