/* holdfast mfa …, and the second step of 'holdfast login'. */
#include "cli/mfa.h"

#include "base/qr.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define CODE_DIGITS 6

/* Six digits are what an app shows; anything else is a recovery code. */
static bool is_app_code(const char *code)
{
    return strlen(code) == CODE_DIGITS && strspn(code, "0123456789") == CODE_DIGITS;
}

static RESULT put_code(struct cli *c, struct writer *body)
{
    const char *code = args_text(&c->args, "code");

    if (!code)
        TRY(ask_line(c, "code", "Code of your app, or a recovery code", &code));
    json_text(body, is_app_code(code) ? "totp" : "recovery_code", view_str(code));
    return OK;
}

RESULT mfa_second_step(struct cli *c, const struct secret *fresh, struct api_answer *answer)
{
    AUTO_WRITER body = writer_new(16384);
    struct view ticket;

    if (answer->status != 200)
        return OK; /* a problem: whoever called tells it */
    TRY(fields_json_get(c, answer->body, "ticket", &ticket));
    if (ticket.len == 0)
        return OK;
    json_open(&body, '{');
    json_text(&body, "ticket", ticket);
    TRY(put_code(c, &body));
    if (fresh)
        json_text(&body, "new_password", secret_view(fresh));
    json_close(&body, '}');
    TRY(writer_done(&body));
    return api_call_open(c, "POST", "/api/v1/login/second", writer_view_of(&body), answer);
}

/* --- recovery codes */

static RESULT show_codes(struct cli *c, struct view body)
{
    json_t *root = NULL;
    const json_t *codes;
    size_t i, count;

    if (c->json) {
        output_json(c, body);
        return OK;
    }
    TRY(json_read(body, &root, NULL));
    codes = output_member(root, "recovery_codes");
    count = json_array_size(codes);
    if (count)
        cli_note(c, "Recovery codes: each is good once, in place of a code of the app. They are shown this once; keep "
                    "them where the phone is not.");
    for (i = 0; i < count; i++)
        (void)fprintf(c->out, "%s\n", json_string_value(json_array_get(codes, i)));
    json_wipe(root);
    return OK;
}

RESULT mfa_recovery(struct cli *c)
{
    struct api_answer answer;

    TRY(ask_confirm(c, "All former recovery codes become void. Go on?"));
    TRY(api_call(c, "POST", "/api/v1/me/mfa/recovery", (struct view){0}, &answer));
    return show_codes(c, answer.body);
}

/* --- one-time passwords */

static RESULT show_secret(struct cli *c, struct view body)
{
    AUTO_WRITER picture = writer_new(65536);
    struct view secret, uri, text;
    FILE *to = c->json ? c->err : c->out;

    TRY(fields_json_get(c, body, "secret", &secret));
    TRY(fields_json_get(c, body, "uri", &uri));
    TRY(qr_terminal(uri, &picture));
    text = writer_view_of(&picture);
    (void)fprintf(to, "%.*s\n", (int)text.len, (const char *)text.ptr);
    (void)fprintf(to, "Scan this with your authenticator app, or type: %.*s\n", (int)secret.len,
                  (const char *)secret.ptr);
    return fflush(to) == 0 ? OK : ERR_IO;
}

RESULT mfa_totp(struct cli *c)
{
    AUTO(secret_free) struct secret *password = NULL;
    AUTO(secret_free) struct secret *code = NULL;
    AUTO_WRITER begin = writer_new(16384), confirm = writer_new(1024);
    struct api_answer answer;

    TRY(ask_secret(c, "password-file", "Your password", &password));
    json_open(&begin, '{');
    json_text(&begin, "password", secret_view(password));
    json_close(&begin, '}');
    TRY(writer_done(&begin));
    TRY(api_call(c, "POST", "/api/v1/me/mfa/totp", writer_view_of(&begin), &answer));
    TRY(show_secret(c, answer.body));
    TRY(ask_secret(c, "code-file", "The code that the app shows now", &code));
    json_open(&confirm, '{');
    json_text(&confirm, "code", secret_view(code));
    json_close(&confirm, '}');
    TRY(writer_done(&confirm));
    TRY(api_call(c, "POST", "/api/v1/me/mfa/totp/confirm", writer_view_of(&confirm), &answer));
    cli_note(c, "One-time passwords are set up. All your other sessions have ended.");
    return show_codes(c, answer.body);
}

/* --- looking, removing, showing one anew */

RESULT mfa_list(struct cli *c)
{
    static const struct column columns[] = {
        {"totp", "One-time passwords since"}, {"passkeys", "Passkeys"}, {"recovery_codes", "Unused recovery codes"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/me/mfa", (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

RESULT mfa_passkeys(struct cli *c)
{
    static const struct column columns[] = {{"id", "Id"},
                                            {"name", "Name"},
                                            {"created", "Since"},
                                            {"last_used", "Last used"},
                                            {"attestation", "Attestation"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/me/mfa/passkeys", (struct view){0}, &answer));
    return output_list(c, answer.body, "passkeys", columns, ARRAY_LEN(columns), "There are none.");
}

RESULT mfa_rename(struct cli *c)
{
    const char *path = api_path(c, "/api/v1/me/mfa/passkeys/", c->args.arguments[0]);
    AUTO_WRITER body = writer_new(1024);
    struct api_answer answer;

    if (!path)
        return ERR_NO_MEMORY;
    json_open(&body, '{');
    json_text(&body, "name", view_str(c->args.arguments[1]));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "PATCH", path, writer_view_of(&body), &answer));
    return output_done(c, (struct view){0}, "Renamed.");
}

RESULT mfa_remove(struct cli *c)
{
    const char *what = c->args.arguments[0];
    struct api_answer answer;

    bool totp = strcmp(what, "totp") == 0;
    const char *path = totp ? "/api/v1/me/mfa/totp" : api_path(c, "/api/v1/me/mfa/passkeys/", what);

    if (!path)
        return ERR_NO_MEMORY;
    TRY(ask_confirm(c, totp ? "You will sign in without a code. Go on?"
                            : "This passkey will be good for nothing. Go on?"));
    TRY(api_call(c, "DELETE", path, (struct view){0}, &answer));
    return output_done(c, (struct view){0}, totp ? "One-time passwords are removed." : "The passkey is removed.");
}

static RESULT show_anew(struct cli *c, struct api_answer *answer)
{
    AUTO_WRITER body = writer_new(1024);

    json_open(&body, '{');
    TRY(put_code(c, &body));
    json_close(&body, '}');
    TRY(writer_done(&body));
    return api_call(c, "POST", "/api/v1/me/step-up", writer_view_of(&body), answer);
}

RESULT mfa_step_up(struct cli *c)
{
    struct api_answer answer;

    cli_note(c, "This needs your second factor anew.");
    return show_anew(c, &answer);
}

RESULT mfa_verify(struct cli *c)
{
    struct api_answer answer;

    TRY(show_anew(c, &answer));
    return output_done(c, answer.body, "Your second factor counts as fresh for a while.");
}

RESULT mfa_reset(struct cli *c)
{
    const char *path = api_path(c, "/api/v1/users/", c->args.arguments[0]);
    struct api_answer answer;

    TRY(ask_confirm(c, cli_text(c, "%s will sign in with the password alone. Go on?", c->args.arguments[0])));
    path = path ? cli_text(c, "%s/mfa", path) : NULL;
    if (!path)
        return ERR_NO_MEMORY;
    TRY(api_call(c, "DELETE", path, (struct view){0}, &answer));
    return output_done(c, (struct view){0}, cli_text(c, "%s has no second factor any more.", c->args.arguments[0]));
}
