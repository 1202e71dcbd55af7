#include "source.h"

#include "bench.h"

#include <dirent.h>

#define FILES_MAX 32

const char *source_path(const char *below)
{
    static char path[4096];
    const char *root = getenv("HOLDFAST_SOURCE");
    (void)snprintf(path, sizeof path, "%s/%s", root ? root : ".", below);
    return path;
}

struct view source_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;
    long size = 0;
    bench_must(f ? OK : ERR_IO, path);
    bench_must(fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 ? OK : ERR_IO, path);
    bytes = malloc((size_t)size + 1);
    bench_must(bytes && fread(bytes, 1, (size_t)size, f) == (size_t)size ? OK : ERR_IO, path);
    bytes[size] = '\0'; /* for strtoul */
    fclose(f);
    return VIEW(bytes, (size_t)size);
}

struct patterns *source_patterns(void)
{
    struct patterns_file files[FILES_MAX];
    struct patterns *p = NULL;
    struct problem why = {0};
    char folder[4096];
    struct dirent *entry;
    size_t count = 0;
    DIR *d;
    (void)snprintf(folder, sizeof folder, "%s", source_path("spec/patterns"));
    d = opendir(folder);
    bench_must(d ? OK : ERR_IO, folder);
    while (count < FILES_MAX && (entry = readdir(d)) != NULL) {
        char path[8192];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        files[count].name = strdup(path);
        files[count++].text = source_read(path);
    }
    closedir(d);
    if (patterns_new(files, count, NULL, &p, &why) != OK) {
        fprintf(stderr, "%s: %s\n", why.where, why.detail);
        exit(1);
    }
    return p;
}
