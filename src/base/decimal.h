/* Exact decimal numbers for sizes, prices and notionals: no binary floating point anywhere near money. */
#ifndef HOLDFAST_BASE_DECIMAL_H
#define HOLDFAST_BASE_DECIMAL_H

#include "base/buf.h"

/* value = digits × 10^-scale, 0 <= scale <= 36, |digits| < 10^36. Kept normalised: no trailing zeros after the point.
 */
struct decimal {
    __int128 digits;
    uint8_t scale;
};

/* [-]digits[.digits] with at least one digit in all; no exponent, no plus, no space. ERR_MALFORMED, ERR_OUT_OF_RANGE.*/
RESULT decimal_parse(struct view text, struct decimal *ret);
/* Same, also taking an exponent (1e-7), as JSON numbers may have. */
RESULT decimal_parse_json(struct view text, struct decimal *ret);
void decimal_put(struct writer *w, struct decimal d); /* shortest form, no exponent */
int decimal_cmp(struct decimal a, struct decimal b);
RESULT decimal_add(struct decimal a, struct decimal b, struct decimal *ret); /* ERR_OUT_OF_RANGE, never a wrong sum */
RESULT decimal_mul(struct decimal a, struct decimal b, struct decimal *ret); /* exact, or ERR_OUT_OF_RANGE */
bool decimal_is_negative(struct decimal d);
bool decimal_is_zero(struct decimal d);

#endif
