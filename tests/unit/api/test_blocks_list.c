/* The list of blocks is what people go by who wonder why somebody does not get through. */
#include "api_rig.h"

#include "api/routes.h"

#include <stdio.h>

static struct rig *rig;
static char admin[API_KEY_TEXT_SIZE];

static int set_up(void **state)
{
    rig = rig_set_up(state, &blocks_list_routes);
    rig_key(rig, &(struct rig_key){.role = "admin"}, admin);
    return 0;
}

static void put(const char *network, enum networks_action action, enum networks_origin origin)
{
    struct networks_rule r = {.action = action, .origin = origin};
    assert_int_equal(prefix_parse(view_str(network), &r.network, NULL), OK);
    assert_int_equal(networks_put(guard_networks(rig->shared.guard), &r), OK);
}

static bool is_listed(const char *network)
{
    struct rig_reply a;
    char headers[200], member[100];
    (void)snprintf(headers, sizeof headers, "X-API-Key: %s\r\n", admin);
    (void)snprintf(member, sizeof member, "\"network\":\"%s\"", network);
    rig_ask(rig, "GET", "/api/v1/guard/blocks", headers, NULL, &a);
    if (a.status != 200 || !strstr(a.text, "blocks"))
        fail_msg("%s", a.text);
    return strstr(a.text, member) != NULL;
}

static void a_block_inside_of_what_people_let_in_is_not_listed(void **state)
{
    (void)state;
    put("198.51.100.0/24", NETWORKS_BLOCK, NETWORKS_AUTOMATIC);
    put("2001:db8:0:1::/64", NETWORKS_BLOCK, NETWORKS_AUTOMATIC);
    assert_true(is_listed("198.51.100.0/24") && is_listed("2001:db8:0:1::/64"));
    put("198.51.100.0", NETWORKS_ALLOW, NETWORKS_OPERATOR); /* a part of it */
    assert_true(is_listed("198.51.100.0/24"));
    put("198.51.0.0/16", NETWORKS_ALLOW, NETWORKS_OPERATOR);
    assert_false(is_listed("198.51.100.0/24"));
    put("2001:db8::/48", NETWORKS_ALLOW, NETWORKS_OPERATOR);
    put("2001:db8:0:1::", NETWORKS_BLOCK, NETWORKS_OPERATOR);
    assert_false(is_listed("2001:db8:0:1::/64"));
    assert_true(is_listed("2001:db8:0:1::"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_block_inside_of_what_people_let_in_is_not_listed, set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
