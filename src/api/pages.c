/* Two pages for people with browsers: /login, and /account for their second factors. They are files and use the API
 * like anybody else; what they may load is said in the headers of a ROUTE_PAGE (http/library.c). Also served while
 * sealed: then what they ask for says so. */
#include "api/pages.h"

#include "api/context.h"
#include "api/routes.h"

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
};

static const char *type_of(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        size_t n = strlen(types[i].ending);
        if (len > n && strcmp(name + len - n, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static enum http_outcome serve(struct http_request *req, struct view name)
{
    for (size_t i = 0; i < page_files_count; i++)
        if (view_is(name, page_files[i].name))
            return http_answer_static(req, 200, type_of(page_files[i].name), page_files[i].bytes);
    return http_answer_error(req, ERR_NO_ROUTE);
}

static enum http_outcome login_get(struct http_request *req)
{
    return serve(req, VIEW_STR("login.html"));
}

static enum http_outcome account_get(struct http_request *req)
{
    return serve(req, VIEW_STR("account.html"));
}

static enum http_outcome file_get(struct http_request *req)
{
    struct view name = {0};
    return http_param(req, "file", &name) ? serve(req, name) : http_answer_error(req, ERR_NO_ROUTE);
}

static enum http_outcome root_get(struct http_request *req)
{
    (void)!http_answer_header(req, "Location", "/login");
    return http_answer_empty(req, 303);
}

#define PAGE(path_, handler_, name_)                                                                                   \
    ROUTE(HTTP_GET, path_, PERMISSION_PUBLIC, handler_, .name = (name_), .summary = "For browsers", .tag = "pages",    \
          .flags = ROUTE_PAGE | ROUTE_HIDDEN | ROUTE_WHEN_SEALED, .durability = DURABLE_NONE, .media = "text/html")

static const struct route routes[] = {
    PAGE("/", root_get, "page-root"),
    PAGE("/login", login_get, "page-login"),
    PAGE("/account", account_get, "page-account"),
    PAGE("/page/{file}", file_get, "page-file"),
};
const struct route_table pages_routes = {routes, ARRAY_LEN(routes)};
