/* holdfast status: what the server says of itself, and what to do when nobody answers. */
#include "cli/api.h"
#include "cli/output.h"

static const struct column columns[] = {
    {"state", "State"},
    {"sentence", "In words"},
    {"keeper", "Keeper"},
    {"signer", "Signer"},
    {"log", "Log"},
    {"log_size", "Records in the log"},
    {"checkpoint_size", "Covered by a checkpoint"},
    {"indexed", "Searchable"},
    {"epoch", "Data key epoch"},
    {"rewrapping", "Rewrapping"},
    {"tampered", "Tampering found"},
    {"store_bytes", "Size on disk (bytes)"},
};

static RESULT not_serving(struct cli *c, struct view body)
{
    AUTO(json_decref) json_t *root = NULL;
    const char *keeper;

    if (json_read(body, &root, NULL) != OK)
        return cli_fail(c, ERR_UNAVAILABLE, "", "%s", "");
    keeper = json_string_value(json_object_get(root, "keeper"));
    if (keeper && strcmp(keeper, "sealed") == 0)
        return cli_fail(c, ERR_SEALED, "", "%s", "");
    if (keeper && strcmp(keeper, "not-initialised") == 0)
        return cli_fail(c, ERR_NOT_INITIALISED, "", "%s", "");
    return cli_fail(c, ERR_UNAVAILABLE, "", "%s", "");
}

RESULT status_show(struct cli *c)
{
    AUTO(secret_free) struct secret *token = NULL;
    struct api_answer health, full;
    enum err e = OK;

    TRY(api_call_open(c, "GET", "/api/v1/health", (struct view){0}, &health));
    if (health.status != 200) {
        e = not_serving(c, health.body);
        TRY(output_object(c, health.body, columns, ARRAY_LEN(columns)));
        return e;
    }
    TRY(api_token(c, &token));
    if (token && api_call(c, "GET", "/api/v1/status", (struct view){0}, &full) == OK)
        return output_object(c, full.body, columns, ARRAY_LEN(columns));
    TRY(api_call_open(c, "GET", "/api/v1/health", (struct view){0}, &health));
    return output_object(c, health.body, columns, ARRAY_LEN(columns));
}
