/* Many keep-alive clients that send at once: every one is answered in every round. The library's own threads stall when
 * the number of ready events is a multiple of 128. */
#include "rig.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS   60
#define ROUND_MS 5000

static uint64_t now_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

static void one_round(struct rig *r, const int *fds, int count, const char *request)
{
    char waste[2048];
    static bool answered[512];
    int open = count;
    memset(answered, 0, sizeof answered);
    for (int i = 0; i < count; i++)
        assert_int_equal(send(fds[i], request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (uint64_t end = now_ms() + ROUND_MS; open > 0 && now_ms() < end;) {
        rig_turn(r, 50);
        for (int i = 0; i < count; i++)
            if (!answered[i] && recv(fds[i], waste, sizeof waste, 0) > 0) {
                assert_memory_equal(waste, "HTTP/1.1 200", 12);
                answered[i] = true;
                open--;
            }
    }
    assert_int_equal(open, 0);
}

static void rounds(const char *request, enum http_listener_kind kind)
{
    static const int COUNTS[] = {64, 128, 129, 256, 512};
    int fds[512];
    for (size_t n = 0; n < ARRAY_LEN(COUNTS); n++) {
        struct rig r;
        rig_open(&r, NULL, kind);
        r.finish_each_turn = true;
        for (int i = 0; i < COUNTS[n]; i++)
            fds[i] = rig_connect(&r);
        for (int round = 0; round < ROUNDS; round++)
            one_round(&r, fds, COUNTS[n], request);
        assert_int_equal(r.served, ROUNDS * COUNTS[n]);
        for (int i = 0; i < COUNTS[n]; i++)
            close(fds[i]);
        rig_close(&r);
    }
}

static void immediate(void **state)
{
    (void)state;
    rounds("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_LISTEN_PLAINTEXT);
}

static void suspending(void **state)
{
    (void)state;
    rounds("GET /later HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_LISTEN_UNIX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(immediate), cmocka_unit_test(suspending)};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 2048) {
        files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
