/* holdfast role … */
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define ROLES "/api/v1/roles"

RESULT roles_list(struct cli *c)
{
    static const struct column columns[] = {
        {"name", "NAME"}, {"builtin", "BUILT IN"}, {"level", "SECRETS"}, {"grants", "GRANTS"}, {"denies", "DENIES"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", ROLES, (struct view){0}, &answer));
    return output_list(c, answer.body, "roles", columns, ARRAY_LEN(columns), "There is no role.");
}

RESULT roles_show(struct cli *c)
{
    static const struct column columns[] = {
        {"name", "Name"},     {"description", "Description"}, {"builtin", "Built in"},
        {"grants", "Grants"}, {"denies", "Denies"},           {"level", "Secrets"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", api_path(c, ROLES "/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

static RESULT send_parts(struct cli *c, const char *method, const char *path, struct writer *body, const char *done)
{
    struct api_answer answer;

    fields_json_text(body, &c->args, "description", "description");
    fields_json_texts(body, &c->args, "grant", "grants");
    fields_json_texts(body, &c->args, "deny", "denies");
    fields_json_text(body, &c->args, "level", "level");
    json_close(body, '}');
    TRY(writer_done(body));
    TRY(api_call(c, method, path, writer_view_of(body), &answer));
    return output_done(c, answer.body, done);
}

RESULT roles_create(struct cli *c)
{
    AUTO_WRITER body = writer_new(16384);

    json_open(&body, '{');
    json_text(&body, "name", view_str(c->args.arguments[0]));
    return send_parts(c, "POST", ROLES, &body, cli_text(c, "Defined %s.", c->args.arguments[0]));
}

RESULT roles_change(struct cli *c)
{
    AUTO_WRITER body = writer_new(16384);

    json_open(&body, '{');
    return send_parts(c, "PUT", api_path(c, ROLES "/", c->args.arguments[0]), &body,
                      cli_text(c, "Changed %s.", c->args.arguments[0]));
}

RESULT roles_delete(struct cli *c)
{
    struct api_answer answer;

    TRY(ask_confirm(c, cli_text(c, "Delete the role %s?", c->args.arguments[0])));
    TRY(api_call(c, "DELETE", api_path(c, ROLES "/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_done(c, answer.body, "Deleted.");
}
