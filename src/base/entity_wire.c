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
    bool again; /* the rules of the table were met before */
};

static enum err decode(const struct entity *e, struct view source, struct decoding d, void *object);

/* Big-endian, of as many bytes as a number may have. */
static uint64_t number_of(struct view value)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (value.len) {
    case sizeof two:
        memcpy(&two, value.ptr, sizeof two);
        return be16toh(two);
    case sizeof four:
        memcpy(&four, value.ptr, sizeof four);
        return be32toh(four);
    case sizeof eight:
        memcpy(&eight, value.ptr, sizeof eight);
        return be64toh(eight);
    default:
        return *value.ptr;
    }
}

static enum err decode_number(const struct field *f, struct view value, struct decoding d, void *object)
{
    if (value.len != entity_width(f->type))
        return ERR_MALFORMED;
    uint64_t v = number_of(value);

    if (!d.again)
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

/* Apart, as is the next one: what few fields need must not cost registers for all. */
static __attribute__((noinline)) enum err decode_texts(const struct field *f, struct view value, struct decoding d,
                                                       struct text_list *list)
{
    struct reader r = reader_new(value);

    TRY(count_items(f, value, &list->count));
    list->items = arena_alloc(d.arena, list->count * sizeof *list->items);
    if (!list->items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        TRY(reader_var(&r, value.len, &list->items[i]));
        if (!d.again)
            TRY(entity_check_text(f, list->items[i]));
    }
    return OK;
}

static __attribute__((noinline)) enum err decode_list(const struct field *f, struct view value, struct decoding d,
                                                      struct entity_list *list)
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

static enum err check_view(const struct field *f, struct view value)
{
    if (f->type == FIELD_TEXT)
        return entity_check_text(f, value);
    TRY(entity_check_length(f, value.len));
    return f->type == FIELD_JSON && !utf8_valid(value) ? ERR_BAD_UTF8 : OK;
}

static enum err decode_view(const struct field *f, struct view value, struct decoding d, void *object)
{
    struct view *out = entity_place(f, object);

    if (!d.again)
        TRY(check_view(f, value));
    *out = value;
    return OK;
}

static enum err decode_value(const struct field *f, struct view value, struct decoding d, void *object)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_BYTES:
    case FIELD_JSON:
        TRY(decode_view(f, value, d, object));
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
        TRY(decode_number(f, value, d, object));
    }
    /* What is zero or empty is left out; to accept it here would give one value two encodings. */
    return !d.again && entity_field_empty(f, object) ? ERR_MALFORMED : OK;
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

/* Numbers rise in the table's order, mostly without a gap: so the field is where its number says, or before. */
static const struct field *field_numbered(const struct entity *e, unsigned no)
{
    size_t at = no < e->count ? no : e->count;

    while (at > 0 && e->fields[at - 1].no > no)
        at--;
    return at > 0 && e->fields[at - 1].no == no ? &e->fields[at - 1] : NULL;
}

static enum err decode(const struct entity *e, struct view source, struct decoding d, void *object)
{
    struct reader r = reader_new(source);
    unsigned last = 0;

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
        const struct field *f = field_numbered(e, no);

        if (!f)
            return ERR_TOO_NEW;
        TRY(decode_value(f, value, d, object));
    }
    return OK;
}

static enum err decode_whole(const struct entity *e, struct view source, struct decoding d, void *ret_object)
{
    void *made = arena_alloc(d.arena, e->size);

    if (!made)
        return ERR_NO_MEMORY;
    TRY(decode(e, source, d, made));
    memcpy(ret_object, made, e->size);
    return OK;
}

enum err entity_decode(const struct entity *e, struct view source, struct arena *arena, void *ret_object)
{
    return decode_whole(e, source, (struct decoding){.arena = arena}, ret_object);
}

enum err entity_decode_again(const struct entity *e, struct view source, struct arena *arena, void *ret_object)
{
    return decode_whole(e, source, (struct decoding){.arena = arena, .again = true}, ret_object);
}
