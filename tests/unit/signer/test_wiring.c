/* The signer's sockets while memory runs out: it hears the keeper's welcome, or it ends and is started anew. One that
 * stays closed signs nothing for hours, and nobody knows why. */
#include "../failing_alloc.h"
#include "base/clock.h"
#include "crypto/secmem.h"
#include "crypto/sign.h"
#include "ipc/channel.h"
#include "ipc/keeper_msg.h"
#include "ipc/signer_msg.h"
#include "signer/wiring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 400

/* One signer whose keeper is this test. */
struct bench {
    struct loop *loop;
    struct worker *worker;
    struct signer_wiring *signer;
    struct loop_timer *timer;
    char venues[65536];
    int supervisor[2], keeper[2], front[2];
    unsigned hellos;
    bool waited; /* the loop ran until the timer, and not until the signer ended itself */
};

static void put(int fd, uint16_t type, uint64_t id, struct view body)
{
    uint8_t bytes[1024];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    writer_u16(&w, type), writer_u16(&w, 0), writer_u64(&w, id);
    writer_view(&w, body);
    assert_int_equal(writer_done(&w), OK);
    (void)send(fd, w.ptr, w.len, MSG_NOSIGNAL); /* to one that has ended perhaps */
}

static void welcome(int fd, uint64_t id)
{
    struct keeper_signer_welcome w = {.next_sequence = 1, .sequence_limit = 4096};
    uint8_t bytes[512];
    struct writer body = writer_fixed(bytes, sizeof bytes);

    writer_u16(&body, OK);
    assert_int_equal(entity_encode(&keeper_signer_welcome_entity, &w, &body), OK);
    put(fd, KEEPER_SIGNER_HELLO | CHANNEL_ANSWER, id, writer_view_of(&body));
}

/* The keeper's side. Its first answer is that it is sealed. Allocates nothing. */
static void on_turn(void *context)
{
    struct bench *b = context;
    uint8_t frame[4096];
    ssize_t n;

    while ((n = recv(b->keeper[0], frame, sizeof frame, MSG_DONTWAIT)) > 0) {
        struct reader r = reader_new(VIEW(frame, (size_t)n));
        uint16_t type, zero;
        uint64_t id;
        assert_int_equal(reader_u16(&r, &type), OK);
        assert_int_equal(reader_u16(&r, &zero), OK);
        assert_int_equal(reader_u64(&r, &id), OK);
        assert_int_equal(type, KEEPER_SIGNER_HELLO);
        if (b->hellos++ > 0)
            welcome(b->keeper[0], id);
        else
            put(b->keeper[0], type | CHANNEL_ANSWER, id,
                VIEW(((uint8_t[]){ERR_SEALED >> 8, ERR_SEALED & 0xff, 0, 0, 0, 0}), 6));
    }
}

static void on_time(void *context)
{
    struct bench *b = context;

    b->waited = true;
    loop_stop(b->loop);
}

static void run(struct bench *b)
{
    b->waited = false;
    loop_timer_arm(b->timer, 5);
    assert_int_equal(loop_run(b->loop), OK);
}

static void read_venue(struct bench *b, struct writer *w)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/spec/venues/binance.yaml", getenv("HOLDFAST_SOURCE"));
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    writer_var(w, VIEW_STR("binance.yaml"));
    writer_var(w, VIEW(b->venues, fread(b->venues, 1, sizeof b->venues, f)));
    fclose(f);
    assert_int_equal(writer_done(w), OK);
}

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    AUTO_WRITER files = writer_new(1u << 17);

    assert_non_null(b);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                                    (int *[]){b->supervisor, b->keeper, b->front}[i]),
                         0);
    read_venue(b, &files);
    struct start start = {.files = writer_view_of(&files),
                          .fd_count = 3,
                          .fds = {{START_FD_SUPERVISOR, 0, b->supervisor[1]},
                                  {START_FD_KEEPER, 0, b->keeper[1]},
                                  {START_FD_FRONT, 0, b->front[1]}}};
    assert_int_equal(loop_new(clock_system(), &b->loop), OK);
    assert_int_equal(loop_timer_new(b->loop, on_time, b, &b->timer), OK);
    assert_int_equal(worker_new(b->loop, &b->worker), OK);
    assert_int_equal(signer_wiring_new(b->loop, &start, b->worker, &b->signer), OK);
    assert_int_equal(loop_each_turn(b->loop, on_turn, b), OK);
    run(b);
    assert_int_equal(b->hellos, 1);
    return b;
}

static void bench_free(struct bench *b)
{
    signer_wiring_free(b->signer);
    worker_free(b->worker);
    loop_timer_free(b->timer);
    loop_free(b->loop);
    close(b->supervisor[0]), close(b->keeper[0]), close(b->front[0]);
    free(b);
}

/* What the signer says of a credential that it does not have; ERR_TIMEOUT if nothing. */
static enum err asked(struct bench *b)
{
    AUTO_WRITER body = writer_new(1024);
    struct signer_sign q = {.scheme = VIEW_STR("")};
    uint8_t answer[256];

    assert_int_equal(entity_encode(&signer_sign_entity, &q, &body), OK);
    put(b->front[0], SIGNER_SIGN, 1, writer_view_of(&body));
    run(b);
    ssize_t n = recv(b->front[0], answer, sizeof answer, MSG_DONTWAIT);
    return n >= 14 ? (enum err)(answer[12] << 8 | answer[13]) : ERR_TIMEOUT;
}

static void a_welcome_is_heard_or_the_signer_ends(void **state)
{
    size_t failed, nth = 0, ended = 0;

    (void)state;
    do {
        struct bench *b = bench_new();
        assert_int_equal(asked(b), ERR_SEALED);
        failing_alloc_begin(++nth, FAILING_ONE);
        put(b->keeper[0], KEEPER_EVENT_UNSEALED, 0, (struct view){0});
        run(b);
        failed = failing_alloc_end();
        ended += !b->waited;
        if (b->waited)
            assert_int_equal(asked(b), ERR_NOT_FOUND);
        bench_free(b);
        assert_true(nth < MOST);
    } while (failed > 0);
    assert_true(ended > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_welcome_is_heard_or_the_signer_ends)};
    bool locked;

    if (crypto_init(&locked) != OK || crypto_pk_init() != OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
