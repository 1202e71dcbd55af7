#include "http/openapi.h"

#include "base/json.h"
#include "http/request.h"

#define SCHEMAS_MAX 512

struct doc {
    const struct openapi_info *info;
    const struct router *router;
    struct writer *w;
    const struct entity *schemas[SCHEMAS_MAX];
    size_t schema_count;
};

/* --- which entities there are: those of the rows */

static RESULT note_entity(struct doc *d, const struct entity *e)
{
    if (!e)
        return OK;
    for (size_t i = 0; i < d->schema_count; i++) {
        if (d->schemas[i] == e)
            return OK;
        if (!strcmp(d->schemas[i]->name, e->name))
            return ERR_INTERNAL;
    }
    if (d->schema_count == SCHEMAS_MAX)
        return ERR_INTERNAL;
    d->schemas[d->schema_count++] = e;
    return OK;
}

static bool is_shown(const struct route *r)
{
    return !(r->flags & ROUTE_HIDDEN);
}

static RESULT note_entities(struct doc *d)
{
    const struct route *r;
    for (size_t i = 0; (r = router_row(d->router, i)); i++)
        if (is_shown(r)) {
            TRY(note_entity(d, r->request));
            TRY(note_entity(d, r->response));
        }
    return OK;
}

/* --- small pieces */

static void put_ref(struct writer *w, const char *section, const char *name)
{
    char ref[160];
    snprintf(ref, sizeof ref, "#/components/%s/%s", section, name);
    json_open(w, '{');
    json_text(w, "$ref", view_str(ref));
    json_close(w, '}');
}

static void put_text(struct writer *w, const char *name, const char *text)
{
    if (text)
        json_text(w, name, view_str(text));
}

/* "/a/{b...}" is "/a/{b}" in OpenAPI, which has no word for the rest of a path; the parameter's description says it. */
static void path_text(const char *path, char *out, size_t cap)
{
    struct writer w = writer_fixed(out, cap - 1);
    for (const char *p = path; *p; p++) {
        if (!strncmp(p, "...}", 4))
            p += 3;
        writer_bytes(&w, p, 1);
    }
    out[w.len] = 0;
}

/* --- parameters */

static void put_path_param(struct writer *w, struct view name, bool rest)
{
    json_item(w);
    json_open(w, '{');
    json_text(w, "name", name);
    json_text(w, "in", VIEW_STR("path"));
    json_bool(w, "required", true);
    if (rest)
        json_text(w, "description", VIEW_STR("One or more path segments; its slashes are not encoded."));
    json_raw(w, "schema", VIEW_STR("{\"type\":\"string\",\"minLength\":1}"));
    json_close(w, '}');
}

static void put_path_params(struct writer *w, const char *path)
{
    for (const char *open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
        size_t n = strcspn(open + 1, "}");
        bool rest = n > 3 && !strncmp(open + 1 + n - 3, "...", 3);
        put_path_param(w, VIEW(open + 1, rest ? n - 3 : n), rest);
    }
}

static bool lists_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) if (json_is_string(item) && !strcmp(json_string_value(item), text)) return true;
    return false;
}

static RESULT put_query_param(struct writer *w, const char *name, json_t *schema, bool required)
{
    char *text = json_dumps(schema, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return ERR_NO_MEMORY;
    json_item(w);
    json_open(w, '{');
    json_text(w, "name", view_str(name));
    json_text(w, "in", VIEW_STR("query"));
    json_bool(w, "required", required);
    put_text(w, "description", json_string_value(json_object_get(schema, "description")));
    json_raw(w, "schema", view_str(text));
    json_close(w, '}');
    free(text);
    return OK;
}

/* The entity's own schema says what each parameter may be. */
static RESULT put_query_params(struct writer *w, const struct entity *query)
{
    if (!query)
        return OK;
    AUTO_WRITER schema = writer_new(1 << 20);
    entity_schema(query, &schema);
    TRY(writer_done(&schema));
    __attribute__((cleanup(json_decref_auto))) json_t *root = NULL;
    TRY(json_read(writer_view_of(&schema), &root, NULL));
    const json_t *required = json_object_get(root, "required");
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(root, "properties"), name, value)
        TRY(put_query_param(w, name, value, lists_text(required, name)));
    return OK;
}

static RESULT put_parameters(struct doc *d, const struct route *r)
{
    if (!r->query && !strchr(r->path, '{'))
        return OK;
    json_name(d->w, "parameters");
    json_open(d->w, '[');
    put_path_params(d->w, r->path);
    TRY(put_query_params(d->w, r->query));
    json_close(d->w, ']');
    return OK;
}

/* --- bodies */

static void put_content(struct writer *w, const char *media, const struct entity *e)
{
    json_name(w, "content");
    json_open(w, '{');
    json_name(w, media);
    json_open(w, '{');
    json_name(w, "schema");
    if (e)
        put_ref(w, "schemas", e->name);
    else
        writer_str(w, "{}");
    json_close(w, '}');
    json_close(w, '}');
}

static void put_request_body(struct writer *w, const struct route *r)
{
    if (!r->request && !(r->flags & ROUTE_ANY_BODY))
        return;
    json_name(w, "requestBody");
    json_open(w, '{');
    json_bool(w, "required", r->request != NULL);
    put_content(w, r->request ? "application/json" : "*/*", r->request);
    json_close(w, '}');
}

static void put_responses(struct writer *w, const struct route *r)
{
    bool content = r->response || r->media;
    unsigned status = r->status ? r->status : content ? 200 : 204;
    char code[16];
    snprintf(code, sizeof code, "%u", status);
    json_name(w, "responses");
    json_open(w, '{');
    json_name(w, code);
    json_open(w, '{');
    json_text(w, "description", VIEW_STR("Done."));
    if (content)
        put_content(w, r->response ? "application/json" : r->media, r->response);
    json_close(w, '}');
    json_name(w, "default");
    put_ref(w, "responses", "Problem");
    json_close(w, '}');
}

/* --- security */

static const struct scheme {
    unsigned way;
    const char *name, *json;
} SCHEMES[] = {
    {WAY_API_KEY, "apiKey",
     "{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\",\"description\":\"A key hfk_…, here or as "
     "Bearer.\"}"},
    {WAY_SESSION, "session", "{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"The token of a log-in.\"}"},
    {WAY_TOKEN, "token",
     "{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\",\"description\":\"An access token "
     "of POST /api/v1/tokens.\"}"},
    {WAY_PEER, "unixPeer",
     "{\"type\":\"http\",\"scheme\":\"unix-peer\",\"description\":\"The Unix user of the connecting process; nothing "
     "is "
     "sent.\"}"},
    {WAY_CERTIFICATE, "clientCertificate", "{\"type\":\"mutualTLS\"}"},
    {WAY_BASIC, "basic", "{\"type\":\"http\",\"scheme\":\"basic\"}"},
    {WAY_VAULT, "vaultToken", "{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-Vault-Token\"}"},
};

static void put_security(struct doc *d, const struct route *r)
{
    json_name(d->w, "security");
    json_open(d->w, '[');
    for (size_t i = 0; i < ARRAY_LEN(SCHEMES); i++) {
        if (!(r->ways & SCHEMES[i].way))
            continue;
        json_item(d->w);
        json_open(d->w, '{');
        json_raw(d->w, SCHEMES[i].name, VIEW_STR("[]"));
        json_close(d->w, '}');
    }
    json_close(d->w, ']');
}

static void put_extensions(struct doc *d, const struct route *r)
{
    static const char *const DURABILITY[] = {"before-answer", "behind", "none"};
    const struct openapi_info *info = d->info;
    if (info->permission_name)
        put_text(d->w, "x-permission", info->permission_name(r->permission));
    else
        json_u64(d->w, "x-permission", r->permission);
    if (info->event_name && r->event)
        put_text(d->w, "x-event", info->event_name(r->event));
    if (info->rate_name)
        put_text(d->w, "x-rate-class", info->rate_name(r->rate));
    if ((unsigned)r->durability < ARRAY_LEN(DURABILITY))
        put_text(d->w, "x-durability", DURABILITY[r->durability]);
    if (r->flags & ROUTE_STEP_UP)
        json_bool(d->w, "x-step-up", true);
    if (r->flags & ROUTE_UNIX_ONLY)
        json_bool(d->w, "x-unix-only", true);
}

/* --- the document */

static RESULT put_operation(struct doc *d, const struct route *r)
{
    char method[16] = "";
    const char *name = http_method_name(r->method);
    for (size_t i = 0; i < sizeof method - 1 && name[i]; i++)
        method[i] = (char)(name[i] | 0x20);
    /* OpenAPI 3.1 names a closed set of methods; LIST goes beside them. */
    json_name(d->w, r->method == HTTP_LIST ? "x-list" : method);
    json_open(d->w, '{');
    put_text(d->w, "operationId", r->name);
    put_text(d->w, "summary", r->summary);
    if (r->tag) {
        json_name(d->w, "tags");
        json_open(d->w, '[');
        json_item(d->w);
        json_put_text(d->w, view_str(r->tag));
        json_close(d->w, ']');
    }
    TRY(put_parameters(d, r));
    put_request_body(d->w, r);
    put_responses(d->w, r);
    put_security(d, r);
    put_extensions(d, r);
    json_close(d->w, '}');
    return OK;
}

static bool is_first_of_path(const struct router *router, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_shown(router_row(router, i)) && !strcmp(router_row(router, i)->path, router_row(router, index)->path))
            return false;
    return true;
}

static RESULT put_path(struct doc *d, size_t index)
{
    const struct route *first = router_row(d->router, index), *r;
    char path[512];
    path_text(first->path, path, sizeof path);
    json_name(d->w, path);
    json_open(d->w, '{');
    for (size_t i = index; (r = router_row(d->router, i)); i++)
        if (is_shown(r) && !strcmp(r->path, first->path))
            TRY(put_operation(d, r));
    json_close(d->w, '}');
    return OK;
}

static RESULT put_paths(struct doc *d)
{
    const struct route *r;
    json_name(d->w, "paths");
    json_open(d->w, '{');
    for (size_t i = 0; (r = router_row(d->router, i)); i++)
        if (is_shown(r) && is_first_of_path(d->router, i))
            TRY(put_path(d, i));
    json_close(d->w, '}');
    return OK;
}

static void put_problem_schema(struct writer *w)
{
    json_raw(w, "Problem",
             VIEW_STR("{\"type\":\"object\",\"description\":\"RFC 9457\",\"required\":[\"type\",\"title\",\"status\","
                      "\"code\",\"requestId\"],\"properties\":{\"type\":{\"type\":\"string\",\"format\":"
                      "\"uri-reference\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
                      "\"code\":{\"$ref\":\"#/components/schemas/ErrorCode\"},\"detail\":{\"type\":\"string\"},"
                      "\"pointer\":{\"type\":\"string\",\"format\":\"json-pointer\"},\"where\":{\"type\":\"string\"},"
                      "\"requestId\":{\"type\":\"string\"}}}"));
    json_name(w, "ErrorCode");
    json_open(w, '{');
    json_text(w, "type", VIEW_STR("string"));
    json_name(w, "enum");
    json_open(w, '[');
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        json_item(w);
        json_put_text(w, view_str(err_code((enum err)e)));
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void put_components(struct doc *d)
{
    struct writer *w = d->w;
    json_name(w, "components");
    json_open(w, '{');
    json_name(w, "schemas");
    json_open(w, '{');
    for (size_t i = 0; i < d->schema_count; i++) {
        json_name(w, d->schemas[i]->name);
        entity_schema(d->schemas[i], w);
    }
    put_problem_schema(w);
    json_close(w, '}');
    json_raw(w, "responses",
             VIEW_STR("{\"Problem\":{\"description\":\"It was not done, and why.\",\"content\":{"
                      "\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}}"));
    json_name(w, "securitySchemes");
    json_open(w, '{');
    for (size_t i = 0; i < ARRAY_LEN(SCHEMES); i++)
        json_raw(w, SCHEMES[i].name, view_str(SCHEMES[i].json));
    json_close(w, '}');
    json_close(w, '}');
}

static void put_info(struct doc *d)
{
    struct writer *w = d->w;
    json_name(w, "info");
    json_open(w, '{');
    put_text(w, "title", d->info->title);
    put_text(w, "version", d->info->version);
    put_text(w, "description", d->info->description);
    json_close(w, '}');
    json_name(w, "servers");
    json_open(w, '[');
    json_item(w);
    json_open(w, '{');
    put_text(w, "url", d->info->server_url ? d->info->server_url : "/");
    json_close(w, '}');
    json_close(w, ']');
}

RESULT openapi_write(const struct openapi_info *info, const struct router *router, struct writer *w)
{
    struct doc d = {.info = info, .router = router, .w = w};
    TRY(note_entities(&d));
    json_open(w, '{');
    json_text(w, "openapi", VIEW_STR("3.1.0"));
    put_info(&d);
    TRY(put_paths(&d));
    put_components(&d);
    json_close(w, '}');
    return writer_done(w);
}
