/* An entity with a field of every type, for tests and fuzz targets. */
#ifndef HOLDFAST_TESTS_BASE_SAMPLE_H
#define HOLDFAST_TESTS_BASE_SAMPLE_H

#include "base/fields.h"
#include "base/text.h"

struct sample_part {
    uint32_t weight;
    struct view note, free_form;
    struct text_list symbols;
};

struct sample {
    bool flag;
    uint8_t small;
    uint16_t port;
    uint32_t count;
    uint64_t big, at;
    uint8_t kind;
    struct view name, side, data, secret, inner;
    uint8_t digest[8];
    struct text_list tags;
    struct view document;
    struct sample_part policy;
    struct entity_list parts;
    uint32_t revision;
};

static const char *const sample_kinds[] = {"none", "first", "second", NULL};
static const char *const sample_sides[] = {"buy", "sell", NULL};

static const struct field sample_part_fields[] = {
    FIELD(1, struct sample_part, weight, U32, 100, .min = 1, .doc = "how much it counts"),
    FIELD(2, struct sample_part, note, TEXT, 20),
    FIELD(3, struct sample_part, free_form, JSON, 64),
    FIELD(4, struct sample_part, symbols, TEXTS, 4, .check = text_printable, .rule = "printable"),
};
static const struct entity sample_part_entity = ENTITY("SamplePart", 901, 1, struct sample_part, sample_part_fields);

static const struct field sample_fields[] = {
    FIELD(1, struct sample, flag, BOOL, 0),
    FIELD(2, struct sample, small, U8, 0, .min = 2),
    FIELD(3, struct sample, port, U16, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(4, struct sample, count, U32, 1000),
    FIELD(5, struct sample, big, U64, 0),
    FIELD(6, struct sample, at, TIME, 0),
    FIELD(7, struct sample, kind, ENUM, 0, .names = sample_kinds),
    FIELD(8, struct sample, name, TEXT, 12, .min = 3, .flags = FIELD_REQUIRED, .check = text_printable,
          .rule = "without control characters", .doc = "its name"),
    FIELD(9, struct sample, side, TEXT, 0, .names = sample_sides),
    FIELD(10, struct sample, data, BYTES, 6, .min = 2),
    FIELD(11, struct sample, secret, TEXT, 0, .flags = FIELD_WRITE_ONLY),
    FIELD(12, struct sample, inner, BYTES, 0, .flags = FIELD_HIDDEN),
    FIELD(13, struct sample, digest, FIXED, 8),
    FIELD(14, struct sample, tags, TEXTS, 3, .min = 1),
    FIELD(15, struct sample, document, JSON, 0),
    FIELD(17, struct sample, policy, ENTITY, 0, .nested = &sample_part_entity),
    FIELD(18, struct sample, parts, LIST, 3, .nested = &sample_part_entity),
    FIELD(20, struct sample, revision, U32, 0, .flags = FIELD_READ_ONLY),
};
static const struct entity sample_entity = ENTITY("Sample", 900, 2, struct sample, sample_fields);

#endif
