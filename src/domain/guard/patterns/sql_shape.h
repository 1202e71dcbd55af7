/* The shape of a text as SQL: one upper-case letter for each part of a statement, with names, numbers and nesting
 * folded away, so that a rule speaks of the shape of an injection and not of its spelling.
 *
 *   N number   S string   V @variable   F call of a function of SQL, folded with its arguments   W word   Y words in a
 * row A and, or, xor   B && ||   E = < > <> !=   J like, regexp, div …   O in, is, between   M arithmetic that has no
 * value on both sides P (   Q )   C ,   K ;   U union …   L select   R from   I into   D statement that changes or runs
 * something   T case, cast, set, begin and other inner words   G where, group, order, having, limit   X comment to the
 * end   Z anything else
 *
 * A value may land in the middle of a string of the statement: quote is then the mark that such a string ends with, and
 * the shape begins with 0 for that string; a quote of 0 says that it stands free. */
#ifndef HOLDFAST_GUARD_PATTERNS_SQL_SHAPE_H
#define HOLDFAST_GUARD_PATTERNS_SQL_SHAPE_H

#include "base/buf.h"

/* Writes at most text.len + 1 letters to out and returns how many. text is lower case with single blanks. */
size_t sql_shape(struct view text, uint8_t quote, uint8_t *out);

#endif
