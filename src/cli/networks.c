/* holdfast guard … */
#include "base/prefix.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define NETWORKS "/api/v1/guard/networks"
#define WIDE     16 /* bits: what is shorter holds a good part of all clients */

RESULT guard_list(struct cli *c)
{
    static const struct column columns[] = {
        {"network", "NETWORK"}, {"action", "ACTION"}, {"origin", "SAID BY"}, {"ends", "ENDS"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", NETWORKS, (struct view){0}, &answer));
    return output_list(c, answer.body, "networks", columns, ARRAY_LEN(columns), "Nothing is said of any network.");
}

RESULT guard_blocks(struct cli *c)
{
    static const struct column columns[] = {{"network", "NETWORK"}, {"origin", "SAID BY"}, {"reason", "REASON"},
                                            {"times", "TIMES"},     {"since", "SINCE"},    {"ends", "ENDS"},
                                            {"hits", "REFUSED"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/guard/blocks", (struct view){0}, &answer));
    return output_list(c, answer.body, "blocks", columns, ARRAY_LEN(columns), "Nothing is blocked.");
}

/* As the server understood it: "192.0.2.0/24 is kept out until 2026-01-31T12:00:00.000Z." */
static RESULT put_done(struct cli *c, struct view body, const char *done)
{
    AUTO(json_decref) json_t *row = NULL;

    TRY(json_read(body, &row, &c->why));
    const char *network = json_string_value(json_object_get(row, "network"));
    const char *ends = json_string_value(json_object_get(row, "ends"));
    if (!network)
        network = c->args.arguments[0];
    return output_done(c, body,
                       ends ? cli_text(c, "%s is %s until %s.", network, done, ends)
                            : cli_text(c, "%s is %s until 'holdfast guard unblock' takes it back.", network, done));
}

/* What is no network the server refuses. */
static bool is_wide(const char *network)
{
    struct prefix p;

    return prefix_parse(view_str(network), &p, NULL) == OK &&
           p.bits < (prefix_is_ipv4(&p) ? ADDRESS_IPV4_BITS : 0) + WIDE;
}

static RESULT put(struct cli *c, const char *action, const char *done)
{
    const char *network = c->args.arguments[0];
    AUTO_WRITER body = writer_new(1024);
    struct api_answer answer;

    if (is_wide(network))
        TRY(ask_confirm(c, cli_text(c, "%s are very many addresses. Shall all of them be %s?", network, done)));
    json_open(&body, '{');
    json_text(&body, "network", view_str(network));
    json_text(&body, "action", view_str(action));
    fields_json_number(&body, &c->args, "minutes", "minutes");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "PUT", NETWORKS, writer_view_of(&body), &answer));
    return put_done(c, answer.body, done);
}

RESULT guard_block(struct cli *c)
{
    return put(c, "block", "kept out");
}

RESULT guard_allow(struct cli *c)
{
    return put(c, "allow", "let in");
}

static RESULT address_with(const char *path, const char *name, const char *value, struct writer *ret)
{
    writer_str(ret, path);
    api_query(ret, name, value);
    writer_u8(ret, 0);
    return writer_done(ret);
}

RESULT guard_unblock(struct cli *c)
{
    AUTO_WRITER address = writer_new(256);
    struct api_answer answer;

    TRY(address_with(NETWORKS, "network", c->args.arguments[0], &address));
    TRY(api_call(c, "DELETE", (const char *)address.ptr, (struct view){0}, &answer));
    return output_done(c, answer.body, cli_text(c, "What was said of %s is taken back.", c->args.arguments[0]));
}

RESULT guard_test(struct cli *c)
{
    static const struct column columns[] = {{"address", "Address"},
                                            {"verdict", "Verdict"},
                                            {"rule.network", "Network"},
                                            {"rule.action", "Action"},
                                            {"rule.origin", "Said by"},
                                            {"rule.ends", "Ends"},
                                            {"feed", "Feed"},
                                            {"country", "Country"},
                                            {"country_rule", "Rule of countries"},
                                            {"automatic", "Automatic block"}};
    AUTO_WRITER address = writer_new(256);
    struct api_answer answer;

    TRY(address_with("/api/v1/guard/test", "address", c->args.arguments[0], &address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

static const struct column standing[] = {
    {"networks.others_let_in", "Of whom nothing is said, let in"},
    {"networks.let_in", "Networks let in at run time"},
    {"networks.kept_out", "Networks kept out at run time"},
    {"networks.automatic", "Kept out by Holdfast itself"},
    {"networks.automatic_put_off", "Automatic blocks without room"},
    {"networks.damaged", "Rows changed outside Holdfast"},
    {"networks.configured_let_in", "Let in by the configuration"},
    {"networks.configured_kept_out", "Kept out by the configuration"},
    {"networks.feeds", "Kept out by feeds"},
    {"countries.state", "Database of countries"},
    {"countries.file", "Its file"},
    {"countries.type", "Its type"},
    {"countries.built", "Built"},
    {"countries.age_days", "Age (days)"},
    {"countries.max_age_days", "Relied on up to (days)"},
    {"countries.loaded", "Loaded"},
    {"countries.failed", "A file was not taken"},
    {"countries.failure", "Because"},
    {"countries.allow", "Countries let in"},
    {"countries.block", "Countries kept out"},
    {"countries.without", "Without a database"},
    {"firewall", "Firewall"},
    {"firewall_left_out", "Blocks it does not have"},
    {"automatic", "Automatic blocks"},
    {"authentication.requests", "Log-ins of one address"},
    {"authentication.seconds", "In (seconds)"},
    {"failures.requests", "Wrong ones of them"},
    {"failures.seconds", "In (seconds)"},
    {"patterns.mode", "Attack patterns"},
    {"patterns.rules", "Rules"},
    {"patterns.threshold", "Refused from a score of"},
    {"patterns.body_bytes", "Looked at of a body (bytes)"},
    {"patterns.longer", "What is longer"},
    {"record", "Record"},
};

static const struct column rule_files[] = {{"file", "RULES AGAINST ATTACKS FROM"}, {"rules", "RULES"}};
static const struct column feeds[] = {
    {"name", "FEED"},       {"state", "STATE"},   {"networks", "NETWORKS"}, {"bad_lines", "BAD LINES"},
    {"changed", "CHANGED"}, {"loaded", "LOADED"}, {"ends", "ENDS"},         {"failure", "NEWEST FILE NOT TAKEN"}};
static const struct column limits[] = {{"name", "LIMIT"},        {"path", "ENDPOINT"},   {"by", "BY"},
                                       {"requests", "REQUESTS"}, {"seconds", "SECONDS"}, {"burst", "BURST"},
                                       {"taken", "CLIENTS"},     {"room", "ROOM"}};

RESULT guard_status(struct cli *c)
{
    static const struct {
        const char *member;
        const struct column *columns;
        size_t count;
        const char *if_empty;
    } tables[] = {
        {"patterns.files", rule_files, ARRAY_LEN(rule_files), "There are no rules against attacks."},
        {"feeds", feeds, ARRAY_LEN(feeds), "There are no feeds."},
        {"limits", limits, ARRAY_LEN(limits), "There are no limits."},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/guard/status", (struct view){0}, &answer));
    TRY(output_object(c, answer.body, standing, ARRAY_LEN(standing)));
    for (size_t i = 0; i < ARRAY_LEN(tables) && !c->json; i++) {
        (void)fputc('\n', c->out);
        TRY(output_list(c, answer.body, tables[i].member, tables[i].columns, tables[i].count, tables[i].if_empty));
    }
    return OK;
}
