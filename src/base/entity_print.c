#include "base/entity_field.h"
#include "base/text.h"

static void put_object(const struct entity *e, const void *object, struct writer *w, unsigned depth);

static void put_list(const struct field *f, const struct entity_list *list, struct writer *w, unsigned depth)
{
    json_open(w, '[');
    for (size_t i = 0; i < list->count; i++) {
        json_item(w);
        put_object(f->nested, entity_list_item(f, list, i), w, depth);
    }
    json_close(w, ']');
}

static void put_texts(const struct text_list *list, struct writer *w)
{
    json_open(w, '[');
    for (size_t i = 0; i < list->count; i++) {
        json_item(w);
        json_put_text(w, list->items[i]);
    }
    json_close(w, ']');
}

static void put_time(uint64_t ms, struct writer *w)
{
    char text[TIME_TEXT_SIZE];

    time_format(ms, text);
    writer_str(w, text);
}

/* A kept JSON text came over the wire, where only its length was checked: it must not break the document around it. */
static void put_json(struct view json, struct writer *w)
{
    size_t end;

    if (json.len && json_scan(json, &end) == OK && end == json.len)
        writer_view(w, json);
    else
        writer_str(w, "null");
}

static const char *enum_name(const struct field *f, const void *object)
{
    uint64_t v = entity_number(f, object);

    return entity_check_number(f, v) == OK ? f->names[v] : "";
}

static void put_quoted(const struct field *f, const void *object, struct writer *w)
{
    writer_u8(w, '"');
    if (f->type == FIELD_TIME)
        put_time(entity_number(f, object), w);
    else if (f->type == FIELD_FIXED)
        hex_put(w, VIEW(entity_at(f, object), f->max));
    else
        base64_put(w, entity_view(f, object));
    writer_u8(w, '"');
}

static void put_value(const struct field *f, const void *object, struct writer *w, unsigned depth)
{
    switch (f->type) {
    case FIELD_BOOL:
        writer_str(w, entity_number(f, object) ? "true" : "false");
        break;
    case FIELD_ENUM:
        json_put_text(w, view_str(enum_name(f, object)));
        break;
    case FIELD_TEXT:
        json_put_text(w, entity_view(f, object));
        break;
    case FIELD_TIME:
    case FIELD_FIXED:
    case FIELD_BYTES:
        put_quoted(f, object, w);
        break;
    case FIELD_TEXTS:
        put_texts(entity_at(f, object), w);
        break;
    case FIELD_JSON:
        put_json(entity_view(f, object), w);
        break;
    case FIELD_ENTITY:
        put_object(f->nested, entity_at(f, object), w, depth);
        break;
    case FIELD_LIST:
        put_list(f, entity_at(f, object), w, depth);
        break;
    default:
        writer_printf(w, "%llu", (unsigned long long)entity_number(f, object));
    }
}

static void put_object(const struct entity *e, const void *object, struct writer *w, unsigned depth)
{
    if (depth >= ENTITY_MAX_DEPTH) {
        w->failed = w->failed ? w->failed : ERR_TOO_LONG;
        return;
    }
    json_open(w, '{');
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];

        if (f->flags & (FIELD_HIDDEN | FIELD_WRITE_ONLY))
            continue;
        /* What the schema calls required is there, also when it is zero. */
        if (!(f->flags & (FIELD_PRINT_ZERO | FIELD_REQUIRED)) && entity_field_empty(f, object))
            continue;
        json_name(w, f->name);
        put_value(f, object, w, depth + 1);
    }
    json_close(w, '}');
}

void entity_to_json(const struct entity *e, const void *object, struct writer *w)
{
    put_object(e, object, w, 0);
}

static void cell_texts(const struct text_list *list, struct writer *w)
{
    for (size_t i = 0; i < list->count; i++) {
        writer_str(w, i ? ", " : "");
        text_put_safe(w, list->items[i]);
    }
}

void entity_cell(const struct field *f, const void *object, struct writer *w)
{
    if (f->flags & (FIELD_HIDDEN | FIELD_WRITE_ONLY))
        return;
    switch (f->type) {
    case FIELD_BOOL:
        writer_str(w, entity_number(f, object) ? "yes" : "no");
        break;
    case FIELD_ENUM:
        writer_str(w, enum_name(f, object));
        break;
    case FIELD_TIME:
        if (entity_number(f, object))
            put_time(entity_number(f, object), w);
        break;
    case FIELD_TEXT:
        text_put_safe(w, entity_view(f, object));
        break;
    case FIELD_BYTES:
        base64_put(w, entity_view(f, object));
        break;
    case FIELD_FIXED:
        hex_put(w, VIEW(entity_at(f, object), f->max));
        break;
    case FIELD_TEXTS:
        cell_texts(entity_at(f, object), w);
        break;
    default:
        if (!entity_field_empty(f, object) || entity_width(f->type))
            put_value(f, object, w, 0);
    }
}
