#include "http/head.h"

#include "base/text.h"

#include <strings.h>

#define BODY_LENGTH_MAX (1ULL << 53)

static enum err refuse(struct problem *why, const char *detail)
{
    return problem_set(why, ERR_BAD_REQUEST, "", "%s", detail);
}

struct view head_trim(struct view value)
{
    while (value.len && (value.ptr[0] == ' ' || value.ptr[0] == '\t')) {
        value.ptr++;
        value.len--;
    }
    while (value.len && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len--;
    return value;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool head_same_letters(struct view a, struct view b)
{
    size_t i = 0;
    while (i < a.len && (a.ptr[i] == b.ptr[i] || lower(a.ptr[i]) == lower(b.ptr[i])))
        i++;
    return i == a.len;
}

static bool name_starts(struct view name, const char *lower_case)
{
    size_t n = strlen(lower_case);
    return name.len >= n && !strncasecmp((const char *)name.ptr, lower_case, n);
}

enum { IN_TOKEN = 1, IN_HOST = 2, IN_BOTH = IN_TOKEN | IN_HOST };

/* RFC 9110 §5.6.2 and §7.2: what a name and a Host may consist of. */
static const uint8_t stands[256] = {
    ['0' ... '9'] = IN_BOTH, ['A' ... 'Z'] = IN_BOTH, ['a' ... 'z'] = IN_BOTH, ['-'] = IN_BOTH,  ['.'] = IN_BOTH,
    ['_'] = IN_BOTH,         [':'] = IN_HOST,         ['['] = IN_HOST,         [']'] = IN_HOST,  ['!'] = IN_TOKEN,
    ['#'] = IN_TOKEN,        ['$'] = IN_TOKEN,        ['%'] = IN_TOKEN,        ['&'] = IN_TOKEN, ['\''] = IN_TOKEN,
    ['*'] = IN_TOKEN,        ['+'] = IN_TOKEN,        ['^'] = IN_TOKEN,        ['`'] = IN_TOKEN, ['|'] = IN_TOKEN,
    ['~'] = IN_TOKEN,
};

/* All of it, and at least one character. */
static bool consists_of(struct view v, uint8_t where)
{
    uint8_t all = where;
    for (size_t i = 0; i < v.len; i++)
        all &= stands[v.ptr[i]];
    return v.len > 0 && all;
}

/* Tabs are white space inside a value; everything else below 0x20, and DEL, has no business there. What is printable,
 * as nearly all values are, has none of them. */
static bool is_plain(struct view v)
{
    if (text_printable(v))
        return true;
    for (size_t i = 0; i < v.len; i++)
        if ((v.ptr[i] < 0x20 && v.ptr[i] != '\t') || v.ptr[i] == 0x7f)
            return false;
    return utf8_valid(v);
}

static bool is_method(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < 'A' || v.ptr[i] > 'Z')
            return false;
    return v.len >= 1 && v.len <= 16;
}

/* --- rules for headers with a single meaning: each may come once */

struct scan {
    struct head *head;
    bool v10, length, encoding, coded, host;
};

static RESULT host_rule(struct scan *s, struct view value, struct problem *why)
{
    if (value.len == 0)
        return refuse(why, "The Host header is empty.");
    if (!consists_of(value, IN_HOST))
        return refuse(why, "The Host header is malformed.");
    s->host = true;
    return OK;
}

static RESULT length_rule(struct scan *s, struct view value, struct problem *why)
{
    uint64_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return refuse(why, "Content-Length must be digits only.");
        n = n * 10 + (uint64_t)(value.ptr[i] - '0');
        if (n > BODY_LENGTH_MAX)
            return refuse(why, "Content-Length is not plausible.");
    }
    if (value.len == 0)
        return refuse(why, "Content-Length is empty.");
    s->length = true;
    s->head->body_length = n;
    return OK;
}

/* RFC 9112 §6.1: a Transfer-Encoding in HTTP/1.0 is faulty framing; together with Content-Length it is an attack. */
static RESULT encoding_rule(struct scan *s, struct view value, struct problem *why)
{
    if (s->v10)
        return refuse(why, "HTTP/1.0 has no Transfer-Encoding.");
    if (!head_name_is(value, VIEW_STR("chunked")))
        return refuse(why, "The only Transfer-Encoding that is taken is chunked.");
    s->encoding = true;
    return OK;
}

static RESULT expect_rule(struct scan *s, struct view value, struct problem *why)
{
    (void)s;
    return head_name_is(value, VIEW_STR("100-continue")) ? OK : refuse(why, "Expect takes 100-continue only.");
}

/* Without a body it says nothing: a proxy that asks about an upload hands on the client's head alone. */
static RESULT coding_rule(struct scan *s, struct view value, struct problem *why)
{
    (void)why;
    s->coded = !head_name_is(value, VIEW_STR("identity"));
    return OK;
}

static const struct single {
    struct view name;
    RESULT (*rule)(struct scan *s, struct view value, struct problem *why);
} SINGLE[] = {
    {VIEW_STR("host"), host_rule},
    {VIEW_STR("content-length"), length_rule},
    {VIEW_STR("transfer-encoding"), encoding_rule},
    {VIEW_STR("expect"), expect_rule},
    {VIEW_STR("content-encoding"), coding_rule},
    {VIEW_STR("content-type"), NULL},
    {VIEW_STR("authorization"), NULL},
    {VIEW_STR("proxy-authorization"), NULL},
    {VIEW_STR("cookie"), NULL},
    {VIEW_STR("x-api-key"), NULL},
    {VIEW_STR("x-vault-token"), NULL},
    {VIEW_STR("x-vault-namespace"), NULL},
    {VIEW_STR("x-holdfast-proof"), NULL},
    {VIEW_STR("dpop"), NULL},
    {VIEW_STR("origin"), NULL},
    {VIEW_STR("sec-fetch-site"), NULL},
    {VIEW_STR("user-agent"), NULL},
    {VIEW_STR("idempotency-key"), NULL},
    {VIEW_STR("if-match"), NULL},
};

static RESULT check_one(struct scan *s, const struct http_pair *p, uint32_t *seen, struct problem *why)
{
    struct view value = head_trim(p->value);
    if (!consists_of(p->name, IN_TOKEN))
        return refuse(why, "A header name has a character that is not allowed there.");
    if (!is_plain(p->value))
        return refuse(why, "A header value has control characters or bytes that are not UTF-8.");
    for (size_t i = 0; i < ARRAY_LEN(SINGLE); i++) {
        if (!head_name_is(p->name, SINGLE[i].name))
            continue;
        if (*seen & 1u << i)
            return problem_set(why, ERR_BAD_REQUEST, "", "The header %s is there twice.",
                               (const char *)SINGLE[i].name.ptr);
        *seen |= 1u << i;
        return SINGLE[i].rule ? SINGLE[i].rule(s, value, why) : OK;
    }
    if (name_starts(p->name, "content-length") || name_starts(p->name, "transfer-encoding"))
        return refuse(why, "A header name looks like one that frames the body, but is not.");
    return OK;
}

static RESULT check_framing(struct scan *s, struct problem *why)
{
    static const char *const NO_BODY[] = {"GET", "HEAD", "LIST", "OPTIONS"};
    struct head *h = s->head;
    if (!s->host)
        return refuse(why, "The Host header is missing.");
    if (s->length && s->encoding)
        return refuse(why, "Content-Length and Transfer-Encoding are both there.");
    h->chunked = s->encoding;
    h->has_body = s->encoding || h->body_length > 0;
    for (size_t i = 0; i < ARRAY_LEN(NO_BODY) && h->has_body; i++)
        h->odd_body |= view_is(h->method, NO_BODY[i]);
    if (s->coded && h->has_body)
        return problem_set(why, ERR_UNSUPPORTED_MEDIA_TYPE, "", "Send the body without a Content-Encoding.");
    return OK;
}

RESULT head_check(struct head *h, struct problem *why)
{
    struct scan s = {.head = h, .v10 = view_is(h->version, "HTTP/1.0")};
    uint32_t seen = 0;
    _Static_assert(ARRAY_LEN(SINGLE) <= 32, "one bit each");
    h->has_body = h->chunked = h->odd_body = false;
    h->body_length = 0;
    if (!is_method(h->method))
        return refuse(why, "The method is not a word of capital letters.");
    if (!s.v10 && !view_is(h->version, "HTTP/1.1"))
        return refuse(why, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    if (h->headers.count > h->headers_max)
        return problem_set(why, ERR_HEADER_TOO_LARGE, "", "More than %zu headers.", h->headers_max);
    for (size_t i = 0; i < h->headers.count; i++)
        TRY(check_one(&s, &h->headers.items[i], &seen, why));
    return check_framing(&s, why);
}
