/* The files of the guard, through its own door: what is in force after each of them. */
#include "domain/guard/guard.h"

#include "domain/guard/whole.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  UINT64_C(1790000000000)
#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)

enum { DATABASE, FEED, OTHER };

static struct view se[] = {VIEW_STR("SE")};
static struct config_guard_feed feeds[] = {{.name = VIEW_STR("bad"), .file = VIEW_STR("/bad"), .hours = 2},
                                           {.name = VIEW_STR("other"), .file = VIEW_STR("/other")}};

static struct config_guard config_of(struct config_guard_countries countries)
{
    struct config_guard c = {.networks = {.others = CONFIG_OTHERS_ALLOW},
                             .countries = countries,
                             .feeds = {.items = feeds, .count = ARRAY_LEN(feeds)}};
    config_guard_complete(&c);
    return c;
}

static struct config_guard usual(uint8_t without)
{
    return config_of((struct config_guard_countries){
        .database = VIEW_STR("/geo"), .block = {se, 1}, .without = without, .max_age_days = 30});
}

static struct guard *made(const struct config_guard *c)
{
    struct guard *g = NULL;
    struct problem why = {0};
    assert_int_equal(guard_new(c, random_system(), &g, &why), OK);
    return g;
}

/* A file of this text, changed at this time; open for reading, and gone from its folder. */
static int file_of(struct view text, uint64_t changed_ms)
{
    char path[] = "/tmp/holdfast-netfiles-XXXXXX";
    const struct timespec t = {.tv_sec = (time_t)(changed_ms / 1000)}, both[2] = {t, t};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), text.len);
    assert_int_equal(futimens(fd, both), 0);
    assert_int_equal(unlink(path), 0);
    return fd;
}

static enum err take(struct guard *g, size_t which, int fd, uint64_t now, struct problem *why)
{
    enum err e = netfiles_take(guard_netfiles(g), which, fd, now, why);
    close(fd);
    return e;
}

static enum err feed(struct guard *g, size_t which, const char *text, uint64_t changed, uint64_t now)
{
    struct problem why = {0};
    enum err e = take(g, which, file_of(view_str(text), changed), now, &why);
    assert_true(e == OK || why.detail[0] != '\0');
    return e;
}

static int vector(const char *name)
{
    char path[600];
    const char *root = getenv("HOLDFAST_SOURCE");
    assert_non_null(root);
    (void)snprintf(path, sizeof path, "%s/tests/vectors/geoip/test-data/%s", root, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is missing", path);
    return fd;
}

static enum err admits(struct guard *g, const char *from, uint64_t now)
{
    struct address a;
    assert_int_equal(address_parse(view_str(from), &a), OK);
    return guard_admits(g, &a, now);
}

static struct netfiles_status status(struct guard *g, size_t which, uint64_t now)
{
    struct netfiles_status s;
    netfiles_status(guard_netfiles(g), which, now, &s);
    return s;
}

static void missing(struct guard *g, size_t which)
{
    const struct problem why = {.code = ERR_NOT_FOUND, .detail = "gone"};
    netfiles_missing(guard_netfiles(g), which, &why, NOW);
}

/* While the files are on their way, a client whom one of them keeps out must not slip in; whom the operator lets in
 * does not wait. */
static void nobody_slips_in_before_the_files_are_read(void **state)
{
    const struct config_guard c = usual(CONFIG_OPEN);
    struct guard *g = made(&c);
    (void)state;
    assert_int_equal(netfiles_count(guard_netfiles(g)), 3);
    assert_int_equal(admits(g, "8.8.8.8", NOW), ERR_UNAVAILABLE);
    assert_int_equal(admits(g, "10.0.0.1", NOW), OK);
    missing(g, DATABASE);
    missing(g, DATABASE);
    missing(g, FEED);
    assert_int_equal(admits(g, "8.8.8.8", NOW), ERR_UNAVAILABLE);
    assert_int_equal(feed(g, OTHER, "8.8.8.0/24\n", NOW, NOW), OK);
    assert_int_equal(admits(g, "8.8.8.8", NOW), ERR_ADDRESS_BLOCKED);
    assert_int_equal(admits(g, "8.8.4.4", NOW), OK);
    guard_free(g);
}

static void the_operator_comes_before_feeds_and_they_before_countries(void **state)
{
    const struct config_guard c = usual(CONFIG_CLOSED);
    struct guard *g = made(&c);
    struct networks_rule allow = {.action = NETWORKS_ALLOW};
    struct netfiles_status s;
    (void)state;
    assert_int_equal(take(g, DATABASE, vector("GeoIP2-Country-Test.mmdb"), NOW, NULL), OK);
    s = status(g, DATABASE, NOW);
    uint64_t built = s.database.built_ms;
    assert_int_equal(feed(g, FEED, "2.125.160.216\n89.160.20.0/24\n", NOW, NOW), OK);
    assert_int_equal(feed(g, OTHER, "# nothing today\n", NOW, NOW), OK);
    assert_int_equal(admits(g, "2.125.160.216", built), ERR_ADDRESS_BLOCKED);
    assert_int_equal(admits(g, "2.125.160.217", built), OK);
    assert_int_equal(admits(g, "89.160.20.112", built), ERR_ADDRESS_BLOCKED);
    assert_int_equal(feed(g, FEED, "# nobody\n", NOW, NOW), OK);
    assert_int_equal(admits(g, "89.160.20.112", built), ERR_COUNTRY_BLOCKED);
    assert_int_equal(prefix_parse(VIEW_STR("89.160.20.112/32"), &allow.network, NULL), OK);
    assert_int_equal(networks_put(guard_networks(g), &allow), OK);
    assert_int_equal(admits(g, "89.160.20.112", built), OK);
    assert_int_equal(admits(g, "89.160.20.113", built), ERR_COUNTRY_BLOCKED);
    guard_free(g);
}

/* No database, one that is too old, or damaged: the stated rule decides. */
static void without_a_database_it_is_as_configured(void **state)
{
    static const uint8_t rules[] = {CONFIG_CLOSED, CONFIG_OPEN};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct config_guard c = usual(rules[i]);
        enum err expected = rules[i] == CONFIG_OPEN ? OK : ERR_COUNTRY_UNKNOWN;
        struct guard *g = made(&c);
        missing(g, FEED);
        missing(g, OTHER);
        missing(g, DATABASE);
        assert_int_equal(admits(g, "2.125.160.216", NOW), expected);
        assert_int_equal(status(g, DATABASE, NOW).state, NETFILES_NONE);
        assert_int_equal(status(g, DATABASE, NOW).failed.code, ERR_NOT_FOUND);
        assert_int_equal(take(g, DATABASE, vector("GeoIP2-Country-Test.mmdb"), NOW, NULL), OK);
        uint64_t built = status(g, DATABASE, NOW).database.built_ms;
        assert_int_equal(admits(g, "89.160.20.112", built + 30 * DAY), ERR_COUNTRY_BLOCKED);
        assert_int_equal(status(g, DATABASE, built + 30 * DAY).state, NETFILES_IN_FORCE);
        assert_int_equal(admits(g, "89.160.20.112", built + 30 * DAY + 1), expected);
        assert_int_equal(status(g, DATABASE, built + 30 * DAY + 1).state, NETFILES_OLD);
        struct problem why = {0};
        assert_int_equal(take(g, DATABASE, file_of(VIEW_STR("half a file"), NOW), NOW + 7, &why), ERR_MALFORMED);
        assert_int_equal(admits(g, "89.160.20.112", built), ERR_COUNTRY_BLOCKED);
        struct netfiles_status s = status(g, DATABASE, built);
        assert_true(s.failed.code == ERR_MALFORMED && s.failed_ms == NOW + 7 && s.state == NETFILES_IN_FORCE);
        assert_string_equal(s.database.type, "GeoIP2-Country");
        assert_int_equal(take(g, DATABASE, vector("GeoLite2-City-Test.mmdb"), NOW, NULL), OK);
        assert_int_equal(status(g, DATABASE, built).failed.code, OK);
        guard_free(g);
    }
}

static void what_a_list_of_countries_does_not_know_is_not_in_it(void **state)
{
    const struct config_guard c = config_of(
        (struct config_guard_countries){.database = VIEW_STR("/geo"), .allow = {se, 1}});
    struct guard *g = made(&c);
    (void)state;
    missing(g, FEED);
    missing(g, OTHER);
    assert_int_equal(take(g, DATABASE, vector("GeoIP2-Country-Test.mmdb"), NOW, NULL), OK);
    assert_int_equal(admits(g, "89.160.20.112", NOW), OK);
    assert_int_equal(admits(g, "2.125.160.216", NOW), ERR_COUNTRY_BLOCKED);
    assert_int_equal(admits(g, "192.0.2.1", NOW), ERR_COUNTRY_UNKNOWN);
    guard_free(g);
}

/* A download that broke off, an error page, an empty disk: what was in force stays. */
static void a_bad_feed_leaves_the_old_one_in_force(void **state)
{
    static const struct {
        const char *text;
        enum err error;
    } bad[] = {{"", ERR_MALFORMED},
               {"203.0.113.7\n203.0.113.8", ERR_MALFORMED},
               {"<html>\n", ERR_MALFORMED},
               {"0.0.0.0/0\n", ERR_MALFORMED}};
    const struct config_guard c = usual(CONFIG_OPEN);
    struct guard *g = made(&c);
    (void)state;
    missing(g, DATABASE);
    missing(g, OTHER);
    assert_int_equal(feed(g, FEED, "203.0.113.1\nx\n203.0.113.2\n", NOW, NOW), OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(feed(g, FEED, bad[i].text, NOW, NOW + 1), bad[i].error);
        assert_int_equal(admits(g, "203.0.113.1", NOW), ERR_ADDRESS_BLOCKED);
        assert_int_equal(admits(g, "203.0.113.7", NOW), OK);
        struct netfiles_status s = status(g, FEED, NOW);
        assert_true(s.failed.code == bad[i].error && s.failed_ms == NOW + 1);
        assert_true(s.report.prefixes == 2 && s.report.bad == 1 && s.report.first_bad == 2 && s.loaded_ms == NOW);
    }
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    assert_int_equal(take(g, FEED, folder, NOW, NULL), ERR_IO);
    missing(g, FEED);
    assert_int_equal(status(g, FEED, NOW).failed.code, ERR_NOT_FOUND);
    assert_int_equal(admits(g, "203.0.113.1", NOW), ERR_ADDRESS_BLOCKED);
    guard_free(g);
}

/* Counted from the file, so that starting anew does not prolong it; a file of tomorrow counts from now. */
static void a_feed_ends_when_no_new_file_comes(void **state)
{
    const struct config_guard c = usual(CONFIG_OPEN);
    struct guard *g = made(&c);
    (void)state;
    missing(g, DATABASE);
    assert_int_equal(feed(g, OTHER, "198.51.100.1\n", NOW - 1000 * DAY, NOW), OK);
    assert_int_equal(feed(g, FEED, "203.0.113.1\n", NOW - HOUR, NOW), OK);
    assert_int_equal(admits(g, "203.0.113.1", NOW + HOUR - 1), ERR_ADDRESS_BLOCKED);
    assert_int_equal(admits(g, "203.0.113.1", NOW + HOUR), OK);
    assert_int_equal(status(g, FEED, NOW + HOUR - 1).state, NETFILES_IN_FORCE);
    assert_int_equal(status(g, FEED, NOW + HOUR).state, NETFILES_OLD);
    assert_int_equal(admits(g, "198.51.100.1", NOW + 1000 * DAY), ERR_ADDRESS_BLOCKED);
    assert_int_equal(feed(g, FEED, "203.0.113.1\n", NOW + 1000 * DAY, NOW), OK);
    assert_int_equal(admits(g, "203.0.113.1", NOW + 2 * HOUR), OK);
    assert_int_equal(feed(g, FEED, "203.0.113.1\n", NOW - 2 * HOUR, NOW), OK);
    assert_int_equal(admits(g, "203.0.113.1", NOW), OK);
    guard_free(g);
}

/* The worst of all files is what an operator is told first, and nothing of files that are still to be read. */
static void the_worst_trouble_is_told(void **state)
{
    const struct config_guard c = config_of(
        (struct config_guard_countries){.database = VIEW_STR("/geo"), .block = {se, 1}});
    struct guard *g = made(&c);
    struct netfiles *l = guard_netfiles(g);
    (void)state;
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_WELL);
    missing(g, DATABASE);
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_WELL);
    missing(g, FEED);
    missing(g, OTHER);
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_COUNTRIES_OFF);
    assert_int_equal(take(g, DATABASE, vector("GeoIP2-Country-Test.mmdb"), NOW, NULL), OK);
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_FEED_OFF);
    assert_int_equal(feed(g, FEED, "203.0.113.1\n", NOW, NOW), OK);
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_FEED_OFF);
    assert_int_equal(feed(g, OTHER, "203.0.113.1\n", NOW, NOW), OK);
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_WELL);
    assert_int_equal(feed(g, OTHER, "", NOW, NOW), ERR_MALFORMED);
    assert_int_equal(netfiles_trouble(l, NOW), NETFILES_NOT_TAKEN);
    assert_int_equal(netfiles_trouble(l, NOW + 2 * HOUR), NETFILES_FEED_OFF);
    guard_free(g);
}

static void a_file_is_read_whole_or_not(void **state)
{
    struct whole w = {0};
    struct problem why = {0};
    (void)state;
    int fd = file_of(VIEW_STR("0123456789"), NOW);
    assert_int_equal(whole_read(fd, 9, &w, &why), ERR_TOO_LONG);
    assert_int_equal(whole_read(fd, 10, &w, &why), OK);
    assert_true(w.len == 10 && memcmp(w.bytes, "0123456789", 10) == 0 && w.changed_ms == NOW);
    free(w.bytes);
    close(fd);
    assert_int_equal(whole_read(fd, 10, &w, &why), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_slips_in_before_the_files_are_read),
        cmocka_unit_test(the_operator_comes_before_feeds_and_they_before_countries),
        cmocka_unit_test(without_a_database_it_is_as_configured),
        cmocka_unit_test(what_a_list_of_countries_does_not_know_is_not_in_it),
        cmocka_unit_test(a_bad_feed_leaves_the_old_one_in_force),
        cmocka_unit_test(a_feed_ends_when_no_new_file_comes),
        cmocka_unit_test(the_worst_trouble_is_told),
        cmocka_unit_test(a_file_is_read_whole_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
