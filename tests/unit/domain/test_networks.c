#include "domain/guard/networks_inside.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#define NOW  UINT64_C(1790000000000)
#define HOUR UINT64_C(3600000)

static struct networks *made(void)
{
    struct networks *n = NULL;
    assert_int_equal(networks_new(&n), OK);
    return n;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix p = {0};
    struct problem why = {0};
    if (prefix_parse(view_str(text), &p, &why) != OK)
        fail_msg("'%s': %s", text, why.detail);
    return p;
}

static struct networks_rule look(struct networks *n, const char *address, uint64_t now)
{
    struct networks_rule r = {0};
    struct address a;
    assert_int_equal(address_parse(view_str(address), &a), OK);
    networks_look_up(n, &a, now, &r);
    return r;
}

static enum networks_action action(struct networks *n, const char *address)
{
    return look(n, address, NOW).action;
}

static enum err put(struct networks *n, const char *network, enum networks_action a, enum networks_origin origin,
                    uint64_t ends)
{
    const struct networks_rule r = {.network = prefix_of(network), .action = a, .origin = origin, .ends_ms = ends};
    return networks_put(n, &r);
}

static void allow(struct networks *n, const char *network)
{
    assert_int_equal(put(n, network, NETWORKS_ALLOW, NETWORKS_OPERATOR, 0), OK);
}

static void block(struct networks *n, const char *network)
{
    assert_int_equal(put(n, network, NETWORKS_BLOCK, NETWORKS_OPERATOR, 0), OK);
}

static void block_automatic(struct networks *n, const char *network, uint64_t ends)
{
    assert_int_equal(put(n, network, NETWORKS_BLOCK, NETWORKS_AUTOMATIC, ends), OK);
}

static struct networks_feed_report feed(struct networks *n, const char *name, const char *text)
{
    struct networks_feed_report r = {0};
    struct problem why = {0};
    if (networks_feed_load(n, name, view_str(text), 0, &r, &why) != OK)
        fail_msg("%s: %s", name, why.detail);
    return r;
}

/* What was said and has ended, as the sweep takes it out; looks at up to max prefixes. */
static size_t take_out(struct networks *n, uint64_t now, size_t max)
{
    struct networks_rule ended[512];
    size_t count = networks_ended(n, now, max, ended, ARRAY_LEN(ended));
    for (size_t i = 0; i < count; i++)
        (void)!networks_remove(n, &ended[i].network, ended[i].origin); /* another thread may have been faster */
    return count;
}

/* --- who decides */

static void test_the_longest_prefix_decides(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    assert_int_equal(action(n, "192.0.2.1"), NETWORKS_UNSAID);
    block(n, "192.0.2.0/24");
    allow(n, "192.0.2.64/26");
    block(n, "192.0.2.77");
    assert_int_equal(action(n, "192.0.2.1"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "192.0.2.64"), NETWORKS_ALLOW);
    assert_int_equal(action(n, "192.0.2.127"), NETWORKS_ALLOW);
    assert_int_equal(action(n, "192.0.2.128"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "192.0.2.77"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "::ffff:192.0.2.77"), NETWORKS_BLOCK); /* the same address */
    assert_int_equal(action(n, "192.0.3.1"), NETWORKS_UNSAID);
    assert_int_equal(action(n, "::c000:201"), NETWORKS_UNSAID);
    block(n, "::/0");
    assert_int_equal(action(n, "::c000:201"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "192.0.3.1"), NETWORKS_UNSAID); /* IPv6 holds no IPv4 */
    block(n, "0.0.0.0/0");
    assert_int_equal(action(n, "192.0.3.1"), NETWORKS_BLOCK);
    struct networks_rule r = look(n, "192.0.2.99", NOW);
    char text[PREFIX_TEXT_SIZE];
    prefix_format(&r.network, text);
    assert_string_equal(text, "192.0.2.64/26");
    r = look(n, "2001:db8::1", NOW);
    prefix_format(&r.network, text);
    assert_string_equal(text, "::/0");
}

/* A feed that lists private networks, or a block that Holdfast made itself, must not shut the operator out. */
static void test_the_operator_comes_first(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    allow(n, "10.0.0.0/8");
    assert_int_equal(put(n, "192.168.0.0/16", NETWORKS_ALLOW, NETWORKS_CONFIGURED, 0), OK);
    block_automatic(n, "10.0.0.7", 0);
    feed(n, "bogons", "10.0.0.0/8\n192.168.1.1\n203.0.113.0/24\n");
    assert_int_equal(action(n, "10.0.0.7"), NETWORKS_ALLOW);
    assert_int_equal(action(n, "192.168.1.1"), NETWORKS_ALLOW);
    assert_int_equal(action(n, "203.0.113.9"), NETWORKS_BLOCK);
    allow(n, "203.0.113.9");
    assert_int_equal(action(n, "203.0.113.9"), NETWORKS_ALLOW);
    struct networks_rule r = look(n, "203.0.113.8", NOW);
    assert_int_equal(r.origin, NETWORKS_FEED);
    assert_string_equal(r.feed, "bogons");
    block_automatic(n, "203.0.113.8", NOW + HOUR);
    r = look(n, "203.0.113.8", NOW);
    assert_int_equal(r.origin, NETWORKS_AUTOMATIC);
    assert_int_equal(r.ends_ms, NOW + HOUR);
    assert_int_equal(look(n, "203.0.113.8", NOW + HOUR).origin, NETWORKS_FEED);
}

static void test_each_takes_back_his_own(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    const struct prefix p = prefix_of("203.0.113.7");
    block(n, "203.0.113.7");
    block_automatic(n, "203.0.113.7", 0);
    feed(n, "f", "203.0.113.7\n");
    assert_int_equal(networks_count(n).prefixes, 1);
    assert_int_equal(networks_remove(n, &p, NETWORKS_OPERATOR), OK);
    assert_int_equal(networks_remove(n, &p, NETWORKS_OPERATOR), ERR_NOT_FOUND);
    assert_int_equal(look(n, "203.0.113.7", NOW).origin, NETWORKS_AUTOMATIC);
    assert_int_equal(networks_remove(n, &p, NETWORKS_AUTOMATIC), OK);
    assert_int_equal(look(n, "203.0.113.7", NOW).origin, NETWORKS_FEED);
    assert_int_equal(networks_remove(n, &p, NETWORKS_FEED), ERR_NOT_FOUND);
    assert_int_equal(networks_feed_drop(n, "g"), ERR_NOT_FOUND);
    assert_int_equal(networks_feed_drop(n, "f"), OK);
    assert_int_equal(action(n, "203.0.113.7"), NETWORKS_UNSAID);
    assert_int_equal(networks_count(n).prefixes, 0);
    assert_int_equal(networks_count(n).bytes, 0);
    assert_int_equal(put(n, "203.0.113.7", NETWORKS_ALLOW, NETWORKS_AUTOMATIC, 0), ERR_BAD_VALUE);
    assert_int_equal(put(n, "203.0.113.7", NETWORKS_BLOCK, NETWORKS_FEED, 0), ERR_BAD_VALUE);
    assert_int_equal(put(n, "203.0.113.7", NETWORKS_UNSAID, NETWORKS_OPERATOR, 0), ERR_BAD_VALUE);
}

/* --- time */

static void test_a_block_ends_by_itself(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    block_automatic(n, "203.0.113.0/24", NOW + 2 * HOUR);
    block_automatic(n, "203.0.113.7", NOW + HOUR);
    assert_int_equal(put(n, "203.0.113.7", NETWORKS_ALLOW, NETWORKS_OPERATOR, NOW + 10), OK);
    assert_int_equal(look(n, "203.0.113.7", NOW + 9).action, NETWORKS_ALLOW);
    assert_int_equal(look(n, "203.0.113.7", NOW + 10).ends_ms, NOW + HOUR);
    assert_int_equal(look(n, "203.0.113.7", NOW + HOUR).ends_ms, NOW + 2 * HOUR); /* the network around it */
    assert_int_equal(look(n, "203.0.113.7", NOW + 2 * HOUR).action, NETWORKS_UNSAID);
    block_automatic(n, "203.0.113.7", NOW + 3 * HOUR); /* again, for longer */
    assert_int_equal(look(n, "203.0.113.7", NOW + 2 * HOUR).ends_ms, NOW + 3 * HOUR);
    assert_int_equal(take_out(n, NOW + 2 * HOUR, 100), 2);
    assert_int_equal(networks_count(n).prefixes, 1);
    assert_int_equal(networks_count(n).automatic, 1);
    assert_int_equal(take_out(n, NOW + 3 * HOUR, 100), 1);
    assert_int_equal(networks_count(n).prefixes, 0);
}

/* What is said at run time for a while hides what the configuration says of the same network; not a moment longer. */
static void test_the_configuration_holds_again(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    const struct prefix p = prefix_of("10.9.0.0/16");
    assert_int_equal(put(n, "10.0.0.0/8", NETWORKS_ALLOW, NETWORKS_CONFIGURED, 0), OK);
    assert_int_equal(put(n, "10.9.0.0/16", NETWORKS_BLOCK, NETWORKS_CONFIGURED, 0), OK);
    assert_int_equal(put(n, "10.9.0.0/16", NETWORKS_BLOCK, NETWORKS_CONFIGURED, NOW), ERR_BAD_VALUE);
    assert_int_equal(put(n, "10.9.0.0/16", NETWORKS_ALLOW, NETWORKS_OPERATOR, NOW + HOUR), OK);
    assert_int_equal(look(n, "10.9.0.1", NOW).action, NETWORKS_ALLOW);
    struct networks_rule r = look(n, "10.9.0.1", NOW + HOUR);
    assert_true(r.action == NETWORKS_BLOCK && r.origin == NETWORKS_CONFIGURED && r.ends_ms == 0);
    struct networks_count c = networks_count(n);
    assert_true(c.let_in == 1 && c.kept_out == 0 && c.configured_let_in == 1 && c.configured_kept_out == 1);
    assert_int_equal(networks_remove(n, &p, NETWORKS_OPERATOR), OK);
    assert_int_equal(look(n, "10.9.0.1", NOW).action, NETWORKS_BLOCK);
    assert_int_equal(networks_count(n).let_in, 0);
    assert_int_equal(networks_remove(n, &p, NETWORKS_CONFIGURED), OK);
    assert_int_equal(look(n, "10.9.0.1", NOW).action, NETWORKS_ALLOW);
}

static bool count_one(void *context, const struct networks_rule *r)
{
    size_t *counts = context;
    counts[r->origin]++;
    return true;
}

/* Who goes through what people said must not have to wade through what feeds list, and misses nothing in it. */
static void test_what_feeds_list_is_passed_over(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    const struct prefix p = prefix_of("203.0.113.7"), q = prefix_of("203.0.113.8");
    size_t counts[4] = {0};
    struct networks_rule ended[8];
    feed(n, "f", "203.0.113.7\n203.0.113.8\n2001:db8::7\n198.51.100.0/24\n");
    block(n, "203.0.113.7");
    block_automatic(n, "203.0.113.7", NOW + HOUR);
    block_automatic(n, "203.0.113.8", NOW + HOUR);
    assert_int_equal(put(n, "2001:db8::7", NETWORKS_ALLOW, NETWORKS_CONFIGURED, 0), OK);
    networks_each(n, count_one, counts);
    assert_true(counts[NETWORKS_OPERATOR] == 1 && counts[NETWORKS_AUTOMATIC] == 2 && counts[NETWORKS_CONFIGURED] == 1);
    assert_int_equal(counts[NETWORKS_FEED], 0);
    assert_int_equal(networks_ended(n, NOW + HOUR, 3, ended, ARRAY_LEN(ended)), 2); /* three looks do for three */
    assert_int_equal(networks_remove(n, &p, NETWORKS_AUTOMATIC), OK);
    assert_int_equal(networks_remove(n, &q, NETWORKS_AUTOMATIC), OK);
    feed(n, "f", "203.0.113.9\n"); /* what it listed before goes, and what people said stays */
    memset(counts, 0, sizeof counts);
    networks_each(n, count_one, counts);
    assert_true(counts[NETWORKS_OPERATOR] == 1 && counts[NETWORKS_AUTOMATIC] == 0 && counts[NETWORKS_CONFIGURED] == 1);
    assert_int_equal(networks_count(n).prefixes, 3);
}

/* With little to do at a time it comes by everywhere, finds nothing that lasts, and takes nothing out by itself. */
static void test_what_has_ended_is_found(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    struct networks_rule few[6];
    char text[64];
    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(text, sizeof text, i % 2 ? "10.%u.%u.0/24" : "2001:db8:%x:%x::/64", i / 200, i % 200);
        block_automatic(n, text, i % 3 ? NOW + HOUR : 0);
    }
    size_t out = 0, rounds = 0;
    for (; out < 2000 && rounds < 200; rounds++)
        out += take_out(n, NOW + HOUR, 100);
    assert_int_equal(out, 2000);
    assert_in_range(rounds, 20, 64);
    assert_int_equal(take_out(n, NOW + HOUR, 10000), 0);
    assert_int_equal(networks_count(n).automatic, 1000);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(text, sizeof text, "192.0.2.%u", i);
        block_automatic(n, text, NOW + HOUR);
        assert_int_equal(put(n, text, NETWORKS_ALLOW, NETWORKS_OPERATOR, NOW + HOUR), OK);
    }
    for (rounds = 0, out = 0; out < 16 && rounds < 2000; rounds++) /* more than there is room for at once */
        out += networks_ended(n, NOW + HOUR, 100, few, ARRAY_LEN(few));
    assert_int_equal(out, 16);
    assert_int_equal(networks_count(n).let_in, 8);
}

/* --- feeds */

static void test_a_feed_is_replaced_as_a_whole(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    struct networks_feed_report r = feed(
        n, "f",
        "# a list\r\n\r\n203.0.113.1\t10\r\n203.0.113.2 ; SBL1\n203.0.113.2\n  2001:db8::/32,x\n"
        "198.51.100.0/24#no space\n;\n\t\n198.51.100.7");
    assert_int_equal(r.prefixes, 5);
    assert_int_equal(r.bad, 0);
    assert_int_equal(action(n, "203.0.113.1"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "2001:db8::7"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "198.51.100.7"), NETWORKS_BLOCK);
    feed(n, "g", "203.0.113.2\n");
    feed(n, "f", "203.0.113.3\n");
    assert_int_equal(action(n, "203.0.113.1"), NETWORKS_UNSAID);
    assert_int_equal(action(n, "203.0.113.3"), NETWORKS_BLOCK);
    assert_string_equal(look(n, "203.0.113.2", NOW).feed, "g");
    assert_int_equal(networks_count(n).prefixes, 2);
    assert_int_equal(networks_count(n).feeds, 2);
    for (int i = 0; i < 100; i++) /* slots come back */
        feed(n, "f", i % 2 ? "203.0.113.3\n" : "203.0.113.4\n203.0.113.5\n");
    assert_int_equal(networks_count(n).prefixes, 2);
    feed(n, "f", "");
    assert_int_equal(networks_count(n).prefixes, 1);
}

/* An error page instead of the list, or a list that would block the whole internet, leaves the old one in force. */
static void test_a_bad_feed_changes_nothing(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    struct networks_feed_report r = {0};
    struct problem why = {0};
    feed(n, "f", "203.0.113.1\n");
    assert_int_equal(networks_feed_load(n, "f", VIEW_STR("<html>\n<b>203.0.113.2</b>\n203.0.113.2\n"), 0, &r, &why),
                     ERR_MALFORMED);
    assert_non_null(strstr(why.detail, "line 1"));
    assert_int_equal(networks_feed_load(n, "f", VIEW_STR("0.0.0.0/0\n::/0\n10.0.0.0/7\n"), 0, &r, &why), ERR_MALFORMED);
    assert_int_equal(networks_feed_load(n, "", VIEW_STR("203.0.113.2"), 0, &r, &why), ERR_BAD_VALUE);
    assert_int_equal(networks_feed_load(n, "a\nb", VIEW_STR("203.0.113.2"), 0, &r, &why), ERR_BAD_VALUE);
    assert_int_equal(action(n, "203.0.113.1"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "203.0.113.2"), NETWORKS_UNSAID);
    assert_int_equal(networks_count(n).prefixes, 1);
    r = feed(n, "f", "203.0.113.2\n203.0.113.3\n203.0.113.9/24\n0.0.0.0/0\n203.0.113.4\n");
    assert_int_equal(r.bad, 2);
    assert_int_equal(r.first_bad, 3);
    assert_int_equal(action(n, "8.8.8.8"), NETWORKS_UNSAID);
    assert_int_equal(networks_feed_load(n, "g", VIEW("203.0.113.7\0", 12), 0, &r, &why), ERR_MALFORMED);
}

static void test_a_feed_that_is_not_renewed_ends(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    struct networks_feed_report r;
    struct problem why;
    assert_int_equal(networks_feed_load(n, "f", VIEW_STR("203.0.113.1"), NOW + HOUR, &r, &why), OK);
    assert_int_equal(look(n, "203.0.113.1", NOW + HOUR - 1).ends_ms, NOW + HOUR);
    assert_int_equal(look(n, "203.0.113.1", NOW + HOUR).action, NETWORKS_UNSAID);
}

static void test_feeds_are_limited(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    struct networks_feed_report r;
    struct problem why;
    char name[16];
    for (unsigned i = 0; i < NETWORKS_FEEDS_MAX; i++) {
        (void)snprintf(name, sizeof name, "feed%u", i);
        feed(n, name, "203.0.113.1\n");
    }
    assert_int_equal(networks_feed_load(n, "one more", VIEW_STR("203.0.113.1"), 0, &r, &why), ERR_LIMIT_REACHED);
    feed(n, "feed7", "203.0.113.2\n");
    assert_int_equal(networks_feed_drop(n, "feed7"), OK);
    feed(n, "one more", "203.0.113.3\n");
    assert_int_equal(networks_count(n).feeds, NETWORKS_FEEDS_MAX);
}

/* --- rows */

/* What a row says is what was put, and a row of a feed, or of the configuration, is none. */
static void test_a_row_says_what_was_said(void **state)
{
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    struct networks_rule r = {.network = prefix_of("2001:db8::/33"),
                              .action = NETWORKS_BLOCK,
                              .origin = NETWORKS_AUTOMATIC,
                              .ends_ms = NOW + HOUR},
                         back = {0};
    char text[PREFIX_TEXT_SIZE];
    struct networks_row row = networks_row_of(&r, text);
    assert_int_equal(networks_row_rule(&row, &back), OK);
    assert_int_equal(networks_put(n, &back), OK);
    assert_int_equal(look(n, "2001:db8::1", NOW).ends_ms, NOW + HOUR);
    for (r.origin = NETWORKS_FEED; r.origin <= NETWORKS_CONFIGURED; r.origin++) {
        row = networks_row_of(&r, text);
        assert_int_equal(networks_row_rule(&row, &back), ERR_BAD_VALUE);
    }
}

/* --- against a plain list */

#define RULES  1500
#define PROBES 40000

static uint64_t dice_state;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((dice_state >> 33) % below);
}

/* Many that lie in each other: few different bytes, all lengths. */
static struct address dice_address(bool four)
{
    struct address a = {{0}};
    for (size_t i = 0; i < 16; i++)
        a.b[i] = (uint8_t)(dice(3) ? (dice(2) ? 0xff : 0) : dice(256));
    if (four) {
        memset(a.b, 0, 10);
        a.b[10] = a.b[11] = 0xff;
    }
    return a;
}

static struct prefix dice_prefix(void)
{
    bool four = dice(2);
    struct address a = dice_address(four);
    return prefix_around(&a, four ? 96 + dice(33) : dice(129));
}

struct model {
    struct networks_rule rule[RULES];
    size_t count;
};

static struct networks_rule *model_find(struct model *m, const struct prefix *p, enum networks_origin o)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->rule[i].origin == o && m->rule[i].network.bits == p->bits &&
            address_eq(&m->rule[i].network.base, &p->base))
            return &m->rule[i];
    return NULL;
}

static const struct networks_rule *model_look(const struct model *m, const struct address *a)
{
    const struct networks_rule *best = NULL;
    for (size_t i = 0; i < m->count; i++) {
        const struct networks_rule *r = &m->rule[i];
        if (!prefix_holds(&r->network, a))
            continue;
        if (!best || r->origin < best->origin || (r->origin == best->origin && r->network.bits > best->network.bits))
            best = r;
    }
    return best;
}

static void model_change(struct model *m, struct networks *n)
{
    struct networks_rule r = {.network = dice_prefix(), .origin = dice(2) ? NETWORKS_AUTOMATIC : NETWORKS_OPERATOR};
    if (m->count && dice(2))
        r.network = m->rule[dice((uint32_t)m->count)].network;
    struct networks_rule *old = model_find(m, &r.network, r.origin);
    if (dice(3) == 0) {
        assert_int_equal(networks_remove(n, &r.network, r.origin), old ? OK : ERR_NOT_FOUND);
        if (old)
            *old = m->rule[--m->count];
        return;
    }
    r.action = r.origin == NETWORKS_OPERATOR && dice(2) ? NETWORKS_ALLOW : NETWORKS_BLOCK;
    if (!old && m->count == RULES)
        return;
    assert_int_equal(networks_put(n, &r), OK);
    *(old ? old : &m->rule[m->count++]) = r;
}

static void model_probe(const struct model *m, struct networks *n)
{
    struct address a = m->count && dice(2) ? m->rule[dice((uint32_t)m->count)].network.base : dice_address(dice(2));
    if (dice(3) == 0)
        a.b[12 + dice(4)] ^= (uint8_t)(1u << dice(8));
    struct networks_rule r = {0};
    const struct networks_rule *right = model_look(m, &a);
    networks_look_up(n, &a, NOW, &r);
    assert_int_equal(r.action, right ? right->action : NETWORKS_UNSAID);
    if (right) {
        assert_int_equal(r.origin, right->origin);
        assert_int_equal(r.network.bits, right->network.bits);
        assert_true(address_eq(&r.network.base, &right->network.base));
    }
}

struct seen {
    struct model *m;
    struct networks_rule last;
    size_t count;
};

/* They come by kinds, each in order. */
static unsigned kind_of(const struct prefix *p)
{
    bool four = prefix_is_ipv4(p);
    return four * 2u + (p->bits >= (four ? 96 + 16 : 16));
}

static bool see(void *context, const struct networks_rule *r)
{
    struct seen *s = context;
    assert_non_null(model_find(s->m, &r->network, r->origin));
    if (s->count++ && kind_of(&r->network) == kind_of(&s->last.network)) {
        int order = memcmp(s->last.network.base.b, r->network.base.b, 16);
        assert_true(order < 0 || (order == 0 && s->last.network.bits <= r->network.bits));
    }
    s->last = *r;
    return true;
}

static void test_it_says_what_a_plain_list_says(void **state)
{
    static struct model m;
    (void)state;
    AUTO(networks_free) struct networks *n = made();
    dice_state = 1;
    for (unsigned i = 0; i < PROBES; i++) {
        model_change(&m, n);
        if (i % 2)
            model_probe(&m, n);
    }
    struct seen s = {.m = &m};
    networks_each(n, see, &s);
    assert_int_equal(s.count, m.count);
    assert_true(m.count > RULES / 2);
    while (m.count) {
        m.count--;
        assert_int_equal(networks_remove(n, &m.rule[m.count].network, m.rule[m.count].origin), OK);
    }
    assert_int_equal(networks_count(n).prefixes, 0);
    assert_int_equal(networks_count(n).bytes, 0);
}

/* --- threads */

struct shared {
    struct networks *n;
    atomic_bool done;
    _Atomic unsigned wrong, looks;
};

static void *reader(void *context)
{
    struct shared *s = context;
    struct networks_rule r;
    struct address always, never, other;
    assert_int_equal(address_parse(VIEW_STR("203.0.113.7"), &always), OK);
    assert_int_equal(address_parse(VIEW_STR("2001:db8::1"), &never), OK);
    for (uint32_t i = 0; !atomic_load(&s->done); i++) {
        networks_look_up(s->n, &always, NOW, &r);
        if (r.action != NETWORKS_BLOCK || r.network.bits != 128)
            atomic_fetch_add(&s->wrong, 1);
        networks_look_up(s->n, &never, NOW, &r);
        if (r.action != NETWORKS_UNSAID)
            atomic_fetch_add(&s->wrong, 1);
        other = always;
        other.b[13] = (uint8_t)(i * 7);
        other.b[14] = (uint8_t)(i >> 3);
        networks_look_up(s->n, &other, NOW, &r);
        if (r.action == NETWORKS_BLOCK && !prefix_holds(&r.network, &other))
            atomic_fetch_add(&s->wrong, 1);
        atomic_fetch_add_explicit(&s->looks, 1, memory_order_relaxed);
    }
    return NULL;
}

static void *changer(void *context)
{
    struct shared *s = context;
    char text[32];
    for (uint32_t i = 0; i < 20000; i++) {
        (void)snprintf(text, sizeof text, "203.%u.%u.%u", i * 7 % 256, i % 64, i % 5);
        const struct prefix p = prefix_of(text);
        if (i % 3)
            assert_int_equal(put(s->n, text, NETWORKS_BLOCK, NETWORKS_AUTOMATIC, i % 5 ? NOW + HOUR : 1), OK);
        else
            (void)!networks_remove(s->n, &p, NETWORKS_AUTOMATIC);
        if (i % 100 == 0)
            take_out(s->n, NOW, 300);
    }
    return NULL;
}

/* A feed that lists an address before and after lists it in between as well. */
static void *feeder(void *context)
{
    struct shared *s = context;
    for (int i = 0; i < 150; i++)
        feed(s->n, "f", i % 2 ? "203.0.113.7\n203.0.113.0/24\n" : "203.7.0.0/16\n203.0.113.7\n203.0.113.8\n");
    return NULL;
}

static void test_readers_see_whole_changes(void **state)
{
    (void)state;
    struct shared s = {.n = made()};
    pthread_t readers[2], writers[2];
    feed(s.n, "f", "203.0.113.7\n");
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, reader, &s), 0);
    assert_int_equal(pthread_create(&writers[0], NULL, changer, &s), 0);
    assert_int_equal(pthread_create(&writers[1], NULL, feeder, &s), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&s.done, true);
    for (size_t i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(atomic_load(&s.looks) > 0);
    networks_free(s.n);
}

/* Else whoever writes a feed could keep people from shutting somebody out, and from letting themselves in. */
static void feeds_that_fill_all_room_leave_people_theirs(void **state)
{
    static const char text[] = "198.51.100.1\n198.51.100.2\n198.51.100.3\n198.51.100.4\n";
    struct networks_feed_report report;
    struct problem why = {0};
    (void)state;
    struct networks *n = made();
    n->max = 4;
    assert_int_equal(networks_feed_load(n, "a", VIEW_STR(text), 0, &report, &why), OK);
    assert_int_equal(networks_feed_load(n, "b", VIEW_STR("192.0.2.1\n"), 0, &report, &why), ERR_LIMIT_REACHED);
    block(n, "203.0.113.0/24");
    allow(n, "198.51.100.0/30");
    assert_int_equal(put(n, "203.0.114.9", NETWORKS_BLOCK, NETWORKS_AUTOMATIC, NOW + HOUR), OK);
    assert_int_equal(action(n, "203.0.113.7"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "198.51.100.1"), NETWORKS_ALLOW);
    assert_int_equal(action(n, "203.0.114.9"), NETWORKS_BLOCK);
    assert_int_equal(networks_feed_load(n, "a", VIEW_STR("192.0.2.1\n"), 0, &report, &why), ERR_LIMIT_REACHED);
    assert_int_equal(action(n, "198.51.100.4"), NETWORKS_BLOCK); /* what it listed before */
    networks_free(n);
}

/* Whether a block is in force is no question of its first address alone. */
static void a_network_is_looked_up_apart_from_what_lies_in_it(void **state)
{
    static const struct {
        const char *network, *decides;
    } cases[] = {
        {"10.1.2.0/24", "10.1.0.0/16"}, {"10.1.2.0/25", "10.1.2.0/25"}, {"10.1.2.0", "10.1.2.0/25"},
        {"10.1.0.0/16", "10.1.0.0/16"}, {"10.0.0.0/8", NULL},           {"2001:db8::/64", "2001:db8::/48"},
        {"2001:db8::1", "2001:db8::1"}, {"2001:db8::/47", NULL},
    };
    (void)state;
    struct networks *n = made();
    allow(n, "10.1.0.0/16");
    block(n, "10.1.2.0/25");
    allow(n, "2001:db8::/48");
    allow(n, "2001:db8::1");
    assert_int_equal(put(n, "10.1.2.0/24", NETWORKS_BLOCK, NETWORKS_AUTOMATIC, 0), OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix p = prefix_of(cases[i].network), wanted;
        struct networks_rule r = {0};
        networks_look_up_network(n, &p, NOW, &r);
        assert_int_equal(r.action == NETWORKS_UNSAID, cases[i].decides == NULL);
        if (cases[i].decides) {
            wanted = prefix_of(cases[i].decides);
            assert_memory_equal(&r.network, &wanted, sizeof wanted);
        }
    }
    networks_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_longest_prefix_decides),
        cmocka_unit_test(test_the_configuration_holds_again),
        cmocka_unit_test(test_the_operator_comes_first),
        cmocka_unit_test(test_each_takes_back_his_own),
        cmocka_unit_test(test_a_block_ends_by_itself),
        cmocka_unit_test(test_what_feeds_list_is_passed_over),
        cmocka_unit_test(test_what_has_ended_is_found),
        cmocka_unit_test(test_a_feed_is_replaced_as_a_whole),
        cmocka_unit_test(test_a_bad_feed_changes_nothing),
        cmocka_unit_test(test_a_feed_that_is_not_renewed_ends),
        cmocka_unit_test(test_feeds_are_limited),
        cmocka_unit_test(test_a_row_says_what_was_said),
        cmocka_unit_test(test_it_says_what_a_plain_list_says),
        cmocka_unit_test(test_readers_see_whole_changes),
        cmocka_unit_test(a_network_is_looked_up_apart_from_what_lies_in_it),
        cmocka_unit_test(feeds_that_fill_all_room_leave_people_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
