/* holdfast enrol|login|logout|password|whoami, and the first meeting with a server. */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/mfa.h"
#include "cli/output.h"

#include <unistd.h>

#define PEM_MAX 65536

/* --- whom we speak to */

/* A certificate that nothing vouches for is shown, and pinned when the person says so. */
static RESULT meet_certificate(struct cli *c, const char *address)
{
    AUTO_WRITER pem = writer_new(PEM_MAX);
    const char *fingerprint;
    struct profile *p;

    TRY(api_certificate(c, &pem));
    TRY(profile_certificate(c, writer_view_of(&pem), &fingerprint));
    cli_note(c, "%s is met for the first time. Its certificate's SHA-256:", address);
    cli_note(c, "  %s", fingerprint);
    TRY(ask_confirm(c, "Trust this certificate from now on?"));
    writer_u8(&pem, '\n');
    TRY(profile_of(c, &p));
    p->address = view_str(address);
    TRY(profile_save(c, p));
    return profile_put(c, "ca.pem", writer_view_of(&pem));
}

static RESULT meet(struct cli *c)
{
    const char *address, *file, *variable = getenv("HOLDFAST_CACERT");
    struct api_answer answer;
    enum err e;

    TRY(api_address(c, &address));
    e = api_call_open(c, "GET", "/api/v1/health", (struct view){0}, &answer);
    if (e != ERR_PIN_MISMATCH)
        return e;
    TRY(profile_path(c, "ca.pem", &file));
    if (args_has(&c->args, "cacert") || (variable && *variable) || access(file, F_OK) == 0)
        return e; /* there was something to trust, and this is not it */
    c->why = (struct problem){0};
    return meet_certificate(c, address);
}

/* What a named certificate or address is good for once is good for from now on. */
static RESULT keep_place(struct cli *c, const char *user)
{
    AUTO(secret_free) struct secret *pem = NULL;
    const char *address, *file = args_text(&c->args, "cacert");
    struct profile *p;

    TRY(profile_of(c, &p));
    TRY(api_address(c, &address));
    p->address = view_str(address);
    p->user = view_str(user);
    TRY(profile_save(c, p));
    if (!file)
        return OK;
    TRY(ask_contents(c, file, PEM_MAX - 1, &pem));
    return profile_put(c, "ca.pem", secret_view(pem));
}

static RESULT hex_member(struct cli *c, struct view body, const char *member, uint8_t out[static 32])
{
    struct view text;

    TRY(fields_json_get(c, body, member, &text));
    if (hex_get(text, out, 32) != OK)
        return cli_fail(c, ERR_MALFORMED, member, "the server did not say its %s", member);
    return OK;
}

static RESULT check_pin(struct cli *c)
{
    struct profile_pin pin;
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/import-key", (struct view){0}, &answer));
    TRY(hex_member(c, answer.body, "installation", pin.installation));
    TRY(hex_member(c, answer.body, "import_key", pin.import_key));
    TRY(fields_json_get(c, answer.body, "verifier", &pin.verifier));
    return profile_check_pin(c, &pin);
}

/* --- sessions */

static RESULT keep_session(struct cli *c, const char *user, struct view body)
{
    AUTO_WRITER text = writer_new(4096);
    struct view token;

    TRY(fields_json_get(c, body, "token", &token));
    if (token.len == 0)
        return cli_fail(c, ERR_BAD_JSON, "token", "the server's answer has no session token");
    writer_view(&text, token);
    writer_u8(&text, '\n');
    TRY(writer_done(&text));
    TRY(profile_put(c, "session", writer_view_of(&text)));
    return keep_place(c, user);
}

static RESULT signed_in(struct cli *c, const char *user, const struct api_answer *answer)
{
    AUTO_WRITER kept = writer_new(65536);
    enum err e;

    if (answer->status != 200 && answer->status != 201)
        return api_problem(c, answer);
    TRY(keep_session(c, user, answer->body));
    e = check_pin(c);
    if (e != OK && profile_remove(c, "session") != OK) /* never again a word to a server that is not the pinned one */
        cli_note(c, "The session could not be removed from the profile.");
    TRY(e);
    json_open(&kept, '{');
    json_text(&kept, "user", view_str(user));
    json_close(&kept, '}');
    return output_done(c, writer_view_of(&kept), cli_text(c, "Signed in as %s.", user));
}

#define NEW_PASSWORD "New password (12 or more characters: upper, lower, digit, symbol)"

static RESULT put_new_password(struct cli *c, struct writer *body, struct secret **ret)
{
    if (!args_has(&c->args, "new-password") && !args_has(&c->args, "new-password-file"))
        return OK;
    TRY(ask_new_secret(c, "new-password-file", NEW_PASSWORD, ret));
    json_text(body, "new_password", secret_view(*ret));
    return OK;
}

RESULT sessions_login(struct cli *c)
{
    AUTO(secret_free) struct secret *password = NULL;
    AUTO(secret_free) struct secret *fresh = NULL;
    AUTO_WRITER body = writer_new(16384);
    const char *user = c->args.arguments[0];
    struct api_answer answer;
    struct profile *p;

    TRY(profile_of(c, &p));
    if (!user && p->user.len)
        user = arena_str(c->arena, p->user);
    if (!user)
        TRY(ask_line(c, "NAME", "User name", &user));
    TRY(meet(c));
    TRY(ask_secret(c, "password-file", cli_text(c, "Password of %s", user), &password));
    json_open(&body, '{');
    json_text(&body, "name", view_str(user));
    json_text(&body, "password", secret_view(password));
    TRY(put_new_password(c, &body, &fresh));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call_open(c, "POST", "/api/v1/login", writer_view_of(&body), &answer));
    TRY(mfa_second_step(c, fresh, &answer));
    return signed_in(c, user, &answer);
}

RESULT sessions_enrol(struct cli *c)
{
    AUTO(secret_free) struct secret *token = NULL;
    AUTO(secret_free) struct secret *password = NULL;
    AUTO_WRITER body = writer_new(16384);
    const char *user = c->args.arguments[0];
    struct api_answer answer;

    TRY(meet(c));
    TRY(ask_secret(c, "enrolment-file", "One-time enrolment token", &token));
    TRY(ask_new_secret(c, "password-file", NEW_PASSWORD, &password));
    json_open(&body, '{');
    json_text(&body, "name", view_str(user));
    json_text(&body, "token", secret_view(token));
    json_text(&body, "password", secret_view(password));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call_open(c, "POST", view_starts(secret_view(token), "hfi_") ? "/api/v1/invitation" : "/api/v1/enrol",
                      writer_view_of(&body), &answer));
    TRY(mfa_second_step(c, NULL, &answer));
    return signed_in(c, user, &answer);
}

RESULT sessions_logout(struct cli *c)
{
    struct api_answer answer;
    enum err e = api_call(c, "POST", "/api/v1/logout", (struct view){0}, &answer);

    TRY(profile_remove(c, "session"));
    if (e == ERR_UNAUTHENTICATED || e == ERR_TOKEN_EXPIRED)
        e = OK; /* it had ended by itself */
    TRY(e);
    return output_done(c, (struct view){0}, "Signed out.");
}

RESULT sessions_password(struct cli *c)
{
    AUTO(secret_free) struct secret *old = NULL;
    AUTO(secret_free) struct secret *new = NULL;
    AUTO_WRITER body = writer_new(16384);
    struct api_answer answer;

    TRY(ask_secret(c, "password-file", "Your password", &old));
    TRY(ask_new_secret(c, "new-password-file", NEW_PASSWORD, &new));
    json_open(&body, '{');
    json_text(&body, "old_password", secret_view(old));
    json_text(&body, "new_password", secret_view(new));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", "/api/v1/me/password", writer_view_of(&body), &answer));
    return output_done(c, (struct view){0}, "Your password is changed. All other sessions have ended.");
}

RESULT sessions_whoami(struct cli *c)
{
    static const struct column columns[] = {
        {"name", "Name"},     {"actor", "In the record"}, {"way", "Signed in by"},     {"key_id", "Key"},
        {"roles", "Roles"},   {"permissions", "May"},     {"secret_level", "Secrets"}, {"environments", "Environments"},
        {"created", "Since"}, {"expires", "Until"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/session", (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

/* --- sessions, listed and ended */

RESULT sessions_list(struct cli *c)
{
    static const struct column columns[] = {
        {"id", "ID"},       {"user", "USER"},     {"created", "SINCE"}, {"used", "LAST USED"},
        {"source", "FROM"}, {"cookie", "COOKIE"}, {"current", "THIS"},  {"user_agent", "PROGRAM"},
    };
    AUTO_WRITER address = writer_new(1024);
    struct api_answer answer;

    writer_str(&address, "/api/v1/sessions");
    api_query(&address, "user", args_text(&c->args, "user"));
    api_query(&address, "all", args_has(&c->args, "all") ? "true" : NULL);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "sessions", columns, ARRAY_LEN(columns), "There are none.");
}

RESULT sessions_revoke(struct cli *c)
{
    AUTO_WRITER body = writer_new(1024);
    const char *id = c->args.arguments[0];
    bool others = args_has(&c->args, "others"), all = args_has(&c->args, "all"), user = args_has(&c->args, "user");
    struct api_answer answer;

    if ((id != NULL) + others + all + user != 1)
        return cli_fail(c, ERR_USAGE, "ID", "say one: a session's id, --others, --user or --all");
    if (all)
        TRY(ask_confirm(c, "End the sessions of everybody, yours as well?"));
    json_open(&body, '{');
    if (id)
        json_text(&body, "id", view_str(id));
    fields_json_text(&body, &c->args, "user", "user");
    if (others || all)
        json_bool(&body, others ? "others" : "all", true);
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", "/api/v1/sessions/revoke", writer_view_of(&body), &answer));
    return output_done(c, answer.body, "Ended.");
}
