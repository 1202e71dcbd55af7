#include "base/entity.h"

#include "base/entity_field.h"
#include "base/text.h"

static const uint64_t type_max[] = {
    [FIELD_BOOL] = 1,         [FIELD_U8] = UINT8_MAX,    [FIELD_U16] = UINT16_MAX, [FIELD_U32] = UINT32_MAX,
    [FIELD_U64] = UINT64_MAX, [FIELD_TIME] = UINT64_MAX, [FIELD_ENUM] = UINT8_MAX, [FIELD_TEXT] = 4096,
    [FIELD_BYTES] = 65536,    [FIELD_FIXED] = 0,         [FIELD_TEXTS] = 256,      [FIELD_JSON] = 65536,
    [FIELD_ENTITY] = 0,       [FIELD_LIST] = 256,
};

uint64_t entity_number(const struct field *f, const void *object)
{
    const void *at = entity_at(f, object);

    switch (entity_width(f->type)) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
    }
}

size_t entity_names_count(const char *const *names)
{
    size_t n = 0;

    while (names && names[n])
        n++;
    return n;
}

uint64_t entity_max(const struct field *f)
{
    if (f->type == FIELD_ENUM)
        return entity_names_count(f->names) - 1;
    return f->max ? f->max : type_max[f->type];
}

uint64_t entity_item_max(const struct field *f)
{
    return f->type == FIELD_TEXT ? entity_max(f) : type_max[FIELD_TEXT];
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

bool entity_field_empty(const struct field *f, const void *object)
{
    const void *at = entity_at(f, object);

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_BYTES:
    case FIELD_JSON:
        return ((const struct view *)at)->len == 0;
    case FIELD_FIXED:
        return all_zero(at, f->max);
    case FIELD_TEXTS:
        return ((const struct text_list *)at)->count == 0;
    case FIELD_ENTITY:
        return entity_empty(f->nested, at);
    case FIELD_LIST:
        return ((const struct entity_list *)at)->count == 0;
    default:
        return entity_number(f, object) == 0;
    }
}

bool entity_empty(const struct entity *e, const void *object)
{
    for (size_t i = 0; i < e->count; i++)
        if (!entity_field_empty(&e->fields[i], object))
            return false;
    return true;
}

enum err entity_check_number(const struct field *f, uint64_t v)
{
    if (f->type == FIELD_ENUM)
        return v >= f->min && v < entity_names_count(f->names) ? OK : ERR_BAD_VALUE;
    if (f->type == FIELD_BOOL)
        return v <= 1 ? OK : ERR_MALFORMED;
    return v >= f->min && v <= entity_max(f) ? OK : ERR_OUT_OF_RANGE;
}

enum err entity_check_length(const struct field *f, size_t n)
{
    if (n < f->min)
        return ERR_TOO_SHORT;
    return n <= entity_max(f) ? OK : ERR_TOO_LONG;
}

static bool is_named(const char *const *names, struct view text)
{
    for (; *names; names++)
        if (view_is(text, *names))
            return true;
    return false;
}

enum err entity_check_text(const struct field *f, struct view text)
{
    if (text.len > entity_item_max(f))
        return ERR_TOO_LONG;
    if (f->type == FIELD_TEXT && text.len < f->min)
        return ERR_TOO_SHORT;
    if (text.len && memchr(text.ptr, 0, text.len))
        return ERR_NUL_BYTE;
    if (!utf8_valid(text))
        return ERR_BAD_UTF8;
    if (f->names && !is_named(f->names, text))
        return ERR_BAD_VALUE;
    return f->check && !f->check(text) ? ERR_BAD_VALUE : OK;
}
