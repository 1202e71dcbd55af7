/* holdfast secret … */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define VALUE_MAX 65536
#define BODY_MAX  (4 * VALUE_MAX)

static const struct column meta_columns[] = {
    {"path", "Path"},
    {"kind", "Kind"},
    {"environment", "Environment"},
    {"description", "Description"},
    {"owner", "Owner"},
    {"tags", "Tags"},
    {"version", "Version"},

    {"created", "Created"},
    {"rotated", "Rotated"},
    {"rotation_days", "Rotate every days"},
    {"revoked", "Revoked"},
};

static const char *path_of(struct cli *c, const char *verb)
{
    return api_path(c, cli_text(c, "/api/v1/secrets/%s/", verb), c->args.arguments[0]);
}

static RESULT read_value(struct cli *c, struct secret **ret)
{
    const char *file = args_text(&c->args, "value-file");
    AUTO(secret_free) struct secret *value = NULL;
    struct view v;

    if (!file)
        return ask_new_secret(c, "value-file", "Value", ret);
    TRY(ask_contents(c, file, VALUE_MAX, &value));
    v = secret_view(value);
    if (args_has(&c->args, "trim") && v.ptr[v.len - 1] == '\n') {
        v.len--;
        v.len -= v.len > 0 && v.ptr[v.len - 1] == '\r';
        if (v.len == 0)
            return cli_fail(c, ERR_TOO_SHORT, "--value-file", "the value is empty");
        return secret_from(v, ret);
    }
    *ret = TAKE(value);
    return OK;
}

/* "version 3" of an answer, for the sentence behind a change. */
static const char *version_text(struct cli *c, struct view body)
{
    json_t *root = NULL;
    const char *text = "";

    if (json_read(body, &root, NULL) == OK) {
        const json_t *v = json_object_get(root, "version");
        if (json_is_integer(v))
            text = cli_text(c, ", version %lld", (long long)json_integer_value(v));
        json_decref(root);
    }
    return text ? text : "";
}

RESULT secrets_put(struct cli *c)
{
    AUTO(secret_free) struct secret *value = NULL;
    AUTO_WRITER body = writer_new(BODY_MAX);
    const struct args *a = &c->args;
    const char *kind = args_text(a, "kind"), *environment = args_text(a, "environment");
    struct api_answer answer;

    TRY(read_value(c, &value));
    json_open(&body, '{');
    json_text(&body, "path", view_str(a->arguments[0]));
    json_text(&body, "kind", view_str(kind ? kind : "password"));
    json_text(&body, "environment", view_str(environment ? environment : "development"));
    fields_json_text(&body, a, "description", "description");
    fields_json_text(&body, a, "owner", "owner");
    fields_json_texts(&body, a, "tag", "tags");
    fields_json_number(&body, a, "rotation-days", "rotation_days");
    fields_json_value(&body, secret_view(value));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", "/api/v1/secrets", writer_view_of(&body), &answer));
    return output_done(c, answer.body, cli_text(c, "Stored %s%s.", a->arguments[0], version_text(c, answer.body)));
}

RESULT secrets_rotate(struct cli *c)
{
    AUTO(secret_free) struct secret *value = NULL;
    AUTO_WRITER body = writer_new(BODY_MAX);
    const struct args *a = &c->args;
    struct api_answer answer;

    TRY(read_value(c, &value));
    json_open(&body, '{');
    fields_json_value(&body, secret_view(value));
    fields_json_number(&body, a, "grace", "grace_seconds");
    fields_json_number(&body, a, "version", "expected_version");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", path_of(c, "rotate"), writer_view_of(&body), &answer));
    return output_done(c, answer.body, cli_text(c, "Rotated %s%s.", a->arguments[0], version_text(c, answer.body)));
}

/* --- reading */

/* The value alone, as it was stored, text or not. */
static RESULT put_raw(struct cli *c, struct view body)
{
    AUTO_WRITER value = writer_new(2 * VALUE_MAX);
    json_t *root = NULL;
    const json_t *text, *packed;
    enum err e = OK;

    TRY(json_read(body, &root, &c->why));
    text = json_object_get(root, "value");
    packed = json_object_get(root, "value_base64");
    if (packed)
        e = base64_get(VIEW(json_string_value(packed), json_string_length(packed)), &value);
    else
        writer_bytes(&value, json_string_value(text), json_string_length(text));
    json_wipe(root);
    TRY(e);
    TRY(writer_done(&value));
    (void)fwrite(value.ptr ? value.ptr : (const uint8_t *)"", 1, value.len, c->out);
    return OK;
}

RESULT secrets_get(struct cli *c)
{
    static const struct column columns[] = {
        {"path", "Path"},       {"kind", "Kind"},   {"environment", "Environment"},
        {"version", "Version"}, {"value", "Value"}, {"value_base64", "Value (base64)"},
    };
    const struct args *a = &c->args;
    bool metadata = args_has(a, "metadata");
    AUTO_WRITER address = writer_new(8192);
    const char *path = path_of(c, metadata ? "metadata" : "data"), *version = args_text(a, "version");
    struct api_answer answer;

    if (!path)
        return ERR_NO_MEMORY;
    writer_str(&address, path);
    if (!metadata) {
        api_query(&address, "version", version);
        api_query(&address, "recover", args_has(a, "recover") ? "true" : NULL);
    }
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    if (metadata)
        return output_object(c, answer.body, meta_columns, ARRAY_LEN(meta_columns));
    return args_has(a, "raw") ? put_raw(c, answer.body) : output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

RESULT secrets_list(struct cli *c)
{
    static const struct column columns[] = {
        {"path", "PATH"},   {"kind", "KIND"},       {"environment", "ENVIRONMENT"}, {"version", "VERSION"},
        {"owner", "OWNER"}, {"rotated", "ROTATED"}, {"revoked", "REVOKED"},
    };
    AUTO_WRITER address = writer_new(8192);
    struct api_answer answer;

    writer_str(&address, "/api/v1/secrets");
    api_query(&address, "prefix", c->args.arguments[0]);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_sorted_list(c, answer.body, "secrets", columns, ARRAY_LEN(columns),
                              "There is no secret here that you may list.");
}

RESULT secrets_history(struct cli *c)
{
    static const struct column columns[] = {
        {"version", "VERSION"},
        {"state", "STATE"},
        {"created", "CREATED"},
        {"created_by", "BY"},
        {"grace_until", "READABLE UNTIL"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", path_of(c, "history"), (struct view){0}, &answer));
    return output_list(c, answer.body, "versions", columns, ARRAY_LEN(columns), "There are no versions.");
}

/* --- revoke and versions */

static RESULT change_version(struct cli *c, const char *verb, const char *done)
{
    AUTO_WRITER body = writer_new(1024);
    struct api_answer answer;

    if (!args_has(&c->args, "version"))
        return cli_fail(c, ERR_USAGE, "--version", "which version? 'holdfast secret history %s' lists them",
                        c->args.arguments[0]);
    json_open(&body, '{');
    fields_json_number(&body, &c->args, "version", "version");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", path_of(c, verb), writer_view_of(&body), &answer));
    return output_done(c, answer.body, done);
}

RESULT secrets_revoke(struct cli *c)
{
    struct api_answer answer;

    TRY(ask_confirm(c, cli_text(c, "Revoke %s? Nobody can read it from then on.", c->args.arguments[0])));
    TRY(api_call(c, "POST", path_of(c, "revoke"), VIEW_STR("{}"), &answer));
    return output_done(c, answer.body, "Revoked.");
}

RESULT secrets_delete(struct cli *c)
{
    TRY(ask_confirm(c, "Delete this version? It can be undeleted."));
    return change_version(c, "delete", "Deleted; 'secret undelete' brings it back.");
}

RESULT secrets_undelete(struct cli *c)
{
    return change_version(c, "undelete", "Brought back.");
}

RESULT secrets_destroy(struct cli *c)
{
    TRY(ask_confirm(c, "Destroy this version? It can never be read again."));
    return change_version(c, "destroy", "Destroyed.");
}
