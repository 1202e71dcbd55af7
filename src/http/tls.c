#include "http/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define CHAIN_MAX        8
#define RSA_BITS_MINIMUM 2048

struct identity {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
    gnutls_x509_trust_list_t client_ca; /* NULL: client certificates are not asked for */
    uint64_t crl_until_ms;              /* the earliest next update of its revocation lists; 0: there are none */
    enum http_client_certificates clients;
    uint64_t expires_ms; /* of a replaced one */
    struct identity *next;
};

struct tls {
    struct identity *current; /* followed by the replaced ones */
};

static _Thread_local struct tls *entered;

static void identity_free(struct identity *i)
{
    if (!i)
        return;
    for (unsigned n = 0; n < i->count; n++)
        gnutls_pcert_deinit(&i->chain[n]);
    if (i->key)
        gnutls_privkey_deinit(i->key);
    if (i->client_ca)
        gnutls_x509_trust_list_deinit(i->client_ca, 1);
    free(i);
}

AUTO_DEFINE(struct identity *, identity_free);

static enum err bad(struct problem *why, const char *where, const char *detail)
{
    (void)!problem_set(why, ERR_BAD_KEY, where, "%s", detail);
    return ERR_BAD_KEY;
}

static gnutls_datum_t datum_of(struct view v)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)v.ptr, (unsigned)v.len};
}

static RESULT check_pair(const struct identity *i, struct problem *why)
{
    gnutls_pubkey_t public = NULL;
    unsigned char a[64], b[64];
    size_t a_len = sizeof a, b_len = sizeof b;
    unsigned bits = 0;
    if (gnutls_pubkey_init(&public) < 0)
        return ERR_NO_MEMORY;
    bool same = gnutls_pubkey_import_privkey(public, i->key, 0, 0) >= 0 &&
                gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, a, &a_len) >= 0 &&
                gnutls_pubkey_get_key_id(i->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &b_len) >= 0 &&
                a_len == b_len && !memcmp(a, b, a_len);
    bool rsa = gnutls_privkey_get_pk_algorithm(i->key, &bits) == GNUTLS_PK_RSA;
    gnutls_pubkey_deinit(public);
    if (!same)
        return bad(why, "tls.key", "The key does not belong to the certificate.");
    if (rsa && bits < RSA_BITS_MINIMUM)
        return bad(why, "tls.key", "An RSA key must have at least 2048 bits.");
    return OK;
}

/* --- who signs client certificates, and which are revoked */

static RESULT note_updates(struct identity *i, gnutls_x509_crl_t *lists, unsigned count, struct problem *why)
{
    for (unsigned n = 0; n < count; n++) {
        time_t until = gnutls_x509_crl_get_next_update(lists[n]);
        if (until <= 0)
            return bad(why, "tls.client_crl", "A revocation list does not say when the next one follows.");
        if (i->crl_until_ms == 0 || (uint64_t)until * 1000 < i->crl_until_ms)
            i->crl_until_ms = (uint64_t)until * 1000;
    }
    return OK;
}

static RESULT load_lists(struct identity *i, struct view pem, struct problem *why)
{
    gnutls_x509_crl_t *lists = NULL;
    gnutls_datum_t text = datum_of(pem);
    unsigned count = 0;
    if (pem.len == 0)
        return OK;
    if (gnutls_x509_crl_list_import2(&lists, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 0 || count == 0)
        return bad(why, "tls.client_crl", "The revocation lists can't be read (PEM).");
    enum err e = note_updates(i, lists, count, why);
    for (unsigned n = 0; n < count; n++)
        gnutls_x509_crl_deinit(lists[n]);
    gnutls_free(lists);
    return e;
}

static RESULT load_clients(struct identity *i, const struct http_tls *from, struct problem *why)
{
    i->clients = from->clients;
    if (from->clients == HTTP_CLIENT_NONE)
        return OK;
    gnutls_datum_t ca = datum_of(from->client_ca), crl = datum_of(from->client_crl);
    if (gnutls_x509_trust_list_init(&i->client_ca, 0) < 0)
        return ERR_NO_MEMORY;
    TRY(load_lists(i, from->client_crl, why));
    if (gnutls_x509_trust_list_add_trust_mem(i->client_ca, &ca, crl.size ? &crl : NULL, GNUTLS_X509_FMT_PEM, 0, 0) < 1)
        return bad(why, "tls.client_ca", "The client authority's certificate can't be read (PEM).");
    return OK;
}

static RESULT identity_new(const struct http_tls *from, struct identity **ret, struct problem *why)
{
    AUTO(identity_free) struct identity *i = calloc(1, sizeof *i);
    if (!i)
        return ERR_NO_MEMORY;
    gnutls_datum_t certificate = datum_of(from->certificate), key = datum_of(from->key);
    unsigned count = CHAIN_MAX;
    if (gnutls_pcert_list_import_x509_raw(i->chain, &count, &certificate, GNUTLS_X509_FMT_PEM, 0) < 0 || count == 0)
        return bad(why, "tls.certificate", "The certificate chain can't be read (PEM, leaf first, at most 8).");
    i->count = count;
    if (gnutls_privkey_init(&i->key) < 0)
        return ERR_NO_MEMORY;
    if (gnutls_privkey_import_x509_raw(i->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
        return bad(why, "tls.key", "The key can't be read (PEM, not encrypted).");
    TRY(check_pair(i, why));
    TRY(load_clients(i, from, why));
    *ret = TAKE(i);
    return OK;
}

RESULT tls_new(const struct http_tls *from, struct tls **ret, struct problem *why)
{
    AUTO(identity_free) struct identity *i = NULL;
    TRY(identity_new(from, &i, why));
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    t->current = TAKE(i);
    *ret = t;
    return OK;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    while (t->current) {
        struct identity *next = t->current->next;
        identity_free(t->current);
        t->current = next;
    }
    if (entered == t)
        entered = NULL;
    free(t);
}

RESULT tls_replace(struct tls *t, const struct http_tls *from, uint64_t now_ms, uint64_t grace_ms, struct problem *why)
{
    AUTO(identity_free) struct identity *i = NULL;
    TRY(identity_new(from, &i, why));
    t->current->expires_ms = now_ms + grace_ms;
    i->next = t->current;
    t->current = TAKE(i);
    return OK;
}

void tls_prune(struct tls *t, uint64_t now_ms)
{
    for (struct identity **at = &t->current->next; *at;) {
        struct identity *i = *at;
        if (i->expires_ms > now_ms) {
            at = &i->next;
            continue;
        }
        *at = i->next;
        identity_free(i);
    }
}

void tls_enter(struct tls *t)
{
    entered = t;
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *req_ca_rdn, int nreqs,
                    const gnutls_pk_algorithm_t *pk_algos, int pk_algos_length, gnutls_pcert_st **pcert,
                    unsigned int *pcert_length, gnutls_privkey_t *privkey)
{
    (void)session, (void)req_ca_rdn, (void)nreqs, (void)pk_algos, (void)pk_algos_length;
    if (!entered)
        return -1;
    *pcert = entered->current->chain;
    *pcert_length = entered->current->count;
    *privkey = entered->current->key;
    return 0;
}

void *tls_callback(void)
{
    gnutls_certificate_retrieve_function2 *fn = retrieve;
    void *p;
    _Static_assert(sizeof p == sizeof fn, "POSIX: a function's address fits");
    memcpy(&p, &fn, sizeof p);
    return p;
}

static ssize_t receive(struct tls_io *io, void *data, size_t n)
{
    ssize_t got = recv(io->fd, data, n, 0);
    if (got < 0 && errno == EAGAIN)
        io->would_block(io->context, false);
    return got;
}

/* Says that it would block only when nothing is left here either, so that the library goes on asking until then. */
static ssize_t pull(gnutls_transport_ptr_t p, void *data, size_t n)
{
    struct tls_io *io = p;
    if (io->from == io->to) {
        if (!io->reads_ahead || n >= sizeof io->ahead)
            return receive(io, data, n);
        ssize_t got = receive(io, io->ahead, sizeof io->ahead);
        if (got <= 0)
            return got;
        io->from = 0;
        io->to = (uint16_t)got;
    }
    size_t ready = (size_t)(io->to - io->from), taken = n < ready ? n : ready;
    memcpy(data, io->ahead + io->from, taken);
    io->from = (uint16_t)(io->from + taken);
    return (ssize_t)taken;
}

static ssize_t push(gnutls_transport_ptr_t p, const giovec_t *parts, int count)
{
    struct tls_io *io = p;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    _Static_assert(sizeof(giovec_t) == sizeof(struct iovec), "GnuTLS takes its giovec_t from struct iovec");
    ssize_t sent = sendmsg(io->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        io->would_block(io->context, true);
    return sent;
}

void tls_prepare(struct tls *t, void *session, struct tls_io *io)
{
    gnutls_transport_set_ptr(session, io);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
    if (t->current->clients != HTTP_CLIENT_NONE)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
}

/* A certificate without the extension may be used for anything (RFC 5280 §4.2.1.12), and one that was meant for a
 * server or for mail is no client's. Here a client's says so itself. */
static bool is_for_clients(gnutls_x509_crt_t leaf)
{
    char oid[64];
    for (unsigned n = 0;; n++) {
        size_t size = sizeof oid;
        int e = gnutls_x509_crt_get_key_purpose_oid(leaf, n, oid, &size, NULL);
        if (e == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (e < 0)
            return false;
        if (strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT) == 0)
            return true;
    }
}

/* Verifies for the purpose of a TLS client. */
static bool chain_verifies(const struct identity *i, const gnutls_datum_t *peers, unsigned count)
{
    gnutls_x509_crt_t chain[CHAIN_MAX];
    gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
                                     0};
    unsigned n = 0, status = GNUTLS_CERT_INVALID;
    bool good = count <= CHAIN_MAX;
    for (; good && n < count; n++) {
        if (gnutls_x509_crt_init(&chain[n]) < 0)
            break;
        if (gnutls_x509_crt_import(chain[n], &peers[n], GNUTLS_X509_FMT_DER) < 0)
            good = false;
    }
    good = good && n == count &&
           gnutls_x509_trust_list_verify_crt2(i->client_ca, chain, n, &purpose, 1,
                                              GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status, NULL) >= 0 &&
           status == 0 && is_for_clients(chain[0]);
    while (n > 0)
        gnutls_x509_crt_deinit(chain[--n]);
    return good;
}

/* Who is revoked can't be told from a list that should have been replaced. */
static bool lists_are_current(const struct identity *i, uint64_t wall_ms)
{
    return i->crl_until_ms == 0 || wall_ms < i->crl_until_ms;
}

RESULT tls_client(struct tls *t, void *session, uint64_t wall_ms, uint8_t **ret_der, size_t *ret_len)
{
    const struct identity *i = t->current;
    if (i->clients == HTTP_CLIENT_NONE)
        return OK;
    unsigned count = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &count);
    if (!peers || count == 0)
        return i->clients == HTTP_CLIENT_REQUIRED ? ERR_UNAUTHENTICATED : OK;
    if (!lists_are_current(i, wall_ms) || !chain_verifies(i, peers, count))
        return ERR_BAD_CREDENTIALS;
    uint8_t *der = malloc(peers[0].size);
    if (!der)
        return ERR_NO_MEMORY;
    memcpy(der, peers[0].data, peers[0].size);
    *ret_der = der;
    *ret_len = peers[0].size;
    return OK;
}
