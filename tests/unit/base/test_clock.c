/* The clock of processes that judge by time. */
#include "support.h"

#include "base/clock.h"

static uint64_t wall, mono;

static uint64_t wall_now(const struct clock *c)
{
    (void)c;
    return wall;
}

static uint64_t mono_now(const struct clock *c)
{
    (void)c;
    return mono;
}

static void what_is_over_stays_over(void **state)
{
    const struct clock source = {.wall_ms = wall_now, .mono_ms = mono_now};
    struct clock_forward f;

    (void)state;
    wall = 1000000;
    mono = 7;
    clock_forward_init(&f, &source);
    const struct clock *c = &f.clock;
    assert_int_equal(c->wall_ms(c), 1000000);
    assert_int_equal(clock_forward_behind_ms(&f), 0);
    wall = 2000000;
    assert_int_equal(c->wall_ms(c), 2000000);
    wall = 1500000;
    mono = 8;
    assert_int_equal(c->wall_ms(c), 2000000);
    assert_int_equal(c->mono_ms(c), 8);
    assert_int_equal(clock_forward_behind_ms(&f), 500000);
    wall = 2000001;
    assert_int_equal(c->wall_ms(c), 2000001);
    assert_int_equal(clock_forward_behind_ms(&f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_over_stays_over)};

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
