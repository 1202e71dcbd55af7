/* A challenge is answered once, in time, and for what it was given out. */
#include "crypto/secmem.h"
#include "domain/webauthn/challenges.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

#define ROOM  8
#define START UINT64_C(1000000)
#define MANY  512

static struct challenges *table;

static int set_up(void **state)
{
    bool locked;
    (void)state;
    return crypto_init(&locked) != OK || challenges_new(ROOM, &table) != OK;
}

static int tear_down(void **state)
{
    (void)state;
    challenges_free(table);
    return 0;
}

static struct challenge_for for_user(enum challenge_purpose purpose, const char *user)
{
    return (struct challenge_for){.purpose = purpose, .user = view_str(user)};
}

static struct challenge give(const struct challenge_for *what, uint64_t now)
{
    struct challenge c;
    assert_int_equal(challenges_give(table, random_system(), what, now, &c), OK);
    return c;
}

static enum err take(const struct challenge *c, const struct challenge_for *what, uint64_t now)
{
    uint8_t bytes[CHALLENGE_SIZE] = {0}, none[CHALLENGE_SIZE] = {0};
    enum err e = challenges_take(table, &c->id, what, now, bytes);
    assert_memory_equal(bytes, e ? none : c->bytes, sizeof bytes);
    return e;
}

static void it_is_taken_once(void **state)
{
    struct challenge_for login = for_user(CHALLENGE_LOGIN, "ada");
    struct challenge c = give(&login, START);
    (void)state;
    assert_int_equal(take(&c, &login, START + 1), OK);
    assert_int_equal(take(&c, &login, START + 1), ERR_CHALLENGE_UNKNOWN);
    c.id.b[0] ^= 1;
    assert_int_equal(take(&c, &login, START + 1), ERR_CHALLENGE_UNKNOWN);
}

static void it_lasts_five_minutes(void **state)
{
    struct challenge_for login = for_user(CHALLENGE_LOGIN, "ada");
    struct challenge first = give(&login, START), second = give(&login, START);
    (void)state;
    assert_int_equal(take(&first, &login, START + CHALLENGE_MS - 1), OK);
    assert_int_equal(take(&second, &login, START + CHALLENGE_MS), ERR_CHALLENGE_UNKNOWN);
}

/* What was given for one purpose, user or session opens nothing else, and is gone once it was tried. */
static void it_is_good_for_one_thing_only(void **state)
{
    struct challenge_for mine = for_user(CHALLENGE_STEP_UP, "ada"), others[4];
    (void)state;
    mine.session[0] = 1;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        others[i] = mine;
    others[0].purpose = CHALLENGE_REGISTER;
    others[1].purpose = CHALLENGE_LOGIN;
    others[2].user = VIEW_STR("adam");
    others[3].session[31] = 1;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct challenge c = give(&mine, START);
        assert_int_equal(take(&c, &others[i], START), ERR_CHALLENGE_UNKNOWN);
        assert_int_equal(take(&c, &mine, START), ERR_CHALLENGE_UNKNOWN);
    }
}

static void two_are_never_alike(void **state)
{
    struct challenge_for discover = for_user(CHALLENGE_DISCOVER, "");
    struct challenge a = give(&discover, START), b = give(&discover, START);
    (void)state;
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
    assert_false(id_eq(&a.id, &b.id));
}

/* Strangers who ask for challenges all day push out strangers' only. */
static void a_flood_of_strangers_leaves_the_signed_in_alone(void **state)
{
    struct challenge_for registering = for_user(CHALLENGE_REGISTER, "ada"), discover = for_user(CHALLENGE_DISCOVER, "");
    struct challenge mine = give(&registering, START), last = {0}, first = give(&discover, START);
    (void)state;
    for (uint64_t i = 1; i <= 10 * ROOM; i++)
        last = give(&discover, START + i);
    assert_int_equal(take(&first, &discover, START + 100), ERR_CHALLENGE_UNKNOWN);
    assert_int_equal(take(&last, &discover, START + 100), OK);
    assert_int_equal(take(&mine, &registering, START + 100), OK);
}

static void one_user_pushes_out_his_own_only(void **state)
{
    struct challenge_for eve = for_user(CHALLENGE_REGISTER, "eve"), ada = for_user(CHALLENGE_STEP_UP, "ada");
    struct challenge hers = give(&ada, START), last[CHALLENGES_OF_A_USER];
    (void)state;
    for (uint64_t i = 0; i < 10 * ROOM; i++)
        last[i % CHALLENGES_OF_A_USER] = give(&eve, START + 1 + i);
    assert_int_equal(take(&hers, &ada, START + 200), OK);
    for (size_t i = 0; i < ARRAY_LEN(last); i++)
        assert_int_equal(take(&last[i], &eve, START + 200), OK);
}

static void old_ones_make_room(void **state)
{
    struct challenge_for login = for_user(CHALLENGE_LOGIN, "ada");
    struct challenge late = {0}, kept;
    (void)state;
    for (size_t i = 0; i < ROOM - 1; i++)
        (void)give(&login, START);
    kept = give(&login, START + 10);
    for (size_t i = 0; i < ROOM - 1; i++)
        late = give(&login, START + CHALLENGE_MS + 5);
    assert_int_equal(take(&late, &login, START + CHALLENGE_MS + 6), OK);
    assert_int_equal(take(&kept, &login, START + CHALLENGE_MS + 6), OK);
}

static enum err no_random(const struct random *r, void *out, size_t n)
{
    (void)r;
    (void)out;
    (void)n;
    return ERR_NO_RANDOM;
}

static void nothing_is_given_without_randomness_or_for_a_name_too_long(void **state)
{
    static const struct random broken = {.fill = no_random};
    char name[CHALLENGE_USER_MAX + 1];
    struct challenge_for login = for_user(CHALLENGE_LOGIN, "ada");
    struct challenge c;
    (void)state;
    assert_int_equal(challenges_give(table, &broken, &login, START, &c), ERR_NO_RANDOM);
    memset(name, 'a', sizeof name);
    login.user = VIEW(name, sizeof name);
    assert_int_equal(challenges_give(table, random_system(), &login, START, &c), ERR_TOO_LONG);
}

static struct challenges *shared;
static struct challenge many[MANY];
static pthread_barrier_t together;

static void *take_all(void *counter)
{
    struct challenge_for discover = for_user(CHALLENGE_DISCOVER, "");
    uint8_t bytes[CHALLENGE_SIZE];
    size_t *taken = counter;
    (void)pthread_barrier_wait(&together);
    for (size_t i = 0; i < MANY; i++) {
        struct challenge more;
        *taken += challenges_give(shared, random_system(), &discover, START, &more) != OK;
        *taken += challenges_take(shared, &many[i].id, &discover, START, bytes) == OK;
    }
    return NULL;
}

/* Of two answers to one challenge that come at once, one goes through, while others are given out. */
static void two_threads_never_take_the_same(void **state)
{
    struct challenge_for discover = for_user(CHALLENGE_DISCOVER, "");
    size_t taken[2] = {0};
    pthread_t other;
    (void)state;
    assert_int_equal(challenges_new(3 * MANY, &shared), OK);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(challenges_give(shared, random_system(), &discover, START, &many[i]), OK);
    assert_int_equal(pthread_barrier_init(&together, NULL, 2), 0);
    assert_int_equal(pthread_create(&other, NULL, take_all, &taken[1]), 0);
    (void)take_all(&taken[0]);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(taken[0] + taken[1], MANY);
    (void)pthread_barrier_destroy(&together);
    challenges_free(shared);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_taken_once),
        TEST(it_lasts_five_minutes),
        TEST(it_is_good_for_one_thing_only),
        TEST(two_are_never_alike),
        TEST(a_flood_of_strangers_leaves_the_signed_in_alone),
        TEST(one_user_pushes_out_his_own_only),
        TEST(old_ones_make_room),
        TEST(two_threads_never_take_the_same),
        TEST(nothing_is_given_without_randomness_or_for_a_name_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
