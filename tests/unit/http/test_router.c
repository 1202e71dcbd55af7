/* Routes, targets and heads without a socket, and the OpenAPI document. */
#include "rig.h"

#include "http/head.h"
#include "http/openapi.h"
#include "http/target.h"

static enum http_outcome nothing(struct http_request *req)
{
    return http_answer_empty(req, 204);
}

struct item {
    struct view name, kind;
    uint32_t limit;
    bool deep;
};

static const char *const KINDS[] = {"one", "two", NULL};
static const struct field ITEM_FIELDS[] = {
    {1, "name", FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct item, name), 1, 40, .doc = "What it is called."},
    {2, "kind", FIELD_TEXT, 0, MEMBER(struct item, kind), .names = KINDS, .doc = "Of what kind."},
    {3, "limit", FIELD_U32, 0, MEMBER(struct item, limit), 1, 100, .doc = "At most so many."},
    {4, "deep", FIELD_BOOL, 0, MEMBER(struct item, deep), .doc = "Also below."},
};
static const struct entity ITEM = {"Item", 9001, 1, sizeof(struct item), ITEM_FIELDS, ARRAY_LEN(ITEM_FIELDS)};

static enum http_outcome query(struct http_request *req)
{
    struct item item = {0};
    struct problem why = {0};
    if (http_request_query(req, &item, &why) != OK)
        return http_answer_problem(req, &why);
    return http_answer_entity(req, 200, &ITEM, &item);
}

static enum http_outcome post(struct http_request *req)
{
    struct item item = {0};
    struct problem why = {0};
    if (http_request_entity(req, &item, &why) != OK)
        return http_answer_problem(req, &why);
    return http_answer_entity(req, 201, &ITEM, &item);
}

static enum http_outcome cookie(struct http_request *req)
{
    struct view v;
    return http_answer_empty(req, http_cookie(req, "a", &v) && view_is(v, "b") ? 204 : 205);
}

static const struct route ROUTES[] = {
    ROUTE(HTTP_GET, "/v1/items", P_READ, query, .name = "item-list", .summary = "Lists items.", .tag = "items",
          .ways = WAY_API_KEY | WAY_SESSION, .query = &ITEM, .response = &ITEM),
    ROUTE(HTTP_POST, "/v1/items", P_READ, post, .name = "item-make", .request = &ITEM, .response = &ITEM,
          .status = 201),
    ROUTE(HTTP_GET, "/v1/items/{path...}", P_READ, nothing, .name = "item-get"),
    ROUTE(HTTP_POST, "/v1/items/rotate", P_READ, nothing, .name = "item-rotate"),
    ROUTE(HTTP_GET, "/v1/{kind}/x/{id}", P_READ, nothing, .name = "any-x"),
    ROUTE(HTTP_DELETE, "/v1/{what}/x/{which}", P_READ, nothing, .name = "any-x-delete"),
    ROUTE(HTTP_LIST, "/v1/meta/", P_READ, nothing, .name = "meta-root"),
    ROUTE(HTTP_LIST, "/v1/meta/{path...}", P_READ, nothing, .name = "meta-list"),
    ROUTE(HTTP_GET, "/", P_PUBLIC, nothing, .name = "root", .flags = ROUTE_PAGE, .media = "text/html"),
    ROUTE(HTTP_ANY, "/any/{path...}", P_PUBLIC, nothing, .name = "any", .flags = ROUTE_HIDDEN),
    ROUTE(HTTP_PUT, "/any/{path...}", P_PUBLIC, nothing, .name = "any-put"),
    ROUTE(HTTP_GET, "/cookie", P_PUBLIC, cookie, .name = "cookie", .flags = ROUTE_HIDDEN),
};

static struct router *make_router(void)
{
    struct router *r = NULL;
    struct route_table t = {ROUTES, ARRAY_LEN(ROUTES)};
    struct problem why = {0};
    assert_int_equal(router_new(&t, 1, &r, &why), OK);
    return r;
}

static void most_specific_wins(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        enum err want;
        const char *name, *param;
    } CASES[] = {
        {HTTP_GET, "/v1/items", OK, "item-list", NULL},
        {HTTP_HEAD, "/v1/items", OK, "item-list", NULL},
        {HTTP_GET, "/v1/items/a", OK, "item-get", "a"},
        {HTTP_GET, "/v1/items/a/b/", OK, "item-get", "a/b/"},
        {HTTP_POST, "/v1/items/rotate", OK, "item-rotate", NULL},
        /* the more specific address answers for itself, whatever the method */
        {HTTP_GET, "/v1/items/rotate", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
        {HTTP_GET, "/v1/items/rotate/", OK, "item-get", "rotate/"},
        {HTTP_GET, "/v1/items/", ERR_NO_ROUTE, NULL, NULL},
        {HTTP_GET, "/v1/things/x/7", OK, "any-x", "things"},
        {HTTP_DELETE, "/v1/things/x/7", OK, "any-x-delete", "things"},
        {HTTP_GET, "/v1/things/y/7", ERR_NO_ROUTE, NULL, NULL},
        {HTTP_GET, "/v1/things/x", ERR_NO_ROUTE, NULL, NULL},
        {HTTP_GET, "/v1/items/x/7", OK, "item-get", "x/7"},
        {HTTP_LIST, "/v1/meta/", OK, "meta-root", NULL},
        {HTTP_LIST, "/v1/meta/a/", OK, "meta-list", "a/"},
        {HTTP_LIST, "/v1/meta", ERR_NO_ROUTE, NULL, NULL},
        {HTTP_GET, "/", OK, "root", NULL},
        {HTTP_GET, "/v1", ERR_NO_ROUTE, NULL, NULL},
        {HTTP_GET, "/V1/items", ERR_NO_ROUTE, NULL, NULL},
        {HTTP_NO_METHOD, "/v1/items", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
        {HTTP_NO_METHOD, "/any/a/b", OK, "any", "a/b"},
        {HTTP_HEAD, "/any/a", OK, "any", "a"},
        {HTTP_OPTIONS, "/any/a", OK, "any", "a"},
        {HTTP_PUT, "/any/a", OK, "any-put", "a"},
        {HTTP_GET, "*", ERR_NO_ROUTE, NULL, NULL},
    };
    AUTO(router_free) struct router *r = make_router();
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct route_match m;
        enum err e = router_match(r, CASES[i].method, view_str(CASES[i].path), &m);
        if (e != CASES[i].want)
            fail_msg("%s: %s", CASES[i].path, err_code(e));
        if (CASES[i].name)
            assert_string_equal(m.route->name, CASES[i].name);
        if (CASES[i].param)
            assert_true(m.params >= 1 && view_is(m.values[0], CASES[i].param));
    }
    struct route_match m;
    assert_int_equal(router_match(r, HTTP_PUT, VIEW_STR("/v1/items"), &m), ERR_METHOD_NOT_ALLOWED);
    assert_int_equal(m.allowed, 1u << HTTP_GET | 1u << HTTP_HEAD | 1u << HTTP_POST | 1u << HTTP_OPTIONS);
    assert_int_equal(http_method_of(VIEW_STR("ANY")), HTTP_NO_METHOD);
    assert_int_equal(http_method_of(VIEW_STR("")), HTTP_NO_METHOD);
    assert_int_equal(router_match(r, HTTP_DELETE, VIEW_STR("/v1/things/x/7"), &m), OK);
    assert_true(m.params == 2 && view_is(m.names[1], "which") && view_is(m.values[1], "7"));
}

static void bad_tables_are_refused(void **state)
{
    static const struct route BAD[][2] = {
        {{.method = HTTP_GET, .path = "/a", .handler = nothing, .name = "a"}}, /* permission 0 */
        {ROUTE(HTTP_GET, "/a", P_READ, NULL, .name = "a")},
        {ROUTE(HTTP_GET, "/a", P_READ, nothing, .summary = "no name")},
        {ROUTE(HTTP_GET, "a", P_READ, nothing, .name = "a")},
        {ROUTE(HTTP_HEAD, "/a", P_READ, nothing, .name = "a")},
        {ROUTE(HTTP_GET, "/{a...}/b", P_READ, nothing, .name = "a")},
        {ROUTE(HTTP_GET, "/{a", P_READ, nothing, .name = "a")},
        {ROUTE(HTTP_GET, "/{}", P_READ, nothing, .name = "a")},
        {ROUTE(HTTP_GET, "/a}", P_READ, nothing, .name = "a")},
        {ROUTE(HTTP_GET, "/a", P_READ, nothing, .name = "a"), ROUTE(HTTP_GET, "/a", P_READ, nothing, .name = "b")},
        {ROUTE(HTTP_GET, "/{a}", P_READ, nothing, .name = "a"), ROUTE(HTTP_GET, "/{b}", P_READ, nothing, .name = "b")},
        {ROUTE(HTTP_GET, "/a", P_READ, nothing, .name = "a"), ROUTE(HTTP_GET, "/b", P_READ, nothing, .name = "a")},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct router *r = NULL;
        struct problem why = {0};
        struct route_table t = {BAD[i], BAD[i][1].method ? 2 : 1};
        if (router_new(&t, 1, &r, &why) != ERR_BAD_CONFIG)
            fail_msg("table %zu", i);
        assert_true(r == NULL && why.detail[0]);
    }
}

static void entities_in_query_and_body(void **state)
{
    static const struct {
        const char *request;
        int status;
        const char *body;
    } CASES[] = {
        {"GET /v1/items?name=a&kind=two&limit=7&deep=true", 200, "\"limit\":7"},
        {"GET /v1/items?name=%C3%A4", 200, "\xc3\xa4"},
        {"GET /v1/items", 400, "missing-field"},
        {"GET /v1/items?name=a&nam=b", 400, "\"where\":\"?nam\""},
        {"GET /v1/items?name=a&name=b", 400, "duplicate-field"},
        {"GET /v1/items?name=a&limit=x", 400, "wrong-type"},
        {"GET /v1/items?name=a&limit=-1", 400, "wrong-type"},
        {"GET /v1/items?name=a&limit=07", 400, "wrong-type"},
        {"GET /v1/items?name=a&limit=101", 400, "\"where\":\"?limit\""},
        {"GET /v1/items?name=a&deep=1", 400, "wrong-type"},
        {"GET /v1/items?name=a&kind=three", 400, "\"where\":\"?kind\""},
    };
    struct rig r;
    struct reply p;
    char text[512];
    (void)state;
    AUTO(router_free) struct router *router = make_router();
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    http_server_free(r.server);
    struct http_listener l = {r.listener, HTTP_LISTEN_PLAINTEXT};
    struct http_config config = {.listeners = &l, .listener_count = 1, .router = router, .plaintext_allowed = true};
    assert_int_equal(http_server_new(&config, &r.server, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int n = snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CASES[i].request);
        rig_once(&r, text, (size_t)n, &p);
        if (p.status != CASES[i].status || !strstr(p.body, CASES[i].body))
            fail_msg("%s: %d %s", CASES[i].request, p.status, p.body);
    }
    ONCE(&r,
         "POST /v1/items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
         "12\r\n\r\n{\"name\":\"a\"}",
         &p);
    assert_int_equal(p.status, 201);
    ONCE(&r,
         "POST /v1/items HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}",
         &p);
    assert_int_equal(p.status, 415);
    ONCE(&r,
         "POST /v1/items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
         "11\r\n\r\n{\"name\":\"\"}",
         &p);
    assert_int_equal(p.status, 400);
    assert_non_null(strstr(p.body, "\"pointer\":\"/name\""));
    ONCE(&r, "GET /cookie HTTP/1.1\r\nHost: a\r\nCookie: x=y; a=b; c=d\r\n\r\n", &p);
    assert_int_equal(p.status, 204);
    ONCE(&r, "GET /cookie HTTP/1.1\r\nHost: a\r\nCookie: a=b; a=c\r\n\r\n", &p);
    assert_int_equal(p.status, 205);
    rig_close(&r);
}

static const char *permission_name(uint16_t p)
{
    return p == P_PUBLIC ? "public" : "items:read";
}

static json_t *at(json_t *j, const char *a, const char *b, const char *c)
{
    json_t *v = json_object_get(json_object_get(json_object_get(j, a), b), c);
    if (!v)
        fail_msg("no %s %s %s", a, b, c);
    return v;
}

static void openapi_says_what_is_served(void **state)
{
    AUTO(router_free) struct router *r = make_router();
    AUTO_WRITER w = writer_new(1 << 20);
    struct openapi_info info = {.title = "T", .version = "1", .permission_name = permission_name};
    json_t *j = NULL;
    (void)state;
    assert_int_equal(openapi_write(&info, r, &w), OK);
    struct problem why = {0};
    if (json_read(writer_view_of(&w), &j, &why) != OK)
        fail_msg("%s %s\n%.*s", why.where, why.detail, (int)w.len, (const char *)w.ptr);
    assert_string_equal(json_string_value(json_object_get(j, "openapi")), "3.1.0");
    json_t *list = at(j, "paths", "/v1/items", "get");
    assert_string_equal(json_string_value(json_object_get(list, "operationId")), "item-list");
    assert_string_equal(json_string_value(json_object_get(list, "x-permission")), "items:read");
    assert_int_equal(json_array_size(json_object_get(list, "parameters")), 4);
    assert_true(json_is_true(json_object_get(json_array_get(json_object_get(list, "parameters"), 0), "required")));
    assert_int_equal(json_array_size(json_object_get(list, "security")), 2);
    assert_non_null(json_object_get(at(j, "paths", "/v1/items", "post"), "requestBody"));
    at(json_object_get(at(j, "paths", "/v1/items", "post"), "responses"), "201", "content", "application/json");
    json_t *get = at(j, "paths", "/v1/items/{path}", "get");
    assert_int_equal(json_array_size(json_object_get(get, "parameters")), 1);
    at(j, "components", "schemas", "Item");
    at(j, "components", "schemas", "Problem");
    at(j, "components", "responses", "Problem");
    assert_int_equal(json_array_size(json_object_get(at(j, "components", "schemas", "ErrorCode"), "enum")),
                     ERR_COUNT - 1);
    assert_null(json_object_get(json_object_get(j, "paths"), "/cookie"));
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_specific_wins),
        cmocka_unit_test(bad_tables_are_refused),
        cmocka_unit_test(entities_in_query_and_body),
        cmocka_unit_test(openapi_says_what_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
