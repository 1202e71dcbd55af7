/* The files of src/api/pages as bytes of the program; script/embed writes the table. */
#ifndef HOLDFAST_API_PAGES_H
#define HOLDFAST_API_PAGES_H

#include "base/buf.h"

struct page_file {
    const char *name;
    struct view bytes;
};
extern const struct page_file page_files[];
extern const size_t page_files_count;

#endif
