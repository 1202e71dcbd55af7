/* What the C benchmarks share: rounds that alternate with their baseline, medians, and one JSON object as result. */
#ifndef HOLDFAST_BENCH_H
#define HOLDFAST_BENCH_H

#include "base/buf.h"

#define BENCH_ROUNDS 5

double bench_now(void); /* seconds, monotonic */
double bench_cpu(void); /* seconds of this thread alone, so that what else the machine does does not count */
double bench_median(double *values, size_t n);
/* Exits with a message unless e is OK. */
void bench_must(enum err e, const char *what);
/* Prints the file system of dir and the median time of an fdatasync there; exits on tmpfs, where nothing is durable. */
void bench_disk(const char *dir);
/* "NAME": {"value":…, "baseline":…, "ratio":…, "unit":…}, with ratio = value / baseline. */
void bench_result(struct writer *json, const char *name, double value, double baseline, const char *unit);
void bench_print(struct writer *json); /* to standard output */

#endif
