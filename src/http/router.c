/* The templates as a tree of segments. A look-up visits a node at most once for each path: literal children first, then
 * {name}, then {name...}. The first place where the whole path fits decides, also about the methods: a less specific
 * template never answers for a more specific one. */
#include "http/route.h"

struct end {
    const struct route *rows[HTTP_METHOD_COUNT];
    bool any;
};

struct node {
    struct view text; /* of a literal; borrowed from the template */
    struct node *next, *literals, *param;
    struct end here, rest; /* rows that end at this node; rows that end with {name...} below it */
};

struct router {
    struct node root;
    const struct route **rows; /* in table order, NULL behind the last */
    size_t count;
};

static const char *const METHODS[HTTP_METHOD_COUNT] = {"",      "GET",    "HEAD", "POST",    "PUT",
                                                       "PATCH", "DELETE", "LIST", "OPTIONS", ""};

const char *http_method_name(enum http_method m)
{
    return (unsigned)m < HTTP_METHOD_COUNT ? METHODS[m] : "";
}

enum http_method http_method_of(struct view name)
{
    for (int m = HTTP_GET; m < HTTP_ANY; m++)
        if (view_is(name, METHODS[m]))
            return (enum http_method)m;
    return HTTP_NO_METHOD;
}

/* --- building */

static enum err refuse(struct problem *why, const struct route *row, const char *detail)
{
    return problem_set(why, ERR_BAD_CONFIG, row->path ? row->path : "", "route %s %s: %s",
                       http_method_name(row->method), row->name ? row->name : "(no name)", detail);
}

static bool is_name(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return v.len > 0;
}

/* Takes the next segment off a path that stands behind a '/'. */
static struct view next_segment(struct view *left)
{
    const uint8_t *slash = left->len ? memchr(left->ptr, '/', left->len) : NULL;
    size_t n = slash ? (size_t)(slash - left->ptr) : left->len;
    struct view segment = VIEW(left->ptr, n);
    *left = slash ? VIEW(slash + 1, left->len - n - 1) : VIEW(NULL, 0);
    return segment;
}

enum segment_kind { SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST, SEGMENT_BAD };

static enum segment_kind segment_kind(struct view segment, struct view *ret_name)
{
    bool open = segment.len && segment.ptr[0] == '{';
    if (!open)
        return memchr(segment.len ? segment.ptr : (const uint8_t *)"", '}', segment.len) ? SEGMENT_BAD
                                                                                         : SEGMENT_LITERAL;
    if (segment.ptr[segment.len - 1] != '}')
        return SEGMENT_BAD;
    struct view name = VIEW(segment.ptr + 1, segment.len - 2);
    bool rest = name.len > 3 && !memcmp(name.ptr + name.len - 3, "...", 3);
    if (rest)
        name.len -= 3;
    *ret_name = name;
    if (!is_name(name))
        return SEGMENT_BAD;
    return rest ? SEGMENT_REST : SEGMENT_PARAM;
}

static struct node *literal_child(struct node *n, struct view text)
{
    for (struct node *c = n->literals; c; c = c->next)
        if (view_eq(c->text, text))
            return c;
    struct node *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->text = text;
    c->next = n->literals;
    n->literals = c;
    return c;
}

static struct node *param_child(struct node *n)
{
    if (!n->param)
        n->param = calloc(1, sizeof *n->param);
    return n->param;
}

static RESULT place(struct end *end, const struct route *row, struct problem *why)
{
    if (end->rows[row->method])
        return refuse(why, row, "another row takes the same requests");
    end->rows[row->method] = row;
    end->any = true;
    return OK;
}

static RESULT add(struct router *r, const struct route *row, struct problem *why)
{
    struct view left = view_str(row->path + 1), name;
    struct node *n = &r->root;
    size_t params = 0, segments = 0;
    bool more = true;
    while (more) {
        const uint8_t *before = left.ptr;
        struct view segment = next_segment(&left);
        more = before && left.ptr;
        enum segment_kind kind = segment_kind(segment, &name);
        params += kind != SEGMENT_LITERAL;
        if (kind == SEGMENT_BAD || params > ROUTE_PARAMS_MAX || ++segments > ROUTE_SEGMENTS_MAX)
            return refuse(why, row, "malformed path template");
        if (kind == SEGMENT_REST)
            return more ? refuse(why, row, "{name...} must come last") : place(&n->rest, row, why);
        n = kind == SEGMENT_PARAM ? param_child(n) : literal_child(n, segment);
        if (!n)
            return problem_set(why, ERR_NO_MEMORY, "", "routes");
    }
    return place(&n->here, row, why);
}

static RESULT check_row(const struct router *r, const struct route *row, struct problem *why)
{
    if (row->permission == 0)
        return refuse(why, row, "no permission");
    if (!row->handler || !row->name)
        return refuse(why, row, "no handler or no name");
    if (row->method <= HTTP_NO_METHOD || row->method >= HTTP_METHOD_COUNT || row->method == HTTP_HEAD)
        return refuse(why, row, "no method of its own (HEAD belongs to GET)");
    if (!row->path || row->path[0] != '/')
        return refuse(why, row, "the path does not begin with '/'");
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->rows[i]->name, row->name))
            return refuse(why, row, "the name is taken");
    return OK;
}

RESULT router_new(const struct route_table *tables, size_t count, struct router **ret, struct problem *why)
{
    size_t rows = 0;
    for (size_t t = 0; t < count; t++)
        rows += tables[t].count;
    AUTO(router_free) struct router *r = calloc(1, sizeof *r);
    if (!r || !(r->rows = calloc(rows + 1, sizeof(*r->rows))))
        return problem_set(why, ERR_NO_MEMORY, "", "routes");
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            TRY(check_row(r, &tables[t].rows[i], why));
            TRY(add(r, &tables[t].rows[i], why));
            r->rows[r->count++] = &tables[t].rows[i];
        }
    *ret = TAKE(r);
    return OK;
}

/* As deep as the longest template, which is bounded. */
static void node_free(struct node *n)
{
    while (n) {
        struct node *next = n->next;
        node_free(n->literals);
        node_free(n->param);
        free(n);
        n = next;
    }
}

void router_free(struct router *r)
{
    if (!r)
        return;
    node_free(r->root.literals);
    node_free(r->root.param);
    free(r->rows);
    free(r);
}

const struct route *router_row(const struct router *r, size_t index)
{
    return index < r->count ? r->rows[index] : NULL;
}

/* --- looking up */

static const struct end *find(const struct node *n, struct view left)
{
    struct view whole = left;
    struct view segment = next_segment(&left);
    bool last = left.ptr == NULL;
    for (const struct node *c = n->literals; c; c = c->next)
        if (view_eq(c->text, segment)) {
            const struct end *e = last ? (c->here.any ? &c->here : NULL) : find(c, left);
            if (e)
                return e;
            break;
        }
    if (n->param && segment.len) {
        const struct end *e = last ? (n->param->here.any ? &n->param->here : NULL) : find(n->param, left);
        if (e)
            return e;
    }
    return n->rest.any && whole.len && segment.len ? &n->rest : NULL;
}

/* The parameters' values, by the names of the row that was found: rows of one place may name them differently. */
static void bind(const struct route *row, struct view path, struct route_match *ret)
{
    struct view pattern = VIEW(row->path + 1, strlen(row->path) - 1), left = VIEW(path.ptr + 1, path.len - 1);
    while (pattern.ptr && ret->params < ROUTE_PARAMS_MAX) {
        struct view rest = left, name, segment = next_segment(&pattern);
        struct view value = next_segment(&left);
        enum segment_kind kind = segment_kind(segment, &name);
        if (kind == SEGMENT_LITERAL)
            continue;
        ret->names[ret->params] = name;
        ret->values[ret->params++] = kind == SEGMENT_REST ? rest : value;
        if (kind == SEGMENT_REST)
            return;
    }
}

RESULT router_match(const struct router *r, enum http_method method, struct view path, struct route_match *ret)
{
    memset(ret, 0, sizeof *ret);
    if (path.len == 0 || path.ptr[0] != '/')
        return ERR_NO_ROUTE;
    const struct end *end = find(&r->root, VIEW(path.ptr + 1, path.len - 1));
    if (!end)
        return ERR_NO_ROUTE;
    for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++)
        if (end->rows[m])
            ret->allowed |= 1u << m;
    if (end->rows[HTTP_GET])
        ret->allowed |= 1u << HTTP_HEAD;
    ret->allowed |= 1u << HTTP_OPTIONS;
    const struct route *row = end->rows[method];
    if (method == HTTP_HEAD)
        row = end->rows[HTTP_GET];
    if (!row)
        row = end->rows[HTTP_ANY];
    if (!row)
        return ERR_METHOD_NOT_ALLOWED;
    bind(row, path, ret);
    ret->route = row;
    return OK;
}
