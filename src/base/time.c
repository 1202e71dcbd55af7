/* RFC 3339 by the proleptic Gregorian calendar. Years are counted from 1 March, so that the leap day is the last day
 * of a year and months have a closed form. */
#include "base/clock.h"

#define DAY_MS            UINT64_C(86400000)
#define LAST_MS           (UINT64_C(253402300800000) - 1) /* 9999-12-31T23:59:59.999Z */
#define DAYS_TO_1970      719468                          /* from 0000-03-01 */
#define DAYS_OF_400_YEARS 146097

struct date {
    unsigned year, month, day;
};

static struct date date_of_day(uint64_t days_since_1970)
{
    uint64_t z = days_since_1970 + DAYS_TO_1970;
    uint64_t era = z / DAYS_OF_400_YEARS, doe = z % DAYS_OF_400_YEARS;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint64_t mp = (5 * doy + 2) / 153; /* 0 is March */
    unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);

    return (struct date){(unsigned)(era * 400 + yoe + (month <= 2)), month, (unsigned)(doy - (153 * mp + 2) / 5 + 1)};
}

static int64_t day_of_date(struct date d)
{
    int64_t y = (int64_t)d.year - (d.month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t mp = d.month > 2 ? d.month - 3 : d.month + 9;
    int64_t doy = (153 * mp + 2) / 5 + d.day - 1;

    return era * DAYS_OF_400_YEARS + yoe * 365 + yoe / 4 - yoe / 100 + doy - DAYS_TO_1970;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

/* n digits and the mark after them. */
static char *put_number(char *to, unsigned v, size_t n, char mark)
{
    for (size_t i = n; i > 0; i--, v /= 10)
        to[i - 1] = (char)('0' + v % 10);
    to[n] = mark;
    return to + n + 1;
}

/* Without printf, which takes longer over it than all else that goes into a small answer. */
void time_format(uint64_t wall_ms, char out[static TIME_TEXT_SIZE])
{
    uint64_t ms = wall_ms > LAST_MS ? LAST_MS : wall_ms;
    struct date d = date_of_day(ms / DAY_MS);
    unsigned of_day = (unsigned)(ms % DAY_MS);
    char *at = out;

    at = put_number(at, d.year, 4, '-');
    at = put_number(at, d.month, 2, '-');
    at = put_number(at, d.day, 2, 'T');
    at = put_number(at, of_day / 3600000, 2, ':');
    at = put_number(at, of_day / 60000 % 60, 2, ':');
    at = put_number(at, of_day / 1000 % 60, 2, '.');
    at = put_number(at, of_day % 1000, 3, 'Z');
    *at = '\0';
}

/* Exactly n digits, then the mark (0: none). */
static enum err take_number(struct reader *r, size_t n, char mark, unsigned *ret)
{
    unsigned v = 0;
    uint8_t c;

    for (size_t i = 0; i < n; i++) {
        if (reader_u8(r, &c) || c < '0' || c > '9')
            return ERR_MALFORMED;
        v = v * 10 + (c - '0');
    }
    if (mark && (reader_u8(r, &c) || c != (uint8_t)mark))
        return ERR_MALFORMED;
    *ret = v;
    return OK;
}

/* "", or "." and 1 to 9 digits, of which milliseconds are kept. */
static enum err take_fraction(struct reader *r, unsigned *ret_ms)
{
    unsigned ms = 0, weight = 100;
    size_t digits = 0;
    uint8_t c;

    *ret_ms = 0;
    if (r->left == 0 || *r->ptr != '.')
        return OK;
    TRY(reader_u8(r, &c));
    for (; r->left && *r->ptr >= '0' && *r->ptr <= '9'; digits++, weight /= 10) {
        TRY(reader_u8(r, &c));
        ms += weight * (c - '0');
    }
    *ret_ms = ms;
    return digits >= 1 && digits <= 9 ? OK : ERR_MALFORMED;
}

/* "Z" or "+hh:mm" or "-hh:mm", to the end. */
static enum err take_offset(struct reader *r, int64_t *ret_minutes)
{
    unsigned hour = 0, minute = 0;
    uint8_t c;

    if (reader_u8(r, &c))
        return ERR_MALFORMED;
    if (c != 'Z') {
        if (c != '+' && c != '-')
            return ERR_MALFORMED;
        TRY(take_number(r, 2, ':', &hour));
        TRY(take_number(r, 2, 0, &minute));
    }
    if (hour > 23 || minute > 59)
        return ERR_MALFORMED;
    *ret_minutes = (c == '-' ? -1 : 1) * (int64_t)(hour * 60 + minute);
    return reader_end(r);
}

enum err time_parse(struct view text, uint64_t *ret_wall_ms)
{
    struct reader r = reader_new(text);
    struct date d;
    unsigned hour, minute, second, ms;
    int64_t offset;

    TRY(take_number(&r, 4, '-', &d.year));
    TRY(take_number(&r, 2, '-', &d.month));
    TRY(take_number(&r, 2, 'T', &d.day));
    TRY(take_number(&r, 2, ':', &hour));
    TRY(take_number(&r, 2, ':', &minute));
    TRY(take_number(&r, 2, 0, &second));
    TRY(take_fraction(&r, &ms));
    TRY(take_offset(&r, &offset));
    /* A leap second (":60") has no place in Unix time. */
    if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > days_in_month(d.year, d.month) || hour > 23 ||
        minute > 59 || second > 59)
        return ERR_MALFORMED;
    int64_t seconds = day_of_date(d) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second) - offset * 60;

    if (seconds < 0 || (uint64_t)seconds > LAST_MS / 1000)
        return ERR_OUT_OF_RANGE;
    *ret_wall_ms = (uint64_t)seconds * 1000 + ms;
    return OK;
}
