#include "base/entity_field.h"
#include "base/text.h"

static enum err encode(const struct entity *e, const void *object, struct writer *w, unsigned depth);

/* Writes the length of what follows once it is known. */
static size_t begin_length(struct writer *w)
{
    writer_u32(w, 0);
    return w->len;
}

static void end_length(struct writer *w, size_t from)
{
    if (w->failed)
        return;
    if (w->len - from > UINT32_MAX) {
        w->failed = ERR_TOO_LONG;
        return;
    }
    struct writer patch = writer_fixed(w->ptr + from - 4, 4);

    writer_u32(&patch, (uint32_t)(w->len - from));
}

static void put_number(const struct field *f, uint64_t v, struct writer *w)
{
    for (size_t i = entity_width(f->type); i > 0; i--)
        writer_u8(w, (uint8_t)(v >> (8 * (i - 1))));
}

static enum err encode_texts(const struct field *f, const struct text_list *list, struct writer *w)
{
    TRY(entity_check_length(f, list->count));
    for (size_t i = 0; i < list->count; i++) {
        TRY(entity_check_text(f, list->items[i]));
        writer_var(w, list->items[i]);
    }
    return OK;
}

static enum err encode_list(const struct field *f, const struct entity_list *list, struct writer *w, unsigned depth)
{
    TRY(entity_check_length(f, list->count));
    for (size_t i = 0; i < list->count; i++) {
        size_t from = begin_length(w);

        TRY(encode(f->nested, entity_list_item(f, list, i), w, depth));
        end_length(w, from);
    }
    return OK;
}

static enum err encode_value(const struct field *f, const void *object, struct writer *w, unsigned depth)
{
    switch (f->type) {
    case FIELD_TEXT:
        TRY(entity_check_text(f, entity_view(f, object)));
        writer_view(w, entity_view(f, object));
        return OK;
    case FIELD_BYTES:
    case FIELD_JSON:
        TRY(entity_check_length(f, entity_view(f, object).len));
        if (f->type == FIELD_JSON && !utf8_valid(entity_view(f, object)))
            return ERR_BAD_UTF8;
        writer_view(w, entity_view(f, object));
        return OK;
    case FIELD_FIXED:
        writer_bytes(w, entity_at(f, object), f->max);
        return OK;
    case FIELD_TEXTS:
        return encode_texts(f, entity_at(f, object), w);
    case FIELD_ENTITY:
        return encode(f->nested, entity_at(f, object), w, depth);
    case FIELD_LIST:
        return encode_list(f, entity_at(f, object), w, depth);
    default:
        TRY(entity_check_number(f, entity_number(f, object)));
        put_number(f, entity_number(f, object), w);
        return OK;
    }
}

static enum err encode(const struct entity *e, const void *object, struct writer *w, unsigned depth)
{
    if (depth >= ENTITY_MAX_DEPTH)
        return ERR_TOO_LONG;
    writer_u16(w, e->schema);
    writer_u16(w, e->version);
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];

        if (entity_field_empty(f, object))
            continue;
        writer_u16(w, f->no);
        size_t from = begin_length(w);

        TRY(encode_value(f, object, w, depth + 1));
        end_length(w, from);
    }
    return writer_done(w);
}

enum err entity_encode(const struct entity *e, const void *object, struct writer *w)
{
    enum err err = encode(e, object, w, 0);

    if (err && !w->failed)
        w->failed = err; /* half an object must not be taken for a whole one */
    return err;
}

struct decoding {
    struct arena *arena;
    unsigned depth;
};

static enum err decode(const struct entity *e, struct view source, struct decoding d, void *object);

static enum err decode_number(const struct field *f, struct view value, void *object)
{
    uint64_t v = 0;

    if (value.len != entity_width(f->type))
        return ERR_MALFORMED;
    for (size_t i = 0; i < value.len; i++)
        v = v << 8 | value.ptr[i];
    TRY(entity_check_number(f, v));
    entity_set_number(f, object, v);
    return OK;
}

/* How many values of u32 length and bytes there are; none is no encoding, since an empty list is left out. */
static enum err count_items(const struct field *f, struct view value, size_t *ret)
{
    struct reader r = reader_new(value);
    struct view item;
    size_t n = 0;

    for (; r.left; n++)
        TRY(reader_var(&r, value.len, &item));
    TRY(entity_check_length(f, n));
    *ret = n;
    return OK;
}

static enum err decode_texts(const struct field *f, struct view value, struct decoding d, struct text_list *list)
{
    struct reader r = reader_new(value);

    TRY(count_items(f, value, &list->count));
    list->items = arena_alloc(d.arena, list->count * sizeof *list->items);
    if (!list->items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        TRY(reader_var(&r, value.len, &list->items[i]));
        TRY(entity_check_text(f, list->items[i]));
    }
    return OK;
}

static enum err decode_list(const struct field *f, struct view value, struct decoding d, struct entity_list *list)
{
    struct reader r = reader_new(value);
    struct view item;
    size_t bytes;

    TRY(count_items(f, value, &list->count));
    if (__builtin_mul_overflow(list->count, f->nested->size, &bytes))
        return ERR_TOO_LONG;
    uint8_t *items = arena_alloc(d.arena, bytes);

    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        TRY(reader_var(&r, value.len, &item));
        TRY(decode(f->nested, item, d, items + i * f->nested->size));
    }
    list->items = items;
    return OK;
}

static enum err decode_view(const struct field *f, struct view value, void *object)
{
    struct view *out = entity_place(f, object);

    if (f->type == FIELD_TEXT)
        TRY(entity_check_text(f, value));
    else
        TRY(entity_check_length(f, value.len));
    if (f->type == FIELD_JSON && !utf8_valid(value))
        return ERR_BAD_UTF8;
    *out = value;
    return OK;
}

static enum err decode_value(const struct field *f, struct view value, struct decoding d, void *object)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_BYTES:
    case FIELD_JSON:
        TRY(decode_view(f, value, object));
        break;
    case FIELD_FIXED:
        if (value.len != f->max)
            return ERR_MALFORMED;
        memcpy(entity_place(f, object), value.ptr, value.len);
        break;
    case FIELD_TEXTS:
        TRY(decode_texts(f, value, d, entity_place(f, object)));
        break;
    case FIELD_ENTITY:
        TRY(decode(f->nested, value, d, entity_place(f, object)));
        break;
    case FIELD_LIST:
        TRY(decode_list(f, value, d, entity_place(f, object)));
        break;
    default:
        TRY(decode_number(f, value, object));
    }
    /* What is zero or empty is left out; to accept it here would give one value two encodings. */
    return entity_field_empty(f, object) ? ERR_MALFORMED : OK;
}

static enum err decode_header(const struct entity *e, struct reader *r)
{
    uint16_t schema, version;

    TRY(reader_u16(r, &schema));
    TRY(reader_u16(r, &version));
    if (schema != e->schema || version == 0)
        return ERR_MALFORMED;
    return version > e->version ? ERR_TOO_NEW : OK;
}

static enum err decode(const struct entity *e, struct view source, struct decoding d, void *object)
{
    struct reader r = reader_new(source);
    unsigned last = 0;
    size_t at = 0;

    if (d.depth++ >= ENTITY_MAX_DEPTH)
        return ERR_TOO_LONG;
    TRY(decode_header(e, &r));
    while (r.left) {
        struct view value;
        uint16_t no;

        TRY(reader_u16(&r, &no));
        TRY(reader_var(&r, r.left, &value));
        if (no <= last)
            return ERR_MALFORMED;
        last = no;
        while (at < e->count && e->fields[at].no < no)
            at++;
        if (at == e->count || e->fields[at].no != no)
            return ERR_TOO_NEW;
        TRY(decode_value(&e->fields[at], value, d, object));
    }
    return OK;
}

enum err entity_decode(const struct entity *e, struct view source, struct arena *arena, void *ret_object)
{
    void *made = arena_alloc(arena, e->size);

    if (!made)
        return ERR_NO_MEMORY;
    TRY(decode(e, source, (struct decoding){.arena = arena}, made));
    memcpy(ret_object, made, e->size);
    return OK;
}
