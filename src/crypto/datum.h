/* GnuTLS takes bytes as gnutls_datum_t, whose pointer lacks const although its const inputs are only read. */
#ifndef HOLDFAST_CRYPTO_DATUM_H
#define HOLDFAST_CRYPTO_DATUM_H

#include "base/buf.h"

#include <gnutls/gnutls.h>
#include <stdint.h>

static inline gnutls_datum_t datum(struct view v)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)v.ptr, .size = (unsigned)v.len};
}

/* gnutls_datum_t counts in an unsigned int. */
#define DATUM_MAX ((size_t)1 << 30)

#endif
