#include "bench.h"

#include "base/json.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void bench_must(enum err e, const char *what)
{
    if (e == OK)
        return;
    fprintf(stderr, "bench: %s: %s (%s)\n", what, err_sentence(e), err_code(e));
    exit(1);
}

static double fdatasync_median(const char *dir)
{
    static uint8_t page[4096];
    double times[51];
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s/fdatasync-XXXXXX", dir);
    fd = mkstemp(path);
    if (fd < 0)
        bench_must(ERR_IO, dir);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        double start = bench_now();
        page[0]++;
        if (pwrite(fd, page, sizeof page, 0) != sizeof page || fdatasync(fd) != 0)
            bench_must(ERR_IO, path);
        times[i] = bench_now() - start;
    }
    close(fd);
    unlink(path);
    return bench_median(times, ARRAY_LEN(times));
}

void bench_disk(const char *dir)
{
    struct statfs s;

    if (statfs(dir, &s) != 0)
        bench_must(ERR_IO, dir);
    if (s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC) {
        fprintf(stderr,
                "bench: %s is on tmpfs, where nothing is durable; set HOLDFAST_BENCH_DIR to a real file system\n", dir);
        exit(1);
    }
    fprintf(stderr, "file system of %s: type 0x%lx, median fdatasync %.3f ms\n", dir, (unsigned long)s.f_type,
            fdatasync_median(dir) * 1000);
}

void bench_result(struct writer *json, const char *name, double value, double baseline, const char *unit)
{
    char text[256];
    struct writer w = writer_fixed(text, sizeof text);

    writer_printf(&w, "{\"value\":%.6g,\"baseline\":%.6g,\"ratio\":%.4g,\"unit\":\"%s\"}", value, baseline,
                  value / baseline, unit);
    if (json->len == 0)
        json_open(json, '{');
    json_raw(json, name, writer_view_of(&w));
}

void bench_print(struct writer *json)
{
    json_close(json, '}');
    printf("%.*s\n", (int)json->len, (const char *)json->ptr);
}
