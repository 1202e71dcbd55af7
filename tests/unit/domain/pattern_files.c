#include "pattern_files.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BYTES_MAX ((size_t)1 << 20)

struct view pattern_file(const char *below)
{
    char path[4096];
    uint8_t *bytes = malloc(BYTES_MAX);
    FILE *f;
    size_t n;
    (void)snprintf(path, sizeof path, "%s/%s", getenv("HOLDFAST_SOURCE"), below);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_non_null(bytes);
    n = fread(bytes, 1, BYTES_MAX, f);
    assert_true(n > 0 && n < BYTES_MAX);
    fclose(f);
    return VIEW(bytes, n);
}

size_t pattern_files_read(struct patterns_file *files, size_t most)
{
    char path[2048];
    struct dirent *entry;
    size_t count = 0;
    DIR *d;
    (void)snprintf(path, sizeof path, "%s/spec/patterns", getenv("HOLDFAST_SOURCE"));
    d = opendir(path);
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_true(count < most);
        (void)snprintf(path, sizeof path, "spec/patterns/%s", entry->d_name);
        files[count++] = (struct patterns_file){strdup(entry->d_name), pattern_file(path)};
    }
    closedir(d);
    assert_true(count >= PATTERNS_CLASSES);
    return count;
}

void pattern_files_free(struct patterns_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)files[i].text.ptr);
        free((void *)(uintptr_t)files[i].name);
    }
}
