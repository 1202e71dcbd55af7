/* Shamir's secret sharing over GF(2^8) (polynomial 0x11b), each byte on its own, constant time: no tables indexed by
 * secret bytes. A share is text that a person can keep: "hfs1-" + base62 of {set, threshold, x, bytes, check}, so that
 * a share of another split or installation, a typing error, and the same share twice are told apart. */
#ifndef HOLDFAST_CRYPTO_SHAMIR_H
#define HOLDFAST_CRYPTO_SHAMIR_H

#include "base/clock.h"
#include "crypto/secmem.h"

#define SHAMIR_SECRET_SIZE 32
#define SHAMIR_MAX_SHARES  16
#define SHARE_TEXT_SIZE    96 /* NUL included */

struct share {
    uint8_t set[8];    /* random, one for each split: shares of different splits don't mix */
    uint8_t threshold; /* 1..SHAMIR_MAX_SHARES */
    uint8_t x;         /* 1..255 */
    uint8_t y[SHAMIR_SECRET_SIZE];
};

/* 1 <= threshold <= count <= SHAMIR_MAX_SHARES, else ERR_OUT_OF_RANGE. */
RESULT shamir_split(const uint8_t secret[static SHAMIR_SECRET_SIZE], uint8_t threshold, uint8_t count,
                    const struct random *random, struct share *ret_shares);
/* Needs exactly `threshold` distinct shares of one set: ERR_TOO_SHORT, ERR_OUT_OF_RANGE (too many), ERR_SHARE_TWICE,
 * ERR_WRONG_SHARE. A share that was altered and yet passes its check gives a wrong secret: what it opens must tell. */
RESULT shamir_join(const struct share *shares, size_t count, uint8_t ret_secret[static SHAMIR_SECRET_SIZE]);
RESULT share_format(const struct share *s, char out[static SHARE_TEXT_SIZE]);
RESULT share_parse(struct view text, struct share *ret); /* ERR_MALFORMED on a typing error */

#endif
