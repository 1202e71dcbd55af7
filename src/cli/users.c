/* holdfast user … */
#include "base/json.h"
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/import.h"
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

static RESULT list(struct cli *c, const char *search)
{
    static const struct column columns[] = {
        {"name", "NAME"}, {"state", "STATE"}, {"roles", "ROLES"}, {"email", "E-MAIL"}, {"last_login", "LAST LOG-IN"},
    };
    AUTO_WRITER address = writer_new(1024);
    struct api_answer answer;

    writer_str(&address, USERS);
    api_query(&address, "search", search);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "users", columns, ARRAY_LEN(columns),
                       search ? "Nobody's name or e-mail begins so." : "There is nobody yet.");
}

RESULT users_list(struct cli *c)
{
    return list(c, NULL);
}

RESULT users_search(struct cli *c)
{
    return list(c, c->args.arguments[0]);
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
        {"invited_until", "Invited until"},
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

/* --- invitations, removal, lists from elsewhere */

/* The page that takes the token, at the address that was asked; what follows # never leaves the browser. Through a Unix
 * socket it is not known by which address people reach the server: then there is none. */
static RESULT add_link(struct cli *c, struct view body, struct view *ret)
{
    AUTO(json_decref) json_t *root = json_loadb((const char *)body.ptr, body.len, 0, NULL);
    const json_t *token = json_object_get(root, "invite");
    const char *address = NULL;

    *ret = body;
    TRY(api_address(c, &address));
    if (!view_starts(view_str(address), "https://") || !json_is_string(token))
        return OK;
    AUTO_WRITER link = writer_new(8192);
    size_t len = strlen(address);
    writer_view(&link, VIEW(address, len - (address[len - 1] == '/')));
    writer_str(&link, "/login#name=");
    percent_put(&link, view_str(c->args.arguments[0]));
    writer_str(&link, "&token=");
    percent_put(&link, view_str(json_string_value(token)));
    TRY(writer_done(&link));
    AUTO_WRITER out = writer_new(body.len + 16384);
    writer_view(&out, VIEW(body.ptr, body.len - 1)); /* an object, as json_loadb has found */
    json_text(&out, "link", writer_view_of(&link));
    json_close(&out, '}');
    TRY(writer_done(&out));
    return arena_copy(c->arena, writer_view_of(&out), ret);
}

static RESULT show_invitation(struct cli *c, struct view body)
{
    static const struct column columns[] = {
        {"name", "Name"},
        {"invite", "One-time token"},
        {"link", "Link"},
        {"invited_until", "Good until"},
    };

    TRY(add_link(c, body, &body));
    TRY(output_object(c, body, columns, ARRAY_LEN(columns)));
    cli_note(c, "Token and link are shown once. In a terminal the token is used with: holdfast enrol %s",
             c->args.arguments[0]);
    return OK;
}

/* Somebody who is there already gets a new token; whoever is not is added. */
RESULT users_invite(struct cli *c)
{
    AUTO_WRITER body = writer_new(16384);
    const char *name = c->args.arguments[0];
    struct api_answer answer;
    enum err e = api_call(c, "GET", api_path(c, USERS "/", name), (struct view){0}, &answer);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    json_open(&body, '{');
    if (e == ERR_NOT_FOUND) {
        c->why = (struct problem){0};
        json_text(&body, "name", view_str(name));
    }
    put_common(c, &body);
    json_bool(&body, "invite", true);
    json_close(&body, '}');
    TRY(writer_done(&body));
    if (e == ERR_NOT_FOUND)
        TRY(api_call(c, "POST", USERS, writer_view_of(&body), &answer));
    else
        TRY(api_call(c, "PATCH", api_path(c, USERS "/", name), writer_view_of(&body), &answer));
    return show_invitation(c, answer.body);
}

RESULT users_delete(struct cli *c)
{
    const char *name = c->args.arguments[0];
    struct api_answer answer;

    TRY(ask_confirm(c, cli_text(c, "Remove %s? The API keys that he owns are revoked for good.", name)));
    TRY(api_call(c, "DELETE", api_path(c, USERS "/", name), (struct view){0}, &answer));
    return output_done(c, answer.body, cli_text(c, "Removed %s.", name));
}

struct importing {
    struct cli *c;
    size_t added, refused;
};

/* One that is refused does not stop the others: the list may be sent again, and who is there already is refused. */
static enum err import_one(void *context, size_t number, struct view body)
{
    struct importing *i = context;
    struct cli *c = i->c;
    struct api_answer answer;
    enum err e = api_call(c, "POST", USERS, body, &answer);

    if (e == OK) {
        i->added++;
        return OK;
    }
    if (err_exit(e) != 2 && err_exit(e) != 4 && err_exit(e) != 6)
        return e; /* not this one's fault */
    cli_note(c, "User %zu of the list: %s %s (%s)", number, c->why.where,
             *c->why.detail ? c->why.detail : err_sentence(e), err_code(e));
    c->why = (struct problem){0};
    i->refused++;
    return OK;
}

RESULT users_import(struct cli *c)
{
    AUTO(secret_free) struct secret *list_text = NULL;
    AUTO_WRITER done = writer_new(256);
    struct importing i = {.c = c};

    TRY(ask_contents(c, c->args.arguments[0], IMPORT_MAX, &list_text));
    TRY(import_users(secret_view(list_text), import_one, &i, &c->why));
    json_open(&done, '{');
    json_u64(&done, "added", i.added);
    json_u64(&done, "refused", i.refused);
    json_close(&done, '}');
    TRY(writer_done(&done));
    TRY(output_done(c, writer_view_of(&done), cli_text(c, "Added %zu, refused %zu.", i.added, i.refused)));
    c->exit_code = i.refused ? 1 : 0;
    return OK;
}

/* --- oneself */

RESULT profile_show(struct cli *c)
{
    static const struct column columns[] = {
        {"name", "Name"},
        {"email", "E-mail"},
        {"roles", "Roles"},
        {"environments", "Environments"},
        {"created", "Created"},
        {"last_login", "Last log-in"},
        {"password_changed", "Password changed"},
    };
    AUTO_WRITER body = writer_new(4096);
    struct api_answer answer;

    if (args_has(&c->args, "email")) {
        json_open(&body, '{');
        fields_json_text(&body, &c->args, "email", "email");
        json_close(&body, '}');
        TRY(writer_done(&body));
        TRY(api_call(c, "PATCH", "/api/v1/me", writer_view_of(&body), &answer));
    } else {
        TRY(api_call(c, "GET", "/api/v1/me", (struct view){0}, &answer));
    }
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}
