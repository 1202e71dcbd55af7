#include "crypto/x509.h"

#include "base/text.h"
#include "crypto/pubkey.h"

#include <gnutls/x509.h>

struct x509 {
    gnutls_x509_crt_t crt;
    gnutls_pubkey_t key;
};

RESULT x509_read(struct view der, struct x509 **ret)
{
    if (der.len == 0)
        return ERR_MALFORMED;
    if (der.len > X509_MAX_SIZE)
        return ERR_TOO_LONG;
    AUTO(x509_free) struct x509 *c = calloc(1, sizeof *c);
    gnutls_datum_t bytes = datum(der);
    if (!c || gnutls_x509_crt_init(&c->crt) != GNUTLS_E_SUCCESS || gnutls_pubkey_init(&c->key) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    if (gnutls_x509_crt_import(c->crt, &bytes, GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS ||
        gnutls_pubkey_import_x509(c->key, c->crt, 0) != GNUTLS_E_SUCCESS)
        return ERR_MALFORMED;
    *ret = TAKE(c);
    return OK;
}

void x509_free(struct x509 *c)
{
    if (!c)
        return;
    if (c->key)
        gnutls_pubkey_deinit(c->key);
    if (c->crt)
        gnutls_x509_crt_deinit(c->crt);
    free(c);
}

int x509_version(const struct x509 *c)
{
    return gnutls_x509_crt_get_version(c->crt);
}

bool x509_is_ca(const struct x509 *c)
{
    unsigned critical = 0, ca = 0;
    int length = 0;
    int e = gnutls_x509_crt_get_basic_constraints(c->crt, &critical, &ca, &length);
    if (e == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return false;
    return e < 0 || ca != 0;
}

bool x509_subject_empty(const struct x509 *c)
{
    gnutls_datum_t name = {0};
    if (gnutls_x509_crt_get_raw_dn(c->crt, &name) != GNUTLS_E_SUCCESS)
        return false;
    bool empty = name.size == 2; /* SEQUENCE of length 0 */
    gnutls_free(name.data);
    return empty;
}

RESULT x509_subject(const struct x509 *c, const char *oid, char ret_text[static X509_TEXT_MAX])
{
    char text[X509_TEXT_MAX] = {0};
    size_t size = sizeof text - 1;
    int e = gnutls_x509_crt_get_dn_by_oid(c->crt, oid, 0, 0, text, &size);
    if (e == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return ERR_NOT_FOUND;
    if (e != GNUTLS_E_SUCCESS || memchr(text, '\0', size))
        return ERR_MALFORMED;
    memcpy(ret_text, text, sizeof text);
    return OK;
}

RESULT x509_extension(const struct x509 *c, const char *oid, struct writer *value, bool *ret_critical)
{
    gnutls_datum_t first = {0}, second = {0};
    unsigned critical = 0, ignored = 0;
    int e = gnutls_x509_crt_get_extension_by_oid2(c->crt, oid, 0, &first, &critical);
    if (e == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return ERR_NOT_FOUND;
    if (e != GNUTLS_E_SUCCESS)
        return ERR_MALFORMED;
    /* RFC 5280 §4.2: a certificate must not have the same extension twice. */
    bool twice = gnutls_x509_crt_get_extension_by_oid2(c->crt, oid, 1, &second, &ignored) == GNUTLS_E_SUCCESS;
    if (!twice)
        writer_bytes(value, first.data, first.size);
    gnutls_free(first.data);
    gnutls_free(second.data);
    if (twice)
        return ERR_MALFORMED;
    *ret_critical = critical != 0;
    return writer_done(value);
}

bool x509_valid_at(const struct x509 *c, uint64_t now_ms)
{
    time_t from = gnutls_x509_crt_get_activation_time(c->crt), to = gnutls_x509_crt_get_expiration_time(c->crt);
    uint64_t now = now_ms / 1000;
    return from >= 0 && to >= 0 && now >= (uint64_t)from && now <= (uint64_t)to;
}

RESULT x509_name(const struct x509 *c, unsigned index, enum x509_name *ret_kind, struct writer *value)
{
    static const uint8_t kinds[] = {[GNUTLS_SAN_DNSNAME] = X509_NAME_DNS,
                                    [GNUTLS_SAN_RFC822NAME] = X509_NAME_EMAIL,
                                    [GNUTLS_SAN_URI] = X509_NAME_URI};
    char text[X509_NAME_MAX + 1];
    size_t size = sizeof text;
    unsigned type = 0;
    int e = gnutls_x509_crt_get_subject_alt_name2(c->crt, index, text, &size, &type, NULL);
    if (e == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return ERR_NOT_FOUND;
    if (e == GNUTLS_E_SHORT_MEMORY_BUFFER)
        return ERR_TOO_LONG;
    if (e < 0 || size > X509_NAME_MAX)
        return ERR_MALFORMED;
    *ret_kind = type < ARRAY_LEN(kinds) ? (enum x509_name)kinds[type] : X509_NAME_OTHER;
    writer_bytes(value, text, size);
    return writer_done(value);
}

enum public_kind x509_kind(const struct x509 *c)
{
    return pubkey_kind(c->key);
}

RESULT x509_verify(const struct x509 *c, struct view message, struct view signature)
{
    return pubkey_verify(c->key, message, signature);
}

RESULT x509_has_key(const struct x509 *c, const struct public_key *key)
{
    AUTO(gnutls_pubkey_deinit) gnutls_pubkey_t other = NULL;
    gnutls_datum_t own_der = {0}, other_der = {0};
    TRY(pubkey_import(key, &other));
    bool same = gnutls_pubkey_export2(c->key, GNUTLS_X509_FMT_DER, &own_der) == GNUTLS_E_SUCCESS &&
                gnutls_pubkey_export2(other, GNUTLS_X509_FMT_DER, &other_der) == GNUTLS_E_SUCCESS &&
                view_eq(VIEW(own_der.data, own_der.size), VIEW(other_der.data, other_der.size));
    gnutls_free(own_der.data);
    gnutls_free(other_der.data);
    return same ? OK : ERR_BAD_KEY;
}

static bool valid_at(const struct x509 *c, uint64_t now_ms)
{
    time_t from = gnutls_x509_crt_get_activation_time(c->crt), to = gnutls_x509_crt_get_expiration_time(c->crt);
    time_t now = (time_t)(now_ms / 1000);
    return from != (time_t)-1 && to != (time_t)-1 && from <= now && now <= to;
}

struct chain {
    struct x509 *items[X509_CHAIN_MAX];
    gnutls_x509_crt_t crts[X509_CHAIN_MAX];
    size_t count;
};

static void chain_done(struct chain *c)
{
    for (size_t i = 0; i < c->count; i++)
        x509_free(c->items[i]);
}

static RESULT chain_read(struct chain *c, const struct x509_list *list, uint64_t now_ms)
{
    if (list->count == 0)
        return ERR_MALFORMED;
    if (list->count > X509_CHAIN_MAX)
        return ERR_TOO_LONG;
    for (size_t i = 0; i < list->count; i++) {
        TRY(x509_read(list->items[i], &c->items[i]));
        c->crts[i] = c->items[i]->crt;
        c->count++;
        if (!valid_at(c->items[i], now_ms))
            return ERR_BAD_SIGNATURE;
    }
    return OK;
}

/* GnuTLS copies nothing: on success the list owns the certificate. */
static RESULT add_anchor(gnutls_x509_trust_list_t list, struct view der, uint64_t now_ms)
{
    AUTO(x509_free) struct x509 *anchor = NULL;
    enum err e = x509_read(der, &anchor);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e || !valid_at(anchor, now_ms))
        return OK;
    if (gnutls_x509_trust_list_add_cas(list, &anchor->crt, 1, 0) != 1)
        return ERR_NO_MEMORY;
    anchor->crt = NULL;
    return OK;
}

/* GnuTLS would ask the system's clock: times are checked here, against the caller's. */
static RESULT judge(gnutls_x509_trust_list_t list, struct chain *chain)
{
    unsigned status = 0;
    int e = gnutls_x509_trust_list_verify_crt2(
        list, chain->crts, (unsigned)chain->count, NULL, 0,
        GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS, &status, NULL);
    return e == GNUTLS_E_SUCCESS && status == 0 ? OK : ERR_BAD_SIGNATURE;
}

RESULT x509_chain(const struct x509_list *chain, const struct x509_list *anchors, uint64_t now_ms)
{
    __attribute__((cleanup(chain_done))) struct chain c = {0};
    gnutls_x509_trust_list_t list = NULL;
    TRY(chain_read(&c, chain, now_ms));
    if (gnutls_x509_trust_list_init(&list, (unsigned)anchors->count) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    enum err e = OK;
    for (size_t i = 0; i < anchors->count && e == OK; i++)
        e = add_anchor(list, anchors->items[i], now_ms);
    if (e == OK)
        e = judge(list, &c);
    gnutls_x509_trust_list_deinit(list, 1);
    return e;
}

/* --- files of them */

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

static RESULT from_base64(struct view text, struct arena *arena, struct view *ret)
{
    AUTO_WRITER plain = writer_new(2 * X509_MAX_SIZE), der = writer_new(X509_MAX_SIZE);
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.ptr[i]))
            writer_u8(&plain, text.ptr[i]);
    TRY(writer_done(&plain));
    TRY(base64_get(writer_view_of(&plain), &der));
    AUTO(x509_free) struct x509 *c = NULL;
    TRY(x509_read(writer_view_of(&der), &c));
    return arena_copy(arena, writer_view_of(&der), ret);
}

RESULT x509_pem(struct view text, struct arena *arena, struct x509_list *ret)
{
    struct view *items = arena_alloc(arena, X509_PEM_MAX * sizeof *items);
    size_t count = 0;
    if (!items)
        return ERR_NO_MEMORY;
    while (text.len) {
        const uint8_t *begin = memmem(text.ptr, text.len, PEM_BEGIN, sizeof PEM_BEGIN - 1);
        if (!begin)
            break;
        begin += sizeof PEM_BEGIN - 1;
        const uint8_t *last = text.ptr + text.len;
        const uint8_t *end = memmem(begin, (size_t)(last - begin), PEM_END, sizeof PEM_END - 1);
        if (!end)
            return ERR_MALFORMED;
        if (count == X509_PEM_MAX)
            return ERR_TOO_LONG;
        TRY(from_base64(VIEW(begin, end - begin), arena, &items[count++]));
        text = VIEW(end, last - end);
    }
    if (count == 0)
        return ERR_MALFORMED;
    *ret = (struct x509_list){.items = items, .count = count};
    return OK;
}

/* --- revocation lists */

struct listed {
    gnutls_x509_crt_t *authorities;
    gnutls_x509_crl_t *lists;
    unsigned authority_count, list_count;
};

static void listed_done(struct listed *l)
{
    for (unsigned i = 0; i < l->authority_count; i++)
        gnutls_x509_crt_deinit(l->authorities[i]);
    for (unsigned i = 0; i < l->list_count; i++)
        gnutls_x509_crl_deinit(l->lists[i]);
    gnutls_free(l->authorities);
    gnutls_free(l->lists);
}

/* Signed by one of them, whether it is due for an update or not. */
static bool is_theirs(gnutls_x509_crl_t list, const struct listed *l)
{
    const unsigned late = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
    unsigned status = GNUTLS_CERT_INVALID;
    if (gnutls_x509_crl_verify(list, l->authorities, l->authority_count, 0, &status) < 0)
        return false;
    return (status & ~(late | GNUTLS_CERT_INVALID)) == 0 && (status == 0 || status & late);
}

static RESULT look_at_lists(const struct listed *l)
{
    for (unsigned i = 0; i < l->list_count; i++) {
        if (!is_theirs(l->lists[i], l))
            return ERR_BAD_SIGNATURE;
        if (gnutls_x509_crl_get_next_update(l->lists[i]) <= 0)
            return ERR_MALFORMED;
    }
    return OK;
}

RESULT x509_lists(struct view lists, struct view authorities)
{
    struct listed l = {0};
    gnutls_datum_t pem = datum(lists), signers = datum(authorities);
    enum err e = ERR_MALFORMED;
    if (gnutls_x509_crl_list_import2(&l.lists, &l.list_count, &pem, GNUTLS_X509_FMT_PEM, 0) >= 0 && l.list_count > 0 &&
        gnutls_x509_crt_list_import2(&l.authorities, &l.authority_count, &signers, GNUTLS_X509_FMT_PEM, 0) >= 0)
        e = look_at_lists(&l);
    listed_done(&l);
    return e;
}
