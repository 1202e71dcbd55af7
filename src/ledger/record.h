/* A record: what happened, who did it, to what. Its canonical fields are the wire form of these entities, in two
 * subjects with a key each: the person (who can be erased, AUD-3) and the thing. */
#ifndef HOLDFAST_LEDGER_RECORD_H
#define HOLDFAST_LEDGER_RECORD_H

#include "base/entity.h"

/* EVENT(NAME, number, severity): numbers are never reused; events.def holds the list of SPEC.md AUD and our own. */
enum event_type {
#define EVENT(name, number, severity) EVENT_##name = number,
#include "ledger/events.def"
#undef EVENT
};
enum severity { SEVERITY_LOW = 1, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };
const char *event_name(uint16_t type); /* "SECRET_READ"; NULL for an unknown number */
RESULT event_find(struct view name, uint16_t *ret);
enum severity event_severity(uint16_t type);
extern const char *const severity_names[]; /* index 0 is "none" */

enum outcome { OUTCOME_DONE = 1, OUTCOME_REFUSED, OUTCOME_FAILED };

/* Who asked, as the process that writes the record knows it: entity RequestContext. The front's word, except for
 * `proof`, which keeper and signer set themselves. */
struct request_context {
    struct view actor;  /* stable identifier: "user:alice", "key:<id>", "unix:1000", "administrator:alice" */
    struct view source; /* "192.0.2.1", "unix:1000", "operator" */
    struct view user_agent;
    struct view reason; /* what the requester gave */
    struct view request_id;
    bool proof; /* the actor proved itself to the author of this record */
};
extern const struct entity request_context_entity;

/* The thing's side: entity RecordObject. */
struct record_object {
    struct view resource; /* "secret:exchange/binance/main", "credential:…", "key:<id>" */
    struct view detail;   /* one sentence or compact JSON; never a secret */
    struct view error;    /* stable error code of a refusal, empty otherwise */
    struct view also;     /* further things of the kind of the resource, each once, a space between */
};
extern const struct entity record_object_entity;

/* What it was done to, the resource first; how many. Of a record with several of them the changes are of these, in this
 * order. */
#define RECORD_THINGS_MAX 16 /* as many changes as a leaf has */
size_t record_things(const struct record_object *o, struct view ret[static RECORD_THINGS_MAX]);

struct record {
    uint16_t type; /* enum event_type */
    uint8_t outcome;
    struct request_context who;
    struct record_object what;
};

#endif
