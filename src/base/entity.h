/* An entity is one table of fields. Parsing, validation, storing, messages between processes, printing and the OpenAPI
 * schema all come from it; nothing else knows how a thing is written down.
 *
 * Wire form (rows, messages, canonical fields of a record): u16 schema, u16 version, then for each field that is not
 * zero or empty: u16 number, u32 length, bytes; numbers strictly rising. One value has one encoding, so a hash of it
 * commits to it. Field numbers are never reused. An unknown number or a larger version is ERR_TOO_NEW.
 *
 * Bytes by type: numbers big-endian in the width of their type, BOOL and ENUM one byte; TEXT, BYTES, JSON, FIXED as
 * they are; TEXTS for each item u32 length, bytes; ENTITY its own wire form; LIST for each item u32 length, wire form.
 * The rules of the table (ranges, lengths, names, check) hold for JSON, for encoding and for decoding alike; a value
 * that is left out is zero or empty and meets them. Entities nest 16 deep at most. */
#ifndef HOLDFAST_BASE_ENTITY_H
#define HOLDFAST_BASE_ENTITY_H

#include "base/arena.h"
#include "base/json.h"

enum field_type {
    FIELD_BOOL,   /* bool */
    FIELD_U8,     /* uint8_t */
    FIELD_U16,    /* uint16_t */
    FIELD_U32,    /* uint32_t */
    FIELD_U64,    /* uint64_t; a JSON number up to 2^53, else refused */
    FIELD_TIME,   /* uint64_t milliseconds; RFC 3339 text in JSON */
    FIELD_ENUM,   /* uint8_t index into names; the name in JSON */
    FIELD_TEXT,   /* struct view, UTF-8 */
    FIELD_BYTES,  /* struct view; base64 text in JSON */
    FIELD_FIXED,  /* uint8_t[max]; hex text in JSON */
    FIELD_TEXTS,  /* struct text_list */
    FIELD_JSON,   /* struct view: JSON text kept byte for byte as it was sent (canonical order is not touched) */
    FIELD_ENTITY, /* a nested struct, by the table in `nested` */
    FIELD_LIST,   /* struct entity_list of the entity in `nested` */
};

enum field_flag {
    FIELD_REQUIRED = 1,    /* must be there in JSON */
    FIELD_READ_ONLY = 2,   /* printed, refused when sent */
    FIELD_WRITE_ONLY = 4,  /* accepted, never printed (secrets) */
    FIELD_HIDDEN = 8,      /* stored or sent between processes, never in JSON */
    FIELD_PRINT_ZERO = 16, /* printed in JSON even when zero or empty; FIELD_REQUIRED implies it */
};

struct text_list {
    struct view *items;
    size_t count;
};

struct entity_list {
    void *items; /* count structs of nested->size */
    size_t count;
};

struct entity;

struct field {
    uint16_t no; /* from 1 up, in table order */
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t offset;
    uint64_t min, max;               /* numbers: range; ENUM: min is the first name that may be said; TEXT, BYTES,
                                        JSON: length in bytes; FIXED: max is the size; TEXTS, LIST: count. max 0 means
                                        the type's own limit (text 4096, bytes 65536, texts and lists 256) */
    const char *const *names;        /* ENUM: NULL-terminated. TEXT with names: must be one of them */
    bool (*check)(struct view text); /* TEXT, TEXTS: further rule, or NULL */
    const char *rule;                /* what check wants, for the error message */
    const struct entity *nested;
    const char *doc; /* one line, for OpenAPI and help */
};

struct entity {
    const char *name; /* "SecretMeta" */
    uint16_t schema;  /* unique number of the entity, see ARCHITECTURE.md */
    uint16_t version;
    size_t size;
    const struct field *fields;
    size_t count;
};

/* Offset, and a compile-time check that the member exists. */
#define MEMBER(type, member) offsetof(type, member)

/* A failure is also the writer's, so that half an object is never taken for a whole one. */
RESULT entity_encode(const struct entity *e, const void *object, struct writer *w);
/* Views in ret_object borrow from source; lists are allocated in arena. */
RESULT entity_decode(const struct entity *e, struct view source, struct arena *arena, void *ret_object);
/* The same for bytes that entity_decode has accepted, or entity_encode has written, and that nobody could alter since:
 * their bounds are looked at, and the rules of the table, which take most of the time, are not. */
RESULT entity_decode_again(const struct entity *e, struct view source, struct arena *arena, void *ret_object);

/* Errors name the field by JSON pointer in why->where. Texts are copied to arena. Unknown members are refused,
 * and so are those sent for READ_ONLY and HIDDEN fields; null is no value. A message never repeats what was sent. */
RESULT entity_parse(const struct entity *e, struct view json_text, struct arena *arena, void *ret_object,
                    struct problem *why);
void entity_to_json(const struct entity *e, const void *object, struct writer *w); /* one object { … } */
void entity_schema(const struct entity *e, struct writer *w);                      /* JSON Schema 2020-12 */
/* A view of object's field as text for a table on a terminal. */
void entity_cell(const struct field *f, const void *object, struct writer *w);

#endif
