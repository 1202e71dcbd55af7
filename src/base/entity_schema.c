/* JSON Schema 2020-12, as OpenAPI 3.1 embeds it. Lengths of text are counted in bytes here and in characters there, so
 * the schema states what holds for both. */
#include "base/entity_field.h"

static void put_object(const struct entity *e, struct writer *w, unsigned depth);

static void put_names(const char *const *names, struct writer *w)
{
    json_name(w, "enum");
    json_open(w, '[');
    for (; *names; names++) {
        json_item(w);
        json_put_text(w, view_str(*names));
    }
    json_close(w, ']');
}

static void put_number(const struct field *f, struct writer *w)
{
    uint64_t max = entity_max(f);

    json_u64(w, "minimum", f->min);
    json_u64(w, "maximum", max < ENTITY_JSON_INTEGER ? max : ENTITY_JSON_INTEGER);
}

static void put_text(const struct field *f, struct writer *w)
{
    if (f->names) {
        put_names(f->names, w);
        return;
    }
    if (f->type == FIELD_TEXT && f->min)
        json_u64(w, "minLength", (f->min + 3) / 4);
    json_u64(w, "maxLength", entity_item_max(f));
}

static void put_bytes(const struct field *f, struct writer *w)
{
    json_text(w, "contentEncoding", VIEW_STR("base64"));
    if (f->min)
        json_u64(w, "minLength", (f->min + 2) / 3 * 4);
    json_u64(w, "maxLength", (entity_max(f) + 2) / 3 * 4);
}

static void put_items(const struct field *f, struct writer *w, unsigned depth)
{
    if (f->min)
        json_u64(w, "minItems", f->min);
    json_u64(w, "maxItems", entity_max(f));
    json_name(w, "items");
    json_open(w, '{');
    if (f->type == FIELD_LIST) {
        put_object(f->nested, w, depth);
    } else {
        json_text(w, "type", VIEW_STR("string"));
        put_text(f, w);
    }
    json_close(w, '}');
}

static const char *const type_names[] = {
    [FIELD_BOOL] = "boolean", [FIELD_U8] = "integer",   [FIELD_U16] = "integer", [FIELD_U32] = "integer",
    [FIELD_U64] = "integer",  [FIELD_TIME] = "string",  [FIELD_ENUM] = "string", [FIELD_TEXT] = "string",
    [FIELD_BYTES] = "string", [FIELD_FIXED] = "string", [FIELD_TEXTS] = "array", [FIELD_JSON] = NULL,
    [FIELD_ENTITY] = NULL,    [FIELD_LIST] = "array",
};

static void put_limits(const struct field *f, struct writer *w, unsigned depth)
{
    switch (f->type) {
    case FIELD_U8:
    case FIELD_U16:
    case FIELD_U32:
    case FIELD_U64:
        put_number(f, w);
        break;
    case FIELD_TIME:
        json_text(w, "format", VIEW_STR("date-time"));
        break;
    case FIELD_ENUM:
        put_names(f->names + f->min, w);
        break;
    case FIELD_TEXT:
        put_text(f, w);
        break;
    case FIELD_BYTES:
        put_bytes(f, w);
        break;
    case FIELD_FIXED:
        json_name(w, "pattern");
        writer_printf(w, "\"^[0-9a-fA-F]{%llu}$\"", (unsigned long long)f->max * 2);
        break;
    case FIELD_TEXTS:
    case FIELD_LIST:
        put_items(f, w, depth);
        break;
    case FIELD_ENTITY:
        put_object(f->nested, w, depth);
        break;
    case FIELD_BOOL:
    case FIELD_JSON:
        break;
    }
}

static void put_field(const struct field *f, struct writer *w, unsigned depth)
{
    json_name(w, f->name);
    json_open(w, '{');
    if (type_names[f->type])
        json_text(w, "type", view_str(type_names[f->type]));
    put_limits(f, w, depth);
    if (f->doc)
        json_text(w, "description", view_str(f->doc));
    if (f->flags & FIELD_READ_ONLY)
        json_bool(w, "readOnly", true);
    if (f->flags & FIELD_WRITE_ONLY)
        json_bool(w, "writeOnly", true);
    json_close(w, '}');
}

static void put_required(const struct entity *e, struct writer *w)
{
    bool any = false;

    for (size_t i = 0; i < e->count; i++) {
        if ((e->fields[i].flags & (FIELD_REQUIRED | FIELD_HIDDEN)) != FIELD_REQUIRED)
            continue;
        if (!any) {
            json_name(w, "required");
            json_open(w, '[');
        }
        any = true;
        json_item(w);
        json_put_text(w, view_str(e->fields[i].name));
    }
    if (any)
        json_close(w, ']');
}

/* The members of a schema object, without its braces. */
static void put_object(const struct entity *e, struct writer *w, unsigned depth)
{
    if (depth >= ENTITY_MAX_DEPTH) { /* a table that names itself has no schema without references */
        w->failed = w->failed ? w->failed : ERR_TOO_LONG;
        return;
    }
    json_text(w, "type", VIEW_STR("object"));
    json_text(w, "title", view_str(e->name));
    json_name(w, "properties");
    json_open(w, '{');
    for (size_t i = 0; i < e->count; i++)
        if (!(e->fields[i].flags & FIELD_HIDDEN))
            put_field(&e->fields[i], w, depth + 1);
    json_close(w, '}');
    put_required(e, w);
    json_bool(w, "additionalProperties", false);
}

void entity_schema(const struct entity *e, struct writer *w)
{
    json_open(w, '{');
    put_object(e, w, 0);
    json_close(w, '}');
}
