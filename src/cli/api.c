#include "cli/api.h"

#include "base/text.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/mfa.h"
#include "ipc/file.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#define CONNECT_SECONDS 10L
#define TOTAL_SECONDS   120L
#define TOKEN_MAX       4096
#define HTTPS           "https://"
#define UNIX            "unix:"

struct api {
    CURL *curl;
    struct writer body;
    const char *address;
};

void api_free(struct api *a)
{
    if (!a)
        return;
    curl_easy_cleanup(a->curl);
    writer_free(&a->body);
    free(a);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct api *a = context;

    writer_bytes(&a->body, data, size * count);
    return writer_done(&a->body) == OK ? size * count : 0;
}

/* --- where and who */

RESULT api_address(struct cli *c, const char **ret)
{
    const char *address = args_text(&c->args, "address");
    struct profile *p;

    if (!address)
        address = getenv("HOLDFAST_ADDR");
    if (!address || !*address) {
        TRY(profile_of(c, &p));
        address = p->address.len ? arena_str(c->arena, p->address) : PROFILE_ADDRESS_DEFAULT;
    }
    if (!address)
        return ERR_NO_MEMORY;
    if (strncmp(address, HTTPS, strlen(HTTPS)) != 0 && strncmp(address, UNIX "/", strlen(UNIX) + 1) != 0)
        return cli_fail(c, ERR_USAGE, "--address",
                        "an address is https://host:port or unix:/path/of/the.sock, not '%s'", address);
    *ret = address;
    return OK;
}

RESULT api_token(struct cli *c, struct secret **ret)
{
    const char *file = args_text(&c->args, "token-file"), *text = getenv("HOLDFAST_TOKEN"), *address = "";
    AUTO_WRITER session = writer_new(TOKEN_MAX);
    struct profile *p;
    struct view v;

    *ret = NULL;
    if (file)
        return ask_secret(c, "token-file", "Token", ret);
    if (text && *text)
        return secret_from(view_str(text), ret);
    TRY(profile_of(c, &p));
    TRY(api_address(c, &address));
    if (!view_is(p->address, address) && strncmp(address, UNIX, strlen(UNIX)) != 0)
        return OK; /* the session is the pinned server's: no other one gets to see it */
    TRY(profile_path(c, "session", &file));
    if (file_read(file, TOKEN_MAX, &session, NULL) != OK)
        return OK;
    v = writer_view_of(&session);
    while (v.len && v.ptr[v.len - 1] <= ' ')
        v.len--;
    return v.len ? secret_from(v, ret) : OK;
}

/* --- the connection */

static RESULT trust(struct cli *c, CURL *curl)
{
    const char *file = args_text(&c->args, "cacert");

    if (!file)
        file = getenv("HOLDFAST_CACERT");
    if (file && *file && access(file, R_OK) < 0)
        return cli_fail(c, ERR_NOT_FOUND, "--cacert", "reading %s: %s", file, strerrordesc_np(errno));
    if (!file || !*file) {
        TRY(profile_path(c, "ca.pem", &file));
        if (access(file, R_OK) < 0)
            return OK; /* the system's authorities, then */
    }
    if (curl_easy_setopt(curl, CURLOPT_CAINFO, file) != CURLE_OK)
        return ERR_NO_MEMORY;
    (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    return OK;
}

static RESULT set_common(struct cli *c, struct api *a)
{
    CURL *h = a->curl;
    bool local = strncmp(a->address, UNIX, strlen(UNIX)) == 0;

    (void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(h, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    (void)curl_easy_setopt(h, CURLOPT_TIMEOUT, TOTAL_SECONDS);
    (void)curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    (void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, local ? "http" : "https");
    (void)curl_easy_setopt(h, CURLOPT_USERAGENT, "holdfast-cli/" HOLDFAST_VERSION);
    (void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
    if (local && curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, a->address + strlen(UNIX)) != CURLE_OK)
        return ERR_NO_MEMORY;
    return local ? OK : trust(c, h);
}

static RESULT connect_once(struct cli *c)
{
    struct api *a;

    if (c->api)
        return OK;
    a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NO_MEMORY;
    c->api = a;
    a->body = writer_new(API_ANSWER_MAX);
    TRY(api_address(c, &a->address));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(a->curl = curl_easy_init()))
        return cli_fail(c, ERR_INTERNAL, "", "libcurl can't be set up");
    return set_common(c, a);
}

static RESULT url_of(struct cli *c, const char *path, const char **ret)
{
    const char *base = c->api->address;
    size_t len = strlen(base);

    if (strncmp(base, UNIX, strlen(UNIX)) == 0) {
        base = "http://localhost";
        len = strlen(base);
    }
    while (len && base[len - 1] == '/')
        len--;
    *ret = cli_text(c, "%.*s%s", (int)len, base, path);
    return *ret ? OK : cli_fail(c, ERR_TOO_LONG, "", "the request's address is too long");
}

/* --- what can go wrong on the way */

static RESULT failed(struct cli *c, CURLcode code, bool changes)
{
    const char *address = c->api->address, *text = curl_easy_strerror(code);

    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return cli_fail(
            c, ERR_PIN_MISMATCH, address,
            "the certificate of %s is not one that this profile trusts. Nothing was sent. Name its authority "
            "with --cacert, or run 'holdfast login' to see it and pin it",
            address);
    case CURLE_SSL_CACERT_BADFILE:
        return cli_fail(c, ERR_BAD_VALUE, "--cacert", "there is no certificate in the file for it (PEM is needed)");
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return cli_unreachable(c, address,
                               "nothing answers at %s (%s); is the server running, and is this its "
                               "address? --address or HOLDFAST_ADDR name another",
                               address, text);
    case CURLE_OPERATION_TIMEDOUT:
        return cli_fail(c, changes ? ERR_OUTCOME_UNKNOWN : ERR_TIMEOUT, address, "%s did not answer in time", address);
    case CURLE_WRITE_ERROR:
        return cli_fail(c, ERR_TOO_LONG, address, "the answer is larger than %zu MiB", API_ANSWER_MAX >> 20);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return cli_fail(c, ERR_USAGE, "--address", "%s is not an address that can be reached (%s)", address, text);
    default:
        return cli_fail(c, changes ? ERR_OUTCOME_UNKNOWN : ERR_UNAVAILABLE, address, "talking to %s: %s", address,
                        text);
    }
}

enum err api_code(const char *name)
{
    for (int e = OK + 1; name && e < ERR_COUNT; e++)
        if (strcmp(err_code((enum err)e), name) == 0)
            return (enum err)e;
    return ERR_INTERNAL;
}

static void copy_member(const json_t *problem, const char *name, char *out, size_t cap)
{
    const char *text = json_string_value(json_object_get(problem, name));

    (void)snprintf(out, cap, "%s", text ? text : "");
}

/* RFC 9457. */
RESULT api_problem(struct cli *c, const struct api_answer *answer)
{
    AUTO(json_decref) json_t *json = NULL;
    const char *code;

    if (json_read(answer->body, &json, NULL) != OK || !(code = json_string_value(json_object_get(json, "code"))))
        return cli_fail(c, answer->status >= 500 ? ERR_UNAVAILABLE : ERR_BAD_REQUEST, c->api->address,
                        "the server answered %ld without saying why; is it a Holdfast server?", answer->status);
    c->why.code = api_code(code);
    copy_member(json, "detail", c->why.detail, sizeof c->why.detail);
    copy_member(json, "title", c->title, sizeof c->title);
    copy_member(json, "requestId", c->request_id, sizeof c->request_id);
    copy_member(json, json_object_get(json, "pointer") ? "pointer" : "where", c->why.where, sizeof c->why.where);
    if (c->why.code == ERR_UNAUTHENTICATED && !c->why.detail[0])
        (void)snprintf(c->why.detail, sizeof c->why.detail,
                       "run 'holdfast login', or put an API key into HOLDFAST_TOKEN");
    return c->why.code;
}

/* --- one request */

static struct curl_slist *add_header(struct curl_slist *list, const char *name, struct view value)
{
    AUTO_WRITER w = writer_new(8192);
    struct curl_slist *grown;

    writer_printf(&w, "%s: ", name);
    writer_view(&w, value);
    writer_u8(&w, 0);
    grown = writer_done(&w) == OK ? curl_slist_append(list, (const char *)w.ptr) : NULL;
    if (!grown)
        curl_slist_free_all(list);
    return grown;
}

/* Empty if none was given. */
static RESULT reason_of(struct cli *c, struct view *ret)
{
    const char *option = args_text(&c->args, "reason"), *variable = getenv("HOLDFAST_REASON");
    struct view v = view_str(option ? option : variable ? variable : "");

    while (v.len && (v.ptr[0] == ' ' || v.ptr[0] == '\t'))
        v = VIEW(v.ptr + 1, v.len - 1);
    if (v.len && !text_printable(v))
        return cli_fail(c, ERR_BAD_VALUE, option ? "--reason" : "HOLDFAST_REASON",
                        "a reason is one line of text without control characters");
    *ret = v;
    return OK;
}

RESULT api_needs_reason(struct cli *c)
{
    struct view reason = {0};

    TRY(reason_of(c, &reason));
    return reason.len ? OK
                      : cli_fail(c, ERR_REASON_NEEDED, "--reason",
                                 "say why, for the record: --reason TEXT, or the variable HOLDFAST_REASON");
}

/* libcurl keeps copies of its own; this one is ours to wipe. */
static void wipe_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l; l = l->next)
        wipe(l->data, strlen(l->data));
    curl_slist_free_all(list);
}

static RESULT headers_of(struct cli *c, bool with_token, struct curl_slist **ret)
{
    AUTO(secret_free) struct secret *token = NULL;
    AUTO_WRITER bearer = writer_new(8192);
    struct view reason = {0};
    struct curl_slist *list;

    TRY(reason_of(c, &reason));
    list = add_header(NULL, "Accept", VIEW_STR("application/json"));
    if (list)
        list = add_header(list, "Content-Type", VIEW_STR("application/json"));
    if (list)
        list = add_header(list, "Expect", (struct view){0});
    if (list && reason.len)
        list = add_header(list, "X-Holdfast-Reason", reason);
    if (list && with_token) {
        enum err e = api_token(c, &token);
        if (e != OK) {
            curl_slist_free_all(list);
            return e;
        }
        if (token) {
            writer_str(&bearer, "Bearer ");
            writer_view(&bearer, secret_view(token));
            list = add_header(list, "Authorization", writer_view_of(&bearer));
        }
    }
    *ret = list;
    return list ? OK : ERR_NO_MEMORY;
}

static RESULT perform(struct cli *c, const char *method, struct view body, struct curl_slist *headers,
                      struct api_answer *ret)
{
    struct api *a = c->api;
    CURL *h = a->curl;
    bool get = strcmp(method, "GET") == 0;
    CURLcode code;

    writer_reset(&a->body);
    (void)curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
    if (body.len) {
        (void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        (void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, (const char *)body.ptr);
    }
    /* On a kept connection that turns out to be dead libcurl would send the request again: nothing may be done twice.
     */
    (void)curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, get ? 0L : 1L);
    (void)curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
    (void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(h);
    (void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, NULL);
    if (code != CURLE_OK)
        return failed(c, code, !get);
    (void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &ret->status);
    ret->body = writer_view_of(&a->body);
    return OK;
}

static RESULT call(struct cli *c, const char *method, const char *path, struct view body, bool with_token,
                   struct api_answer *ret)
{
    struct curl_slist *headers = NULL;
    const char *url;
    enum err e;

    if (!path)
        return ERR_NO_MEMORY;
    TRY(connect_once(c));
    TRY(url_of(c, path, &url));
    if (curl_easy_setopt(c->api->curl, CURLOPT_URL, url) != CURLE_OK)
        return ERR_NO_MEMORY;
    TRY(headers_of(c, with_token, &headers));
    e = perform(c, method, body, headers, ret);
    wipe_headers(headers);
    return e;
}

static bool asks_step_up(struct cli *c, const struct api_answer *a)
{
    struct view code = {0};

    return a->status == 401 && fields_json_get(c, a->body, "code", &code) == OK && view_is(code, "step-up-required");
}

/* What was refused for want of a fresh second factor did nothing: with somebody to ask, it is repeated. */
RESULT api_call(struct cli *c, const char *method, const char *path, struct view body, struct api_answer *ret)
{
    TRY(call(c, method, path, body, true, ret));
    if (asks_step_up(c, ret) && ask_possible()) {
        TRY(mfa_step_up(c));
        TRY(call(c, method, path, body, true, ret));
    }
    return ret->status >= 200 && ret->status < 300 ? OK : api_problem(c, ret);
}

RESULT api_call_open(struct cli *c, const char *method, const char *path, struct view body, struct api_answer *ret)
{
    return call(c, method, path, body, false, ret);
}

/* --- addresses */

const char *api_path(struct cli *c, const char *prefix, const char *path)
{
    AUTO_WRITER w = writer_new(8192);

    writer_str(&w, prefix);
    for (const char *end; *path; path = end + (*end == '/')) {
        end = path + strcspn(path, "/");
        percent_put(&w, VIEW(path, end - path));
        if (*end == '/')
            writer_u8(&w, '/');
    }
    return writer_done(&w) == OK ? arena_str(c->arena, writer_view_of(&w)) : NULL;
}

void api_query(struct writer *w, const char *name, const char *value)
{
    if (!value)
        return;
    writer_u8(w, w->len && memchr(w->ptr, '?', w->len) ? '&' : '?');
    writer_str(w, name);
    writer_u8(w, '=');
    percent_put(w, view_str(value));
}

/* --- the first meeting */

static RESULT first_pem(struct cli *c, const struct curl_certinfo *info, struct writer *ret_pem)
{
    if (info && info->num_of_certs > 0)
        for (const struct curl_slist *l = info->certinfo[0]; l; l = l->next)
            if (strncmp(l->data, "Cert:", 5) == 0) {
                writer_str(ret_pem, l->data + 5);
                return writer_done(ret_pem);
            }
    return cli_fail(c, ERR_UNAVAILABLE, c->api->address, "the server shows no certificate");
}

RESULT api_certificate(struct cli *c, struct writer *ret_pem)
{
    struct curl_certinfo *info = NULL;
    const char *url;
    CURL *h;
    CURLcode code;

    TRY(connect_once(c));
    TRY(url_of(c, "/", &url));
    h = c->api->curl;
    (void)curl_easy_setopt(h, CURLOPT_URL, url);
    (void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
    (void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
    (void)curl_easy_setopt(h, CURLOPT_CERTINFO, 1L);
    (void)curl_easy_setopt(h, CURLOPT_CONNECT_ONLY, 1L); /* not one byte of HTTP before the certificate is pinned */
    code = curl_easy_perform(h);
    if (code != CURLE_OK)
        return failed(c, code, false);
    (void)curl_easy_getinfo(h, CURLINFO_CERTINFO, &info);
    TRY(first_pem(c, info, ret_pem));
    api_free(c->api); /* the next call begins anew, and verifies */
    c->api = NULL;
    return OK;
}
