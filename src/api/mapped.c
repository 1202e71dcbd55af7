#include "api/mapped.h"

#include "api/cookie.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/x509.h"

#define NAMES_MAX 64 /* in one certificate; what comes behind them is nobody's */

struct search {
    struct http_request *req;
    struct mapping found;
};

/* Several mappings may lead to the same identity, but not to different ones: which was meant is not ours to guess. */
static RESULT look(struct search *s, struct view match)
{
    struct mapping_found f;
    enum err e = mappings_find(api_of(s->req)->shared->identity, match, s->req->arena, &f);
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    if (s->found.identity.len && !view_eq(s->found.identity, f.mapping.identity))
        return ERR_BAD_REQUEST;
    s->found = f.mapping;
    return OK;
}

static RESULT look_at_fingerprint(struct search *s)
{
    AUTO_WRITER w = writer_new(128);
    uint8_t hash[SHA256_SIZE];
    sha256(s->req->peer.certificate, hash);
    writer_str(&w, "sha256:");
    hex_put(&w, VIEW_OF(hash));
    TRY(writer_done(&w));
    return look(s, writer_view_of(&w));
}

/* What is no name that a mapping could have, such as *.desk or one with a NUL in it, stands for nobody. */
static RESULT look_at_name(struct search *s, enum x509_name kind, struct view name)
{
    static const char *const prefixes[] = {
        [X509_NAME_DNS] = "dns:", [X509_NAME_URI] = "uri:", [X509_NAME_EMAIL] = "email:"};
    AUTO_WRITER w = writer_new(MAPPING_MATCH_MAX);
    struct view match;
    if (kind == X509_NAME_OTHER)
        return OK;
    writer_str(&w, prefixes[kind]);
    writer_view(&w, name);
    TRY(writer_done(&w));
    if (!mapping_match_valid(writer_view_of(&w)))
        return OK;
    TRY(mapping_match_normal(writer_view_of(&w), s->req->arena, &match));
    return look(s, match);
}

static RESULT look_at_names(struct search *s, const struct x509 *c)
{
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        AUTO_WRITER name = writer_new(X509_NAME_MAX);
        enum x509_name kind = X509_NAME_OTHER;
        enum err e = x509_name(c, i, &kind, &name);
        if (e == ERR_NOT_FOUND)
            return OK;
        if (e == OK)
            TRY(look_at_name(s, kind, writer_view_of(&name)));
        else if (e != ERR_TOO_LONG && e != ERR_MALFORMED)
            return e;
    }
    return OK;
}

RESULT mapped_certificate(struct http_request *req, struct mapping *ret)
{
    struct search s = {.req = req};
    AUTO(x509_free) struct x509 *c = NULL;
    *ret = s.found;
    if (req->peer.certificate.len == 0 || mappings_count(api_of(req)->shared->identity) == 0)
        return OK;
    enum err e = x509_read(req->peer.certificate, &c);
    if (e != OK)
        return e == ERR_NO_MEMORY ? e : ERR_BAD_CREDENTIALS;
    TRY(look_at_fingerprint(&s));
    TRY(look_at_names(&s, c));
    if (s.found.identity.len && !x509_valid_at(c, req->wall_ms))
        return ERR_BAD_CREDENTIALS;
    if (s.found.identity.len && cookie_is_foreign(req))
        return ERR_CROSS_SITE;
    *ret = s.found;
    return OK;
}

RESULT mapped_group(struct http_request *req, struct mapping *ret)
{
    struct search s = {.req = req};
    AUTO_WRITER w = writer_new(32);
    writer_printf(&w, "gid:%u", (unsigned)req->peer.gid);
    TRY(writer_done(&w));
    TRY(look(&s, writer_view_of(&w)));
    *ret = s.found;
    return OK;
}
