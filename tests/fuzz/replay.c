/* Runs a fuzz target over every file of its corpus: replay DIRECTORY. One TAP test; no file is a failure. */
#include <dirent.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *directory, const char *name)
{
    char path[4096];
    uint8_t *bytes = NULL;
    size_t size = 0;
    long end;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
        if (f)
            fclose(f);
        return -1;
    }
    size = (size_t)end;
    bytes = malloc(size ? size : 1); /* exactly as large, so that a read beyond is seen by ASan */
    if (bytes && fread(bytes, 1, size, f) == size)
        (void)LLVMFuzzerTestOneInput(bytes, size);
    fclose(f);
    free(bytes);
    return bytes ? 0 : -1;
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int files = 0, bad = 0;

    while (d && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        files++;
        bad += replay(argv[1], entry->d_name) != 0;
    }
    if (d)
        closedir(d);
    printf("1..1\n%s 1 - %d files of %s\n", files > 0 && !bad ? "ok" : "not ok", files, argc == 2 ? argv[1] : "?");
    return files > 0 && !bad ? 0 : 1;
}
