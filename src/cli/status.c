/* holdfast status: what the server says of itself, and what to do when nobody answers. */
#include "cli/api.h"
#include "cli/output.h"

static const struct column columns[] = {
    {"state", "State"},
    {"sentence", "In words"},
    {"sealed_since", "Sealed since"},
    {"keeper", "Keeper"},
    {"signer", "Signer"},
    {"log", "Log"},
    {"firewall", "Firewall"},
    {"firewall_left_out", "Blocks it does not have"},
    {"log_size", "Records in the log"},
    {"checkpoint_size", "Covered by a checkpoint"},
    {"indexed", "Searchable"},
    {"epoch", "Data key epoch"},
    {"rewrapping", "Rewrapping"},
    {"tampered", "Tampering found"},
    {"store_bytes", "Size on disk (bytes)"},
    {"policy", "Guard's policy (SHA-256)"},
    {"config_refused", "Configuration refused"},
};

static RESULT not_serving(struct cli *c, const json_t *health)
{
    const char *keeper = json_string_value(json_object_get(health, "keeper"));

    if (keeper && strcmp(keeper, "sealed") == 0)
        return cli_fail(c, ERR_SEALED, "", "%s", "");
    if (keeper && strcmp(keeper, "not-initialised") == 0)
        return cli_fail(c, ERR_NOT_INITIALISED, "", "%s", "");
    return cli_fail(c, ERR_UNAVAILABLE, "", "%s", "");
}

/* A program that asks how the server is gets the same members from one that is not there. Returns e. */
static RESULT unreachable(struct cli *c, enum err e)
{
    static const char *const unknown[] = {"keeper", "signer", "log"};
    AUTO_WRITER w = writer_new(8192);

    if (!c->json || err_exit(e) != err_exit(ERR_UNAVAILABLE))
        return e;
    json_open(&w, '{');
    json_text(&w, "state", VIEW_STR("unreachable"));
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        json_text(&w, unknown[i], VIEW_STR("unknown"));
    json_text(&w, "sentence", view_str(c->why.detail));
    json_name(&w, "error");
    output_problem_json(c, e, &w);
    json_close(&w, '}');
    TRY(writer_done(&w));
    output_json(c, writer_view_of(&w));
    return e;
}

/* Health answers 200 or 503, each with its entity. */
static RESULT ask_health(struct cli *c, struct api_answer *ret, json_t **ret_health)
{
    TRY(api_call_open(c, "GET", "/api/v1/health", (struct view){0}, ret));
    if ((ret->status != 200 && ret->status != 503) || json_read(ret->body, ret_health, NULL) != OK)
        return api_problem(c, ret);
    return OK;
}

RESULT status_show(struct cli *c)
{
    AUTO(secret_free) struct secret *token = NULL;
    AUTO(json_decref) json_t *root = NULL;
    struct api_answer health, full;
    enum err e = ask_health(c, &health, &root);

    if (e != OK)
        return unreachable(c, e);
    if (health.status != 200) {
        TRY(output_object(c, health.body, columns, ARRAY_LEN(columns)));
        return not_serving(c, root);
    }
    TRY(api_token(c, &token));
    if (token && api_call(c, "GET", "/api/v1/status", (struct view){0}, &full) == OK)
        return output_object(c, full.body, columns, ARRAY_LEN(columns));
    e = api_call_open(c, "GET", "/api/v1/health", (struct view){0}, &health);
    if (e != OK)
        return unreachable(c, e);
    return output_object(c, health.body, columns, ARRAY_LEN(columns));
}
