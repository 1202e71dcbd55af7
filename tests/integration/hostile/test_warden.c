/* Somebody owns the front. What he tries over its socket against the real warden, in its sandbox and in a network of
 * its own, neither ends it nor keeps the supervisor from being heard. */
#include "base/prefix.h"
#include "desk.h"
#include "ipc/config.h"
#include "ipc/start.h"
#include "ipc/supervisor_msg.h"
#include "ipc/warden_msg.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONFIG "data_dir: /nowhere\nguard: {networks: {allow: [10.0.0.0/8]}, firewall: {ports: [all]}}\n"

static struct {
    pid_t pid;
    int control, front; /* the supervisor's end, and the front's */
} d;

static void pair_of(int ret[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret), 0);
}

static void put_settings(struct writer *w)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct config config;
    struct problem why = {0};
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    if (config_parse(VIEW_STR(CONFIG), "test", arena, &config, &why) != OK)
        fail_msg("%s %s", why.where, why.detail);
    assert_int_equal(entity_encode(&config_entity, &config, w), OK);
}

static int group_setup(void **state)
{
    (void)state;
    return unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? -1 : 0;
}

static int setup(void **state)
{
    char directory[4096];
    int control[2], front[2];
    uint8_t ready[256];
    size_t len;
    AUTO_WRITER settings = writer_new(65536);
    (void)state;
    pair_of(control), pair_of(front);
    put_settings(&settings);
    struct start start = {.config = writer_view_of(&settings),
                          .fd_count = 2,
                          .fds = {{START_FD_SUPERVISOR, 0, control[1]}, {START_FD_FRONT, 0, front[1]}}};
    (void)snprintf(directory, sizeof directory, "%s/src/warden", getenv("HOLDFAST_BUILD"));
    assert_int_equal(start_process(ROLE_WARDEN, directory, &start, &d.pid), OK);
    close(control[1]), close(front[1]);
    d.control = control[0], d.front = front[0];
    assert_true(desk_receive(d.control, 10000, ready, sizeof ready, &len));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)kill(d.pid, SIGKILL);
    (void)waitpid(d.pid, NULL, 0);
    close(d.control), close(d.front);
    return 0;
}

static bool alive(void)
{
    return waitpid(d.pid, NULL, WNOHANG) == 0;
}

static enum err ask(int fd, uint16_t type, const struct entity *e, const void *object)
{
    AUTO_WRITER answer = writer_new(4096);
    return call_blocking(fd, type, e, object, 10000, &answer, NULL);
}

static enum err block(int fd, const char *text)
{
    struct prefix p;
    struct warden_block b = {.seconds = 60};
    assert_int_equal(prefix_parse(view_str(text), &p, NULL), OK);
    memcpy(b.base, p.base.b, sizeof b.base);
    b.bits = p.bits;
    return ask(fd, WARDEN_BLOCK, &warden_block_entity, &b);
}

static void serves(int fd)
{
    assert_int_equal(ask(fd, WARDEN_RESTORE_BEGIN, NULL, NULL), OK);
    assert_int_equal(ask(fd, WARDEN_RESTORE_END, NULL, NULL), OK);
    assert_int_equal(block(fd, "192.0.2.1"), OK);
    assert_int_equal(block(fd, "10.1.2.3"), ERR_FORBIDDEN);
}

/* Tells it to end, and waits. */
static void ends_in_order(void)
{
    const struct supervisor_shutdown q = {.grace_ms = 1000, .for_good = true};
    AUTO_WRITER w = writer_new(256);
    int status = -1;
    writer_u16(&w, SUPERVISOR_SHUTDOWN), writer_u16(&w, 0), writer_u64(&w, 0);
    assert_int_equal(entity_encode(&supervisor_shutdown_entity, &q, &w), OK);
    assert_true(desk_raw(d.control, w.ptr, w.len));
    for (int i = 0; i < 500 && waitpid(d.pid, &status, WNOHANG) == 0; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(status, 0);
}

static void noise_neither_crashes_nor_hangs_it(void **state)
{
    static uint8_t bytes[CHANNEL_FRAME_MAX];
    uint32_t seed = 1;
    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        seed = seed * 1103515245 + 12345;
        size_t len = i % 3 ? (seed >> 16) % 200 : (seed >> 8) % sizeof bytes;
        for (size_t k = 0; k < len && k < 300; k++)
            bytes[k] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
        if (len > 12 && i % 2)
            bytes[0] = 0, bytes[1] = (uint8_t)(i % 8), bytes[2] = bytes[3] = 0;
        (void)desk_raw(d.front, bytes, len);
        size_t got;
        uint8_t in[4096];
        while (desk_receive(d.front, 0, in, sizeof in, &got))
            continue;
    }
    assert_true(alive());
    serves(desk_give_channel(d.control));
    ends_in_order();
}

static void a_flood_that_is_never_read_leaves_the_supervisor_heard(void **state)
{
    uint8_t frame[CHANNEL_HEADER] = {0, WARDEN_UNBLOCK};
    struct timespec begin, now;
    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (int i = 0; i < 1000; i++)
            (void)desk_raw(d.front, frame, sizeof frame);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begin.tv_sec < 1);
    serves(desk_give_channel(d.control));
    ends_in_order();
}

static void a_former_front_is_heard_no_more(void **state)
{
    uint8_t frame[CHANNEL_HEADER] = {0, WARDEN_RESTORE_BEGIN}, in[64];
    (void)state;
    serves(d.front);
    int next = desk_give_channel(d.control);
    assert_int_equal(ask(next, WARDEN_RESTORE_BEGIN, NULL, NULL), OK);
    assert_false(desk_raw(d.front, frame, sizeof frame) && recv(d.front, in, sizeof in, 0) > 0);
    close(next);
    serves(desk_give_channel(d.control));
}

static void it_ends_with_its_supervisor(void **state)
{
    int status;
    (void)state;
    close(d.control);
    for (int i = 0; i < 500 && waitpid(d.pid, &status, WNOHANG) == 0; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(status, 0);
    d.control = dup(d.front);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(noise_neither_crashes_nor_hangs_it),
        EACH(a_flood_that_is_never_read_leaves_the_supervisor_heard),
        EACH(a_former_front_is_heard_no_more),
        EACH(it_ends_with_its_supervisor),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
