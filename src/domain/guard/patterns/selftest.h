/* The rules' own texts, run through the compiled signatures before these are used. */
#ifndef HOLDFAST_GUARD_PATTERNS_SELFTEST_H
#define HOLDFAST_GUARD_PATTERNS_SELFTEST_H

#include "domain/guard/patterns/inside.h"

/* Each text that a rule must hit is scanned at every alignment of a vector register, each that it must not at one.
 * ERR_BAD_CONFIG, with the rule's place, if a rule does not do to its texts what its file says; ERR_UNAVAILABLE if it
 * depends on where in memory a text lies, which is the library's fault; ERR_NO_MEMORY. */
RESULT selftest_run(const struct patterns *p, struct problem *why);

#endif
