/* patterns_time_vs_crs: the time to check a request for attack patterns, against ModSecurity 3 with the OWASP Core Rule
 * Set, over the same requests of ordinary traffic.
 *
 * bench_patterns DIR                     the benchmark
 * bench_patterns DIR rates CORPUS        detection and false positives of both on the half that no rule was made on,
 * for docs/patterns.md bench_patterns DIR misses CORPUS HALF  what was judged wrongly, with the rules that hit CORPUS
 * is what tests/bench/patterns_corpus.py writes; HOLDFAST_SOURCE names the source folder. */
#include "bench.h"
#include "crs.h"
#include "source.h"

#define REQUESTS_MAX 8192
#define HEADERS_MAX  24
#define LABELS       8

struct record {
    char label[16];
    int half;
    struct patterns_field headers[HEADERS_MAX];
    struct patterns_request request;
};

static struct record *records;
static size_t record_count;
static const char *const labels[LABELS] = {"sqli",   "xss",    "traversal", "command",
                                           "header", "padded", "ordinary",  "lookalike"};

/* --- the corpus */

static size_t number(const char **at)
{
    char *end;
    size_t n = strtoul(*at, &end, 10);
    bench_must(end != *at ? OK : ERR_MALFORMED, "the corpus");
    *at = end;
    return n;
}

static struct view take(const char **at, size_t n)
{
    struct view v = VIEW(*at, n);
    *at += n;
    return v;
}

static const char *read_record(const char *at, struct record *r)
{
    const char *blank = strchr(at, ' ');
    size_t target, body;
    bench_must(blank && (size_t)(blank - at) < sizeof r->label ? OK : ERR_MALFORMED, "the corpus");
    memcpy(r->label, at, (size_t)(blank - at));
    at = blank;
    r->half = (int)number(&at);
    target = number(&at);
    r->request.header_count = number(&at);
    body = number(&at);
    bench_must(r->request.header_count <= HEADERS_MAX ? OK : ERR_TOO_LONG, "headers");
    at++;
    r->request.target = take(&at, target);
    at++;
    r->request.headers = r->headers;
    for (size_t i = 0; i < r->request.header_count; i++) {
        size_t name = number(&at), value = number(&at);
        at++;
        r->headers[i].name = take(&at, name);
        r->headers[i].value = take(&at, value);
        at++;
        if (view_is(r->headers[i].name, "Content-Type"))
            r->request.kind = patterns_body_kind(r->headers[i].value);
    }
    r->request.body = take(&at, body);
    return at + 1;
}

static void read_corpus(const char *path)
{
    struct view v = source_read(path);
    const char *at = (const char *)v.ptr, *end = at + v.len;
    records = calloc(REQUESTS_MAX, sizeof *records);
    bench_must(records ? OK : ERR_NO_MEMORY, "records");
    while (at < end && record_count < REQUESTS_MAX)
        at = read_record(at, &records[record_count++]);
}

static const char *method_of(const struct record *r)
{
    return r->request.body.len ? "POST" : "GET";
}

/* --- rates */

static struct patterns_verdict check(const struct patterns *p, const struct record *r, struct patterns_scratch *s)
{
    struct patterns_verdict v;
    bench_must(patterns_check(p, &r->request, s, &v), "a request");
    return v;
}

static void rates(const struct patterns *p, struct patterns_scratch *s, struct crs *c)
{
    printf("| corpus | requests | Holdfast blocks | ModSecurity with CRS blocks |\n|---|---|---|---|\n");
    for (size_t l = 0; l < LABELS; l++) {
        size_t all = 0, ours = 0, theirs = 0;
        for (size_t i = 0; i < record_count; i++) {
            const struct record *r = &records[i];
            if (r->half != 1 || strcmp(r->label, labels[l]) != 0)
                continue;
            all++;
            ours += check(p, r, s).blocked;
            theirs += crs_blocks(c, method_of(r), &r->request);
        }
        printf("| %s | %zu | %.1f %% (%zu) | %.1f %% (%zu) |\n", labels[l], all, 100.0 * (double)ours / (double)all,
               ours, 100.0 * (double)theirs / (double)all, theirs);
    }
}

static void misses(const struct patterns *p, struct patterns_scratch *s, int half)
{
    for (size_t i = 0; i < record_count; i++) {
        const struct record *r = &records[i];
        bool innocent = strcmp(r->label, "ordinary") == 0 || strcmp(r->label, "lookalike") == 0;
        struct patterns_verdict v;
        if (r->half != half)
            continue;
        v = check(p, r, s);
        if (v.blocked != innocent)
            continue;
        printf("%s %u", r->label, (unsigned)v.score);
        for (size_t h = 0; h < v.hit_count; h++)
            printf(" %s", v.hits[h].id);
        printf("\n    %.*s\n    %.*s\n", (int)(r->request.target.len < 500 ? r->request.target.len : 500),
               r->request.target.ptr, (int)(r->request.body.len < 500 ? r->request.body.len : 500),
               r->request.body.ptr);
    }
}

/* --- time */

static double round_ours(const struct patterns *p, struct patterns_scratch *s, size_t passes)
{
    size_t done = 0;
    double start = bench_now();
    for (size_t pass = 0; pass < passes; pass++)
        for (size_t i = 0; i < record_count; i++)
            if (strcmp(records[i].label, "ordinary") == 0) {
                (void)check(p, &records[i], s);
                done++;
            }
    return (bench_now() - start) * 1e6 / (double)done;
}

static double round_theirs(struct crs *c)
{
    size_t done = 0;
    double start = bench_now();
    for (size_t i = 0; i < record_count; i++)
        if (strcmp(records[i].label, "ordinary") == 0) {
            (void)crs_blocks(c, method_of(&records[i]), &records[i].request);
            done++;
        }
    return (bench_now() - start) * 1e6 / (double)done;
}

static void compare(const struct patterns *p, struct patterns_scratch *s, struct crs *c)
{
    double ours[BENCH_ROUNDS], theirs[BENCH_ROUNDS];
    AUTO_WRITER json = writer_new(1024);
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        ours[i] = round_ours(p, s, 20);
        theirs[i] = round_theirs(c);
        fprintf(stderr, "round %zu: %.2f µs a request, ModSecurity with CRS %.0f µs\n", i + 1, ours[i], theirs[i]);
    }
    bench_result(&json, "patterns_time_vs_crs", bench_median(ours, BENCH_ROUNDS), bench_median(theirs, BENCH_ROUNDS),
                 "us/request");
    bench_print(&json);
}

int main(int argc, char **argv)
{
    AUTO(patterns_free) struct patterns *p = source_patterns();
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    char corpus[4096];
    bench_must(argc >= 2 ? OK : ERR_USAGE, "bench_patterns DIR [rates CORPUS | misses CORPUS HALF]");
    (void)snprintf(corpus, sizeof corpus, "%s/patterns.corpus", argv[1]);
    read_corpus(argc > 3 ? argv[3] : corpus);
    bench_must(patterns_scratch_new(p, NULL, &s), "scratch memory");
    if (argc > 4 && strcmp(argv[2], "misses") == 0)
        misses(p, s, argv[4][0] - '0');
    else if (argc > 3 && strcmp(argv[2], "rates") == 0)
        rates(p, s, crs_new(source_path("tests/bench/crs.conf")));
    else
        compare(p, s, crs_new(source_path("tests/bench/crs.conf")));
    return 0;
}
