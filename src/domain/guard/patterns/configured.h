/* The configuration's word on attack patterns (ipc/config.h) as options of the check. */
#ifndef HOLDFAST_GUARD_PATTERNS_CONFIGURED_H
#define HOLDFAST_GUARD_PATTERNS_CONFIGURED_H

#include "base/arena.h"
#include "domain/guard/patterns/patterns.h"
#include "ipc/config.h"

/* A rule's own mode counts before its class's, in whichever order they stand. Lists are in arena, texts are c's.
 * CONFIG_PATTERNS_COUNT is for who asks: the check says what it would block. */
RESULT patterns_configured(const struct config_patterns *c, struct arena *arena, struct patterns_options *ret);

#endif
