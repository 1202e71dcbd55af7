/* Every message in every state; and a front whose place another one has taken, with signatures still on their way. */
#include "desk.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define POLICY "{" CLASSES "}"
#define MANY   60

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

static void operator_is_served(struct desk *d)
{
    struct keeper_status s = {0};

    assert_int_equal(desk_operator(d, KEEPER_STATUS, NULL, &s, 1000), OK);
    assert_true(desk_alive(d));
}

static void put_frame(uint16_t type, uint64_t id, struct view body, struct writer *w)
{
    writer_reset(w);
    writer_u16(w, type), writer_u16(w, 0), writer_u64(w, id);
    writer_view(w, body);
    assert_int_equal(writer_done(w), OK);
}

/* The id of the next answer that comes, or 0. */
static uint64_t next_answer(int fd, int ms)
{
    static uint8_t in[CHANNEL_FRAME_MAX];
    size_t len;

    while (desk_receive(fd, ms, in, sizeof in, &len)) {
        struct reader r = reader_new(VIEW(in, len));
        uint16_t type, zero;
        uint64_t id;
        assert_int_equal(reader_u16(&r, &type) | reader_u16(&r, &zero) | reader_u64(&r, &id), OK);
        if (type & CHANNEL_ANSWER)
            return id;
    }
    return 0;
}

/* --- every message in every state */

/* Of a message without a value: nothing, everything zero, and half of that; and rubbish behind it. */
static void send_forms(struct desk *d, int fd, uint16_t type, const struct entity *e)
{
    static const uint8_t zeros[65536];
    AUTO_WRITER body = writer_new(65536), frame = writer_new(CHANNEL_FRAME_MAX);
    size_t whole = e && entity_encode(e, zeros, &body) == OK ? body.len : 0;
    struct view forms[] = {{0}, VIEW(body.ptr, whole), VIEW(body.ptr, whole / 2), VIEW(zeros, 300)};

    assert_true(!e || e->size <= sizeof zeros);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        uint64_t id = ++d->next_id;
        put_frame(type, id, forms[i], &frame);
        assert_true(desk_raw(fd, frame.ptr, frame.len));
        if (type == KEEPER_CHECKPOINT && fd == d->to_keeper)
            continue; /* it may have to wait for the log */
        uint64_t got;
        while ((got = next_answer(fd, 2000)) != id)
            if (got == 0)
                fail_msg("message %u, form %zu: no answer", type, i);
    }
}

static void all_messages(struct desk *d)
{
    for (size_t i = 0; i < keeper_message_count; i++)
        send_forms(d, d->to_keeper, keeper_messages[i].type, keeper_messages[i].request);
    for (size_t i = 0; i < signer_message_count; i++)
        send_forms(d, d->to_signer, signer_messages[i].type, signer_messages[i].request);
    operator_is_served(d);
}

static void every_message_is_answered_in_every_state(void **state)
{
    struct desk *d = *state;

    all_messages(d); /* unsealed */
    assert_int_equal(desk_operator(d, KEEPER_SEAL, NULL, NULL, 2000), OK);
    all_messages(d);
    desk_kill(d);
    desk_start(d); /* sealed since its start, the signer never welcomed */
    all_messages(d);
    desk_unseal(d);
    all_messages(d);
}

static void before_there_is_an_installation_nothing_is_answered_either(void **state)
{
    struct desk *d = *state;

    desk_kill(d);
    assert_int_equal(ftruncate(d->anchor, 0), 0);
    desk_start(d);
    all_messages(d);
}

/* --- a front that has been replaced */

static bool is_closed(int fd)
{
    static uint8_t in[CHANNEL_FRAME_MAX];
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (int i = 0; i < 10000 && poll(&p, 1, 5000) == 1; i++) {
        ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return true;
    }
    return false;
}

static size_t ask_many(struct desk *d, uint64_t first, const struct credential_row *row)
{
    struct signer_sign q = desk_order();
    struct signer_load load = {row->descriptor, row->sealed};
    AUTO_WRITER sign = writer_new(65536), body = writer_new(65536), frame = writer_new(CHANNEL_FRAME_MAX);
    size_t sent = 0;

    assert_int_equal(entity_encode(&signer_sign_entity, &q, &sign), OK);
    assert_int_equal(entity_encode(&signer_load_entity, &load, &body), OK);
    for (size_t i = 0; i < MANY; i++) {
        put_frame(SIGNER_SIGN, first + i, writer_view_of(&sign), &frame);
        sent += desk_raw(d->to_signer, frame.ptr, frame.len);
        put_frame(SIGNER_LOAD, first + MANY + i, writer_view_of(&body), &frame);
        sent += desk_raw(d->to_signer, frame.ptr, frame.len);
    }
    return sent;
}

/* What the former one asked for is answered to nobody: its ids may be the new one's, too. */
static void replace_while_signing(struct desk *d)
{
    struct credential_row row = desk_put(d, 1, POLICY, NULL);
    struct signer_sign q = desk_order();
    struct signer_signed out;
    int keeper, signer;

    assert_int_equal(desk_load(d, &row), OK);
    assert_true(ask_many(d, 1000000, &row) > 0);
    desk_new_front(d, &keeper, &signer);
    assert_int_equal(next_answer(d->to_signer, 500), 0);
    assert_int_equal(next_answer(d->to_keeper, 100), 0);
    operator_is_served(d);
    assert_true(is_closed(keeper));
    assert_true(is_closed(signer));
    assert_false(desk_raw(signer, "\0\2\0\0\0\0\0\0\0\0\0\1", 12));
    close(keeper), close(signer);
    assert_int_equal(desk_load(d, &row), OK);
    assert_int_equal(desk_sign(d, &q, &out), OK);
    assert_true(view_is(out.decision, "ok"));
    desk_log_pending(d); /* whatever was signed for the former one is there */
    operator_is_served(d);
}

static void a_former_front_is_neither_heard_nor_answered(void **state)
{
    replace_while_signing(*state);
}

/* The same with signatures that a thread is making. */
static void nor_while_a_thread_signs_for_it(void **state)
{
    static char pem[8192];
    struct desk *d = *state;
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/tests/vectors/keys/rsa4096.pem", getenv("HOLDFAST_SOURCE"));
    f = fopen(path, "rb");
    assert_non_null(f);
    pem[fread(pem, 1, sizeof pem - 1, f)] = '\0';
    fclose(f);
    d->scheme = "binance-rsa";
    d->secret = pem;
    replace_while_signing(d);
}

static void many_fronts_after_each_other_leave_nothing_behind(void **state)
{
    struct desk *d = *state;
    struct credential_row row = desk_put(d, 1, POLICY, NULL);
    int keeper, signer;

    assert_int_equal(desk_load(d, &row), OK);
    for (uint64_t i = 0; i < 30; i++) {
        (void)ask_many(d, 1000000 * (i + 1), &row);
        desk_new_front(d, &keeper, &signer);
        close(keeper), close(signer);
    }
    assert_int_equal(desk_load(d, &row), OK);
    operator_is_served(d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_message_is_answered_in_every_state),
        T(before_there_is_an_installation_nothing_is_answered_either),
        T(a_former_front_is_neither_heard_nor_answered),
        T(nor_while_a_thread_signs_for_it),
        T(many_fronts_after_each_other_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("former-front", tests, NULL, NULL);
}
