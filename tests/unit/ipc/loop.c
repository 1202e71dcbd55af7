#include "ipc/loop.h"

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake {
    struct clock clock;
    uint64_t now;
};

static uint64_t fake_now(const struct clock *c)
{
    return ((const struct fake *)c->context)->now;
}

static struct fake *fake_new(void)
{
    static struct fake f;
    f = (struct fake){.clock = {.wall_ms = fake_now, .mono_ms = fake_now, .context = &f}, .now = 1000};
    return &f;
}

static void count(void *context)
{
    (*(int *)context)++;
}

static void timers_come_when_due_and_not_before(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    AUTO(loop_free) struct loop *l = NULL;
    int once = 0, often = 0;
    struct loop_timer *t = NULL;
    assert_ok(loop_new(&f->clock, &l));
    assert_ok(loop_timer_new(l, count, &once, &t));
    assert_ok(loop_every(l, 100, count, &often));
    loop_timer_arm(t, 50);
    assert_ok(loop_turn(l, 0));
    assert_int_equal(once + often, 0);
    f->now += 50;
    assert_ok(loop_turn(l, 0));
    assert_ok(loop_turn(l, 0));
    assert_int_equal(once, 1);
    for (int i = 0; i < 30; i++) {
        f->now += 50;
        assert_ok(loop_turn(l, 0));
    }
    assert_int_equal(once, 1);
    assert_int_equal(often, 15);
    loop_timer_arm(t, 1);
    loop_timer_disarm(t);
    f->now += 10;
    assert_ok(loop_turn(l, 0));
    assert_int_equal(once, 1);
    assert_int_equal(loop_every(l, 0, count, &often), ERR_OUT_OF_RANGE);
}

struct self {
    struct loop_timer *timer;
    int fired;
};

static void free_self(void *context)
{
    struct self *s = context;
    s->fired++;
    loop_timer_free(s->timer);
}

static void a_timer_may_free_itself(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    AUTO(loop_free) struct loop *l = NULL;
    struct self s = {0};
    assert_ok(loop_new(&f->clock, &l));
    assert_ok(loop_timer_new(l, free_self, &s, &s.timer));
    loop_timer_arm(s.timer, 0);
    for (int i = 0; i < 3; i++)
        assert_ok(loop_turn(l, 0));
    assert_int_equal(s.fired, 1);
}

static void sleep_ends_with_the_next_timer(void **state)
{
    (void)state;
    const struct clock *c = clock_system();
    AUTO(loop_free) struct loop *l = NULL;
    struct loop_timer *t = NULL;
    int fired = 0;
    assert_ok(loop_new(c, &l));
    assert_ok(loop_timer_new(l, count, &fired, &t));
    loop_timer_arm(t, 20);
    uint64_t start = c->mono_ms(c);
    while (!fired)
        assert_ok(loop_turn(l, 5000));
    assert_in_range(c->mono_ms(c) - start, 20, 1000);
}

/* Two sources that are ready in the same turn, of which the first that runs removes both. */
struct two {
    struct loop_source *a, *b;
    int ran;
};

static void remove_both(void *context, uint32_t events)
{
    struct two *t = context;
    assert_true(events & EPOLLIN);
    t->ran++;
    loop_remove(t->a);
    loop_remove(t->b);
}

static void a_source_that_was_removed_is_not_called(void **state)
{
    (void)state;
    int p[2], q[2];
    struct two t = {0};
    AUTO(loop_free) struct loop *l = NULL;
    assert_ok(loop_new(clock_system(), &l));
    assert_ok(pipe(p));
    assert_ok(pipe(q));
    assert_int_equal(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
    assert_ok(loop_add(l, p[0], EPOLLIN, remove_both, &t, &t.a));
    assert_ok(loop_add(l, q[0], EPOLLIN, remove_both, &t, &t.b));
    assert_ok(loop_turn(l, 0));
    assert_ok(loop_turn(l, 0));
    assert_int_equal(t.ran, 1);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
}

struct again {
    struct loop_task task;
    struct loop *loop;
    int ran, cancelled;
    struct loop_task other;
};

static void run_again(struct loop_task *t)
{
    struct again *a = (struct again *)t; /* task comes first */
    a->ran++;
    loop_defer(a->loop, t);
    loop_cancel(a->loop, &a->other);
}

static void never(struct loop_task *t)
{
    (void)t;
    fail_msg("a cancelled task ran");
}

static void a_task_queued_from_a_task_waits_a_turn(void **state)
{
    (void)state;
    AUTO(loop_free) struct loop *l = NULL;
    assert_ok(loop_new(clock_system(), &l));
    struct again a = {.task = {.run = run_again}, .loop = l, .other = {.run = never}};
    loop_defer(l, &a.task);
    loop_defer(l, &a.task);
    loop_defer(l, &a.other);
    assert_ok(loop_turn(l, -1)); /* does not sleep with work left */
    assert_int_equal(a.ran, 1);
    assert_ok(loop_turn(l, -1));
    assert_int_equal(a.ran, 2);
    loop_cancel(l, &a.task);
    assert_ok(loop_turn(l, 0));
    assert_int_equal(a.ran, 2);
}

/* --- mail */

#define POSTERS 3
#define POSTS   2000

struct letter {
    struct mail mail;
    int poster, number;
};

static int last_of[POSTERS], delivered;

static void deliver(struct mail *m)
{
    struct letter *letter = (struct letter *)m;
    assert_int_equal(letter->number, last_of[letter->poster] + 1);
    last_of[letter->poster] = letter->number;
    delivered++;
}

struct poster {
    struct mailbox *box;
    struct letter letters[POSTS];
    int number;
};

static void *post_all(void *context)
{
    struct poster *p = context;
    for (int i = 0; i < POSTS; i += 2) {
        for (int k = i; k < i + 2; k++)
            p->letters[k] = (struct letter){.mail = {.deliver = deliver}, .poster = p->number, .number = k + 1};
        p->letters[i].mail.next = &p->letters[i + 1].mail;
        mailbox_post(p->box, &p->letters[i].mail, &p->letters[i + 1].mail);
    }
    return NULL;
}

static void mail_of_many_threads_arrives_once_and_in_order(void **state)
{
    (void)state;
    AUTO(loop_free) struct loop *l = NULL;
    struct mailbox *box = NULL;
    pthread_t threads[POSTERS];
    struct poster *posters = calloc(POSTERS, sizeof *posters);
    assert_non_null(posters);
    assert_ok(loop_new(clock_system(), &l));
    assert_ok(mailbox_new(l, &box));
    for (int i = 0; i < POSTERS; i++) {
        posters[i].box = box;
        posters[i].number = i;
        assert_ok(pthread_create(&threads[i], NULL, post_all, &posters[i]));
    }
    while (delivered < POSTERS * POSTS)
        assert_ok(loop_turn(l, 5000));
    for (int i = 0; i < POSTERS; i++) {
        assert_ok(pthread_join(threads[i], NULL));
        assert_int_equal(last_of[i], POSTS);
    }
    mailbox_free(box);
    free(posters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_when_due_and_not_before),
        cmocka_unit_test(a_timer_may_free_itself),
        cmocka_unit_test(sleep_ends_with_the_next_timer),
        cmocka_unit_test(a_source_that_was_removed_is_not_called),
        cmocka_unit_test(a_task_queued_from_a_task_waits_a_turn),
        cmocka_unit_test(mail_of_many_threads_arrives_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
