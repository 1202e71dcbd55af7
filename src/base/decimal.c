#include "base/decimal.h"

#define MAX_SCALE      36
#define MAX_DIGITS     36
#define EXPONENT_LIMIT 100000 /* far outside of what can be represented; keeps the sum from overflowing */

typedef __int128 wide;

static wide power10(unsigned n) /* n <= 37 */
{
    wide p = 1;

    while (n-- > 0)
        p *= 10;
    return p;
}

static wide absolute(wide v)
{
    return v < 0 ? -v : v;
}

static struct decimal normalise(struct decimal d)
{
    if (d.digits == 0)
        return (struct decimal){0};
    while (d.scale > 0 && d.digits % 10 == 0) {
        d.digits /= 10;
        d.scale--;
    }
    return d;
}

/* What the text says before it is made into a number: its digits without the point, and where the point was. */
struct spelling {
    struct view whole, fraction;
    long exponent;
    bool negative;
};

static struct view take_digits(struct reader *r)
{
    struct view v = {r->ptr, 0};

    while (r->left && *r->ptr >= '0' && *r->ptr <= '9') {
        r->ptr++;
        r->left--;
        v.len++;
    }
    return v;
}

static bool take(struct reader *r, char c)
{
    if (r->left == 0 || *r->ptr != (uint8_t)c)
        return false;
    r->ptr++;
    r->left--;
    return true;
}

static enum err take_exponent(struct reader *r, long *ret)
{
    bool negative = take(r, '-');

    if (!negative)
        (void)take(r, '+');
    struct view digits = take_digits(r);
    long v = 0;

    if (digits.len == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < digits.len && v < EXPONENT_LIMIT; i++)
        v = v * 10 + (digits.ptr[i] - '0');
    *ret = negative ? -v : v;
    return OK;
}

static enum err spell(struct view text, bool exponent, struct spelling *s)
{
    struct reader r = reader_new(text);

    *s = (struct spelling){.negative = take(&r, '-')};
    s->whole = take_digits(&r);
    if (take(&r, '.'))
        s->fraction = take_digits(&r);
    if (s->whole.len + s->fraction.len == 0)
        return ERR_MALFORMED;
    if (exponent && (take(&r, 'e') || take(&r, 'E')))
        TRY(take_exponent(&r, &s->exponent));
    return reader_end(&r);
}

static uint8_t digit_at(const struct spelling *s, size_t i)
{
    return (uint8_t)((i < s->whole.len ? s->whole.ptr[i] : s->fraction.ptr[i - s->whole.len]) - '0');
}

static enum err evaluate(const struct spelling *s, struct decimal *ret)
{
    size_t first = 0, end = s->whole.len + s->fraction.len;
    wide digits = 0;

    /* However many zeros stand in front or behind, only what is between them counts. */
    while (first < end && digit_at(s, first) == 0)
        first++;
    while (end > first && digit_at(s, end - 1) == 0)
        end--;
    if (first == end) {
        *ret = (struct decimal){0};
        return OK;
    }
    if (end - first > MAX_DIGITS || end > EXPONENT_LIMIT || s->whole.len > EXPONENT_LIMIT)
        return ERR_OUT_OF_RANGE;
    for (size_t i = first; i < end; i++)
        digits = digits * 10 + digit_at(s, i);
    long scale = (long)end - (long)s->whole.len - s->exponent;

    if (scale > MAX_SCALE || scale < (long)(end - first) - MAX_DIGITS)
        return ERR_OUT_OF_RANGE;
    if (scale < 0)
        digits *= power10((unsigned)-scale);
    *ret = (struct decimal){s->negative ? -digits : digits, (uint8_t)(scale < 0 ? 0 : scale)};
    return OK;
}

enum err decimal_parse(struct view text, struct decimal *ret)
{
    struct spelling s;

    TRY(spell(text, false, &s));
    return evaluate(&s, ret);
}

enum err decimal_parse_json(struct view text, struct decimal *ret)
{
    struct spelling s;

    TRY(spell(text, true, &s));
    return evaluate(&s, ret);
}

void decimal_put(struct writer *w, struct decimal d)
{
    char text[MAX_DIGITS + MAX_SCALE + 4];
    size_t at = sizeof text;

    d = normalise(d);
    wide rest = absolute(d.digits);
    unsigned written = 0;

    do { /* from the last digit to the first; at least one before the point */
        if (written == d.scale && written > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
        written++;
    } while (rest > 0 || written <= d.scale);
    if (d.digits < 0)
        text[--at] = '-';
    writer_bytes(w, text + at, sizeof text - at);
}

static int compare(wide a, wide b)
{
    return (a > b) - (a < b);
}

int decimal_cmp(struct decimal a, struct decimal b)
{
    /* Aligning the scales could overflow; whole part and fraction one after the other can't. */
    wide pa = power10(a.scale), pb = power10(b.scale);
    int whole = compare(a.digits / pa, b.digits / pb);

    if (whole)
        return whole;
    return compare(a.digits % pa * power10(MAX_SCALE - a.scale), b.digits % pb * power10(MAX_SCALE - b.scale));
}

enum err decimal_add(struct decimal a, struct decimal b, struct decimal *ret)
{
    a = normalise(a);
    b = normalise(b);
    if (a.scale < b.scale) {
        struct decimal swap = a;

        a = b;
        b = swap;
    }
    wide shift = power10(a.scale - b.scale);

    /* Normalised numbers of different scale leave a last digit that is not zero, so what is refused here could not be
     * written shorter. The sum may be ten times smaller than b, hence 37 digits. */
    if (absolute(b.digits) > power10(MAX_DIGITS + 1) / shift)
        return ERR_OUT_OF_RANGE;
    struct decimal sum = normalise((struct decimal){a.digits + b.digits * shift, a.scale});

    if (absolute(sum.digits) >= power10(MAX_DIGITS))
        return ERR_OUT_OF_RANGE;
    *ret = sum;
    return OK;
}

/* Takes one factor of ten out of the product, if it holds one. */
static bool cancel_ten(wide *a, wide *b)
{
    static const uint8_t factors[][2] = {{10, 1}, {1, 10}, {2, 5}, {5, 2}};

    for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
        if (*a % factors[i][0] != 0 || *b % factors[i][1] != 0)
            continue;
        *a /= factors[i][0];
        *b /= factors[i][1];
        return true;
    }
    return false;
}

enum err decimal_mul(struct decimal a, struct decimal b, struct decimal *ret)
{
    unsigned scale = (unsigned)a.scale + b.scale;
    wide x = a.digits, y = b.digits;

    if (x == 0 || y == 0) {
        *ret = (struct decimal){0};
        return OK;
    }
    while (scale > 0 && cancel_ten(&x, &y))
        scale--;
    if (scale > MAX_SCALE || absolute(x) > (power10(MAX_DIGITS) - 1) / absolute(y))
        return ERR_OUT_OF_RANGE;
    *ret = (struct decimal){x * y, (uint8_t)scale};
    return OK;
}

bool decimal_is_negative(struct decimal d)
{
    return d.digits < 0;
}

bool decimal_is_zero(struct decimal d)
{
    return d.digits == 0;
}
