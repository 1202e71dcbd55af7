#include "ipc/channel.h"

#include "ipc/supervisor_msg.h"
#include "test.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define TYPE 7

struct outcome {
    int calls;
    enum err error;
    char text[64], detail[320];
};

static void done(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct outcome *o = context;
    struct supervisor_status s = {0};
    AUTO(arena_free) struct arena *arena = NULL;
    assert_ok(arena_new(512, 4096, &arena));
    o->calls++;
    o->error = error;
    if (error == OK && entity_decode(&supervisor_status_entity, entity, arena, &s) == OK)
        assert_ok(view_to_str(s.text, o->text, sizeof o->text));
    if (error != OK)
        assert_ok(view_to_str(view_str(why->detail), o->detail, sizeof o->detail));
}

struct side {
    struct loop *loop;
    struct caller *caller;
    int peer;
    int events, closed;
};

static enum err on_event(void *context, struct channel *c, struct frame *f)
{
    struct side *s = context;
    (void)c;
    s->events++;
    return f->id == 0 ? OK : ERR_MALFORMED;
}

static void on_closed(void *context, struct channel *c)
{
    (void)c;
    ((struct side *)context)->closed++;
}

static void side_open(struct side *s)
{
    int pair[2];
    struct channel_handler events = {.frame = on_event, .closed = on_closed, .context = s};
    assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    assert_ok(loop_new(clock_system(), &s->loop));
    assert_ok(caller_new(s->loop, pair[0], &events, &s->caller));
    s->peer = pair[1];
}

static void side_done(struct side *s)
{
    caller_free(s->caller);
    loop_free(s->loop);
    close(s->peer);
}

static void call(struct side *s, uint64_t timeout_ms, struct outcome *o)
{
    struct supervisor_status hello = {.text = view_str("hello")};
    assert_ok(caller_call(s->caller, TYPE, &supervisor_status_entity, &hello, timeout_ms, done, o));
}

static void answer(int fd, uint16_t type, uint64_t id, enum err code, const char *text)
{
    AUTO_WRITER w = writer_new(4096);
    writer_u16(&w, type);
    writer_u16(&w, 0);
    writer_u64(&w, id);
    if (type & CHANNEL_ANSWER)
        writer_u16(&w, (uint16_t)code);
    if (code == OK)
        assert_ok(entity_encode(&supervisor_status_entity, &(struct supervisor_status){.text = view_str(text)}, &w));
    else
        writer_var(&w, view_str(text));
    assert_ok(writer_done(&w));
    assert_int_equal(send(fd, w.ptr, w.len, 0), w.len);
}

static uint64_t take_request(int fd)
{
    uint8_t bytes[256];
    uint16_t type, zero;
    uint64_t id;
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(n > 0);
    struct reader r = reader_new(VIEW(bytes, (size_t)n));
    assert_ok(reader_u16(&r, &type));
    assert_ok(reader_u16(&r, &zero));
    assert_ok(reader_u64(&r, &id));
    assert_int_equal(type, TYPE);
    return id;
}

static void turns(struct side *s, int n)
{
    for (int i = 0; i < n; i++)
        assert_ok(loop_turn(s->loop, 0));
}

static void answers_find_their_calls_in_any_order(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o[3] = {0};
    uint64_t ids[3];
    static const char *const texts[] = {"first", "second", "third"};
    side_open(&s);
    for (int i = 0; i < 3; i++)
        call(&s, 5000, &o[i]);
    assert_int_equal(caller_waiting(s.caller), 3);
    turns(&s, 1);
    for (int i = 0; i < 3; i++)
        ids[i] = take_request(s.peer);
    for (int i = 2; i >= 0; i--)
        answer(s.peer, TYPE | CHANNEL_ANSWER, ids[i], OK, texts[i]);
    turns(&s, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].error, OK);
        assert_string_equal(o[i].text, texts[i]);
    }
    side_done(&s);
}

static void refusals_bring_code_and_detail(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o = {0};
    side_open(&s);
    call(&s, 5000, &o);
    turns(&s, 1);
    answer(s.peer, TYPE | CHANNEL_ANSWER, take_request(s.peer), ERR_FROZEN, "until Monday");
    turns(&s, 2);
    assert_int_equal(o.error, ERR_FROZEN);
    assert_string_equal(o.detail, "until Monday");
    side_done(&s);
}

static void a_call_ends_at_its_deadline_and_its_late_answer_is_ignored(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome soon = {0}, later = {0};
    side_open(&s);
    call(&s, 10000, &later);
    call(&s, 20, &soon);
    turns(&s, 1);
    (void)take_request(s.peer);
    uint64_t id = take_request(s.peer);
    for (int i = 0; i < 100 && soon.calls == 0; i++)
        assert_ok(loop_turn(s.loop, 100));
    assert_int_equal(soon.error, ERR_TIMEOUT);
    answer(s.peer, TYPE | CHANNEL_ANSWER, id, OK, "late");
    turns(&s, 2);
    assert_int_equal(soon.calls, 1);
    assert_int_equal(later.calls, 0);
    assert_true(caller_alive(s.caller));
    side_done(&s);
    assert_int_equal(later.calls, 1);
    assert_int_equal(later.error, ERR_UNAVAILABLE);
}

static void calls_end_when_the_peer_dies(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o[2] = {0}, refused = {0};
    side_open(&s);
    call(&s, 5000, &o[0]);
    call(&s, 5000, &o[1]);
    turns(&s, 1);
    shutdown(s.peer, SHUT_RDWR);
    turns(&s, 3);
    assert_int_equal(o[0].error, ERR_UNAVAILABLE);
    assert_int_equal(o[1].error, ERR_UNAVAILABLE);
    assert_int_equal(o[0].calls + o[1].calls, 2);
    assert_int_equal(s.closed, 1);
    assert_false(caller_alive(s.caller));
    assert_int_equal(caller_call(s.caller, TYPE, NULL, NULL, 10, done, &refused), ERR_UNAVAILABLE);
    assert_int_equal(refused.calls, 0);
    side_done(&s);
}

static void events_pass_and_lies_end_the_channel(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o = {0};
    side_open(&s);
    call(&s, 5000, &o);
    turns(&s, 1);
    answer(s.peer, 60, 0, OK, "event");
    turns(&s, 2);
    assert_int_equal(s.events, 1);
    assert_int_equal(s.closed, 0);
    answer(s.peer, (TYPE + 1) | CHANNEL_ANSWER, take_request(s.peer), OK, "of another type");
    turns(&s, 3);
    assert_int_equal(s.closed, 1);
    assert_int_equal(o.error, ERR_UNAVAILABLE);
    side_done(&s);
}

static void a_short_answer_is_an_error_of_its_call(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o = {0};
    side_open(&s);
    call(&s, 5000, &o);
    turns(&s, 1);
    (void)take_request(s.peer);
    assert_int_equal(send(s.peer, "\x80\x07\0\0\0\0\0\0\0\0\0\1\0", 13, 0), 13);
    turns(&s, 2);
    assert_int_equal(o.error, ERR_TRUNCATED);
    side_done(&s);
}

static void free_caller(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct side *s = context;
    (void)error;
    (void)entity;
    (void)why;
    caller_free(s->caller);
    s->caller = NULL;
}

static void done_may_free_the_caller(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o = {0};
    side_open(&s);
    assert_ok(caller_call(s.caller, TYPE, NULL, NULL, 5000, free_caller, &s));
    call(&s, 5000, &o);
    turns(&s, 1);
    answer(s.peer, TYPE | CHANNEL_ANSWER, take_request(s.peer), OK, "x");
    turns(&s, 2);
    assert_null(s.caller);
    assert_int_equal(o.error, ERR_UNAVAILABLE);
    side_done(&s);

    s = (struct side){0};
    side_open(&s);
    assert_ok(caller_call(s.caller, TYPE, NULL, NULL, 1, free_caller, &s));
    for (int i = 0; i < 100 && s.caller; i++)
        assert_ok(loop_turn(s.loop, 20));
    assert_null(s.caller);
    side_done(&s);
}

static void calls_are_bounded_when_nobody_reads(void **state)
{
    (void)state;
    struct side s = {0};
    struct outcome o = {0};
    enum err e = OK;
    int n = 0;
    side_open(&s);
    for (; e == OK && n < 100000; n++) {
        e = caller_call(s.caller, TYPE, NULL, NULL, 60000, done, &o);
        if (n % 64 == 0)
            turns(&s, 1);
    }
    assert_int_equal(e, ERR_BUSY);
    assert_true(n < 3 * CHANNEL_QUEUE_MAX);
    side_done(&s);
    assert_int_equal(o.calls, n - 1);
}

/* --- blocking */

static void *serve_one(void *context)
{
    int fd = *(int *)context;
    uint8_t bytes[256];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    struct reader r = reader_new(VIEW(bytes + 4, (size_t)n - 4));
    uint64_t id = 0;
    if (n < CHANNEL_HEADER || reader_u64(&r, &id) != OK)
        return NULL;
    answer(fd, 60, 0, OK, "an event in between");
    answer(fd, TYPE | CHANNEL_ANSWER, id + 1000, OK, "somebody else's");
    answer(fd, TYPE | CHANNEL_ANSWER, id, OK, "mine");
    return NULL;
}

static void a_blocking_call_takes_its_own_answer(void **state)
{
    (void)state;
    int pair[2];
    pthread_t thread;
    struct problem why;
    struct supervisor_status s = {.text = view_str("?")};
    AUTO_WRITER w = writer_new(4096);
    AUTO(arena_free) struct arena *arena = NULL;
    assert_ok(arena_new(512, 4096, &arena));
    assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    assert_ok(pthread_create(&thread, NULL, serve_one, &pair[1]));
    assert_ok(call_blocking(pair[0], TYPE, &supervisor_status_entity, &s, 5000, &w, &why));
    assert_ok(pthread_join(thread, NULL));
    assert_ok(entity_decode(&supervisor_status_entity, writer_view_of(&w), arena, &s));
    assert_true(view_is(s.text, "mine"));
    assert_int_equal(call_blocking(pair[0], TYPE, NULL, NULL, 30, NULL, &why), ERR_TIMEOUT);
    close(pair[1]);
    assert_int_equal(call_blocking(pair[0], TYPE, NULL, NULL, 1000, NULL, &why), ERR_UNAVAILABLE);
    assert_string_not_equal(why.detail, "");
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_find_their_calls_in_any_order),
        cmocka_unit_test(refusals_bring_code_and_detail),
        cmocka_unit_test(a_call_ends_at_its_deadline_and_its_late_answer_is_ignored),
        cmocka_unit_test(calls_end_when_the_peer_dies),
        cmocka_unit_test(events_pass_and_lies_end_the_channel),
        cmocka_unit_test(a_short_answer_is_an_error_of_its_call),
        cmocka_unit_test(done_may_free_the_caller),
        cmocka_unit_test(calls_are_bounded_when_nobody_reads),
        cmocka_unit_test(a_blocking_call_takes_its_own_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
