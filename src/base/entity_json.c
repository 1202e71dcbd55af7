/* From JSON into an entity. What a message says never repeats the value that was sent: it may be a secret. */
#include "base/entity_field.h"
#include "base/text.h"

#include <stdarg.h>

/* Where we are, as a list from here up to the root; made into a JSON pointer (RFC 6901) only when something is wrong.
 * A place without a name is an item of an array. */
struct place {
    const struct place *up;
    const char *name;
    size_t index;
    unsigned depth;
};

struct input {
    struct arena *arena;
    struct problem *why;
};

/* A value as jansson sees it, and its bytes where they are known. */
struct value {
    json_t *json;
    struct view raw;
};

static void put_pointer(struct writer *w, const struct place *p)
{
    if (!p->up)
        return;
    put_pointer(w, p->up);
    writer_u8(w, '/');
    if (!p->name) {
        writer_printf(w, "%zu", p->index);
        return;
    }
    for (const char *c = p->name; *c; c++) {
        if (*c == '~' || *c == '/')
            writer_str(w, *c == '~' ? "~0" : "~1");
        else
            writer_u8(w, (uint8_t)*c);
    }
}

static enum err __attribute__((format(printf, 4, 5)))
refuse(const struct input *in, const struct place *p, enum err code, const char *format, ...)
{
    char where[1024], detail[sizeof in->why->detail];
    struct writer w = writer_fixed(where, sizeof where - 1);
    va_list args;

    put_pointer(&w, p); /* if it does not fit, as much of it as does */
    where[w.len] = '\0';
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return problem_set(in->why, code, where, "%s", detail);
}

static enum err out_of_memory(const struct input *in, const struct place *p)
{
    return refuse(in, p, ERR_NO_MEMORY, "%s", "The request holds more than is taken at once.");
}

static enum err wrong_type(const struct input *in, const struct place *p, const char *wanted)
{
    return refuse(in, p, ERR_WRONG_TYPE, "Must be %s.", wanted);
}

static enum err refuse_number(const struct input *in, const struct place *p, const struct field *f)
{
    uint64_t max = entity_max(f);

    if (f->type == FIELD_U64 && max > ENTITY_JSON_INTEGER)
        max = ENTITY_JSON_INTEGER;
    return refuse(in, p, ERR_OUT_OF_RANGE, "Must be from %llu to %llu.", (unsigned long long)f->min,
                  (unsigned long long)max);
}

static enum err refuse_size(const struct input *in, const struct place *p, const struct field *f, enum err code,
                            const char *unit)
{
    bool item = f->type == FIELD_TEXTS && *unit == 'b';
    uint64_t limit = code == ERR_TOO_SHORT ? f->min : item ? entity_item_max(f) : entity_max(f);

    return refuse(in, p, code, "Must have at %s %llu %s.", code == ERR_TOO_SHORT ? "least" : "most",
                  (unsigned long long)limit, unit);
}

static enum err refuse_name(const struct input *in, const struct place *p, const char *const *names)
{
    char list[200];
    struct writer w = writer_fixed(list, sizeof list - 1);

    for (; *names; names++) {
        writer_str(&w, w.len ? ", " : "");
        writer_str(&w, *names);
    }
    list[w.len] = '\0';
    return refuse(in, p, ERR_BAD_VALUE, "Must be one of: %s%s.", list, w.failed ? ", and others" : "");
}

static struct view text_of(json_t *json)
{
    return VIEW(json_string_value(json), json_string_length(json));
}

static enum err read_bool(const struct input *in, const struct place *p, const struct field *f, struct value v,
                          void *object)
{
    if (!json_is_boolean(v.json))
        return wrong_type(in, p, "true or false");
    entity_set_number(f, object, json_is_true(v.json));
    return OK;
}

static enum err read_number(const struct input *in, const struct place *p, const struct field *f, struct value v,
                            void *object)
{
    if (!json_is_integer(v.json))
        return wrong_type(in, p, "a whole number");
    json_int_t n = json_integer_value(v.json);

    if (n < 0 || (uint64_t)n > ENTITY_JSON_INTEGER || entity_check_number(f, (uint64_t)n))
        return refuse_number(in, p, f);
    entity_set_number(f, object, (uint64_t)n);
    return OK;
}

static enum err read_time(const struct input *in, const struct place *p, const struct field *f, struct value v,
                          void *object)
{
    uint64_t ms;

    if (!json_is_string(v.json))
        return wrong_type(in, p, "a time as text");
    enum err e = time_parse(text_of(v.json), &ms);

    if (e)
        return refuse(in, p, e, "%s", "Must be a time after 1970 like 2026-11-22T09:30:00Z.");
    if (entity_check_number(f, ms))
        return refuse(in, p, ERR_OUT_OF_RANGE, "%s", "The time is outside of what is allowed here.");
    entity_set_number(f, object, ms);
    return OK;
}

static enum err read_enum(const struct input *in, const struct place *p, const struct field *f, struct value v,
                          void *object)
{
    if (!json_is_string(v.json))
        return wrong_type(in, p, "one of the names as text");
    for (uint64_t i = f->min; f->names[i]; i++) {
        if (!view_is(text_of(v.json), f->names[i]))
            continue;
        entity_set_number(f, object, i);
        return OK;
    }
    return refuse_name(in, p, f->names + f->min);
}

/* A text into the arena, after the rules of the field. */
static enum err take_text(const struct input *in, const struct place *p, const struct field *f, json_t *json,
                          struct view *out)
{
    if (!json_is_string(json))
        return wrong_type(in, p, "text");
    enum err e = entity_check_text(f, text_of(json));

    if (e == ERR_TOO_LONG || e == ERR_TOO_SHORT)
        return refuse_size(in, p, f, e, "bytes");
    if (e == ERR_BAD_VALUE && f->names)
        return refuse_name(in, p, f->names);
    if (e == ERR_BAD_VALUE)
        return refuse(in, p, e, "Must be %s.", f->rule ? f->rule : "of the form that this field takes");
    if (e)
        return refuse(in, p, e, "%s", err_sentence(e));
    return arena_copy(in->arena, text_of(json), out) ? out_of_memory(in, p) : OK;
}

static enum err read_text(const struct input *in, const struct place *p, const struct field *f, struct value v,
                          void *object)
{
    return take_text(in, p, f, v.json, entity_place(f, object));
}

static enum err read_bytes(const struct input *in, const struct place *p, const struct field *f, struct value v,
                           void *object)
{
    if (!json_is_string(v.json))
        return wrong_type(in, p, "base64 text");
    struct view text = text_of(v.json), *out = entity_place(f, object);
    size_t most = text.len / 4 * 3;

    if (text.len == 0) {
        *out = (struct view){0};
        return entity_check_length(f, 0) ? refuse_size(in, p, f, ERR_TOO_SHORT, "bytes") : OK;
    }
    if (most > entity_max(f) + 2)
        return refuse_size(in, p, f, ERR_TOO_LONG, "bytes");
    uint8_t *memory = arena_alloc(in->arena, most);
    struct writer w = writer_fixed(memory, most);

    if (!memory)
        return out_of_memory(in, p);
    if (base64_get(text, &w))
        return refuse(in, p, ERR_MALFORMED, "%s", "Must be base64 with padding (RFC 4648, section 4).");
    enum err e = entity_check_length(f, w.len);

    if (e)
        return refuse_size(in, p, f, e, "bytes");
    *out = writer_view_of(&w);
    return OK;
}

static enum err read_fixed(const struct input *in, const struct place *p, const struct field *f, struct value v,
                           void *object)
{
    if (!json_is_string(v.json))
        return wrong_type(in, p, "hex text");
    if (hex_get(text_of(v.json), entity_place(f, object), f->max))
        return refuse(in, p, ERR_MALFORMED, "Must be %llu hex digits.", (unsigned long long)f->max * 2);
    return OK;
}

static enum err read_texts(const struct input *in, const struct place *p, const struct field *f, struct value v,
                           void *object)
{
    struct text_list *list = entity_place(f, object);
    size_t count = json_array_size(v.json);

    if (!json_is_array(v.json))
        return wrong_type(in, p, "a list of texts");
    enum err e = entity_check_length(f, count);

    if (e)
        return refuse_size(in, p, f, e, "items");
    list->count = count;
    list->items = count ? arena_alloc(in->arena, count * sizeof *list->items) : NULL;
    if (count && !list->items)
        return out_of_memory(in, p);
    for (size_t i = 0; i < count; i++) {
        struct place item = {.up = p, .index = i};

        TRY(take_text(in, &item, f, json_array_get(v.json, i), &list->items[i]));
    }
    return OK;
}

static bool holds_real(json_t *json)
{
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i))
        if (holds_real(json_object_iter_value(i)))
            return true;
    for (size_t i = 0; i < json_array_size(json); i++)
        if (holds_real(json_array_get(json, i)))
            return true;
    return json_is_real(json);
}

/* Without the bytes that were sent, they are written anew; a number with a point could come out as another one. */
static enum err dump(const struct input *in, const struct place *p, json_t *json, struct view *ret)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY, n = json_dumpb(json, NULL, 0, flags);

    if (holds_real(json))
        return refuse(in, p, ERR_BAD_VALUE, "%s", "Numbers with a point or exponent must be sent as text here.");
    char *text = n ? arena_alloc(in->arena, n) : NULL;

    if (!text || json_dumpb(json, text, n, flags) != n)
        return out_of_memory(in, p);
    *ret = VIEW(text, n);
    return OK;
}

static enum err read_json(const struct input *in, const struct place *p, const struct field *f, struct value v,
                          void *object)
{
    struct view text = {0};

    if (v.raw.len == 0)
        TRY(dump(in, p, v.json, &text));
    else if (arena_copy(in->arena, v.raw, &text))
        return out_of_memory(in, p);
    enum err e = entity_check_length(f, text.len);

    if (e)
        return refuse_size(in, p, f, e, "bytes");
    *(struct view *)entity_place(f, object) = text;
    return OK;
}

static enum err read_object(const struct input *in, const struct place *p, const struct entity *e, struct value v,
                            void *object);

static enum err read_entity(const struct input *in, const struct place *p, const struct field *f, struct value v,
                            void *object)
{
    return read_object(in, p, f->nested, v, entity_place(f, object));
}

/* The next value of the container whose text is *rest, if the text is known. */
static struct value next_value(struct view *rest, json_t *json)
{
    struct value v = {.json = json};

    if (rest->len && json_next(rest, &v.raw) != OK)
        v.raw = *rest = (struct view){0};
    return v;
}

static enum err read_list(const struct input *in, const struct place *p, const struct field *f, struct value v,
                          void *object)
{
    struct entity_list *list = entity_place(f, object);
    size_t count = json_array_size(v.json), bytes;

    if (!json_is_array(v.json))
        return wrong_type(in, p, "a list of objects");
    enum err e = entity_check_length(f, count);

    if (e)
        return refuse_size(in, p, f, e, "items");
    uint8_t *items = NULL;

    if (count && !__builtin_mul_overflow(count, f->nested->size, &bytes))
        items = arena_alloc(in->arena, bytes);
    if (count && !items)
        return out_of_memory(in, p);
    for (size_t i = 0; i < count; i++) {
        struct place item = {.up = p, .index = i, .depth = p->depth};
        struct value next = next_value(&v.raw, json_array_get(v.json, i));

        TRY(read_object(in, &item, f->nested, next, items + i * f->nested->size));
    }
    *list = (struct entity_list){items, count};
    return OK;
}

static enum err (*const readers[])(const struct input *, const struct place *, const struct field *, struct value,
                                   void *) = {
    [FIELD_BOOL] = read_bool,     [FIELD_U8] = read_number,   [FIELD_U16] = read_number,  [FIELD_U32] = read_number,
    [FIELD_U64] = read_number,    [FIELD_TIME] = read_time,   [FIELD_ENUM] = read_enum,   [FIELD_TEXT] = read_text,
    [FIELD_BYTES] = read_bytes,   [FIELD_FIXED] = read_fixed, [FIELD_TEXTS] = read_texts, [FIELD_JSON] = read_json,
    [FIELD_ENTITY] = read_entity, [FIELD_LIST] = read_list,
};

static const struct field *find_field(const struct entity *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++)
        if (!(e->fields[i].flags & FIELD_HIDDEN) && strcmp(e->fields[i].name, name) == 0)
            return &e->fields[i];
    return NULL;
}

static enum err check_required(const struct input *in, const struct place *p, const struct entity *e, json_t *json)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];
        struct place member = {.up = p, .name = f->name};

        if (!(f->flags & FIELD_REQUIRED) || f->flags & (FIELD_READ_ONLY | FIELD_HIDDEN))
            continue;
        if (!json_object_get(json, f->name))
            return refuse(in, &member, ERR_MISSING_FIELD, "Needed: %s.", f->doc ? f->doc : f->name);
    }
    return OK;
}

static enum err read_object(const struct input *in, const struct place *p, const struct entity *e, struct value v,
                            void *object)
{
    if (!json_is_object(v.json))
        return wrong_type(in, p, "an object");
    if (p->depth >= ENTITY_MAX_DEPTH)
        return refuse(in, p, ERR_TOO_LONG, "%s", "Objects are nested too deeply.");
    /* Members come in the order of the text, so its bytes can be walked alongside. */
    for (void *i = json_object_iter(v.json); i; i = json_object_iter_next(v.json, i)) {
        const char *name = json_object_iter_key(i);
        struct place member = {.up = p, .name = name, .depth = p->depth + 1};
        struct value next = next_value(&v.raw, json_object_iter_value(i));
        const struct field *f = find_field(e, name);

        if (!f)
            return refuse(in, &member, ERR_UNKNOWN_FIELD, "%s has no field of this name.", e->name);
        if (f->flags & FIELD_READ_ONLY)
            return refuse(in, &member, ERR_BAD_VALUE, "%s", "Is set by Holdfast and can't be sent.");
        TRY(readers[f->type](in, &member, f, next, object));
    }
    return check_required(in, p, e, v.json);
}

static enum err read_root(const struct entity *e, struct value v, const struct input *in, void *ret_object)
{
    const struct place root = {0};
    void *made = arena_alloc(in->arena, e->size);

    if (!made)
        return out_of_memory(in, &root);
    TRY(read_object(in, &root, e, v, made));
    memcpy(ret_object, made, e->size);
    return OK;
}

enum err entity_from_json(const struct entity *e, const json_t *json, struct arena *arena, void *ret_object,
                          struct problem *why)
{
    struct input in = {arena, why};
    /* jansson's iterators take the tree as not const; nothing here changes it. */
    struct value v = {.json = (json_t *)(uintptr_t)json};

    return read_root(e, v, &in, ret_object);
}

enum err entity_parse(const struct entity *e, struct view json_text, struct arena *arena, void *ret_object,
                      struct problem *why)
{
    struct input in = {arena, why};
    json_t *json = NULL;

    TRY(json_read(json_text, &json, why));
    enum err err = read_root(e, (struct value){json, json_text}, &in, ret_object);

    json_wipe(json);
    return err;
}
