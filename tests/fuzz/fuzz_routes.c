/* Requests to every route: everything is answered, and nothing with 500. Lines: the route's name, who asks and how (a
 * character), what stands in the address, the query; then the body. */
#include "api_desk.h"

/* Up to the line's end; what can't stand in a target is replaced. */
static struct view line(struct view *rest, char *out, size_t cap)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len, used = 0;
    for (size_t i = 0; i < n && used < cap; i++)
        out[used++] = rest->ptr[i] > ' ' && rest->ptr[i] < 127 ? (char)rest->ptr[i] : '_';
    *rest = end ? VIEW(end + 1, rest->len - n - 1) : VIEW(NULL, 0);
    return VIEW(out, used);
}

static const struct route *named(struct view name)
{
    for (size_t i = 0; i < desk.count; i++)
        if (view_is(name, desk.rows[i].name))
            return &desk.rows[i];
    return &desk.rows[(name.len ? name.ptr[0] : 0) % desk.count];
}

/* The template with each {name} replaced. */
static void put_path(struct writer *w, const char *template, struct view value)
{
    for (const char *p = template; *p; p++) {
        if (*p != '{') {
            writer_u8(w, (uint8_t)*p);
            continue;
        }
        writer_view(w, value.len ? value : VIEW_STR("0123456789abcdef"));
        p = strchr(p, '}');
    }
}

static void put_caller(struct writer *w, uint8_t who)
{
    static const char *const odd[] = {"Authorization: Basic YTpi", "Authorization: Bearer hfs_x",
                                      "Authorization: Bearer eyJ.e30.x", "Cookie: __Host-holdfast=x"};
    if (who % 8 < 3)
        writer_printf(w, "X-API-Key: %s\r\n", who % 8 < 2 ? desk.admin : desk.viewer);
    else if (who % 8 < 7)
        writer_printf(w, "%s\r\n", odd[who % 8 - 3]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char values[4][1024];
    AUTO_WRITER w = writer_new(1u << 20);
    struct view rest = VIEW(data, size);
    if (size < 2 || size > 65536)
        return 0;
    desk_open();
    const struct route *r = named(line(&rest, values[0], sizeof values[0]));
    struct view who = line(&rest, values[1], sizeof values[1]);
    struct view address = line(&rest, values[2], sizeof values[2]);
    struct view query = line(&rest, values[3], sizeof values[3]);
    uint8_t how = who.len ? who.ptr[0] : 0;
    enum http_method method = r->method == HTTP_ANY ? HTTP_PUT : r->method;
    if (how >= 'A' && how <= 'Z') /* capitals also choose another method */
        method = (enum http_method)(how % (HTTP_ANY - 1) + 1);
    writer_printf(&w, "%s ", http_method_name(method));
    put_path(&w, r->path, address);
    if (query.len) {
        writer_u8(&w, '?');
        writer_view(&w, query);
    }
    writer_str(&w, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Holdfast-Reason: fuzz\r\n");
    put_caller(&w, how);
    if (rest.len)
        writer_printf(&w, "Content-Type: application/json\r\nContent-Length: %zu\r\n", rest.len);
    writer_str(&w, "\r\n");
    writer_view(&w, rest);
    if (writer_done(&w) != OK)
        abort();
    desk_ask(writer_view_of(&w));
    return 0;
}
