/* Files of the source folder, which HOLDFAST_SOURCE names; the current one without it. All exit where something fails.
 */
#ifndef HOLDFAST_BENCH_SOURCE_H
#define HOLDFAST_BENCH_SOURCE_H

#include "domain/guard/patterns/patterns.h"

const char *source_path(const char *below); /* valid until the next call */
/* Never freed; a NUL stands behind it. */
struct view source_read(const char *path);
/* Of all rules in spec/patterns. */
struct patterns *source_patterns(void);

#endif
