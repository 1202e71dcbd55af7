/* Requests in their order, and a slow key that keeps nobody else waiting: the dispatch with a real worker, a real
 * signer and real sockets. */
#include "pipeline_rig.h"

#include "signer/dispatch.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRONTS   2
#define ANSWERS  2048
#define RSA_WHO  1
#define FAST_WHO 2

struct got {
    uint64_t id;
    enum err error;
    struct signer_signed out;
};

struct rig {
    struct desk *d;
    struct loop *loop;
    struct worker *worker;
    struct arena *arena;
    struct dispatch *dispatch;
    enum err recorded; /* whether the keeper has taken every record */
    bool freeze;       /* is what the keeper has said and nobody has read */
    struct channel *fronts[FRONTS];
    int peers[FRONTS];
    struct got got[ANSWERS];
    size_t count;
};

static char *file_text(const char *name)
{
    static char text[8192];
    char path[4096];
    const char *root = getenv("HOLDFAST_SOURCE");

    assert_non_null(root);
    snprintf(path, sizeof path, "%s/tests/vectors/keys/%s", root, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void load_slow(struct rig *r, uint64_t version, bool frozen)
{
    struct given g = binance;

    g.scheme = "binance-rsa";
    g.secret = file_text("rsa2048.pem");
    g.version = version;
    g.frozen = frozen;
    r->d->id[0] = RSA_WHO;
    assert_int_equal(load(r->d, &g, NULL, 0), OK);
}

static void load_fast(struct rig *r)
{
    struct given g = {.venue = "hyperliquid",
                      .scheme = "hl-l1",
                      .version = 1,
                      .policy = "{\"classes\":[\"order\"],\"symbols\":[\"0\"]}",
                      .secret = "0x7a33a0d7a294d0b4c8f3ca1db8a12070baabd6f00c6100020e3dece2e48b423a"};

    r->d->id[0] = FAST_WHO;
    assert_int_equal(load(r->d, &g, NULL, 0), OK);
}

static enum err listen_to_keeper(void *context)
{
    struct rig *r = context;
    struct keeper_event_credential e = {.version = 1, .frozen = true};

    memcpy(e.id, r->d->id, sizeof e.id);
    e.id[0] = RSA_WHO;
    if (r->freeze)
        signer_changed(r->d->signer, &e);
    return OK;
}

static enum err recorded(void *context)
{
    return ((struct rig *)context)->recorded;
}

static void end_of_turn(void *context)
{
    dispatch_release(((struct rig *)context)->dispatch);
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct channel_handler handler = {.context = r};
    void *desk;

    assert_int_equal(pipeline_setup(&desk), 0);
    r->d = desk;
    assert_int_equal(loop_new(clock_system(), &r->loop), OK);
    assert_int_equal(worker_new(r->loop, &r->worker), OK);
    assert_int_equal(arena_new(1u << 16, 1u << 20, &r->arena), OK);
    struct dispatch_config config = {r->d->signer, r->worker, r->arena, listen_to_keeper, recorded, r};
    assert_int_equal(dispatch_new(&config, &r->dispatch), OK);
    assert_int_equal(loop_each_turn(r->loop, end_of_turn, r), OK);
    for (size_t i = 0; i < FRONTS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(channel_new(r->loop, pair[0], &handler, &r->fronts[i]), OK);
        r->peers[i] = pair[1];
    }
    load_slow(r, 1, false);
    load_fast(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    void *desk = r->d;

    worker_stop(r->worker);
    dispatch_free(r->dispatch);
    for (size_t i = 0; i < FRONTS; i++) {
        channel_free(r->fronts[i]);
        close(r->peers[i]);
    }
    worker_free(r->worker);
    loop_free(r->loop);
    arena_free(r->arena);
    free(r);
    return pipeline_teardown(&desk);
}

static struct signer_sign slow_order(const struct rig *r)
{
    struct signer_sign q = order(r->d);

    q.id[0] = RSA_WHO;
    return q;
}

static struct signer_sign fast_order(const struct rig *r)
{
    struct signer_sign q = {
        .bot = VIEW_STR("key:bot"),
        .network = VIEW_STR("mainnet"),
        .params = VIEW_STR("{\"type\":\"order\",\"orders\":[{\"a\":0,\"b\":true,\"p\":\"100\",\"s\":\"1\","
                           "\"r\":false,\"t\":{\"limit\":{\"tif\":\"Gtc\"}}}],\"grouping\":\"na\"}")};

    memcpy(q.id, r->d->id, sizeof q.id);
    q.id[0] = FAST_WHO;
    return q;
}

/* As many orders as one action may hold: a large answer. */
static struct view fast_list(const struct rig *r)
{
    static const char one[] = "{\"a\":0,\"b\":true,\"p\":\"100\",\"s\":\"1\",\"r\":false,\"t\":{\"limit\":{\"tif\":"
                              "\"Gtc\"}}}";
    uint8_t *memory = arena_alloc(r->d->arena, 65536);
    struct writer w = writer_fixed(memory, 65536);

    writer_str(&w, "{\"type\":\"order\",\"orders\":[");
    for (int i = 0; i < 250; i++) {
        writer_str(&w, i ? "," : "");
        writer_str(&w, one);
    }
    writer_str(&w, "],\"grouping\":\"na\"}");
    assert_int_equal(writer_done(&w), OK);
    return writer_view_of(&w);
}

/* As the keeper would: marks are written as soon as they are asked for. */
static void answer_keeper(struct rig *r)
{
    while (r->d->asked.nonce_mark_ms) {
        r->d->asked = (struct keeper_reserve){0};
        signer_reserved(r->d->signer, OK);
        dispatch_reserved(r->dispatch);
    }
}

static enum err ask(struct rig *r, size_t front, uint64_t id, const struct signer_sign *q)
{
    AUTO_WRITER body = writer_new(65536);

    assert_int_equal(entity_encode(&signer_sign_entity, q, &body), OK);
    enum err e = dispatch_sign(r->dispatch, r->fronts[front], id, writer_view_of(&body));
    arena_reset(r->arena);
    answer_keeper(r);
    return e;
}

static void read_front(struct rig *r, size_t front)
{
    static uint8_t bytes[CHANNEL_FRAME_MAX];
    ssize_t n;

    while ((n = recv(r->peers[front], bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        struct reader in = reader_new(VIEW(bytes, (size_t)n));
        struct got *g = &r->got[r->count++];
        struct view copy, entity;
        uint16_t type, zero;
        assert_true(r->count <= ANSWERS);
        assert_int_equal(reader_u16(&in, &type) + reader_u16(&in, &zero) + reader_u64(&in, &g->id), OK);
        assert_int_equal(type, SIGNER_SIGN | CHANNEL_ANSWER);
        assert_int_equal(arena_copy(r->d->arena, VIEW(in.ptr, in.left), &copy), OK);
        g->error = channel_result(copy, &entity, NULL);
        if (g->error == OK)
            assert_int_equal(entity_decode(&signer_signed_entity, entity, r->d->arena, &g->out), OK);
    }
}

/* Until so many answers are there. */
static void collect(struct rig *r, size_t count)
{
    for (int turns = 0; r->count < count; turns++) {
        if (turns == 20000)
            fail_msg("%zu of %zu answers", r->count, count);
        assert_int_equal(loop_turn(r->loop, 10), OK);
        answer_keeper(r);
        for (size_t i = 0; i < FRONTS; i++)
            if (r->peers[i] >= 0)
                read_front(r, i);
    }
}

/* What came back after everything under way has: nothing more than that. */
static void nothing_more(struct rig *r)
{
    size_t before = r->count;

    for (int turns = 0; turns < 20; turns++)
        assert_int_equal(loop_turn(r->loop, 5), OK);
    for (size_t i = 0; i < FRONTS; i++)
        read_front(r, i);
    assert_int_equal(r->count, before);
}

static bool is(const struct got *g, const char *decision)
{
    return g->error == OK && view_is(g->out.decision, decision);
}

static void a_slow_key_keeps_its_order_and_nobody_waiting(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r), fast = fast_order(r);
    uint64_t nonce = 0, next = 1;

    for (uint64_t id = 1; id <= 20; id++)
        assert_int_equal(ask(r, 0, id, &slow), OK);
    assert_int_equal(ask(r, 1, 100, &fast), OK);
    collect(r, 21);
    size_t fast_at = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct got *g = &r->got[i];
        assert_true(is(g, "ok"));
        if (g->id == 100) {
            fast_at = i;
            continue;
        }
        assert_int_equal(g->id, next++);
        assert_true(g->out.nonce > nonce);
        nonce = g->out.nonce;
    }
    assert_true(fast_at < 10); /* it was asked for last */
    assert_int_equal(r->d->authored, 21);
}

static void what_the_thread_signs_verifies(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);
    char text[4096], *end;
    uint8_t raw[1024];
    struct writer signature = writer_fixed(raw, sizeof raw);

    assert_int_equal(ask(r, 0, 1, &slow), OK);
    collect(r, 1);
    assert_true(is(&r->got[0], "ok"));
    assert_int_equal(view_to_str(r->got[0].out.body, text, sizeof text), OK);
    end = strstr(text, "&signature=");
    assert_non_null(end);
    assert_int_equal(base64_get(r->got[0].out.signature, &signature), OK);
    assert_int_equal(rsa_verify_sha256(view_str(file_text("rsa2048-public.pem")), VIEW(text, (size_t)(end - text)),
                                       writer_view_of(&signature)),
                     OK);
}

static void a_window_is_not_overrun_by_those_that_wait(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);

    for (uint64_t id = 1; id <= 40; id++)
        assert_int_equal(ask(r, id % 2, id, &slow), OK);
    collect(r, 40);
    size_t signed_ = 0, refused = 0;
    for (size_t i = 0; i < r->count; i++) {
        signed_ += is(&r->got[i], "ok");
        refused += is(&r->got[i], "window-exceeded");
    }
    assert_int_equal(signed_, 32);
    assert_int_equal(refused, 8);
}

static void a_freeze_stops_the_signature_that_is_being_made(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);

    assert_int_equal(ask(r, 0, 1, &slow), OK);
    assert_int_equal(ask(r, 0, 2, &slow), OK);
    r->freeze = true;
    collect(r, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(is(&r->got[i], "frozen"));
        assert_int_equal(r->got[i].out.signature.len + r->got[i].out.body.len + r->got[i].out.url.len, 0);
    }
    assert_int_equal(r->d->authored, 2);
}

static void another_version_stops_it_too(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);
    struct keeper_event_credential e = {.version = 2};

    memcpy(e.id, slow.id, sizeof e.id);
    assert_int_equal(ask(r, 0, 1, &slow), OK);
    signer_changed(r->d->signer, &e);
    load_slow(r, 2, false); /* while the former one's key is in use */
    collect(r, 1);
    assert_int_equal(r->got[0].error, ERR_NOT_FOUND);
    assert_int_equal(r->d->authored, 0);
    assert_int_equal(ask(r, 0, 2, &slow), OK);
    collect(r, 2);
    assert_true(is(&r->got[1], "ok"));
}

static void a_seal_is_answered_at_once_and_for_good(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);
    struct keeper_signer_welcome again = {.next_sequence = 5, .sequence_limit = 1000};

    for (uint64_t id = 1; id <= 5; id++)
        assert_int_equal(ask(r, 0, id, &slow), OK);
    signer_sealed(r->d->signer);
    dispatch_refuse_all(r->dispatch, ERR_SEALED);
    signer_welcome(r->d->signer, &again);
    load_slow(r, 1, false);
    collect(r, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(r->got[i].error, ERR_SEALED);
    nothing_more(r);
    assert_int_equal(r->d->authored, 0);
    assert_int_equal(ask(r, 0, 6, &slow), OK);
    collect(r, 6);
    assert_true(is(&r->got[5], "ok"));
}

static void a_front_that_leaves_takes_its_own_along(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);

    for (uint64_t id = 1; id <= 8; id++)
        assert_int_equal(ask(r, id % 2, id, &slow), OK);
    dispatch_forget(r->dispatch, r->fronts[1]);
    channel_free(r->fronts[1]);
    r->fronts[1] = NULL;
    collect(r, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(r->got[i].id, 2 * i + 2);
        assert_true(is(&r->got[i], "ok"));
    }
    assert_int_equal(r->d->authored, 4); /* what nobody got was not signed */
}

static void no_record_no_signature(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r);

    assert_int_equal(ask(r, 0, 1, &slow), OK);
    r->d->authored_result = ERR_UNAVAILABLE;
    collect(r, 1);
    assert_int_equal(r->got[0].error, ERR_UNAVAILABLE);
    r->d->authored_result = OK;
    assert_int_equal(ask(r, 0, 2, &slow), OK);
    collect(r, 2);
    assert_true(is(&r->got[1], "ok"));
}

static void no_answer_leaves_before_its_record(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r), fast = fast_order(r);

    r->recorded = ERR_TIMEOUT;
    assert_int_equal(ask(r, 0, 1, &fast), OK);
    assert_int_equal(ask(r, 0, 2, &slow), OK);
    assert_int_equal(ask(r, 1, 3, &fast), OK);
    nothing_more(r);
    r->recorded = OK;
    collect(r, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(is(&r->got[i], "ok"));
}

static void answers_without_their_records_are_withdrawn(void **state)
{
    struct rig *r = *state;
    struct signer_sign fast = fast_order(r);

    r->recorded = ERR_TIMEOUT;
    assert_int_equal(ask(r, 0, 1, &fast), OK);
    assert_int_equal(ask(r, 1, 2, &fast), OK);
    dispatch_forget(r->dispatch, r->fronts[1]);
    dispatch_withdraw(r->dispatch, ERR_UNAVAILABLE);
    r->recorded = OK;
    collect(r, 1);
    assert_int_equal(r->got[0].id, 1);
    assert_int_equal(r->got[0].error, ERR_UNAVAILABLE);
    nothing_more(r);
    assert_int_equal(r->count, 1); /* who has left is not written to */
}

static void a_keeper_that_takes_no_records_is_not_waited_for_without_end(void **state)
{
    struct rig *r = *state;
    struct signer_sign fast = fast_order(r);
    uint64_t asked = 0;

    fast.params = fast_list(r);
    r->recorded = ERR_TIMEOUT;
    while (r->count == 0 && asked < 20000) {
        r->d->wall_ms++, r->d->mono_ms++;
        assert_int_equal(ask(r, 0, ++asked, &fast), OK);
        assert_int_equal(loop_turn(r->loop, 0), OK);
        read_front(r, 0);
    }
    assert_int_equal(r->count, 1);
    assert_int_equal(r->got[0].error, ERR_BUSY);
    assert_int_equal(r->d->authored, asked - 1);
}

static void too_many_waiting_are_busy_and_leave_room(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r), fast = fast_order(r);
    uint64_t taken = 0;
    enum err e = OK;

    while (taken < 4000 && (e = ask(r, 0, taken + 1, &slow)) == OK)
        taken++;
    assert_int_equal(e, ERR_BUSY);
    assert_true(taken >= 500 && taken < 2000);
    r->d->wall_ms += 20000; /* beyond what is reserved: the fast one has to wait for marks */
    r->d->mono_ms += 20000;
    assert_int_equal(ask(r, 1, 5000, &fast), OK);
    while (r->count == 0 || r->got[r->count - 1].id != 5000)
        collect(r, r->count + 1);
    assert_true(is(&r->got[r->count - 1], "ok"));
    assert_true(r->count < taken / 2);
}

static void marks_that_fail_refuse_who_waits_for_them(void **state)
{
    struct rig *r = *state;
    struct signer_sign slow = slow_order(r), fast = fast_order(r);
    AUTO_WRITER one = writer_new(65536), two = writer_new(65536);

    assert_int_equal(entity_encode(&signer_sign_entity, &slow, &one), OK);
    assert_int_equal(entity_encode(&signer_sign_entity, &fast, &two), OK);
    assert_int_equal(dispatch_sign(r->dispatch, r->fronts[0], 1, writer_view_of(&one)), OK);
    assert_int_equal(dispatch_sign(r->dispatch, r->fronts[0], 2, writer_view_of(&two)), OK);
    r->d->asked = (struct keeper_reserve){0};
    signer_reserved(r->d->signer, ERR_NO_SPACE);
    dispatch_refuse_unmarked(r->dispatch, ERR_NO_SPACE);
    collect(r, 2);
    assert_int_equal(r->got[0].error, ERR_NO_SPACE);
    assert_int_equal(r->got[1].error, ERR_NO_SPACE);
    assert_int_equal(ask(r, 0, 3, &slow), OK);
    collect(r, 3);
    assert_true(is(&r->got[2], "ok"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_slow_key_keeps_its_order_and_nobody_waiting),
        T(what_the_thread_signs_verifies),
        T(a_window_is_not_overrun_by_those_that_wait),
        T(a_freeze_stops_the_signature_that_is_being_made),
        T(another_version_stops_it_too),
        T(a_seal_is_answered_at_once_and_for_good),
        T(a_front_that_leaves_takes_its_own_along),
        T(no_record_no_signature),
        T(no_answer_leaves_before_its_record),
        T(answers_without_their_records_are_withdrawn),
        T(a_keeper_that_takes_no_records_is_not_waited_for_without_end),
        T(too_many_waiting_are_busy_and_leave_room),
        T(marks_that_fail_refuse_who_waits_for_them),
    };
    return cmocka_run_group_tests_name("signer-dispatch", tests, NULL, NULL);
}
