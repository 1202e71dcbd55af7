/* holdfast mapping … */
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define MAPPINGS "/api/v1/mappings"

RESULT mappings_list(struct cli *c)
{
    static const struct column columns[] = {
        {"id", "ID"},           {"match", "MATCH"},           {"identity", "IDENTITY"},
        {"created", "CREATED"}, {"created_by", "CREATED BY"}, {"comment", "COMMENT"},
    };
    AUTO_WRITER address = writer_new(256);
    struct api_answer answer;

    writer_str(&address, MAPPINGS);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "mappings", columns, ARRAY_LEN(columns), "Nothing is mapped.");
}

RESULT mappings_create(struct cli *c)
{
    AUTO_WRITER body = writer_new(4096);
    struct api_answer answer;

    json_open(&body, '{');
    json_text(&body, "match", view_str(c->args.arguments[0]));
    json_text(&body, "identity", view_str(c->args.arguments[1]));
    fields_json_text(&body, &c->args, "comment", "comment");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", MAPPINGS, writer_view_of(&body), &answer));
    return output_done(c, answer.body,
                       cli_text(c, "%s stands for %s now.", c->args.arguments[0], c->args.arguments[1]));
}

RESULT mappings_delete(struct cli *c)
{
    struct api_answer answer;

    TRY(ask_confirm(c, cli_text(c, "End the mapping %s?", c->args.arguments[0])));
    TRY(api_call(c, "DELETE", api_path(c, MAPPINGS "/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_done(c, answer.body, "Ended.");
}
