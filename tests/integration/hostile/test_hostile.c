/* Somebody owns the front. What he tries over its sockets, against the real keeper and signer, fails. */
#include "desk.h"
#include "keeper/anchor.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define POLICY "{" CLASSES ",\"windows\":[{\"seconds\":86400,\"orders\":40}]}"
#define STRICT "{\"classes\":[\"read\"]}"

static int setup(void **state)
{
    *state = desk_new();
    return 0;
}

static int teardown(void **state)
{
    desk_free(*state);
    return 0;
}

static void decides(struct desk *d, const struct signer_sign *q, const char *decision)
{
    struct signer_signed out;

    assert_int_equal(desk_sign(d, q, &out), OK);
    if (!view_is(out.decision, decision))
        fail_msg("%.*s, should be %s: %.*s", (int)out.decision.len, out.decision.ptr, decision, (int)out.sentence.len,
                 out.sentence.ptr);
    assert_true((out.signature.len != 0) == (strcmp(decision, "ok") == 0));
}

static bool contains(const uint8_t *in, size_t len, const char *text)
{
    return memmem(in, len, text, strlen(text)) != NULL;
}

/* --- the secret */

static void no_message_gives_the_secret(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, POLICY, NULL);
    struct keeper_unwrap unwrap = {row.descriptor, row.sealed};
    struct keeper_secret_open open = {
        .id = {1}, .version = 1, .path = VIEW_STR("exchange/binance/main"), .sealed = row.sealed};
    static uint8_t in[CHANNEL_FRAME_MAX];
    AUTO_WRITER body = writer_new(CHANNEL_FRAME_MAX);
    size_t len;

    assert_int_equal(desk_keeper(d, KEEPER_UNWRAP, &unwrap, NULL), ERR_FORBIDDEN);
    assert_int_equal(desk_keeper(d, KEEPER_SECRET_OPEN, &open, NULL), ERR_TAMPERED);
    assert_int_equal(entity_encode(&keeper_unwrap_entity, &unwrap, &body), OK);
    for (uint16_t type = 0; type < 300; type++) {
        AUTO_WRITER frame = writer_new(CHANNEL_FRAME_MAX);
        writer_u16(&frame, type), writer_u16(&frame, 0), writer_u64(&frame, 1000000u + type);
        writer_view(&frame, writer_view_of(&body));
        assert_true(desk_raw(d->to_keeper, frame.ptr, frame.len));
        while (desk_receive(d->to_keeper, 20, in, sizeof in, &len))
            assert_false(contains(in, len, SECRET));
        if (!desk_raw(d->to_signer, frame.ptr, frame.len))
            continue;
        while (desk_receive(d->to_signer, 20, in, sizeof in, &len))
            assert_false(contains(in, len, SECRET));
    }
    assert_true(desk_alive(d));
}

/* --- withdrawals and what venues' schemes invite */

static void nothing_signs_a_withdrawal(void **state)
{
    static const struct {
        const char *method, *path, *query, *body, *decision;
    } tries[] = {
        {"POST", "/sapi/v1/capital/withdraw/apply", "", "coin=BTC&address=x&amount=1", "moves-funds"},
        {"POST", "/api/v3/order", "",
         "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&coin=BTC&address=x&amount=1",
         "unknown-parameter"},
        {"GET", "/api/v3/order", "coin=BTC&address=x&amount=1", "", "unknown-parameter"},
        {"POST", "/api/v3/order", "", "symbol=LTCBTC&symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1",
         "duplicate-parameter"},
        {"POST", "/api/v3/order", "symbol=LTCBTC&side=BUY", "symbol=BTCUSDT&type=MARKET&quantity=1",
         "duplicate-parameter"},
        {"POST", "/api/v3/../../sapi/v1/capital/withdraw/apply", "", "coin=BTC&address=x&amount=1", "unknown-endpoint"},
        {"POST", "/api/v3/order", "",
         "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&signature=00", NULL},
        {"POST", "/sapi/v1/asset/transfer", "", "type=MAIN_UMFUTURE&asset=USDT&amount=1", "moves-funds"},
    };
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, "{\"classes\":[\"read\",\"cancel\",\"order\"]}", NULL);

    assert_int_equal(desk_load(d, &row), OK);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct signer_sign q = desk_order();
        struct signer_signed out;
        q.method = view_str(tries[i].method);
        q.request_path = view_str(tries[i].path);
        q.query = view_str(tries[i].query);
        q.body = view_str(tries[i].body);
        assert_int_equal(desk_sign(d, &q, &out), OK);
        assert_int_equal(out.signature.len, 0);
        assert_false(view_is(out.decision, "ok"));
        if (tries[i].decision && !view_is(out.decision, tries[i].decision))
            fail_msg("try %zu: %.*s, should be %s", i, (int)out.decision.len, out.decision.ptr, tries[i].decision);
    }
}

static void a_read_that_is_a_cancel_elsewhere_is_refused(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, STRICT, NULL);
    struct signer_sign q = desk_order();

    assert_int_equal(desk_load(d, &row), OK);
    q.method = VIEW_STR("GET");
    q.request_path = VIEW_STR("/api/v3/openOrders");
    q.query = VIEW_STR("symbol=LTCBTC");
    q.body = (struct view){0};
    decides(d, &q, "ambiguous-signature");
}

/* Phemex signs path, query, expiry and body joined without a separator, and no method. */
static void nothing_of_phemex_gives_more_than_the_policy(void **state)
{
#define G_ORDER "\"symbol\":\"BTCUSDT\",\"side\":\"Buy\",\"ordType\":\"Limit\",\"orderQtyRq\":\"1\",\"priceRp\":\"9\""
#define SPOT                                                                                                           \
    "\"symbol\":\"sBTCUSDT\",\"side\":\"Buy\",\"ordType\":\"Limit\",\"qtyType\":\"ByBase\",\"priceEp\":900000000"
    static const struct {
        const char *method, *path, *query, *body, *decision;
    } tries[] = {
        {"POST", "/g-orders", "", "{" G_ORDER "}", "ok"},
        {"POST", "/spot/orders", "", "{" SPOT ",\"baseQtyEv\":100000000}", "ok"},
        /* money out */
        {"POST", "/exchange/wallets/createWithdraw", "", "{\"currency\":\"BTC\",\"address\":\"x\",\"amountEv\":1}",
         "moves-funds"},
        {"GET", "/exchange/wallets/confirm/withdraw", "code=a", "", "moves-funds"},
        {"POST", "/assets/transfer", "", "{\"amountEv\":1,\"currency\":\"BTC\",\"moveOp\":1}", "moves-funds"},
        {"POST", "/g-orders", "", "{" G_ORDER ",\"currency\":\"BTC\",\"address\":\"x\",\"amountEv\":1}",
         "unknown-parameter"},
        {"GET", "/spot/wallets", "currency=BTC&address=x&amountEv=1", "", "unknown-parameter"},
        {"POST", "/g-orders/../exchange/wallets/createWithdraw", "",
         "{\"currency\":\"BTC\",\"address\":\"x\",\"amountEv\":1}", "unknown-endpoint"},
        /* shifted boundaries: between path and query, query and expiry, expiry and body */
        {"POST", "/g-orders", "/all", "{" G_ORDER "}", "malformed"},
        {"PUT", "/g-orders/create", "symbol=BTCUSDT&side=Buy&ordType=Market&orderQtyRq=1", "", "ambiguous-signature"},
        {"DELETE", "/g-orders/cancel", "symbol=BTCUSDT&orderID=abc1795871514", "", "ambiguous-signature"},
        {"PUT", "/g-orders/create", "symbol=BTCUSDT&side=Buy&orderQtyRq=1&clOrdID=4102444800x&ordType=Market", "",
         "ambiguous-signature"},
        {"POST", "/g-orders", "", "{" G_ORDER ",\"text\":\"4102444800{}\"}", "bad-value"},
        /* the same thing twice */
        {"POST", "/g-orders", "symbol=DOGEUSDT", "{" G_ORDER "}", "duplicate-parameter"},
        {"POST", "/g-orders", "", "{" G_ORDER ",\"side\":\"Sell\"}", "duplicate-field"},
        {"DELETE", "/g-orders/cancel", "symbol=BTCUSDT&orderID=a&orderID=b", "", "duplicate-parameter"},
        /* a second size beside one that is allowed */
        {"POST", "/spot/orders", "", "{" SPOT ",\"baseQtyEv\":100000000,\"baseQtyRq\":\"1000\"}", "policy-refused"},
        {"POST", "/spot/orders", "", "{" SPOT ",\"baseQtyRq\":\"1\",\"baseQtyEv\":100000000000}", "policy-refused"},
        {"POST", "/g-orders", "", "{" G_ORDER ",\"orderQty\":\"1000\"}", "unknown-parameter"},
        {"POST", "/g-orders", "orderQtyRq=1000", "{" G_ORDER "}", "duplicate-parameter"},
    };
    struct desk *d = *state;
    struct credential_row row;

    d->venue = d->scheme = "phemex";
    row = desk_put(
        d, 1, "{\"classes\":[\"read\",\"cancel\",\"order\"],\"max_size\":[{\"symbol\":\"*\",\"size\":\"1\"}]}", NULL);
    assert_int_equal(desk_load(d, &row), OK);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct signer_sign q = desk_order();
        q.method = view_str(tries[i].method);
        q.request_path = view_str(tries[i].path);
        q.query = view_str(tries[i].query);
        q.body = view_str(tries[i].body);
        decides(d, &q, tries[i].decision);
    }
}

/* --- authority */

static void a_policy_is_not_lowered_without_an_administrator(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, STRICT, NULL);
    struct keeper_credential_put q = {.sealed = row.sealed};
    struct credential_descriptor c = {0};
    AUTO_WRITER encoded = writer_new(32768);
    struct signer_load load;

    assert_int_equal(entity_decode(&credential_descriptor_entity, row.descriptor, d->arena, &c), OK);
    c.policy = VIEW_STR(POLICY);
    c.version = 2;
    assert_int_equal(entity_encode(&credential_descriptor_entity, &c, &encoded), OK);
    q.descriptor = writer_view_of(&encoded);
    memcpy(q.previous, row.hash, 32);
    assert_int_equal(desk_keeper(d, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_NEEDED);
    q.approval = (struct approval){.alg = APPROVAL_ED25519, .expiry_ms = UINT64_MAX};
    assert_int_equal(desk_keeper(d, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_NOT_ADMINISTRATOR);
    load = (struct signer_load){q.descriptor, row.sealed};
    assert_int_equal(desk_signer(d, SIGNER_LOAD, &load, NULL), ERR_TAMPERED);
}

static void an_old_policy_stays_dead_also_after_a_power_cut(void **state)
{
    struct desk *d = *state;
    struct credential_row lax = desk_put(d, 1, POLICY, NULL), strict;
    struct signer_sign q = desk_order();

    assert_int_equal(desk_load(d, &lax), OK);
    decides(d, &q, "ok");
    strict = desk_put(d, 2, STRICT, &lax);
    assert_int_equal(desk_sign(d, &q, &(struct signer_signed){0}), ERR_NOT_FOUND);
    assert_int_equal(desk_load(d, &lax), ERR_TAMPERED);
    desk_kill(d);
    desk_start(d);
    desk_unseal(d);
    assert_int_equal(desk_load(d, &lax), ERR_TAMPERED);
    assert_int_equal(desk_load(d, &strict), OK);
    decides(d, &q, "policy-refused");
}

static void nonces_and_windows_survive_a_power_cut(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, POLICY, NULL);
    struct signer_sign q = desk_order();
    struct signer_signed before, after;
    int orders = 0;

    assert_int_equal(desk_load(d, &row), OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(desk_sign(d, &q, &before), OK);
    desk_kill(d);
    desk_start(d);
    desk_unseal(d);
    assert_int_equal(desk_load(d, &row), OK);
    assert_int_equal(desk_sign(d, &q, &after), OK);
    assert_true(after.nonce > before.nonce);
    for (; orders < 60 && view_is(after.decision, "ok"); orders++)
        assert_int_equal(desk_sign(d, &q, &after), OK);
    assert_true(view_is(after.decision, "window-exceeded"));
    assert_true(orders <= 20); /* 40 in all, whatever died in between */
}

/* --- the record */

static void a_signature_can_not_be_hidden_from_the_next_checkpoint(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, POLICY, NULL);
    struct signer_sign q = desk_order();
    struct keeper_checkpoint ask = {.size = 0};
    struct keeper_note note = {0};
    static uint8_t in[CHANNEL_FRAME_MAX];
    AUTO_WRITER frame = writer_new(256);
    size_t len;
    bool signed_without = false;

    assert_int_equal(desk_load(d, &row), OK);
    assert_int_equal(desk_keeper(d, KEEPER_CHECKPOINT, &ask, &note), OK);
    decides(d, &q, "ok");
    writer_u16(&frame, KEEPER_CHECKPOINT), writer_u16(&frame, 0), writer_u64(&frame, 77777);
    assert_int_equal(entity_encode(&keeper_checkpoint_entity, &ask, &frame), OK);
    assert_true(desk_raw(d->to_keeper, frame.ptr, frame.len));
    while (desk_receive(d->to_keeper, 300, in, sizeof in, &len))
        signed_without |= contains(in, len, "holdfast/");
    assert_false(signed_without);
    desk_log_pending(d);
    ask.size = d->logged;
    assert_int_equal(desk_keeper(d, KEEPER_CHECKPOINT, &ask, &note), OK);
}

/* --- crashing and hanging */

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static uint64_t now_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

static void operator_answers_within_a_second(struct desk *d)
{
    struct keeper_status s = {0};
    uint64_t start = now_ms();

    assert_int_equal(desk_operator(d, KEEPER_STATUS, NULL, &s, 1000), OK);
    assert_true(now_ms() - start < 1000);
}

static void noise_neither_crashes_nor_hangs_them(void **state)
{
    struct desk *d = *state;
    static uint8_t noise[70000];
    uint32_t seed = 20261122;

    (void)desk_put(d, 1, POLICY, NULL);
    for (int round = 0; round < 3000; round++) {
        size_t len = next_random(&seed) % (round % 100 == 0 ? sizeof noise : 600);
        for (size_t i = 0; i < len; i++)
            noise[i] = (uint8_t)next_random(&seed);
        if (len >= 4 && round % 2) { /* a known type, a zero, and rubbish behind it */
            noise[0] = 0, noise[1] = (uint8_t)(next_random(&seed) % 64), noise[2] = 0, noise[3] = 0;
        }
        (void)desk_raw(d->to_keeper, noise, len);
        (void)desk_raw(d->to_signer, noise, len);
        assert_true(desk_alive(d));
    }
    operator_answers_within_a_second(d);
}

/* A flood of good requests from a peer that never reads an answer. */
static void a_flood_that_is_never_read_leaves_the_operator_served(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, POLICY, NULL);
    struct keeper_secret_seal seal = {
        .version = 1, .path = VIEW_STR("a"), .value = VIEW(row.sealed.ptr, row.sealed.len)};
    struct signer_sign q = desk_order();
    AUTO_WRITER to_keeper = writer_new(65536), to_signer = writer_new(65536);
    uint64_t until;

    assert_int_equal(desk_load(d, &row), OK);
    writer_u16(&to_keeper, KEEPER_SECRET_SEAL), writer_u16(&to_keeper, 0), writer_u64(&to_keeper, 5);
    assert_int_equal(entity_encode(&keeper_secret_seal_entity, &seal, &to_keeper), OK);
    writer_u16(&to_signer, SIGNER_SIGN), writer_u16(&to_signer, 0), writer_u64(&to_signer, 5);
    assert_int_equal(entity_encode(&signer_sign_entity, &q, &to_signer), OK);
    until = now_ms() + 3000;
    for (int asked = 0; now_ms() < until;) {
        bool taken = desk_raw(d->to_keeper, to_keeper.ptr, to_keeper.len);
        taken |= desk_raw(d->to_signer, to_signer.ptr, to_signer.len);
        if (!taken)
            (void)poll(NULL, 0, 1);
        if (now_ms() > until - 3000 + (uint64_t)asked * 300) {
            operator_answers_within_a_second(d);
            asked++;
        }
    }
    assert_true(desk_alive(d));
}

static void half_a_frame_and_no_frame_are_survived(void **state)
{
    struct desk *d = *state;
    static const uint8_t zero[12];

    for (size_t len = 0; len <= sizeof zero; len++) {
        (void)desk_raw(d->to_keeper, zero, len);
        (void)desk_raw(d->to_signer, zero, len);
    }
    operator_answers_within_a_second(d);
    assert_true(desk_alive(d));
}

/* How often the anchor was written: the number of its newer slot. */
static uint64_t anchor_writes(const struct desk *d)
{
    uint64_t newest = 0;

    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t head[16];
        struct reader r = reader_new(VIEW_OF(head));
        uint64_t magic, number;
        if (pread(d->anchor, head, sizeof head, (off_t)slot * ANCHOR_SLOT) != sizeof head)
            continue; /* a new anchor has one slot */
        assert_int_equal(reader_u64(&r, &magic) | reader_u64(&r, &number), OK);
        newest = number > newest ? number : newest;
    }
    return newest;
}

/* Each write of the anchor is a sync. A front that asks for checkpoints without end makes one of many, or the signer's
 * reservations wait behind them. */
static void checkpoints_asked_together_cost_one_write(void **state)
{
    enum { ASKED = 48 };
    struct desk *d = *state;
    struct keeper_checkpoint ask = {.size = 0};
    static uint8_t in[CHANNEL_FRAME_MAX];
    size_t len, answers = 0;
    uint64_t before;

    desk_log_pending(d);
    before = anchor_writes(d);
    assert_int_equal(kill(d->keeper, SIGSTOP), 0);
    for (uint64_t id = 0; id < ASKED; id++) {
        AUTO_WRITER frame = writer_new(256);
        writer_u16(&frame, KEEPER_CHECKPOINT), writer_u16(&frame, 0), writer_u64(&frame, 50000 + id);
        assert_int_equal(entity_encode(&keeper_checkpoint_entity, &ask, &frame), OK);
        assert_true(desk_raw(d->to_keeper, frame.ptr, frame.len));
    }
    assert_int_equal(kill(d->keeper, SIGCONT), 0);
    while (answers < ASKED && desk_receive(d->to_keeper, 2000, in, sizeof in, &len))
        answers += contains(in, len, "holdfast/");
    assert_int_equal(answers, ASKED);
    assert_in_range(anchor_writes(d) - before, 1, 2); /* the turn may have begun with some of them */
}

static int knock(const struct desk *d)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/operator.sock", d->directory);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Whether the keeper has hung up. */
static bool hung_up(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t byte;

    return poll(&p, 1, ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

/* Connections that are held open cost the keeper a bounded number of places, and no operator his. */
static void operators_who_say_nothing_give_way(void **state)
{
    enum { PLACES = 8, KNOCKS = 20 };
    struct desk *d = *state;
    int idle[KNOCKS], held = 0;

    for (int i = 0; i < KNOCKS; i++)
        idle[i] = knock(d);
    for (int i = 0; i < KNOCKS; i++)
        held += !hung_up(idle[i], i < PLACES ? 0 : 500);
    assert_int_equal(held, PLACES);
    assert_int_not_equal(desk_operator(d, KEEPER_STATUS, NULL, NULL, 1000), OK);
    (void)poll(NULL, 0, 5100); /* OPERATOR_YIELD_MS */
    operator_answers_within_a_second(d);
    for (int i = 0; i < KNOCKS; i++)
        close(idle[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(no_message_gives_the_secret),
        T(nothing_signs_a_withdrawal),
        T(a_read_that_is_a_cancel_elsewhere_is_refused),
        T(nothing_of_phemex_gives_more_than_the_policy),
        T(a_policy_is_not_lowered_without_an_administrator),
        T(an_old_policy_stays_dead_also_after_a_power_cut),
        T(nonces_and_windows_survive_a_power_cut),
        T(a_signature_can_not_be_hidden_from_the_next_checkpoint),
        T(noise_neither_crashes_nor_hangs_them),
        T(a_flood_that_is_never_read_leaves_the_operator_served),
        T(half_a_frame_and_no_frame_are_survived),
        T(checkpoints_asked_together_cost_one_write),
        T(operators_who_say_nothing_give_way),
    };
    return cmocka_run_group_tests_name("hostile-front", tests, NULL, NULL);
}
