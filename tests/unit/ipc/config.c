#include "ipc/config.h"

#include "base/log.h"
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    return (int)arena_new(4096, 1u << 20, &arena);
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void assert_view(struct view v, const char *text)
{
    if (!view_is(v, text))
        fail_msg("\"%.*s\" instead of \"%s\"", (int)v.len, (const char *)v.ptr, text);
}

static void an_empty_file_means_the_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# data_dir: /elsewhere\n  # listen: x\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct config c;
        struct problem why;
        assert_ok(config_parse(view_str(texts[i]), "f", arena, &c, &why));
        assert_view(c.data_dir, "/var/lib/holdfast");
        assert_view(c.listen, "127.0.0.1:8450");
        assert_view(c.operator_socket, "/var/lib/holdfast/run/operator.sock");
        assert_view(c.unix_socket, "/run/holdfast/api.sock");
        assert_view(c.store, "sqlite:/var/lib/holdfast/holdfast.db");
        assert_int_equal(c.front_threads, 2);
        assert_int_equal(c.cipher, 1);
        assert_int_equal(c.http.header_bytes, 16384);
        assert_int_equal(c.argon2.memory_kib, 0); /* what the initialisation measured */
        assert_int_equal(c.sessions.idle_minutes, 30);
        assert_int_equal(c.checkpoint_seconds, 1);
        assert_int_equal(config_log_level(&c), LOG_INFO);
        assert_false(c.dev);
    }
}

static void checkpoints_have_a_range(void **state)
{
    (void)state;
    struct config c;
    struct problem why;
    assert_ok(config_parse(VIEW_STR("checkpoint_seconds: 3600\n"), "f", arena, &c, &why));
    assert_int_equal(c.checkpoint_seconds, 3600);
    assert_int_not_equal(config_parse(VIEW_STR("checkpoint_seconds: 0\n"), "f", arena, &c, &why), OK);
    assert_non_null(strstr(why.where, "f:1"));
    assert_int_not_equal(config_parse(VIEW_STR("checkpoint_seconds: 3601\n"), "f", arena, &c, &why), OK);
}

static void what_a_file_says_holds(void **state)
{
    (void)state;
    struct config c, again;
    struct problem why;
    static const char text[] = "data_dir: /srv/holdfast/\n"
                               "listen: '[::1]:9000'\n"
                               "front_threads: 4\n"
                               "cipher: xchacha20-poly1305\n"
                               "log_level: debug\n"
                               "tls:\n  key: /etc/key.pem\n  names: [desk.example, 10.0.0.1]\n"
                               "http:\n  body_bytes: 65536\n";
    AUTO_WRITER w = writer_new(65536);
    assert_ok(config_parse(VIEW_STR(text), "f", arena, &c, &why));
    assert_view(c.unix_socket, "/srv/holdfast/run/api.sock");
    assert_view(c.tls.key, "/etc/key.pem");
    assert_view(c.tls.certificate, "/srv/holdfast/tls/server.crt");
    assert_int_equal(c.tls.names.count, 2);
    assert_int_equal(c.cipher, 2);
    assert_int_equal(c.http.body_bytes, 65536);
    assert_int_equal(c.http.idle_seconds, 60);
    assert_int_equal(c.http.head_seconds, 10);
    assert_int_equal(config_log_level(&c), LOG_DEBUG);
    /* And reaches the children whole. */
    assert_ok(entity_encode(&config_entity, &c, &w));
    assert_ok(entity_decode(&config_entity, writer_view_of(&w), arena, &again));
    assert_view(again.tls.names.items[1], "10.0.0.1");
    assert_view(again.listen, "[::1]:9000");
    assert_int_equal(again.http.body_bytes, 65536);
}

static const struct {
    const char *text, *where;
} wrong[] = {
    {"listn: 1.2.3.4:5\n", "f.yaml:1:1"},
    {"front_threads: 2\nlisten: localhost:8450\n", "f.yaml:2:9"},
    {"listen: 127.0.0.1:70000\n", "f.yaml:1:9"},
    {"listen: 127.0.0.1\n", "f.yaml:1:9"},
    {"\nfront_threads: 9\n", "f.yaml:2:16"},
    {"front_threads: 0\n", "f.yaml:1:16"},
    {"front_threads: many\n", "f.yaml:1:16"},
    {"http:\n  body_bytes: 1\n", "f.yaml:2:15"},
    {"http:\n  bodybytes: 10000\n", "f.yaml:2:3"},
    {"data_dir: relative/path\n", "f.yaml:1:11"},
    {"store: mysql://x\n", "f.yaml:1:8"},
    {"cipher: rot13\n", "f.yaml:1:9"},
    {"sessions: {hours: 9}\n", "f.yaml:1:19"},
    {"tls:\n  names: ['a b']\n", "f.yaml:2:11"},
    {"dev: true\n", "f.yaml:1:1"},
    {"listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "f.yaml:2:1"},
    {"[1, 2]\n", "f.yaml:1:1"},
    {"guard:\n  proxies: [10.0.0.1/8]\n", "f.yaml:2:13"},
    {"guard:\n  networks: {allow: [10.0.0.0/8], block: [10.1.0.0/16, 10.0.0.0/8]}\n", "f.yaml:2:56"},
    {"guard:\n  networks: {allow: [10.0.0.1/8]}\n", "f.yaml:2:22"},
    {"guard:\n  record: sometimes\n", "f.yaml:2:11"},
    {"guard:\n  firewall: {hook: input}\n", "f.yaml:2:13"},
    {"guard:\n  firewall: {ports: []}\n", "f.yaml:2:13"},
    {"guard:\n  firewall: {ports: [80, all]}\n", "f.yaml:2:13"},
    {"guard:\n  firewall: {ports: [080]}\n", "f.yaml:2:22"},
    {"guard:\n  firewall: {ports: [65536]}\n", "f.yaml:2:22"},
    {"guard:\n  firewall: {ports: ['80 } accept']}\n", "f.yaml:2:22"},
    {"guard:\n  firewall: {ports: [80], hook: output}\n", "f.yaml:2:33"},
    {"guard:\n  firewall: {ports: [80], table: filter}\n", "f.yaml:2:34"},
    {"guard:\n  firewall: {ports: [80], table: 'holdfast }'}\n", "f.yaml:2:34"},
    {"guard:\n  firewall: {ports: [80], at_stop: burn}\n", "f.yaml:2:36"},
    {"guard:\n  trusted: [10.0.0.1/8]\n", "f.yaml:2:13"},
    {"guard:\n  authentication: {seconds: 60}\n", "f.yaml:2:19"},
    {"guard:\n  failures: {requests: 0}\n", "f.yaml:2:24"},
    {"guard:\n  automatic: {mode: on}\n", "f.yaml:2:21"},
    {"guard:\n  automatic: {credentials: {seconds: 60}}\n", "f.yaml:2:28"},
    {"guard:\n  automatic: {prefix4: 33}\n", "f.yaml:2:24"},
    {"guard:\n  automatic: {block_seconds: 600, longest_seconds: 60}\n", "f.yaml:2:52"},
    {"guard:\n  automatic: {longest_seconds: 60}\n", "f.yaml:2:32"},
    {"guard:\n  patterns: {mode: sometimes}\n", "f.yaml:2:20"},
    {"guard:\n  patterns: {threshold: 0}\n", "f.yaml:2:25"},
    {"guard:\n  patterns: {body_bytes: 1023}\n", "f.yaml:2:26"},
    {"guard:\n  patterns: {longer: maybe}\n", "f.yaml:2:22"},
    {"guard:\n  patterns: {further_dir: rules}\n", "f.yaml:2:27"},
    {"guard:\n  patterns: {rules: [{rule: SQLI, mode: off}]}\n", "f.yaml:2:29"},
    {"guard:\n  patterns: {rules: [{rule: sqli}]}\n", "f.yaml:2:22"},
    {"guard:\n  patterns: {rules: [{rule: sqli, mode: default}]}\n", "f.yaml:2:41"},
    {"guard:\n  patterns: {rules: [{rule: sqli, mode: off}, {rule: sqli, mode: count}]}\n", "f.yaml:2:47"},
    {"guard:\n  patterns: {exclusions: [{}]}\n", "f.yaml:2:27"},
    {"guard:\n  patterns: {exclusions: [{endpoint: a}]}\n", "f.yaml:2:38"},
    {"guard:\n  patterns: {exclusions: [{endpoint: /a/}]}\n", "f.yaml:2:38"},
    {"guard:\n  endpoints: [{path: a, permission: public}]\n", "f.yaml:2:22"},
    {"guard:\n  endpoints: [{path: /a/, permission: public}]\n", "f.yaml:2:22"},
    {"guard:\n  endpoints: [{path: /a/../b, permission: public}]\n", "f.yaml:2:22"},
    {"guard:\n  endpoints: [{path: /a%20b, permission: public}]\n", "f.yaml:2:22"},
    {"guard:\n  endpoints: [{path: /a?b, permission: public}]\n", "f.yaml:2:22"},
    {"guard:\n  endpoints: [{path: /a, permission: mev:fly}]\n", "f.yaml:2:38"},
    {"guard:\n  endpoints: [{path: /a, permission: none}]\n", "f.yaml:2:38"},
    {"guard:\n  endpoints: [{path: /a}]\n", "f.yaml:2:15"},
    {"guard:\n  endpoints: [{permission: public}]\n", "f.yaml:2:15"},
    {"guard:\n  endpoints: [{path: /a, methods: [post], permission: public}]\n", "f.yaml:2:36"},
    {"guard:\n  endpoints: [{path: /a, methods: [HEAD], permission: public}]\n", "f.yaml:2:36"},
    {"guard:\n  endpoints:\n    - {path: /a, permission: public}\n    - {path: /a, methods: [GET], permission: "
     "public}\n",
     "f.yaml:4:7"},
    {"guard:\n  rates: [{name: a, by: address, requests: 1, seconds: 86400, burst: 1000000}]\n", "f.yaml:2:11"},
    {"guard:\n  rates: [{name: a, by: address, requests: 1}, {name: a, by: identity, requests: 1}]\n", "f.yaml:2:48"},
    {"guard:\n  endpoints: [{path: /a, permission: public, rate: {requests: 1, seconds: 86400, burst: 1000000}}]\n",
     "f.yaml:2:15"},
    {"guard:\n  networks: {others: allow}\n  countries: {allow: [CH]}\n", "f.yaml:3:14"},
    {"guard:\n  networks: {others: allow}\n  countries: {database: a.mmdb, allow: [CH]}\n", "f.yaml:3:25"},
    {"guard:\n  networks: {others: allow}\n  countries: {database: /a, allow: [Ch]}\n", "f.yaml:3:37"},
    {"guard:\n  networks: {others: allow}\n  countries: {database: /a, allow: [CH], block: [SE]}\n", "f.yaml:3:49"},
    {"guard:\n  networks: {others: allow}\n  countries: {database: /a}\n", "f.yaml:3:14"},
    {"guard:\n  networks: {others: allow}\n  countries: {database: /a, block: [SE], without: maybe}\n", "f.yaml:3:51"},
    {"guard:\n  countries: {database: /a, block: [SE]}\n", "f.yaml:2:14"},
    {"guard:\n  feeds: [{name: a, file: /a}]\n", "f.yaml:2:10"},
    {"guard:\n  networks: {others: allow}\n  feeds:\n    - {name: a, file: /a}\n    - {name: a, file: /b}\n",
     "f.yaml:5:7"},
    {"guard:\n  networks: {others: allow}\n  feeds: [{name: A b, file: /a}]\n", "f.yaml:3:18"},
    {"guard:\n  networks: {others: allow}\n  feeds: [{name: a, file: /a, hours: 0}]\n", "f.yaml:3:38"},
    {"passkeys:\n  rp_id: 192.0.2.1\n", "f.yaml:2:10"},
    /* inside of a ConfigMap the place is that in the file */
    {"kind: ConfigMap\ndata:\n  holdfast.yaml: |\n    guard:\n      record: sometimes\n", "f.yaml:5:15"},
    {"kind: ConfigMap\ndata:\n  a: |2-\n      listen: 127.0.0.1:1\n      dev: true\n", "f.yaml:5:7"},
    {"kind: ConfigMap\ndata:\n  a: |\n\n    # first\n    guard:\n      endpoints:\n       - {path: a, permission: "
     "public}\n",
     "f.yaml:8:17"},
    {"kind: ConfigMap\ndata:\n  other: ''\n  holdfast.yaml: |\n    listen: 127.0.0.1:1\n    listen: 127.0.0.1:2\n",
     "f.yaml:6:5"},
    {"kind: ConfigMap\ndata:\n  holdfast.yaml: |\n    guard: [\n", "f.yaml:5:5"},
    {"kind: ConfigMap\ndata: {ä: '|', holdfast.yaml: 'log_level: info'}\n", "f.yaml:2:31"},
    {"kind: ConfigMap\ndata:\n  holdfast.yaml: >\n    log_level: info\n", "f.yaml:3:18"},
    {"kind: ConfigMap\ndata:\n  a: |\n    log_level: info\n  b: |\n    log_level: info\n", "f.yaml:3:3"},
    {"kind: ConfigMap\n", "f.yaml:1:1"},
    {"passkeys:\n  rp_id: https://desk.example\n", "f.yaml:2:10"},
    {"passkeys:\n  rp_id: desk.example:8450\n", "f.yaml:2:10"},
    {"passkeys:\n  rp_id: Desk.example\n", "f.yaml:2:10"},
    {"passkeys:\n  rp_id: desk.example\n  origins: ['http://desk.example']\n", "f.yaml:3:13"},
    {"passkeys:\n  rp_id: desk.example\n  origins: ['https://desk.example/']\n", "f.yaml:3:13"},
    {"passkeys:\n  rp_id: desk.example\n  origins: ['https://desk.example:443']\n", "f.yaml:3:13"},
    {"passkeys:\n  rp_id: desk.example\n  origins: ['https://evildesk.example']\n", "f.yaml:3:12"},
    {"passkeys:\n  rp_id: desk.example\n  origins: ['https://desk.example', 'https://example']\n", "f.yaml:3:12"},
    {"passkeys:\n  origins: ['https://desk.example']\n", "f.yaml:2:12"},
    {"passkeys:\n  attestation: trusted\n", "f.yaml:2:16"},
    {"passkeys:\n  attestation: everything\n", "f.yaml:2:16"},
    {"passkeys:\n  models: [2fc0579f-8113-47ea-b116-bb5a8db9202a]\n", "f.yaml:2:11"},
    {"passkeys:\n  models: [2fc0579f]\n", "f.yaml:2:12"},
    {"passkeys:\n  roots_file: roots.pem\n", "f.yaml:2:15"},
};

static void passkeys_are_of_where_it_listens(void **state)
{
    struct config c = {0};
    struct problem why;
    (void)state;
    assert_ok(config_parse(VIEW_STR("listen: '[::1]:9000'\n"), "f", arena, &c, &why));
    assert_int_equal(c.passkeys.attestation, CONFIG_ATTESTATION_NONE);
    assert_view(c.mfa.required_roles.items[1], "trader");
    assert_ok(config_passkeys_complete(&c, arena));
    assert_view(c.passkeys.rp_id, "localhost");
    assert_view(c.passkeys.origins.items[0], "https://localhost:9000");
    assert_ok(
        config_parse(VIEW_STR("listen: 0.0.0.0:443\ntls: {names: [10.0.0.7, desk.example]}\n"), "f", arena, &c, &why));
    assert_ok(config_passkeys_complete(&c, arena));
    assert_view(c.passkeys.rp_id, "desk.example");
    assert_view(c.passkeys.origins.items[0], "https://desk.example");
    assert_ok(
        config_parse(VIEW_STR("passkeys: {rp_id: example, origins: ['https://a.example:1', 'https://example']}\n"), "f",
                     arena, &c, &why));
    assert_ok(config_passkeys_complete(&c, arena));
    assert_int_equal(c.passkeys.origins.count, 2);
}

static void patterns_are_looked_for_where_there_are_endpoints(void **state)
{
    struct config c, again;
    struct problem why;
    AUTO_WRITER w = writer_new(65536);
    (void)state;
    assert_ok(config_parse(VIEW_STR(""), "f", arena, &c, &why));
    assert_int_equal(c.guard.patterns.mode, CONFIG_PATTERNS_OFF);
    assert_view(c.patterns_dir, "/usr/share/holdfast/patterns");
    assert_ok(config_parse(VIEW_STR("guard: {endpoints: [{path: /a, permission: public}]}\n"), "f", arena, &c, &why));
    assert_int_equal(c.guard.patterns.mode, CONFIG_PATTERNS_BLOCK);
    assert_int_equal(c.guard.patterns.threshold, 5);
    assert_int_equal(c.guard.patterns.body_bytes, 65536);
    assert_int_equal(c.guard.patterns.longer, CONFIG_LONGER_REFUSE);
    assert_ok(config_parse(VIEW_STR("guard: {patterns: {mode: count, exclusions: [{parameter: q}], rules: [{rule: xss, "
                                    "mode: off}]}}\n"),
                           "f", arena, &c, &why));
    assert_int_equal(c.guard.patterns.mode, CONFIG_PATTERNS_COUNT);
    assert_ok(entity_encode(&config_entity, &c, &w));
    assert_ok(entity_decode(&config_entity, writer_view_of(&w), arena, &again));
    assert_int_equal(((struct config_patterns_rule *)again.guard.patterns.rules.items)->mode, CONFIG_PATTERNS_OFF);
    assert_view(((struct config_patterns_exclusion *)again.guard.patterns.exclusions.items)->parameter, "q");
}

static void each_mistake_is_named_by_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct config c = {.front_threads = 77};
        struct problem why = {0};
        if (config_parse(view_str(wrong[i].text), "f.yaml", arena, &c, &why) == OK)
            fail_msg("accepted: %s", wrong[i].text);
        if (strcmp(why.where, wrong[i].where) != 0)
            fail_msg("%s: at %s instead of %s (%s)", wrong[i].text, why.where, wrong[i].where, why.detail);
        assert_string_not_equal(why.detail, "");
        assert_int_equal(c.front_threads, 77);
    }
}

static void socket_paths_fit_the_kernel(void **state)
{
    (void)state;
    struct config c;
    struct problem why;
    static const char text[] = "data_dir: /srv/0123456789012345678901234567890123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789\n";
    assert_int_equal(config_parse(VIEW_STR(text), "f", arena, &c, &why), ERR_BAD_CONFIG);
    assert_string_equal(why.where, "unix_socket");
}

static void addresses_of_both_families(void **state)
{
    (void)state;
    struct sockaddr_storage s;
    socklen_t len;
    assert_ok(config_address(VIEW_STR("10.1.2.3:443"), &s, &len));
    assert_int_equal(s.ss_family, AF_INET);
    assert_int_equal(ntohs(((struct sockaddr_in *)&s)->sin_port), 443);
    assert_ok(config_address(VIEW_STR("[fd00::1]:0"), &s, &len));
    assert_int_equal(s.ss_family, AF_INET6);
    static const char *const bad[] = {"",     ":1",      "1.2.3.4:",        "1.2.3.4:+1", "1.2.3.4:65536", "fd00::1:80",
                                      "[]:1", "[::1]80", "1.2.3.4:0000080", "1.2.3:80",   "[1.2.3.4]:80",  "x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (config_address(view_str(bad[i]), &s, &len) == OK)
            fail_msg("accepted: %s", bad[i]);
}

static void files_and_overrides(void **state)
{
    (void)state;
    char path[] = "/tmp/holdfast-config-XXXXXX";
    struct config c;
    struct problem why = {0};
    int fd = mkstemp(path);
    static const char text[] = "front_threads: 3\ndata_dir: /srv/a\nargon2: {passes: 7}\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_ok(config_load(path, NULL, arena, &c, &why));
    assert_view(c.data_dir, "/srv/a");
    assert_ok(config_load(path, "/srv/b", arena, &c, &why));
    assert_view(c.operator_socket, "/srv/b/run/operator.sock");
    assert_int_equal(c.argon2.memory_kib, 65536); /* one of the two brings the other along */
    assert_int_equal(c.front_threads, 3);
    assert_ok(config_dev(&c, "/tmp/dev", arena, &why));
    assert_view(c.listen, "127.0.0.1:0");
    assert_view(c.store, "sqlite:/tmp/dev/holdfast.db");
    assert_int_equal(c.argon2.passes, 1);
    assert_true(c.dev);
    unlink(path);
    assert_int_equal(config_load(path, NULL, arena, &c, &why), ERR_NOT_FOUND);
    assert_string_equal(why.where, path);
    assert_int_not_equal(config_load("/tmp", NULL, arena, &c, &why), OK);
    assert_ok(config_load(NULL, "here", arena, &c, &why));
    assert_int_equal(c.data_dir.ptr[0], '/');
}

static void a_setting_has_its_place(void **state)
{
    static const char text[] = "log_level: info\nguard:\n  patterns:\n    rules:\n      - {rule: xss, mode: count}\n"
                               "      - {rule: sqli, mode: count}\n";
    static const struct {
        const char *where, *place;
    } cases[] = {
        {"guard.patterns.rules[1].rule", "f:6:16"},
        {"guard.patterns.rules[0]", "f:5:9"},
        {"log_level", "f:1:12"},
        {"guard.patterns.rules[2].rule", NULL}, /* what is not there stays as it is, and so does what is no setting */
        {"guard.patterns.rules[x]", NULL},
        {"guard.patterns.rules[", NULL},
        {"log_level[0]", NULL},
        {"listen", NULL},
        {"/etc/rules.yaml:3:5", NULL},
        {"", NULL},
    };
    struct config c, none = {0};
    struct problem why;
    (void)state;
    assert_ok(config_parse(view_str(text), "f", arena, &c, &why));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(problem_set(&why, ERR_BAD_CONFIG, cases[i].where, "%s", "why"), ERR_BAD_CONFIG);
        config_place(&none, &why);
        assert_string_equal(why.where, cases[i].where);
        config_place(&c, &why);
        assert_string_equal(why.where, cases[i].place ? cases[i].place : cases[i].where);
        assert_string_equal(why.detail, "why");
        assert_int_equal(why.code, ERR_BAD_CONFIG);
    }
    assert_int_equal(problem_set(&why, ERR_TIMEOUT, "guard.patterns", "%s", "why"), ERR_TIMEOUT);
    config_place(&c, &why); /* no fault of the file */
    assert_string_equal(why.where, "guard.patterns");
}

static void a_config_map_holds_it(void **state)
{
    static const char text[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: holdfast, labels: {app: holdfast}}\n"
                               "data:\n  README: 'not this one'\n  holdfast.yaml: |\n    # the desk's\n"
                               "    log_level: warning\n    guard:\n      endpoints:\n"
                               "        - {path: /a, permission: public}\n";
    struct config c;
    struct problem why;
    (void)state;
    assert_ok(config_parse(view_str(text), "f", arena, &c, &why));
    assert_int_equal(c.log_level, CONFIG_LOG_WARNING);
    assert_int_equal(c.guard.endpoints.count, 1);
    assert_view(c.data_dir, "/var/lib/holdfast");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_means_the_defaults),
        cmocka_unit_test(what_a_file_says_holds),
        cmocka_unit_test(checkpoints_have_a_range),
        cmocka_unit_test(each_mistake_is_named_by_its_place),
        cmocka_unit_test(passkeys_are_of_where_it_listens),
        cmocka_unit_test(socket_paths_fit_the_kernel),
        cmocka_unit_test(a_setting_has_its_place),
        cmocka_unit_test(a_config_map_holds_it),
        cmocka_unit_test(addresses_of_both_families),
        cmocka_unit_test(files_and_overrides),
        cmocka_unit_test(patterns_are_looked_for_where_there_are_endpoints),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
