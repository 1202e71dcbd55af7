/* holdfast guard … */
#include "cli/api.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define NETWORKS "/api/v1/guard/networks"

RESULT guard_networks(struct cli *c)
{
    static const struct column columns[] = {
        {"network", "NETWORK"}, {"action", "ACTION"}, {"origin", "SAID BY"}, {"ends", "ENDS"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", NETWORKS, (struct view){0}, &answer));
    return output_list(c, answer.body, "networks", columns, ARRAY_LEN(columns), "Nothing is said of any network.");
}

static RESULT put(struct cli *c, const char *action, const char *done)
{
    AUTO_WRITER body = writer_new(1024);
    struct api_answer answer;

    json_open(&body, '{');
    json_text(&body, "network", view_str(c->args.arguments[0]));
    json_text(&body, "action", view_str(action));
    fields_json_number(&body, &c->args, "minutes", "minutes");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "PUT", NETWORKS, writer_view_of(&body), &answer));
    return output_done(c, answer.body, cli_text(c, "%s is %s.", c->args.arguments[0], done));
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

RESULT guard_free(struct cli *c)
{
    AUTO_WRITER address = writer_new(256);
    struct api_answer answer;

    TRY(address_with(NETWORKS, "network", c->args.arguments[0], &address));
    TRY(api_call(c, "DELETE", (const char *)address.ptr, (struct view){0}, &answer));
    return output_done(c, answer.body, cli_text(c, "What was said of %s is taken back.", c->args.arguments[0]));
}

RESULT guard_test(struct cli *c)
{
    static const struct column columns[] = {{"address", "Address"},      {"verdict", "Verdict"},
                                            {"rule.network", "Network"}, {"rule.action", "Action"},
                                            {"rule.origin", "Said by"},  {"rule.ends", "Ends"}};
    AUTO_WRITER address = writer_new(256);
    struct api_answer answer;

    TRY(address_with("/api/v1/guard/test", "address", c->args.arguments[0], &address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}
