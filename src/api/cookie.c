#include "api/cookie.h"

#include "base/text.h"
#include "crypto/secmem.h"

#include <inttypes.h>
#include <stdio.h>

#define ATTRIBUTES "; Path=/; Secure; HttpOnly; SameSite=Strict"

RESULT cookie_find(const struct http_request *req, struct view *ret_token)
{
    struct view all = {0}, token = {0};

    *ret_token = token;
    if (!http_header(req, "Cookie", &all) || !memmem(all.ptr, all.len, COOKIE_NAME, sizeof COOKIE_NAME - 1))
        return OK;
    if (!http_cookie(req, COOKIE_NAME, &token) || token.len == 0)
        return ERR_BAD_REQUEST;
    *ret_token = token;
    return OK;
}

static bool is_this_host(const struct http_request *req, struct view origin)
{
    static const char scheme[] = "https://";
    struct view host = {0};
    size_t n = sizeof scheme - 1;

    if (!http_header(req, "Host", &host) || !view_starts(origin, scheme))
        return false;
    return view_eq(VIEW(origin.ptr + n, origin.len - n), host);
}

bool cookie_is_own(const struct http_request *req)
{
    struct view site, origin, own;

    if (http_header(req, "Sec-Fetch-Site", &site))
        return view_is(site, "same-origin");
    if (http_header(req, "Origin", &origin))
        return is_this_host(req, origin);
    return http_header(req, "X-Holdfast-Request", &own);
}

bool cookie_is_foreign(const struct http_request *req)
{
    struct view site, origin;

    if (http_header(req, "Sec-Fetch-Site", &site))
        return !view_is(site, "same-origin") && !view_is(site, "none"); /* none: the address was typed in */
    return http_header(req, "Origin", &origin) && !is_this_host(req, origin);
}

RESULT cookie_set(struct http_request *req, const char *token, uint64_t seconds)
{
    char value[256];
    int n = snprintf(value, sizeof value, COOKIE_NAME "=%s" ATTRIBUTES "; Max-Age=%" PRIu64, token, seconds);
    enum err e = n > 0 && (size_t)n < sizeof value ? http_answer_header(req, "Set-Cookie", value) : ERR_TOO_LONG;

    wipe(value, sizeof value);
    return e;
}

RESULT cookie_clear(struct http_request *req)
{
    return http_answer_header(req, "Set-Cookie", COOKIE_NAME "=" ATTRIBUTES "; Max-Age=0");
}
