/* Messages of a front, honest or not, and what the real kernel then has. In a network namespace of its own. */
#include "warden/warden.h"

#include "ipc/channel.h"
#include "test.h"

#include <nftables/libnftables.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define STRANGER "table inet filter {\n\tchain input {\n\t\ttcp dport 9 drop\n\t}\n}\n"

static struct {
    struct nft_ctx *nft;
    struct table *table;
    struct warden *warden;
    uint64_t now;
} t;

static uint64_t mono(const struct clock *c)
{
    (void)c;
    return t.now;
}

static const struct clock clock_ = {.wall_ms = mono, .mono_ms = mono};

static struct view allow[] = {VIEW_STR("10.0.0.0/8")}, ports[] = {VIEW_STR("80"), VIEW_STR("443")};
static const struct config_guard guard = {
    .networks.allow = {allow, 1},
    .firewall = {.ports = {ports, 2}, .hook = CONFIG_HOOK_INPUT, .table = VIEW_STR("holdfast")}};

/* --- the kernel */

static const char *nft(const char *command)
{
    if (nft_run_cmd_from_buffer(t.nft, command) != 0)
        fail_msg("%s: %s", command, nft_ctx_get_error_buffer(t.nft));
    return nft_ctx_get_output_buffer(t.nft);
}

/* How often the text stands in what the kernel lists. */
static size_t listed(const char *what, const char *text)
{
    size_t count = 0;
    for (const char *at = nft(what); (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

static bool has(enum sets_which set, const char *element)
{
    char command[128];
    (void)snprintf(command, sizeof command, "list set inet holdfast %s", sets_forms[set].name);
    return listed(command, element) > 0;
}

static int group_setup(void **state)
{
    (void)state;
    /* Root may; anybody else is root of a network in a user namespace. */
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return -1;
    t.nft = nft_ctx_new(NFT_CTX_DEFAULT);
    return t.nft && nft_ctx_buffer_output(t.nft) == 0 && nft_ctx_buffer_error(t.nft) == 0 ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    nft_ctx_free(t.nft);
    return 0;
}

static int setup(void **state)
{
    struct problem why = {0};
    (void)state;
    (void)nft("flush ruleset\n" STRANGER);
    t.now = 1000000;
    assert_int_equal(table_new(&guard.firewall, &t.table), OK);
    if (table_begin(t.table, &why) != OK)
        fail_msg("%s", why.detail);
    assert_int_equal(warden_new(&guard, &clock_, t.table, &t.warden, NULL), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_string_equal(nft("list table inet filter"), STRANGER);
    warden_free(t.warden);
    table_free(t.table);
    return 0;
}

/* --- messages */

static enum err say(uint16_t type, const struct entity *e, const void *object, struct warden_restored *ret)
{
    AUTO_WRITER body = writer_new(CHANNEL_FRAME_MAX), answer = writer_new(1024);
    AUTO(arena_free) struct arena *arena = NULL;
    if (e)
        assert_int_equal(entity_encode(e, object, &body), OK);
    enum err result = warden_message(t.warden, type, writer_view_of(&body), &answer, NULL);
    if (result == OK && ret) {
        assert_int_equal(arena_new(256, 4096, &arena), OK);
        assert_int_equal(entity_decode(&warden_restored_entity, writer_view_of(&answer), arena, ret), OK);
    } else {
        assert_int_equal(answer.len, 0);
    }
    return result;
}

static struct warden_block block_of(const char *text, uint32_t seconds)
{
    struct prefix p = network(text);
    struct warden_block b = {.bits = p.bits, .seconds = seconds};
    memcpy(b.base, p.base.b, sizeof b.base);
    return b;
}

static enum err block(const char *text, uint32_t seconds)
{
    struct warden_block b = block_of(text, seconds);
    return say(WARDEN_BLOCK, &warden_block_entity, &b, NULL);
}

static enum err unblock(const char *text)
{
    struct warden_block b = block_of(text, 0);
    return say(WARDEN_UNBLOCK, &warden_block_entity, &b, NULL);
}

static enum err part(struct warden_block *blocks, size_t count)
{
    const struct warden_part p = {.blocks = {blocks, count}};
    return say(WARDEN_RESTORE_PART, &warden_part_entity, &p, NULL);
}

static struct warden_restored restore(struct warden_block *blocks, size_t count)
{
    struct warden_restored r = {0};
    t.now += 10000;
    assert_int_equal(say(WARDEN_RESTORE_BEGIN, NULL, NULL, NULL), OK);
    for (size_t at = 0; at < count; at += WARDEN_PART_MAX)
        assert_int_equal(part(blocks + at, count - at < WARDEN_PART_MAX ? count - at : WARDEN_PART_MAX), OK);
    assert_int_equal(say(WARDEN_RESTORE_END, NULL, NULL, &r), OK);
    return r;
}

/* --- tests */

static void the_table_is_ours_whole_and_in_front(void **state)
{
    (void)state;
    (void)restore(NULL, 0);
    assert_int_equal(
        listed("list chain inet holdfast blocks", "type filter hook input priority filter - 10; policy accept;"), 1);
    assert_int_equal(listed("list chain inet holdfast blocks", "counter packets 0 bytes 0 drop"), SETS_COUNT);
    assert_int_equal(listed("list chain inet holdfast blocks", "th dport != { 80, 443 } accept"), 1);
    assert_true(table_is_there(t.table));
    assert_int_equal(table_drop(t.table, NULL), OK);
    assert_false(table_is_there(t.table));
    assert_int_equal(table_drop(t.table, NULL), OK);
}

static void blocks_come_and_go_one_by_one(void **state)
{
    static const struct {
        const char *text, *element;
        enum sets_which set;
    } cases[] = {{"192.0.2.1", "192.0.2.1 timeout 1m", SETS_HOSTS4},
                 {"2001:db8::1", "2001:db8::1 timeout 1m", SETS_HOSTS6},
                 {"2001:db8:1::/64", "2001:db8:1:: timeout 1m", SETS_SUBSCRIBERS6},
                 {"198.51.100.0/24", "198.51.100.0/24 timeout 1m", SETS_NETWORKS4},
                 {"2001:db8:2::/48", "2001:db8:2::/48 timeout 1m", SETS_NETWORKS6}};
    (void)state;
    (void)restore(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(unblock(cases[i].text), OK); /* there is nothing to do */
        assert_int_equal(block(cases[i].text, 60), OK);
        assert_true(has(cases[i].set, cases[i].element));
        assert_int_equal(block(cases[i].text, 7200), OK); /* lasts longer now */
        assert_true(has(cases[i].set, "timeout 2h"));
        assert_false(has(cases[i].set, cases[i].element));
        assert_int_equal(block(cases[i].text, 0), OK); /* and for ever */
        assert_false(has(cases[i].set, "expires"));
        assert_int_equal(block(cases[i].text, WARDEN_SECONDS_MAX), OK);
        assert_true(has(cases[i].set, "timeout 3650d"));
        assert_int_equal(unblock(cases[i].text), OK);
        assert_false(has(cases[i].set, "elements"));
    }
}

static void the_kernel_lets_go_by_itself(void **state)
{
    (void)state;
    (void)restore(NULL, 0);
    assert_int_equal(block("192.0.2.1", 1), OK);
    assert_int_equal(block("198.51.100.0/24", 1), OK);
    assert_true(has(SETS_HOSTS4, "192.0.2.1") && has(SETS_NETWORKS4, "198.51.100.0/24"));
    for (int i = 0; i < 100 && (has(SETS_HOSTS4, "192.0.2.1") || has(SETS_NETWORKS4, "198.51.100.0")); i++)
        usleep(50000);
    assert_false(has(SETS_HOSTS4, "192.0.2.1") || has(SETS_NETWORKS4, "198.51.100.0"));
}

static void a_restore_is_all_or_nothing(void **state)
{
    struct warden_block first[] = {block_of("192.0.2.1", 60), block_of("198.51.100.0/24", 60)};
    struct warden_block second[] = {block_of("192.0.2.2", 60), block_of("192.0.2.2", 90),
                                    block_of("198.51.100.0/25", 60), block_of("198.51.100.0/24", 60),
                                    block_of("2001:db8::/64", 0)};
    (void)state;
    assert_int_equal(restore(first, 2).taken, 2);
    /* Parts change nothing until the end … */
    assert_int_equal(say(WARDEN_RESTORE_BEGIN, NULL, NULL, NULL), OK);
    assert_int_equal(part(second, ARRAY_LEN(second)), OK);
    assert_true(has(SETS_HOSTS4, "192.0.2.1") && !has(SETS_HOSTS4, "192.0.2.2"));
    struct warden_restored r;
    assert_int_equal(say(WARDEN_RESTORE_END, NULL, NULL, &r), OK);
    assert_int_equal(r.taken, ARRAY_LEN(second));
    assert_true(!has(SETS_HOSTS4, "192.0.2.1") && has(SETS_HOSTS4, "192.0.2.2"));
    assert_true(has(SETS_NETWORKS4, "198.51.100.0/24") && has(SETS_SUBSCRIBERS6, "2001:db8::"));
    /* … and one that is left open counts for nothing. */
    assert_int_equal(say(WARDEN_RESTORE_BEGIN, NULL, NULL, NULL), OK);
    assert_int_equal(part(first, 2), OK);
    assert_int_equal(restore(NULL, 0).taken, 0);
    assert_false(has(SETS_HOSTS4, "elements"));
    assert_int_equal(say(WARDEN_RESTORE_END, NULL, NULL, &r), ERR_CONFLICT);
    assert_int_equal(part(first, 2), ERR_CONFLICT);
    /* So does one of which a part can't be read. */
    assert_int_equal(say(WARDEN_RESTORE_BEGIN, NULL, NULL, NULL), OK);
    assert_int_equal(part(first, 2), OK);
    assert_int_equal(say(WARDEN_RESTORE_PART, &warden_block_entity, &first[0], NULL), ERR_MALFORMED);
    assert_int_equal(say(WARDEN_RESTORE_END, NULL, NULL, &r), ERR_CONFLICT);
    assert_false(has(SETS_HOSTS4, "elements"));
}

static void a_prefix_in_another_one_comes_into_force_after_it(void **state)
{
    (void)state;
    (void)restore(NULL, 0);
    assert_int_equal(block("198.51.100.0/25", 60), OK);
    assert_int_equal(block("198.51.100.0/24", 10), OK);
    assert_true(has(SETS_NETWORKS4, "198.51.100.0/24") && !has(SETS_NETWORKS4, "198.51.100.0/25"));
    t.now += 9999;
    assert_int_equal(warden_tick(t.warden, NULL), OK);
    assert_false(has(SETS_NETWORKS4, "198.51.100.0/25"));
    t.now += 1;
    assert_int_equal(warden_tick(t.warden, NULL), OK);
    assert_true(has(SETS_NETWORKS4, "198.51.100.0/25 timeout 50s"));
}

static void nothing_changes_before_a_restore(void **state)
{
    (void)state;
    assert_int_equal(block("192.0.2.1", 60), ERR_CONFLICT);
    assert_int_equal(unblock("192.0.2.1"), ERR_CONFLICT);
    assert_false(has(SETS_HOSTS4, "elements"));
}

static void the_next_warden_takes_over_what_is_there(void **state)
{
    struct table *next = NULL;
    (void)state;
    (void)restore(NULL, 0);
    assert_int_equal(block("192.0.2.1", 60), OK);
    assert_int_equal(table_new(&guard.firewall, &next), OK);
    assert_int_equal(table_begin(next, NULL), OK);
    assert_true(has(SETS_HOSTS4, "192.0.2.1"));
    table_free(next);
}

/* --- a front that is somebody else's */

static void the_desk_is_never_shut_out(void **state)
{
    static const char *const tries[] = {"10.1.2.3", "10.0.0.0/8", "8.0.0.0/6", "0.0.0.0/0", "127.0.0.1", "::1", "::/0"};
    struct warden_block all[ARRAY_LEN(tries) + 1];
    (void)state;
    (void)restore(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        assert_int_equal(block(tries[i], 60), ERR_FORBIDDEN);
        all[i] = block_of(tries[i], 60);
    }
    all[ARRAY_LEN(tries)] = block_of("192.0.2.1", 60);
    struct warden_restored r = restore(all, ARRAY_LEN(all));
    assert_int_equal(r.taken, 1);
    assert_int_equal(r.refused, ARRAY_LEN(tries));
    assert_int_equal(listed("list table inet holdfast", "elements"), 1);
}

static void it_can_not_fill_the_kernel(void **state)
{
    enum { MORE = WARDEN_HOSTS_MAX + 5000 };
    struct warden_block *many = calloc(MORE, sizeof *many);
    (void)state;
    assert_non_null(many);
    for (uint32_t i = 0; i < MORE; i++) {
        many[i] = block_of("11.0.0.0", 600);
        many[i].base[13] = (uint8_t)(i >> 16);
        many[i].base[14] = (uint8_t)(i >> 8);
        many[i].base[15] = (uint8_t)i;
    }
    struct warden_restored r = restore(many, MORE);
    assert_int_equal(r.taken, WARDEN_HOSTS_MAX);
    assert_int_equal(r.beyond, MORE - WARDEN_HOSTS_MAX);
    assert_int_equal(block("192.0.2.1", 60), ERR_LIMIT_REACHED);
    assert_int_equal(unblock("11.0.0.1"), OK);
    assert_int_equal(block("192.0.2.1", 60), OK);
    for (uint32_t i = 0; i < MORE; i++)
        many[i].bits = 127, many[i].base[15] = (uint8_t)(i << 1), many[i].base[14] = (uint8_t)(i >> 7);
    r = restore(many, MORE);
    assert_int_equal(r.beyond, MORE - r.taken - r.refused);
    assert_true(r.taken >= WARDEN_NETWORKS_MAX);
    assert_int_equal(block("198.51.100.0/24", 60), ERR_LIMIT_REACHED);
    free(many);
}

static void it_can_not_keep_the_kernel_busy(void **state)
{
    unsigned taken = 0, networks = 0, restores = 0;
    (void)state;
    (void)restore(NULL, 0);
    for (unsigned i = 0; i < 3 * WARDEN_NETWORKS_BURST; i++)
        networks += block("198.51.100.0/24", 60) == OK;
    for (unsigned i = 0; i < 3 * WARDEN_BURST; i++)
        taken += unblock("192.0.2.1") == OK;
    for (unsigned i = 0; i < 3 * WARDEN_RESTORES_BURST; i++)
        restores += say(WARDEN_RESTORE_BEGIN, NULL, NULL, NULL) == OK;
    assert_int_equal(networks, WARDEN_NETWORKS_BURST);
    assert_int_equal(taken, WARDEN_BURST - 3 * WARDEN_NETWORKS_BURST);
    assert_int_equal(restores, WARDEN_RESTORES_BURST - 1);
    assert_int_equal(block("192.0.2.1", 60), ERR_BUSY);
    t.now += 1000;
    assert_int_equal(block("192.0.2.1", 60), OK);
}

static void noise_is_refused(void **state)
{
    uint8_t bytes[64];
    struct warden_block bent = block_of("192.0.2.0/24", 60);
    AUTO_WRITER answer = writer_new(1024);
    (void)state;
    (void)restore(NULL, 0);
    for (unsigned type = 0; type < 65536; type += type < 64 ? 1 : 997)
        for (size_t len = 1; len < sizeof bytes; len += 7) {
            memset(bytes, (int)(type + len), sizeof bytes);
            assert_int_not_equal(warden_message(t.warden, (uint16_t)type, VIEW(bytes, len), &answer, NULL), OK);
        }
    bent.base[15] = 7;
    assert_int_equal(say(WARDEN_BLOCK, &warden_block_entity, &bent, NULL), ERR_MALFORMED);
    assert_int_equal(answer.len, 0);
    assert_int_equal(listed("list table inet holdfast", "elements"), 0);
}

/* --- others */

static void a_table_that_is_gone_is_noticed_and_made_anew(void **state)
{
    struct warden_block one = block_of("192.0.2.1", 60);
    (void)state;
    (void)restore(&one, 1);
    (void)nft("delete table inet holdfast");
    assert_false(table_is_there(t.table));
    assert_int_equal(block("192.0.2.2", 60), ERR_NOT_FOUND);
    assert_int_equal(block("198.51.100.0/24", 60), ERR_NOT_FOUND);
    (void)restore(&one, 1);
    assert_true(has(SETS_HOSTS4, "192.0.2.1"));
    /* A table without its chain drops nothing. */
    (void)nft("delete chain inet holdfast blocks");
    assert_false(table_is_there(t.table));
    (void)restore(&one, 1);
    assert_true(table_is_there(t.table));
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(the_table_is_ours_whole_and_in_front),
        EACH(blocks_come_and_go_one_by_one),
        EACH(the_kernel_lets_go_by_itself),
        EACH(a_restore_is_all_or_nothing),
        EACH(a_prefix_in_another_one_comes_into_force_after_it),
        EACH(nothing_changes_before_a_restore),
        EACH(the_next_warden_takes_over_what_is_there),
        EACH(the_desk_is_never_shut_out),
        EACH(it_can_not_fill_the_kernel),
        EACH(it_can_not_keep_the_kernel_busy),
        EACH(noise_is_refused),
        EACH(a_table_that_is_gone_is_noticed_and_made_anew),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
