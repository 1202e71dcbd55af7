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

/* "a, b, c": as many whole names as have room, then that there are more. */
struct names {
    char text[220];
    size_t len;
    bool more;
};

static void names_add(struct names *l, const char *name)
{
    static const char more[] = ", and others";
    struct view between = view_str(l->len ? ", " : ""), one = view_str(name);

    l->more = l->more || between.len + one.len + sizeof more > sizeof l->text - l->len;
    if (l->more) {
        memcpy(l->text + l->len, more, sizeof more);
        return;
    }
    memcpy(l->text + l->len, between.ptr, between.len);
    memcpy(l->text + l->len + between.len, one.ptr, one.len + 1);
    l->len += between.len + one.len;
}

static enum err refuse_name(const struct input *in, const struct place *p, const char *const *names)
{
    struct names known = {0};

    for (; *names; names++)
        names_add(&known, *names);
    return refuse(in, p, ERR_BAD_VALUE, "Must be one of: %s.", known.text);
}

/* Values are their bytes in the text, which json_check has accepted: the first one tells what they are. */
static bool begins(struct view v, char first)
{
    return v.ptr[0] == (uint8_t)first;
}

static enum err text_of(const struct input *in, const struct place *p, struct view v, const char *wanted,
                        struct view *ret)
{
    if (!begins(v, '"'))
        return wrong_type(in, p, wanted);
    return json_text_of(v, in->arena, ret) ? out_of_memory(in, p) : OK;
}

static size_t count_of(struct view list)
{
    struct view item;
    size_t n = 0;

    while (json_next(&list, NULL, &item))
        n++;
    return n;
}

static enum err read_bool(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          void *object)
{
    if (!begins(v, 't') && !begins(v, 'f'))
        return wrong_type(in, p, "true or false");
    entity_set_number(f, object, begins(v, 't'));
    return OK;
}

static enum err read_number(const struct input *in, const struct place *p, const struct field *f, struct view v,
                            void *object)
{
    bool negative = begins(v, '-');
    uint64_t n = 0;

    if (!negative && (v.ptr[0] < '0' || v.ptr[0] > '9'))
        return wrong_type(in, p, "a whole number");
    for (size_t i = negative; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9') /* a point or an exponent */
            return wrong_type(in, p, "a whole number");
        if (n <= ENTITY_JSON_INTEGER) /* beyond it any digit is too much */
            n = n * 10 + (v.ptr[i] - '0');
    }
    if ((negative && n != 0) || n > ENTITY_JSON_INTEGER || entity_check_number(f, n))
        return refuse_number(in, p, f);
    entity_set_number(f, object, n);
    return OK;
}

static enum err read_time(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          void *object)
{
    struct view text = {0};
    uint64_t ms;

    TRY(text_of(in, p, v, "a time as text", &text));
    enum err e = time_parse(text, &ms);

    if (e)
        return refuse(in, p, e, "%s", "Must be a time after 1970 like 2026-11-22T09:30:00Z.");
    if (entity_check_number(f, ms))
        return refuse(in, p, ERR_OUT_OF_RANGE, "%s", "The time is outside of what is allowed here.");
    entity_set_number(f, object, ms);
    return OK;
}

static enum err read_enum(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          void *object)
{
    struct view text = {0};

    TRY(text_of(in, p, v, "one of the names as text", &text));
    for (uint64_t i = f->min; f->names[i]; i++) {
        if (!view_is(text, f->names[i]))
            continue;
        entity_set_number(f, object, i);
        return OK;
    }
    return refuse_name(in, p, f->names + f->min);
}

/* A text into the arena, after the rules of the field. */
static enum err take_text(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          struct view *out)
{
    struct view text = {0};

    TRY(text_of(in, p, v, "text", &text));
    enum err e = entity_check_text(f, text);

    if (e == ERR_TOO_LONG || e == ERR_TOO_SHORT)
        return refuse_size(in, p, f, e, "bytes");
    if (e == ERR_BAD_VALUE && f->names)
        return refuse_name(in, p, f->names);
    if (e == ERR_BAD_VALUE)
        return refuse(in, p, e, "Must be %s.", f->rule ? f->rule : "of the form that this field takes");
    if (e)
        return refuse(in, p, e, "%s", err_sentence(e));
    return arena_copy(in->arena, text, out) ? out_of_memory(in, p) : OK;
}

static enum err read_text(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          void *object)
{
    return take_text(in, p, f, v, entity_place(f, object));
}

static enum err read_bytes(const struct input *in, const struct place *p, const struct field *f, struct view v,
                           void *object)
{
    struct view text = {0}, *out = entity_place(f, object);

    TRY(text_of(in, p, v, "base64 text", &text));
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

static enum err read_fixed(const struct input *in, const struct place *p, const struct field *f, struct view v,
                           void *object)
{
    struct view text = {0};

    TRY(text_of(in, p, v, "hex text", &text));
    if (hex_get(text, entity_place(f, object), f->max))
        return refuse(in, p, ERR_MALFORMED, "Must be %llu hex digits.", (unsigned long long)f->max * 2);
    return OK;
}

static enum err read_texts(const struct input *in, const struct place *p, const struct field *f, struct view v,
                           void *object)
{
    struct text_list *list = entity_place(f, object);
    struct view next;

    if (!begins(v, '['))
        return wrong_type(in, p, "a list of texts");
    size_t count = count_of(v);
    enum err e = entity_check_length(f, count);

    if (e)
        return refuse_size(in, p, f, e, "items");
    list->count = count;
    list->items = count ? arena_alloc(in->arena, count * sizeof *list->items) : NULL;
    if (count && !list->items)
        return out_of_memory(in, p);
    for (size_t i = 0; i < count && json_next(&v, NULL, &next); i++) {
        struct place item = {.up = p, .index = i};

        TRY(take_text(in, &item, f, next, &list->items[i]));
    }
    return OK;
}

static enum err read_json(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          void *object)
{
    enum err e = entity_check_length(f, v.len);

    if (e)
        return refuse_size(in, p, f, e, "bytes");
    return arena_copy(in->arena, v, entity_place(f, object)) ? out_of_memory(in, p) : OK;
}

static enum err read_object(const struct input *in, const struct place *p, const struct entity *e, struct view v,
                            void *object);

static enum err read_entity(const struct input *in, const struct place *p, const struct field *f, struct view v,
                            void *object)
{
    return read_object(in, p, f->nested, v, entity_place(f, object));
}

static enum err read_list(const struct input *in, const struct place *p, const struct field *f, struct view v,
                          void *object)
{
    struct entity_list *list = entity_place(f, object);
    struct view next;
    size_t bytes;

    if (!begins(v, '['))
        return wrong_type(in, p, "a list of objects");
    size_t count = count_of(v);
    enum err e = entity_check_length(f, count);

    if (e)
        return refuse_size(in, p, f, e, "items");
    uint8_t *items = NULL;

    if (count && !__builtin_mul_overflow(count, f->nested->size, &bytes))
        items = arena_alloc(in->arena, bytes);
    if (count && !items)
        return out_of_memory(in, p);
    for (size_t i = 0; i < count && json_next(&v, NULL, &next); i++) {
        struct place item = {.up = p, .index = i, .depth = p->depth};

        TRY(read_object(in, &item, f->nested, next, items + i * f->nested->size));
    }
    *list = (struct entity_list){items, count};
    return OK;
}

static enum err (*const readers[])(const struct input *, const struct place *, const struct field *, struct view,
                                   void *) = {
    [FIELD_BOOL] = read_bool,     [FIELD_U8] = read_number,   [FIELD_U16] = read_number,  [FIELD_U32] = read_number,
    [FIELD_U64] = read_number,    [FIELD_TIME] = read_time,   [FIELD_ENUM] = read_enum,   [FIELD_TEXT] = read_text,
    [FIELD_BYTES] = read_bytes,   [FIELD_FIXED] = read_fixed, [FIELD_TEXTS] = read_texts, [FIELD_JSON] = read_json,
    [FIELD_ENTITY] = read_entity, [FIELD_LIST] = read_list,
};

static const struct field *find_field(const struct entity *e, struct view name)
{
    for (size_t i = 0; i < e->count; i++)
        if (!(e->fields[i].flags & FIELD_HIDDEN) && view_is(name, e->fields[i].name))
            return &e->fields[i];
    return NULL;
}

static enum err check_required(const struct input *in, const struct place *p, const struct entity *e, const bool *seen)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];
        struct place member = {.up = p, .name = f->name};

        if (!(f->flags & FIELD_REQUIRED) || f->flags & (FIELD_READ_ONLY | FIELD_HIDDEN))
            continue;
        if (!seen[i])
            return refuse(in, &member, ERR_MISSING_FIELD, "Needed: %s.", f->doc ? f->doc : f->name);
    }
    return OK;
}

static enum err unknown_field(const struct input *in, const struct place *p, const struct entity *e, struct view name)
{
    struct place member = {.up = p, .name = arena_str(in->arena, name)};
    struct names known = {0};

    if (!member.name)
        return out_of_memory(in, p);
    for (size_t i = 0; i < e->count; i++)
        if (!(e->fields[i].flags & (FIELD_HIDDEN | FIELD_READ_ONLY)))
            names_add(&known, e->fields[i].name);
    return refuse(in, &member, ERR_UNKNOWN_FIELD, "No field has this name; there are: %s.", known.text);
}

static enum err read_members(const struct input *in, const struct place *p, const struct entity *e, struct view rest,
                             void *object)
{
    bool *seen = arena_alloc(in->arena, e->count);
    struct view quoted, name, value;

    if (!seen)
        return out_of_memory(in, p);
    while (json_next(&rest, &quoted, &value)) {
        if (json_text_of(quoted, in->arena, &name))
            return out_of_memory(in, p);
        const struct field *f = find_field(e, name);

        if (!f)
            return unknown_field(in, p, e, name);
        struct place member = {.up = p, .name = f->name, .depth = p->depth + 1};

        if (f->flags & FIELD_READ_ONLY)
            return refuse(in, &member, ERR_BAD_VALUE, "%s", "Is set by Holdfast and can't be sent.");
        TRY(readers[f->type](in, &member, f, value, object));
        seen[f - e->fields] = true;
    }
    return check_required(in, p, e, seen);
}

static enum err read_object(const struct input *in, const struct place *p, const struct entity *e, struct view v,
                            void *object)
{
    if (!begins(v, '{'))
        return wrong_type(in, p, "an object");
    if (p->depth >= ENTITY_MAX_DEPTH)
        return refuse(in, p, ERR_TOO_LONG, "%s", "Objects are nested too deeply.");
    return read_members(in, p, e, v, object);
}

enum err entity_parse(const struct entity *e, struct view json_text, struct arena *arena, void *ret_object,
                      struct problem *why)
{
    const struct input in = {arena, why};
    const struct place root = {0};
    struct view text = json_text;

    TRY(json_check(text, why));
    while (strchr(" \t\r\n", text.ptr[0])) /* it is no NUL, and something else follows */
        text = VIEW(text.ptr + 1, text.len - 1);
    void *made = arena_alloc(arena, e->size);

    if (!made)
        return out_of_memory(&in, &root);
    TRY(read_object(&in, &root, e, text, made));
    memcpy(ret_object, made, e->size);
    return OK;
}
