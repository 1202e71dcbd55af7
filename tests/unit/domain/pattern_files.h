/* The rules of spec/patterns. */
#ifndef HOLDFAST_TESTS_PATTERN_FILES_H
#define HOLDFAST_TESTS_PATTERN_FILES_H

#include "domain/guard/patterns/patterns.h"

/* All of them, at most `most`; a test fails that can't find them. The caller frees them. */
size_t pattern_files_read(struct patterns_file *files, size_t most);
void pattern_files_free(struct patterns_file *files, size_t count);
/* A file below the source folder; the caller frees its bytes. */
struct view pattern_file(const char *below);

#endif
