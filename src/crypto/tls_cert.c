#include "crypto/tls_cert.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define NAME_MAX_BYTES 253
#define SERIAL_SIZE    16

AUTO_DEFINE(gnutls_x509_crt_t, gnutls_x509_crt_deinit);
AUTO_DEFINE(gnutls_x509_privkey_t, gnutls_x509_privkey_deinit);

static enum err check(int gnutls)
{
    return gnutls < 0 ? ERR_CRYPTO : OK;
}

static enum err add_name(gnutls_x509_crt_t c, struct view name)
{
    char text[NAME_MAX_BYTES + 1];
    uint8_t address[16];
    if (name.len == 0 || view_to_str(name, text, sizeof text) != OK)
        return ERR_BAD_VALUE;
    if (inet_pton(AF_INET, text, address) == 1)
        return check(gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, address, 4, GNUTLS_FSAN_APPEND));
    if (inet_pton(AF_INET6, text, address) == 1)
        return check(gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, address, 16, GNUTLS_FSAN_APPEND));
    return check(
        gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, text, (unsigned)name.len, GNUTLS_FSAN_APPEND));
}

static enum err describe(gnutls_x509_crt_t c, struct view common_name, uint64_t now_ms)
{
    uint8_t serial[SERIAL_SIZE];
    time_t now = (time_t)(now_ms / 1000);
    TRY(random_system()->fill(random_system(), serial, sizeof serial));
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive and of full length, RFC 5280 §4.1.2.2 */
    TRY(check(gnutls_x509_crt_set_version(c, 3)));
    TRY(check(gnutls_x509_crt_set_serial(c, serial, sizeof serial)));
    TRY(check(gnutls_x509_crt_set_activation_time(c, now - 3600)));
    TRY(check(gnutls_x509_crt_set_expiration_time(c, now + TLS_CERT_DAYS * 24 * 3600L)));
    TRY(check(gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, common_name.ptr,
                                            (unsigned)(common_name.len > 64 ? 64 : common_name.len))));
    TRY(check(gnutls_x509_crt_set_basic_constraints(c, 0, -1)));
    TRY(check(gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE)));
    return check(gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_SERVER, 0));
}

static enum err put(struct writer *w, gnutls_datum_t d)
{
    writer_bytes(w, d.data, d.size);
    gnutls_memset(d.data, 0, d.size);
    gnutls_free(d.data);
    return writer_done(w);
}

RESULT tls_cert_self_signed(const struct view *names, size_t name_count, uint64_t now_ms, struct writer *certificate,
                            struct writer *key)
{
    AUTO(gnutls_x509_crt_deinit) gnutls_x509_crt_t c = NULL;
    AUTO(gnutls_x509_privkey_deinit) gnutls_x509_privkey_t k = NULL;
    gnutls_datum_t pem;
    if (name_count == 0)
        return ERR_BAD_VALUE;
    TRY(check(gnutls_x509_crt_init(&c)));
    TRY(check(gnutls_x509_privkey_init(&k)));
    TRY(check(gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)));
    TRY(describe(c, names[0], now_ms));
    for (size_t i = 0; i < name_count; i++)
        TRY(add_name(c, names[i]));
    TRY(check(gnutls_x509_crt_set_key(c, k)));
    TRY(check(gnutls_x509_crt_sign2(c, c, k, GNUTLS_DIG_SHA256, 0)));
    TRY(check(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &pem)));
    TRY(put(certificate, pem));
    TRY(check(gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem)));
    return put(key, pem);
}
