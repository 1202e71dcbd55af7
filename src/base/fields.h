/* Short forms for the rows of entity tables (base/entity.h): FIELD(number, struct type, member, KIND, max, further
 * designated initialisers). The JSON name is the member's. */
#ifndef HOLDFAST_BASE_FIELDS_H
#define HOLDFAST_BASE_FIELDS_H

#include "base/entity.h"

#define FIELD(number, struct_type, member, kind, limit, ...)                                                           \
    {                                                                                                                  \
        .no = (number), .name = #member, .type = FIELD_##kind, .offset = offsetof(struct_type, member),                \
        .max = (limit), __VA_ARGS__                                                                                    \
    }

/* The same where JSON says another name than the member's: times are kept in milliseconds and printed as texts. */
#define FIELD_AS(number, struct_type, member, text_name, kind, limit, ...)                                             \
    {                                                                                                                  \
        .no = (number), .name = (text_name), .type = FIELD_##kind, .offset = offsetof(struct_type, member),            \
        .max = (limit), __VA_ARGS__                                                                                    \
    }

#define ENTITY(text_name, schema_number, schema_version, struct_type, field_table)                                     \
    {                                                                                                                  \
        .name = (text_name), .schema = (schema_number), .version = (schema_version), .size = sizeof(struct_type),      \
        .fields = (field_table), .count = ARRAY_LEN(field_table)                                                       \
    }

#endif
