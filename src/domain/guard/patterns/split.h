/* A request taken apart into the values that are looked at, each where it stands in the request; nothing is copied.
 * What is malformed is taken as far as it goes: nothing that a lenient reader behind us might see is left out. */
#ifndef HOLDFAST_GUARD_PATTERNS_SPLIT_H
#define HOLDFAST_GUARD_PATTERNS_SPLIT_H

#include "domain/guard/patterns/normalise.h"
#include "domain/guard/patterns/patterns.h"

struct split_field {
    enum patterns_part part;
    enum normalise_source source;
    struct view name, value;
};

typedef enum err split_sink(void *context, const struct split_field *f);

/* Calls sink for each value, and for each name that is more than letters, digits and "_.-[]". The first error ends it.
 */
RESULT split_request(const struct patterns_request *r, split_sink *sink, void *context);

#endif
