/* What a value means once every layer that servers, shells, browsers and databases take off is taken off: one spelling
 * for many. Nothing is allocated, and time is linear in the value's length.
 *
 * The result is lines, each ended by '\n', which no line holds otherwise:
 * - the value: percent-decoded twice, JSON, JavaScript and HTML escapes undone, overlong UTF-8 and look-alikes of ASCII
 *   folded to ASCII, lower case, without control characters, white space one blank, SQL comments one blank (what is in
 *   a versioned comment of MySQL stays), "/./" and "//" within a path one "/";
 * - the text of each comment that was taken out, so that a comment hides nothing;
 * - "\r" and what follows each line break inside the value (64 bytes at most): a header that somebody smuggles begins
 * there;
 * - if quotes, backslashes and the like stand within words: the value without them, as a shell or a concatenation reads
 * it;
 * - the shapes of the value as SQL (domain/guard/patterns/sql_shape.h), which alone have upper-case letters. */
#ifndef HOLDFAST_GUARD_PATTERNS_NORMALISE_H
#define HOLDFAST_GUARD_PATTERNS_NORMALISE_H

#include "base/buf.h"

/* The bytes that normalise may write for a value of n bytes. */
#define NORMALISE_ROOM(n) (8 * (n) + 64)

/* How the value is written where it stands. */
enum normalise_source {
    NORMALISE_PLAIN, /* as it is: headers, text */
    NORMALISE_URL,   /* percent-encoded: path, cookies */
    NORMALISE_FORM,  /* percent-encoded, + is a blank: query, forms */
    NORMALISE_JSON,  /* inside of a JSON string */
};

/* The steps in their order. A test leaves each out in turn and sees an attack get through. */
enum normalise_step {
    NORMALISE_STEP_JSON,
    NORMALISE_STEP_PERCENT,
    NORMALISE_STEP_PERCENT_TWICE,
    NORMALISE_STEP_ENTITIES,
    NORMALISE_STEP_ESCAPES,
    NORMALISE_STEP_UTF8,
    NORMALISE_STEP_CONTROL, /* NUL and other control characters are dropped */
    NORMALISE_STEP_CASE,
    NORMALISE_STEP_COMMENTS,
    NORMALISE_STEP_SPACE,
    NORMALISE_STEP_SEGMENTS,
    NORMALISE_STEP_BREAKS,
    NORMALISE_STEP_SQUEEZE,
    NORMALISE_STEP_SQL,
    NORMALISE_STEPS,
};

/* Writes the lines to out, which has room for NORMALISE_ROOM(value.len) bytes, and returns their length. skip is a mask
 * of 1 << step of what is left out: 0 but in tests. */
size_t normalise(struct view value, enum normalise_source source, unsigned skip, uint8_t *out);

#endif
