#include "domain/guard/endpoints.h"

#include <stdlib.h>

struct endpoints {
    size_t count;
    const struct config_guard_endpoint *rows[]; /* by path; those of one path side by side */
};

static int compare(struct view a, struct view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_path(const void *a, const void *b)
{
    const struct config_guard_endpoint *const *x = a, *const *y = b;
    return compare((*x)->path, (*y)->path);
}

RESULT endpoints_new(const struct config_guard *config, struct endpoints **ret)
{
    const struct config_guard_endpoint *rows = config->endpoints.items;
    size_t n = config->endpoints.count;
    struct endpoints *e = malloc(sizeof *e + n * sizeof(e->rows[0]));
    if (!e)
        return ERR_NO_MEMORY;
    e->count = n;
    for (size_t i = 0; i < n; i++)
        e->rows[i] = &rows[i];
    if (n)
        qsort(e->rows, n, sizeof(e->rows[0]), by_path);
    *ret = e;
    return OK;
}

void endpoints_free(struct endpoints *e)
{
    free(e);
}

/* The first row of this path, or the count. */
static size_t first_of(const struct endpoints *e, struct view path)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(e->rows[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->count && view_eq(e->rows[low]->path, path) ? low : e->count;
}

/* The path without its last segment; "/" is above all others, and nothing is above it. */
static struct view above(struct view path)
{
    size_t n = path.len;
    if (n <= 1)
        return (struct view){0};
    while (path.ptr[n - 1] != '/')
        n--;
    return VIEW(path.ptr, n > 1 ? n - 1 : 1);
}

static bool takes(const struct config_guard_endpoint *row, struct view method)
{
    for (size_t i = 0; i < row->methods.count; i++)
        if (view_eq(row->methods.items[i], method))
            return true;
    return row->methods.count == 0;
}

RESULT endpoints_find(const struct endpoints *e, struct view method, struct view path,
                      const struct config_guard_endpoint **ret)
{
    size_t at = e->count;
    if (path.len == 0 || path.ptr[0] != '/')
        return ERR_NO_RULE;
    if (view_is(method, "HEAD"))
        method = VIEW_STR("GET");
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    for (; path.len && at == e->count; path = above(path))
        at = first_of(e, path);
    if (at == e->count)
        return ERR_NO_RULE;
    for (struct view found = e->rows[at]->path; at < e->count && view_eq(e->rows[at]->path, found); at++) {
        if (!takes(e->rows[at], method))
            continue;
        *ret = e->rows[at];
        return OK;
    }
    return ERR_METHOD_NOT_NAMED;
}
