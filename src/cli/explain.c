/* holdfast who-can, holdfast explain */
#include "cli/api.h"
#include "cli/output.h"

static RESULT asked(struct cli *c, struct writer *address, const char *permission, const char *resource)
{
    api_query(address, "permission", permission);
    api_query(address, "resource", resource);
    api_query(address, "level", args_text(&c->args, "level"));
    api_query(address, "source", args_text(&c->args, "source"));
    api_query(address, "endpoint", args_text(&c->args, "endpoint"));
    writer_u8(address, 0);
    return writer_done(address);
}

RESULT explain_run(struct cli *c)
{
    static const struct column columns[] = {
        {"identity", "Identity"}, {"allowed", "Allowed"}, {"rule", "Rule"},
        {"role", "Role"},         {"words", "Because"},   {"not_judged", "Not judged"},
    };
    AUTO_WRITER address = writer_new(4096);
    struct api_answer answer;

    writer_str(&address, "/api/v1/explain");
    api_query(&address, "identity", c->args.arguments[0]);
    TRY(asked(c, &address, c->args.arguments[1], c->args.arguments[2]));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

RESULT explain_who_can(struct cli *c)
{
    static const struct column columns[] = {{"identity", "IDENTITY"}, {"role", "ROLE"}, {"words", "BECAUSE"}};
    AUTO_WRITER address = writer_new(4096);
    struct api_answer answer;

    writer_str(&address, "/api/v1/who-can");
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    TRY(asked(c, &address, c->args.arguments[0], c->args.arguments[1]));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "identities", columns, ARRAY_LEN(columns), "Nobody on this page may.");
}
