#include "base/steady.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WALL UINT64_C(1790000000000)
#define MONO UINT64_C(5000000)
#define HOUR UINT64_C(3600000)
#define YEAR UINT64_C(31557600000)

static struct steady begun(void)
{
    struct steady s;
    steady_begin(&s, WALL, MONO);
    return s;
}

static void it_goes_with_the_wall_clock(void **state)
{
    struct steady s = begun();
    (void)state;
    for (uint64_t t = 0; t < 100 * HOUR; t += HOUR) /* one that is a little fast, and was set right once */
        assert_int_equal(steady_now(&s, WALL + t + t / 100000, MONO + t), WALL + t + t / 100000);
    assert_int_equal(steady_now(&s, WALL + 101 * HOUR, MONO + 101 * HOUR), WALL + 101 * HOUR);
    assert_int_equal(steady_now(&s, WALL - YEAR, MONO + 102 * HOUR), WALL - YEAR);
}

static void a_jump_ahead_is_not_believed_for_a_day(void **state)
{
    struct steady s = begun();
    (void)state;
    assert_int_equal(steady_now(&s, WALL + YEAR, MONO + HOUR), WALL + HOUR);
    assert_int_equal(steady_now(&s, WALL + 2 * HOUR, MONO + 2 * HOUR), WALL + 2 * HOUR); /* set right */
    assert_int_equal(steady_now(&s, WALL + YEAR, MONO + 20 * HOUR), WALL + 20 * HOUR);
    assert_int_equal(steady_now(&s, WALL + YEAR + 24 * HOUR - 1, MONO + 44 * HOUR - 1), WALL + 44 * HOUR - 1);
    assert_int_equal(steady_now(&s, WALL + YEAR + 24 * HOUR, MONO + 44 * HOUR), WALL + YEAR + 24 * HOUR);
    assert_int_equal(steady_now(&s, WALL + YEAR + 25 * HOUR, MONO + 45 * HOUR), WALL + YEAR + 25 * HOUR);
}

/* As after such a jump was set right, under a clock that never goes back. */
static void a_clock_that_stands_still_is_not_believed(void **state)
{
    struct steady s = begun();
    (void)state;
    for (uint64_t t = HOUR; t < 100 * HOUR; t += HOUR)
        assert_int_equal(steady_now(&s, WALL + 200 * HOUR, MONO + t), WALL + t);
    assert_int_equal(steady_now(&s, WALL + 201 * HOUR, MONO + 201 * HOUR), WALL + 201 * HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_with_the_wall_clock),
        cmocka_unit_test(a_jump_ahead_is_not_believed_for_a_day),
        cmocka_unit_test(a_clock_that_stands_still_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
