#include "ledger/record.h"

#include "base/fields.h"

static const struct event {
    const char *name;
    uint16_t type;
    uint8_t severity;
} events[] = {
#define EVENT(text, number, level) {#text, number, SEVERITY_##level},
#include "ledger/events.def"
#undef EVENT
};

const char *const severity_names[] = {"none", "low", "medium", "high", "critical", NULL};

static const struct event *find_type(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (events[i].type == type)
            return &events[i];
    return NULL;
}

const char *event_name(uint16_t type)
{
    const struct event *e = find_type(type);
    return e ? e->name : NULL;
}

enum severity event_severity(uint16_t type)
{
    const struct event *e = find_type(type);
    return e ? (enum severity)e->severity : SEVERITY_LOW;
}

RESULT event_find(struct view name, uint16_t *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (!view_is(name, events[i].name))
            continue;
        *ret = events[i].type;
        return OK;
    }
    return ERR_NOT_FOUND;
}

static const struct field request_context_fields[] = {
    FIELD(1, struct request_context, actor, TEXT, 256, .doc = "Who asked."),
    FIELD(2, struct request_context, source, TEXT, 128, .doc = "Where the request came from."),
    FIELD(3, struct request_context, user_agent, TEXT, 512, .doc = "What the client calls itself."),
    FIELD(4, struct request_context, reason, TEXT, 1024, .doc = "The reason that the requester gave."),
    FIELD(5, struct request_context, request_id, TEXT, 64, .doc = "Identifier of the request."),
    FIELD(6, struct request_context, proof, BOOL, 0, .doc = "The actor proved itself to the author of the record."),
};
const struct entity request_context_entity = ENTITY("RequestContext", 0x0401, 1, struct request_context,
                                                    request_context_fields);

/* --- the thing's side */

/* The first word of *rest, which it leaves behind with its space. */
static struct view take_word(struct view *rest)
{
    const uint8_t *space = memchr(rest->ptr, ' ', rest->len);
    struct view word = VIEW(rest->ptr, space ? (size_t)(space - rest->ptr) : rest->len);
    size_t used = word.len + (space != NULL);
    *rest = VIEW(rest->ptr + used, rest->len - used);
    return word;
}

size_t record_things(const struct record_object *o, struct view ret[static RECORD_THINGS_MAX])
{
    struct view rest = o->also;
    size_t n = 1;
    ret[0] = o->resource;
    while (rest.len && n < RECORD_THINGS_MAX)
        ret[n++] = take_word(&rest);
    return n;
}

/* No word is empty or there twice, and all that is there is words, one space between them. */
static bool is_list(struct view also)
{
    const struct record_object o = {.also = also};
    struct view things[RECORD_THINGS_MAX] = {{NULL, 0}};
    size_t n = record_things(&o, things), len = 0;
    for (size_t i = 1; i < n; i++) {
        len += things[i].len + (i > 1);
        for (size_t k = 0; k < i; k++) /* the first is empty here */
            if (view_eq(things[k], things[i]))
                return false;
    }
    return len == also.len;
}

static const struct field record_object_fields[] = {
    FIELD(1, struct record_object, resource, TEXT, 600, .doc = "What it was done to."),
    FIELD(2, struct record_object, detail, TEXT, 4096, .doc = "Further facts, as a sentence or compact JSON."),
    FIELD(3, struct record_object, error, TEXT, 64, .doc = "Stable error code of a refusal."),
    FIELD(4, struct record_object, also, TEXT, 1024, .check = is_list,
          .rule = "up to 15 things, each once, a space between",
          .doc = "Further things it was done to, with a space between; a search for one of them finds the record."),
};
const struct entity record_object_entity = ENTITY("RecordObject", 0x0402, 1, struct record_object,
                                                  record_object_fields);
