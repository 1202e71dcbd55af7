/* The parameters of a request, read strictly: every name and value in one decoded form, or refused. */
#ifndef HOLDFAST_SIGNER_REST_PARAMS_H
#define HOLDFAST_SIGNER_REST_PARAMS_H

#include "signer/scheme.h"
#include "signer/venue_model.h"

#define PARAMS_MAX 128

enum param_place { IN_QUERY, IN_BODY, IN_FRAME, BY_SIGNER };

struct given {
    uint16_t id; /* NAME_NONE: the venue's declaration has no such name */
    uint8_t place;
    struct view name;  /* decoded */
    struct view value; /* decoded; of JSON: text without quotes, or the number's text */
    struct view raw;   /* value as it is in the signed bytes */
};

/* One way to read a request: what a venue would take its parameters to be. */
struct reading {
    struct given *items;
    size_t count, cap;
    struct name_set have; /* names with a value */
};

RESULT reading_new(struct arena *arena, struct reading *ret);
/* With room for one more. */
RESULT reading_copy(struct arena *arena, const struct reading *from, struct reading *ret);
/* ERR_DUPLICATE_PARAMETER, ERR_LIMIT_REACHED. */
RESULT reading_add(struct reading *r, const struct given *g, struct problem *why);
void reading_remove(struct reading *r, size_t index);
const struct given *reading_find(const struct reading *r, uint16_t id);

/* Reads "name=value&…". ERR_MALFORMED for empty names, missing '=', bad escapes, control characters, and for '+', '='
 * and
 * '#' inside values, which readers take in different ways. */
RESULT params_form(const struct venue *v, struct view text, enum param_place place, struct arena *arena,
                   struct reading *r, struct problem *why);
/* Reads a flat JSON object. Lists and objects only for parameters of type json; numbers only as integers. */
RESULT params_json(const struct venue *v, struct view text, enum param_place place, struct arena *arena,
                   struct reading *r, struct problem *why);
/* As params_form, but takes whatever a lenient reader would: for text that nobody meant to be parameters.
 * ERR_NO_MEMORY. */
RESULT params_lenient(const struct venue *v, struct view text, struct arena *arena, struct reading *r);

/* The whole request as its sender means it. */
RESULT params_request(const struct venue *v, const struct venue_scheme *s, const struct sign_request *q,
                      struct arena *arena, struct reading *r, struct problem *why);
/* Against the endpoint's closed set: ERR_UNKNOWN_PARAMETER, ERR_MISSING_FIELD, ERR_BAD_VALUE. */
RESULT params_check(const struct venue *v, const struct venue_endpoint *e, const struct reading *r,
                    struct problem *why);

#endif
