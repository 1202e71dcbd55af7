#include "domain/guard/forwarded.h"

#include <strings.h>

/* What each proxy wrote, the nearest one last. */
struct hops {
    struct view item[FORWARDED_HOPS_MAX];
    size_t count;
};

static const char *const names[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP"};

static RESULT refuse(const struct forwarded_ask *ask, struct problem *why, const char *what)
{
    return problem_set(why, ERR_ADDRESS_UNREADABLE, "", "%s: %s", names[ask->header], what);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct view trimmed(struct view v)
{
    while (v.len && is_blank(v.ptr[0]))
        v = VIEW(v.ptr + 1, v.len - 1);
    while (v.len && is_blank(v.ptr[v.len - 1]))
        v.len--;
    return v;
}

/* --- one address, with or without a port */

static bool is_port(struct view v)
{
    unsigned port = 0;
    if (v.len == 0 || v.len > 5)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(v.ptr[i] - '0');
    }
    return port <= 65535;
}

/* "[2001:db8::1]" and "[2001:db8::1]:4711" (RFC 7239 §6, RFC 3986 §3.2.2). */
static bool read_bracketed(struct view v, struct address *ret)
{
    const uint8_t *end = memchr(v.ptr, ']', v.len);
    if (!end)
        return false;
    size_t len = (size_t)(end - v.ptr);
    struct view inside = VIEW(v.ptr + 1, len - 1), behind = VIEW(end + 1, v.len - len - 1);
    if (behind.len && (behind.ptr[0] != ':' || !is_port(VIEW(behind.ptr + 1, behind.len - 1))))
        return false;
    return memchr(inside.ptr, ':', inside.len) && address_parse(inside, ret) == OK;
}

/* Without brackets only IPv4 can have a port: of 2001:db8::1:80 nobody knows where the address ends. */
static bool read_node(struct view v, bool bare_ipv6, struct address *ret)
{
    if (v.len == 0)
        return false;
    if (v.ptr[0] == '[')
        return read_bracketed(v, ret);
    const uint8_t *colon = memchr(v.ptr, ':', v.len);
    if (!colon)
        return address_parse(v, ret) == OK;
    size_t len = (size_t)(colon - v.ptr);
    if (memchr(v.ptr, '.', len))
        return is_port(VIEW(colon + 1, v.len - len - 1)) && address_parse(VIEW(v.ptr, len), ret) == OK;
    return bare_ipv6 && address_parse(v, ret) == OK;
}

/* --- Forwarded, RFC 7239 §4 */

static bool is_token(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct view read_token(struct reader *r)
{
    struct view v = VIEW(r->ptr, 0);
    while (v.len < r->left && is_token(v.ptr[v.len]))
        v.len++;
    r->ptr += v.len;
    r->left -= v.len;
    return v;
}

static bool next_is(struct reader *r, uint8_t c)
{
    if (r->left == 0 || *r->ptr != c)
        return false;
    r->ptr++;
    r->left--;
    return true;
}

static void skip_blanks(struct reader *r)
{
    while (next_is(r, ' ') || next_is(r, '\t'))
        ;
}

/* Without the marks. No address has a backslash, so what has one is kept as it is and is no address. */
static bool read_quoted(struct reader *r, struct view *ret)
{
    struct view v = VIEW(r->ptr, 0);
    while (v.len < r->left && v.ptr[v.len] != '"') {
        if (v.ptr[v.len] == '\\')
            v.len++;
        v.len++;
    }
    if (v.len >= r->left)
        return false;
    r->ptr += v.len + 1;
    r->left -= v.len + 1;
    *ret = v;
    return true;
}

/* name=value. "for" is kept, and no element has it twice. */
static bool read_pair(struct reader *r, struct view *ret_for)
{
    struct view name = read_token(r), value;
    if (name.len == 0 || !next_is(r, '='))
        return false;
    if (next_is(r, '"')) {
        if (!read_quoted(r, &value))
            return false;
    } else {
        value = read_token(r);
    }
    if (name.len != 3 || strncasecmp((const char *)name.ptr, "for", 3) != 0)
        return true;
    bool first = ret_for->ptr == NULL;
    *ret_for = value;
    return first;
}

static bool read_element(struct reader *r, struct view *ret_for)
{
    *ret_for = (struct view){0};
    do {
        skip_blanks(r);
        if (!read_pair(r, ret_for))
            return false;
        skip_blanks(r);
    } while (next_is(r, ';'));
    return true;
}

static bool add(struct hops *h, struct view item)
{
    if (h->count == FORWARDED_HOPS_MAX)
        return false;
    h->item[h->count++] = item;
    return true;
}

static bool split_elements(struct view line, struct hops *h)
{
    struct reader r = reader_new(line);
    struct view item;
    do {
        if (!read_element(&r, &item) || !add(h, item))
            return false;
    } while (next_is(&r, ','));
    return r.left == 0;
}

/* --- the lists of the others */

static bool split_commas(struct view line, struct hops *h)
{
    for (;;) {
        const uint8_t *comma = line.len ? memchr(line.ptr, ',', line.len) : NULL;
        size_t len = comma ? (size_t)(comma - line.ptr) : line.len;
        if (!add(h, trimmed(VIEW(line.ptr, len))))
            return false;
        if (!comma)
            return true;
        line = VIEW(comma + 1, line.len - len - 1);
    }
}

/* --- the walk */

static RESULT split(const struct forwarded_ask *ask, struct hops *h, struct problem *why)
{
    size_t total = 0;
    for (size_t i = 0; i < ask->count; i++) {
        total += ask->lines[i].len;
        if (total > FORWARDED_MAX)
            return refuse(ask, why,
                          "it is too long; have the proxy begin it anew instead of going on with the client's.");
        bool good = ask->header == FORWARDED_RFC7239 ? split_elements(ask->lines[i], h)
                                                     : split_commas(ask->lines[i], h);
        if (!good)
            return refuse(
                ask, why,
                "it can't be read, or has more than 32 elements; have the proxy begin it anew instead of going "
                "on with the client's.");
    }
    if (h->count == 0)
        return refuse(ask, why, "a proxy of ours must set it.");
    if (ask->header == FORWARDED_REAL_IP && h->count > 1)
        return refuse(ask, why, "it is there more than once; have the proxy set it instead of adding to it.");
    return OK;
}

RESULT forwarded_client(const struct forwarded_ask *ask, struct address *ret, struct problem *why)
{
    struct hops h = {.count = 0};
    struct address a = ask->peer;
    if (!ask->is_proxy(ask->context, &a)) {
        *ret = a;
        return OK;
    }
    TRY(split(ask, &h, why));
    for (size_t i = h.count; i-- > 0;) {
        if (!read_node(h.item[i], ask->header != FORWARDED_RFC7239, &a))
            return refuse(ask, why, "the address that a proxy of ours wrote there is none.");
        if (!ask->is_proxy(ask->context, &a))
            break;
    }
    *ret = a;
    return OK;
}
