/* Each authored record passes once, whoever brings it and however many do so at once. */
#include "api/change_gate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#define SEQUENCES 20000u
#define THREADS   4

static struct api_gate *gate;
static _Atomic uint32_t passed[SEQUENCES + 1];

static int set_up(void **state)
{
    (void)state;
    return gate_new(&gate) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gate_free(gate);
    return 0;
}

static void one_way_through(void **state)
{
    (void)state;
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 1), GATE_YOURS);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 1), GATE_TAKEN);
    assert_int_equal(gate_look(gate, AUTHOR_KEEPER, 1), GATE_TAKEN);
    assert_int_equal(gate_under_way(gate), 1);
    gate_logged(gate, AUTHOR_KEEPER, 1);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 1), GATE_LOGGED);
    assert_int_equal(gate_under_way(gate), 0);
}

static void authors_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 7), GATE_YOURS);
    assert_int_equal(gate_claim(gate, AUTHOR_SIGNER, 7), GATE_YOURS);
    gate_logged(gate, AUTHOR_SIGNER, 7);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 7), GATE_TAKEN);
    assert_int_equal(gate_claim(gate, AUTHOR_SIGNER, 7), GATE_LOGGED);
}

static void what_was_left_may_be_taken_up(void **state)
{
    (void)state;
    assert_int_equal(gate_claim(gate, AUTHOR_SIGNER, 3), GATE_YOURS);
    gate_left(gate, AUTHOR_SIGNER, 3);
    assert_int_equal(gate_look(gate, AUTHOR_SIGNER, 3), GATE_YOURS);
    assert_int_equal(gate_claim(gate, AUTHOR_SIGNER, 3), GATE_YOURS);
    assert_int_equal(gate_under_way(gate), 1);
}

/* The keeper lists old records again as long as it has not heard that they are durable. */
static void old_ones_stay_logged(void **state)
{
    (void)state;
    for (uint64_t s = 1; s < 100000; s++) {
        assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, s), GATE_YOURS);
        gate_logged(gate, AUTHOR_KEEPER, s);
    }
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 99999), GATE_LOGGED);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 92000), GATE_LOGGED);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 5), GATE_LOGGED);
}

/* A record that has waited for space on the disk all the while must not be lost to one that comes into its slot. */
static void one_under_way_is_not_pushed_out(void **state)
{
    (void)state;
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 5), GATE_YOURS);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 5 + 32768), GATE_TAKEN);
    gate_logged(gate, AUTHOR_KEEPER, 5);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 5 + 32768), GATE_YOURS);
    assert_int_equal(gate_claim(gate, AUTHOR_KEEPER, 5), GATE_LOGGED);
}

static void *bring_all(void *unused)
{
    (void)unused;
    for (uint64_t s = 1; s <= SEQUENCES; s++)
        if (gate_claim(gate, AUTHOR_SIGNER, s) == GATE_YOURS) {
            atomic_fetch_add(&passed[s], 1);
            gate_logged(gate, AUTHOR_SIGNER, s);
        }
    return NULL;
}

static void many_bring_the_same(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bring_all, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t s = 1; s <= SEQUENCES; s++)
        assert_int_equal(passed[s], 1);
    assert_int_equal(gate_under_way(gate), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_way_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(authors_do_not_mix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_left_may_be_taken_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_ones_stay_logged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_under_way_is_not_pushed_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_bring_the_same, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
