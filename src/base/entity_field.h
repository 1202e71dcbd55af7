/* Inside of the entity engine: what every form (wire, JSON, schema) asks of a field. Not for other folders. */
#ifndef HOLDFAST_BASE_ENTITY_FIELD_H
#define HOLDFAST_BASE_ENTITY_FIELD_H

#include "base/clock.h"
#include "base/entity.h"

#define ENTITY_MAX_DEPTH    16                  /* of entities inside entities, also where a table names itself */
#define ENTITY_JSON_INTEGER (UINT64_C(1) << 53) /* larger numbers are not safe in JSON */

/* BOOL to ENUM: kept as an unsigned number of this many bytes; 0 for the other types. */
static inline size_t entity_width(enum field_type type)
{
    static const uint8_t widths[] = {
        [FIELD_BOOL] = sizeof(bool),
        [FIELD_U8] = 1,
        [FIELD_U16] = 2,
        [FIELD_U32] = 4,
        [FIELD_U64] = 8,
        [FIELD_TIME] = 8,
        [FIELD_ENUM] = 1,
    };

    return (unsigned)type < ARRAY_LEN(widths) ? widths[type] : 0;
}
uint64_t entity_number(const struct field *f, const void *object);
size_t entity_names_count(const char *const *names);

/* The largest value, length or count, with the type's own limit where the table says 0. */
uint64_t entity_max(const struct field *f);
uint64_t entity_item_max(const struct field *f); /* bytes of one text of TEXT or TEXTS */

bool entity_field_empty(const struct field *f, const void *object);
bool entity_empty(const struct entity *e, const void *object);

/* The rules of the table, the same for every form. */
RESULT entity_check_number(const struct field *f, uint64_t v);
RESULT entity_check_length(const struct field *f, size_t n);       /* bytes of BYTES, JSON; count of TEXTS, LIST */
RESULT entity_check_text(const struct field *f, struct view text); /* TEXT, or one item of TEXTS */

static inline const void *entity_at(const struct field *f, const void *object)
{
    return (const uint8_t *)object + f->offset;
}

static inline void *entity_place(const struct field *f, void *object)
{
    return (uint8_t *)object + f->offset;
}

static inline void entity_set_number(const struct field *f, void *object, uint64_t v)
{
    void *at = entity_place(f, object);

    switch (entity_width(f->type)) {
    case 1:
        *(uint8_t *)at = (uint8_t)v;
        break;
    case 2:
        *(uint16_t *)at = (uint16_t)v;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)v;
        break;
    default:
        *(uint64_t *)at = v;
    }
}

static inline struct view entity_view(const struct field *f, const void *object)
{
    const struct view *v = entity_at(f, object);

    return *v;
}

static inline const void *entity_list_item(const struct field *f, const struct entity_list *list, size_t i)
{
    return (const uint8_t *)list->items + i * f->nested->size;
}

#endif
