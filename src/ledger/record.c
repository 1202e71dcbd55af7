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

static const struct field record_object_fields[] = {
    FIELD(1, struct record_object, resource, TEXT, 600, .doc = "What it was done to."),
    FIELD(2, struct record_object, detail, TEXT, 4096, .doc = "Further facts, as a sentence or compact JSON."),
    FIELD(3, struct record_object, error, TEXT, 64, .doc = "Stable error code of a refusal."),
};
const struct entity record_object_entity = ENTITY("RecordObject", 0x0402, 1, struct record_object,
                                                  record_object_fields);
