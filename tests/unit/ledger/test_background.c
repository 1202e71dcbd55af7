/* What the ledger does beside the commits: when it begins, and that it does not crowd them out. */
#include "ledger/inside.h"
#include "ledger_test.h"

#include <time.h>
#include <unistd.h>

#define RECORDS 300

static void count(void *context, const struct ledger_finding *f)
{
    (void)f;
    ++*(_Atomic unsigned *)context;
}

static struct ledger *open_later(struct rig *r, _Atomic unsigned *findings)
{
    struct ledger *l = NULL;
    const struct ledger_config config = {.store_url = r->url,
                                         .keys = r->keys,
                                         .clock = &r->clock,
                                         .random = random_system(),
                                         .tampering = count,
                                         .tampering_context = findings,
                                         .background_later = true};
    assert_int_equal(ledger_open(&config, &l, NULL), OK);
    return l;
}

/* A log that nobody indexed yet, and a row that nobody recorded. */
static void fill(struct rig *r)
{
    struct store *s = NULL;
    uint8_t bytes[STORE_KEY_MAX];
    struct writer key = writer_fixed(bytes, sizeof(bytes));
    assert_int_equal(rig_open(r, NULL), OK);
    for (int i = 0; i < RECORDS; i++)
        assert_int_equal(rig_record(r, "user:carol"), OK);
    ledger_reindex(r->ledger);
    rig_close(r);
    assert_int_equal(row_key_exact(r->keys, TABLE_SECRET_VALUE, VIEW_STR("added"), &key), OK);
    const struct store_change c = {STORE_PUT, TABLE_SECRET_VALUE, writer_view_of(&key), 0, 1, VIEW_STR("by nobody")};
    assert_int_equal(store_open(r->url, &s, NULL), OK);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, &c, 1, NULL), OK);
    assert_int_equal(store_commit(s), OK);
    store_close(s);
}

static uint64_t now_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

/* A start needs disk and processors itself: neither check nor index begin before they are told to. */
static void test_waits_until_told(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    _Atomic unsigned findings = 0;
    (void)state;
    fill(r);
    struct ledger *l = open_later(r, &findings);
    uint64_t indexed = ledger_indexed(l);
    usleep(300000);
    assert_int_equal(findings, 0);
    assert_int_equal(ledger_indexed(l), indexed);
    ledger_begin_background(l);
    ledger_begin_background(l);
    for (int i = 0; findings == 0 || ledger_indexed(l) < ledger_size(l); i++) {
        assert_true(i < 500);
        usleep(10000);
    }
    ledger_close(l);
    assert_int_equal(findings, 1);
    rig_free(r);
}

/* Nobody says so, and the ledger closes all the same, at once. */
static void test_closes_while_it_waits(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    _Atomic unsigned findings = 0;
    (void)state;
    fill(r);
    struct ledger *l = open_later(r, &findings);
    uint64_t begin = now_ms();
    ledger_close(l);
    assert_true(now_ms() - begin < 1000);
    assert_int_equal(findings, 0);
    rig_free(r);
}

struct crowd {
    struct ledger *l;
    _Atomic unsigned turns;
    atomic_bool stop;
};

/* As a long check does: holds the lock nearly all the time, and takes it again at once. */
static void *crowd_out(void *context)
{
    struct crowd *c = context;
    while (!c->stop) {
        write_lock_take(c->l);
        c->turns++;
        usleep(1000);
        pthread_mutex_unlock(&c->l->write_lock);
    }
    return NULL;
}

/* A commit waits for the step under way and the one that was next in line, not for the whole of it. */
static void test_commits_get_their_turn(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    pthread_t thread;
    unsigned passed_over = 0;
    (void)state;
    assert_int_equal(rig_open(r, NULL), OK);
    struct crowd c = {.l = r->ledger};
    assert_int_equal(pthread_create(&thread, NULL, crowd_out, &c), 0);
    while (c.turns < 3)
        usleep(100);
    for (int i = 0; i < 50; i++) {
        unsigned before = c.turns;
        write_lock_take(r->ledger);
        unsigned waited = c.turns - before;
        pthread_mutex_unlock(&r->ledger->write_lock);
        passed_over += waited;
        usleep(500);
    }
    assert_int_equal(rig_record(r, "user:carol"), OK);
    c.stop = true;
    pthread_join(thread, NULL);
    assert_true(passed_over < 25); /* in 50 times; not 0, since a busy machine may keep this thread from asking */
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_waits_until_told),
                                       cmocka_unit_test(test_closes_while_it_waits),
                                       cmocka_unit_test(test_commits_get_their_turn)};
    return cmocka_run_group_tests_name("ledger background", tests, NULL, NULL);
}
