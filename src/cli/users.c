/* holdfast user … */
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define USERS "/api/v1/users"

static RESULT call_body(struct cli *c, const char *method, const char *path, struct writer *body, const char *done)
{
    struct api_answer answer;

    json_close(body, '}');
    TRY(writer_done(body));
    TRY(api_call(c, method, path, writer_view_of(body), &answer));
    return output_done(c, answer.body, done);
}

RESULT users_list(struct cli *c)
{
    static const struct column columns[] = {
        {"name", "NAME"}, {"state", "STATE"}, {"roles", "ROLES"}, {"email", "E-MAIL"}, {"last_login", "LAST LOG-IN"},
    };
    AUTO_WRITER address = writer_new(1024);
    struct api_answer answer;

    writer_str(&address, USERS);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "users", columns, ARRAY_LEN(columns), "There is nobody yet.");
}

RESULT users_show(struct cli *c)
{
    static const struct column columns[] = {
        {"name", "Name"},
        {"state", "State"},
        {"roles", "Roles"},
        {"email", "E-mail"},
        {"environments", "Environments"},
        {"created", "Created"},
        {"last_login", "Last log-in"},
        {"password_changed", "Password changed"},
        {"locked_until", "Locked until"},
        {"failed_attempts", "Failed log-ins"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", api_path(c, USERS "/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

static void put_common(struct cli *c, struct writer *body)
{
    fields_json_texts(body, &c->args, "role", "roles");
    fields_json_text(body, &c->args, "email", "email");
    fields_json_texts(body, &c->args, "environment", "environments");
}

static RESULT put_password(struct cli *c, struct writer *body)
{
    AUTO(secret_free) struct secret *password = NULL;

    TRY(ask_new_secret(c, "password-file", cli_text(c, "New password of %s", c->args.arguments[0]), &password));
    json_text(body, "password", secret_view(password));
    return OK;
}

RESULT users_create(struct cli *c)
{
    AUTO_WRITER body = writer_new(16384);

    json_open(&body, '{');
    json_text(&body, "name", view_str(c->args.arguments[0]));
    put_common(c, &body);
    TRY(put_password(c, &body));
    return call_body(c, "POST", USERS, &body, cli_text(c, "Added %s.", c->args.arguments[0]));
}

RESULT users_change(struct cli *c)
{
    AUTO_WRITER body = writer_new(16384);
    const struct args *a = &c->args;
    bool enable = args_has(a, "enable"), disable = args_has(a, "disable");
    bool password = args_has(a, "new-password") || args_has(a, "password-file");

    if (enable && disable)
        return cli_fail(c, ERR_USAGE, "--enable", "enable or disable, not both");
    if (!enable && !disable && !password && !args_has(a, "role") && !args_has(a, "email") &&
        !args_has(a, "environment"))
        return cli_fail(c, ERR_USAGE, "", "there is nothing to change; see 'holdfast user change --help'");
    json_open(&body, '{');
    put_common(c, &body);
    if (enable || disable)
        json_text(&body, "state", view_str(enable ? "active" : "disabled"));
    if (password)
        TRY(put_password(c, &body));
    return call_body(c, "PATCH", api_path(c, USERS "/", a->arguments[0]), &body,
                     cli_text(c, "Changed %s.", a->arguments[0]));
}
