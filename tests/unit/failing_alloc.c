#include "failing_alloc.h"

static bool on;
static size_t first, seen, failed;
static enum failing_alloc_how mode;

void failing_alloc_begin(size_t nth, enum failing_alloc_how how)
{
    first = nth;
    mode = how;
    seen = failed = 0;
    on = true;
}

size_t failing_alloc_end(void)
{
    on = false;
    return failed;
}

bool failing_alloc_now(void)
{
    if (!on)
        return false;
    seen++;
    bool fails = mode == FAILING_ONE ? seen == first : seen >= first;
    failed += fails;
    return fails;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

void *__wrap_malloc(size_t n)
{
    return failing_alloc_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return failing_alloc_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return failing_alloc_now() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return failing_alloc_now() ? NULL : __real_aligned_alloc(alignment, n);
}
