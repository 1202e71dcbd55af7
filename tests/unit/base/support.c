#include "support.h"

struct view support_file(const char *path)
{
    const char *source = getenv("HOLDFAST_SOURCE");
    char full[1024];

    if (!source)
        fail_msg("HOLDFAST_SOURCE does not name the source folder");
    (void)snprintf(full, sizeof full, "%s/%s", source, path);
    FILE *f = fopen(full, "rb");

    if (!f)
        fail_msg("%s can't be read", full);
    (void)fseek(f, 0, SEEK_END);
    long size = ftell(f);

    (void)fseek(f, 0, SEEK_SET);
    assert_true(size >= 0);
    uint8_t *bytes = malloc((size_t)size + 1);

    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), size);
    (void)fclose(f);
    return VIEW(bytes, (size_t)size);
}

uint64_t support_next(struct support_rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * UINT64_C(2685821657736338717);
}

uint64_t support_below(struct support_rng *r, uint64_t n)
{
    return (support_next(r) >> 16) % n;
}

void support_expect(const struct writer *w, const char *text)
{
    if (!view_is(writer_view_of(w), text))
        fail_msg("got \"%.*s\", wanted \"%s\"", (int)w->len, w->ptr ? (const char *)w->ptr : "", text);
}
