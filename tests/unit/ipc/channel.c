#include "ipc/channel.h"

#include "ipc/supervisor_msg.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end is a channel in a loop, the other a plain socket that plays whatever peer a test needs. */
struct end {
    struct loop *loop;
    struct channel *channel;
    int peer;
    int frames, closed, last_fd;
    uint64_t last_id;
    size_t last_len;
    enum err answer_with; /* what the frame callback returns */
    bool answers, keeps_fd, frees;
    int arrivals, frames_before; /* what had been handed on at the last arrival */
    enum err arrive_with;
};

static enum err on_arrival(void *context)
{
    struct end *e = context;
    e->arrivals++;
    e->frames_before = e->frames;
    return e->arrive_with;
}

static enum err on_frame(void *context, struct channel *c, struct frame *f)
{
    struct end *e = context;
    e->frames++;
    e->last_id = f->id;
    e->last_len = f->body.len;
    e->last_fd = f->fd;
    if (e->keeps_fd)
        f->fd = -1;
    if (e->frees) {
        channel_free(c);
        e->channel = NULL;
        return OK;
    }
    if (e->answers)
        return channel_answer(c, f, &supervisor_status_entity, &(struct supervisor_status){.text = view_str("yes")});
    return e->answer_with;
}

static void on_closed(void *context, struct channel *c)
{
    struct end *e = context;
    e->closed++;
    channel_free(c);
    e->channel = NULL;
}

static void end_open(struct end *e, bool accepts_fds)
{
    int pair[2];
    const struct channel_handler handler = {
        .frame = on_frame, .arrived = on_arrival, .closed = on_closed, .context = e, .accepts_fds = accepts_fds};
    assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    assert_ok(loop_new(clock_system(), &e->loop));
    assert_ok(channel_new(e->loop, pair[0], &handler, &e->channel));
    e->peer = pair[1];
}

static void end_done(struct end *e)
{
    channel_free(e->channel);
    loop_free(e->loop);
    if (e->peer >= 0)
        close(e->peer);
}

static void turns(struct end *e, int n)
{
    for (int i = 0; i < n; i++)
        assert_ok(loop_turn(e->loop, 0));
}

static size_t frame_of(uint8_t *out, uint16_t type, uint64_t id, size_t body)
{
    struct writer w = writer_fixed(out, CHANNEL_HEADER);
    writer_u16(&w, type);
    writer_u16(&w, 0);
    writer_u64(&w, id);
    memset(out + CHANNEL_HEADER, 'b', body);
    return CHANNEL_HEADER + body;
}

static ssize_t push(struct end *e, uint64_t id, size_t body)
{
    static uint8_t bytes[CHANNEL_FRAME_MAX + 64];
    return send(e->peer, bytes, frame_of(bytes, 7, id, body), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void frames_arrive_whole_and_in_order(void **state)
{
    (void)state;
    struct end e = {0};
    end_open(&e, false);
    for (uint64_t i = 1; i <= 100; i++)
        assert_true(push(&e, i, i) > 0);
    turns(&e, 3);
    assert_int_equal(e.frames, 100);
    assert_int_equal(e.last_id, 100);
    assert_int_equal(e.last_len, 100);
    assert_true(push(&e, 101, CHANNEL_FRAME_MAX - CHANNEL_HEADER) > 0);
    turns(&e, 2);
    assert_int_equal(e.last_len, CHANNEL_FRAME_MAX - CHANNEL_HEADER);
    assert_int_equal(e.closed, 0);
    end_done(&e);
}

struct broken {
    const char *name;
    uint8_t bytes[16];
    size_t len;
};

static void broken_frames_end_the_channel(void **state)
{
    (void)state;
    static const struct broken cases[] = {
        {"one byte", {1}, 1},
        {"header cut short", {0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11},
        {"reserved bytes not zero", {0, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, 12},
        {"empty", {0}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct end e = {0};
        end_open(&e, false);
        assert_int_equal(send(e.peer, cases[i].bytes, cases[i].len, 0), cases[i].len);
        turns(&e, 2);
        assert_int_equal(e.frames, 0);
        assert_int_equal(e.closed, 1);
        end_done(&e);
    }
}

static void an_oversize_frame_ends_the_channel(void **state)
{
    (void)state;
    struct end e = {0};
    end_open(&e, false);
    assert_true(push(&e, 1, CHANNEL_FRAME_MAX - CHANNEL_HEADER + 1) > 0);
    turns(&e, 2);
    assert_int_equal(e.frames, 0);
    assert_int_equal(e.closed, 1);
    end_done(&e);
}

static void the_end_comes_after_what_was_sent_before(void **state)
{
    (void)state;
    struct end e = {0};
    end_open(&e, false);
    for (int i = 1; i <= 20; i++)
        assert_true(push(&e, (uint64_t)i, 10) > 0);
    /* Something unread in the peer's direction, so that its close is a reset here. */
    assert_ok(channel_send(e.channel, 1, 0, VIEW_STR("never read"), -1));
    assert_ok(channel_flush(e.channel));
    close(e.peer);
    e.peer = -1;
    turns(&e, 6);
    assert_int_equal(e.frames, 20);
    assert_int_equal(e.closed, 1);
    end_done(&e);
}

static void a_callback_that_fails_ends_the_channel_once(void **state)
{
    (void)state;
    struct end e = {.answer_with = ERR_MALFORMED};
    end_open(&e, false);
    for (int i = 0; i < 5; i++)
        assert_true(push(&e, 1, 0) > 0);
    turns(&e, 3);
    assert_int_equal(e.frames, 1);
    assert_int_equal(e.closed, 1);
    end_done(&e);
}

/* What the owner has to know before the frames, it asks for once for all that have arrived, and never too late. */
static void the_owner_hears_of_frames_before_he_gets_them(void **state)
{
    (void)state;
    struct end e = {0};
    end_open(&e, false);
    for (int i = 0; i < 5; i++)
        assert_true(push(&e, 1, 0) > 0);
    turns(&e, 1);
    assert_int_equal(e.arrivals, 1);
    assert_int_equal(e.frames_before, 0);
    assert_int_equal(e.frames, 5);
    assert_true(push(&e, 1, 0) > 0);
    turns(&e, 1);
    assert_int_equal(e.arrivals, 2);
    assert_int_equal(e.frames_before, 5);
    e.arrive_with = ERR_UNAVAILABLE;
    assert_true(push(&e, 1, 0) > 0);
    turns(&e, 2);
    assert_int_equal(e.frames, 6);
    assert_int_equal(e.closed, 1);
    end_done(&e);
}

static void a_callback_may_free_its_channel(void **state)
{
    (void)state;
    struct end e = {.frees = true};
    end_open(&e, false);
    for (int i = 0; i < 5; i++)
        assert_true(push(&e, 1, 0) > 0);
    turns(&e, 3);
    assert_int_equal(e.frames, 1);
    assert_int_equal(e.closed, 0);
    end_done(&e);
}

/* --- descriptors */

static void push_fds(struct end *e, const int *fds, size_t n)
{
    uint8_t bytes[64];
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = frame_of(bytes, 7, 1, 0)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    m.msg_control = control.bytes;
    m.msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(h), fds, n * sizeof(int));
    assert_true(sendmsg(e->peer, &m, 0) > 0);
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void descriptors_that_nobody_wants_are_closed(void **state)
{
    (void)state;
    static const struct {
        bool accepts;
        size_t sent;
        int frames, closed;
    } cases[] = {
        {false, 1, 0, 1}, {false, 5, 0, 1}, {true, 2, 0, 1}, {true, 5, 0, 1}, {true, 1, 1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct end e = {0};
        int before = open_descriptors();
        int fds[5] = {2, 2, 2, 2, 2};
        end_open(&e, cases[i].accepts);
        push_fds(&e, fds, cases[i].sent);
        turns(&e, 3);
        assert_int_equal(e.frames, cases[i].frames);
        assert_int_equal(e.closed, cases[i].closed);
        end_done(&e);
        assert_int_equal(open_descriptors(), before);
    }
}

static void a_descriptor_arrives_and_can_be_kept(void **state)
{
    (void)state;
    struct end e = {.keeps_fd = true};
    int p[2];
    char got = 0;
    end_open(&e, true);
    assert_ok(pipe(p));
    push_fds(&e, &p[1], 1);
    turns(&e, 2);
    assert_true(e.last_fd > 2);
    assert_true(fcntl(e.last_fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(e.last_fd, "k", 1), 1);
    assert_int_equal(read(p[0], &got, 1), 1);
    assert_int_equal(got, 'k');
    close(e.last_fd);
    close(p[0]);
    close(p[1]);
    end_done(&e);
}

static void a_sent_descriptor_is_a_copy(void **state)
{
    (void)state;
    struct end e = {0};
    int p[2];
    uint8_t control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    char body[64];
    struct iovec part = {.iov_base = body, .iov_len = sizeof body};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int got = -1;
    end_open(&e, false);
    assert_ok(pipe(p));
    assert_ok(channel_send(e.channel, 9, 0, VIEW_STR("x"), p[1]));
    close(p[1]);
    turns(&e, 1);
    assert_int_equal(recvmsg(e.peer, &m, MSG_DONTWAIT), CHANNEL_HEADER + 1);
    assert_non_null(CMSG_FIRSTHDR(&m));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
    assert_int_equal(write(got, "k", 1), 1);
    close(got);
    close(p[0]);
    end_done(&e);
}

/* --- a peer that floods, and one that never reads */

static void a_flood_leaves_other_channels_their_turn(void **state)
{
    (void)state;
    struct end e = {0};
    end_open(&e, false);
    while (push(&e, 1, 8) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    turns(&e, 1);
    assert_in_range(e.frames, 1, 64);
    while (e.frames < 10000 && e.closed == 0) {
        (void)push(&e, 1, 8);
        turns(&e, 1);
    }
    assert_int_equal(e.closed, 0);
    end_done(&e);
}

static void a_peer_that_never_reads_is_not_read(void **state)
{
    (void)state;
    struct end e = {.answers = true};
    end_open(&e, false);
    int handled = -1;
    /* It sends until nothing is taken from it any more. */
    for (int round = 0; round < 10000 && handled != e.frames; round++) {
        handled = e.frames;
        while (push(&e, 5, 8) > 0)
            ;
        turns(&e, 4);
    }
    assert_int_equal(handled, e.frames);
    assert_in_range(e.frames, 256, 3000);
    assert_int_equal(e.closed, 0);
    /* Once it reads, all is answered, none twice, none missing. */
    char answer[256];
    int answers = 0;
    for (int i = 0; i < 20000; i++) {
        while (recv(e.peer, answer, sizeof answer, MSG_DONTWAIT) > 0)
            answers++;
        turns(&e, 1);
    }
    while (recv(e.peer, answer, sizeof answer, MSG_DONTWAIT) > 0)
        answers++;
    assert_true(e.frames > handled);
    assert_int_equal(answers, e.frames);
    end_done(&e);
}

static void a_peer_that_never_reads_and_leaves_is_noticed(void **state)
{
    (void)state;
    struct end e = {.answers = true};
    end_open(&e, false);
    for (int round = 0; round < 100; round++) {
        while (push(&e, 5, 8) > 0)
            ;
        turns(&e, 4);
    }
    close(e.peer);
    e.peer = -1;
    turns(&e, 100);
    assert_int_equal(e.closed, 1);
    end_done(&e);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    struct end e = {0};
    static uint8_t big[CHANNEL_FRAME_MAX];
    end_open(&e, false);
    enum err sent = OK;
    int n = 0;
    for (; n < 2 * CHANNEL_QUEUE_MAX && sent == OK; n++)
        sent = channel_send(e.channel, 1, 0, VIEW_STR("x"), -1);
    assert_int_equal(sent, ERR_BUSY);
    assert_int_equal(n, CHANNEL_QUEUE_MAX + 1);
    end_done(&e);

    e = (struct end){0};
    end_open(&e, false);
    assert_int_equal(channel_send(e.channel, 1, 0, VIEW_OF(big), -1), ERR_TOO_LONG);
    for (n = 0, sent = OK; n < CHANNEL_QUEUE_MAX && sent == OK; n++)
        sent = channel_send(e.channel, 1, 0, VIEW(big, sizeof big - CHANNEL_HEADER), -1);
    assert_int_equal(sent, ERR_BUSY);
    assert_int_equal(n, 8 * 1024 / 128 + 1);
    end_done(&e);
}

/* --- draining and answers */

static void a_broken_channel_is_closed_at_both_ends(void **state)
{
    (void)state;
    struct end e = {0};
    char byte;
    end_open(&e, false);
    assert_true(push(&e, 1, 0) > 0);
    channel_break(e.channel);
    assert_int_equal(e.closed, 0);
    assert_false(channel_alive(e.channel));
    assert_int_equal(channel_send(e.channel, 1, 0, VIEW_STR("x"), -1), ERR_UNAVAILABLE);
    assert_int_equal(recv(e.peer, &byte, 1, MSG_DONTWAIT), 0);
    turns(&e, 1);
    assert_int_equal(e.closed, 1);
    assert_int_equal(e.frames, 0);
    end_done(&e);
}

static void drain_takes_what_arrived_up_to_the_bound(void **state)
{
    (void)state;
    struct end e = {0};
    bool drained = false;
    end_open(&e, false);
    for (uint64_t i = 0; i < 50; i++)
        assert_true(push(&e, i, 0) > 0);
    assert_ok(channel_drain(e.channel, 16, &drained));
    assert_false(drained);
    assert_in_range(e.frames, 16, 24);
    assert_ok(channel_drain(e.channel, 1000, &drained));
    assert_true(drained);
    assert_int_equal(e.frames, 50);
    close(e.peer);
    e.peer = -1;
    assert_ok(channel_drain(e.channel, 1000, &drained));
    assert_true(drained);
    assert_int_equal(e.closed, 0); /* not from inside our call */
    turns(&e, 2);
    assert_int_equal(e.closed, 1);
    end_done(&e);
}

static void results_carry_code_and_detail(void **state)
{
    (void)state;
    struct end e = {0};
    struct problem why = {0};
    struct view entity;
    uint8_t bytes[512];
    end_open(&e, false);
    assert_ok(channel_refuse(e.channel, 7, 42, ERR_SEALED, "unseal it first"));
    turns(&e, 1);
    ssize_t n = recv(e.peer, bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > CHANNEL_HEADER);
    assert_int_equal(bytes[0], 0x80);
    assert_int_equal(bytes[11], 42);
    struct view body = VIEW(bytes + CHANNEL_HEADER, (size_t)n - CHANNEL_HEADER);
    assert_int_equal(channel_result(body, &entity, &why), ERR_SEALED);
    assert_string_equal(why.detail, "unseal it first");
    assert_int_equal(channel_result(VIEW("\xff\xff\0\0\0\0", 6), &entity, &why), ERR_INTERNAL);
    assert_int_equal(channel_result(VIEW("\0", 1), &entity, &why), ERR_TRUNCATED);
    assert_int_equal(channel_result(VIEW("\0\1\0\0\0\5abc", 9), &entity, &why), ERR_TRUNCATED);
    assert_int_equal(channel_result(VIEW("\0\1\0\0\0\1abc", 9), &entity, &why), ERR_MALFORMED);
    assert_int_equal(channel_result(VIEW("\0\1\x7f\0\0\1abc", 9), &entity, &why), ERR_TOO_LONG);
    assert_ok(channel_result(VIEW("\0\0abc", 5), &entity, NULL));
    assert_int_equal(entity.len, 3);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_whole_and_in_order),
        cmocka_unit_test(broken_frames_end_the_channel),
        cmocka_unit_test(an_oversize_frame_ends_the_channel),
        cmocka_unit_test(the_end_comes_after_what_was_sent_before),
        cmocka_unit_test(a_callback_that_fails_ends_the_channel_once),
        cmocka_unit_test(the_owner_hears_of_frames_before_he_gets_them),
        cmocka_unit_test(a_callback_may_free_its_channel),
        cmocka_unit_test(descriptors_that_nobody_wants_are_closed),
        cmocka_unit_test(a_descriptor_arrives_and_can_be_kept),
        cmocka_unit_test(a_sent_descriptor_is_a_copy),
        cmocka_unit_test(a_flood_leaves_other_channels_their_turn),
        cmocka_unit_test(a_peer_that_never_reads_is_not_read),
        cmocka_unit_test(a_peer_that_never_reads_and_leaves_is_noticed),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(a_broken_channel_is_closed_at_both_ends),
        cmocka_unit_test(drain_takes_what_arrived_up_to_the_bound),
        cmocka_unit_test(results_carry_code_and_detail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
