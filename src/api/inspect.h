/* The last stage of a verdict: does the request look like an attack (domain/guard/patterns/patterns.h)? */
#ifndef HOLDFAST_API_INSPECT_H
#define HOLDFAST_API_INSPECT_H

#include "api/context.h"

struct inspect_ask {
    struct view target; /* path and query as the client sent them */
    struct view path;   /* decoded, as endpoints are found */
};

struct inspected {
    enum err refusal;   /* OK, ERR_ATTACK_PATTERN or ERR_NOT_INSPECTED */
    struct view detail; /* for the record, in the request's arena: what was hit, and where; empty if nothing was. Never
                           for the answer, which would teach whoever tries */
};

/* Looks at the target, at the client's headers of req and at its body. Where the configuration only counts, refusal is
 * OK whatever was hit. ERR_INTERNAL: the scanner failed, and nothing is known of the request; ERR_NO_MEMORY. */
RESULT inspect_request(struct http_request *req, const struct inspect_ask *ask, struct inspected *ret);

/* Is it a header of the client's? */
bool inspect_looks_at(struct view name);
/* What becomes of a request of which this was found: OK, ERR_ATTACK_PATTERN or ERR_NOT_INSPECTED. */
enum err inspect_refusal(const struct config_patterns *c, const struct patterns_verdict *v);

/* A file of rules that are in force. */
struct inspect_file {
    struct view file; /* its path */
    uint32_t rules;
    uint8_t sha256[32];
};
#define INSPECT_FILES_MAX 512
extern const struct entity inspect_file_entity;
/* All of them, of struct inspect_file, in the order in which they were read; none where none are asked. */
RESULT inspect_files(const struct api_shared *s, struct arena *arena, struct entity_list *ret);

#endif
