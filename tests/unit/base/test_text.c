#include "support.h"

#include "base/clock.h"
#include "base/text.h"

static void utf8_is_strict(void **state)
{
    static const struct {
        const char *text;
        bool valid, printable;
    } cases[] = {
        {"", true, true},
        {"plain", true, true},
        {"é€😀", true, true},
        {"tab\t", true, false},
        {"del\x7f", true, false},
        {"\xc2\x85", true, false},     /* C1 */
        {"\xe2\x80\xa8", true, false}, /* line separator */
        {"a\xe2\x80\xae"
         "b",
         true, false},                      /* right-to-left override */
        {"\x80", false, false},             /* continuation alone */
        {"\xc0\xaf", false, false},         /* overlong */
        {"\xc1\xbf", false, false},         /* overlong */
        {"\xe0\x80\xaf", false, false},     /* overlong */
        {"\xf0\x80\x80\xaf", false, false}, /* overlong */
        {"\xed\xa0\x80", false, false},     /* surrogate */
        {"\xf4\x90\x80\x80", false, false}, /* above U+10FFFF */
        {"\xf4\x8f\xbf\xbf", true, true},   /* U+10FFFF */
        {"\xf5\x80\x80\x80", false, false},
        {"\xff", false, false},
        {"\xe2\x82", false, false}, /* cut */
        {"\xe2\x82z", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (utf8_valid(view_str(cases[i].text)) != cases[i].valid ||
            text_printable(view_str(cases[i].text)) != cases[i].printable)
            fail_msg("case %zu is judged wrongly", i);
    }
    assert_false(utf8_valid(VIEW("a\0b", 3)));
}

static void safe_text_can_not_drive_a_terminal(void **state)
{
    AUTO_WRITER w = writer_new(100);

    (void)state;
    text_put_safe(&w, VIEW("a\x1b[2J\xff\0é\xe2\x80\xae", 12));
    support_expect(&w, "a�[2J��é�");
}

static void hex_round_trip(void **state)
{
    uint8_t all[256], back[256];
    AUTO_WRITER w = writer_new(512);

    (void)state;
    for (size_t i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    hex_put(&w, VIEW_OF(all));
    assert_int_equal(w.len, 512);
    assert_memory_equal(w.ptr + 0xab * 2, "ab", 2);
    assert_int_equal(hex_get(writer_view_of(&w), back, 256), OK);
    assert_memory_equal(all, back, 256);
    assert_int_equal(hex_get(VIEW_STR("aBCd"), back, 2), OK);
    assert_memory_equal(back, "\xab\xcd", 2);
    for (int c = 0; c < 256; c++) {
        uint8_t pair[2] = {'0', (uint8_t)c};
        bool digit = c && strchr("0123456789abcdefABCDEF", c);

        assert_int_equal(hex_get(VIEW_OF(pair), back, 1), digit ? OK : ERR_MALFORMED);
        uint8_t other[2] = {(uint8_t)c, '0'};
        assert_int_equal(hex_get(VIEW_OF(other), back, 1), digit ? OK : ERR_MALFORMED);
    }
    assert_int_equal(hex_get(VIEW_STR("abc"), back, 1), ERR_MALFORMED);
    assert_int_equal(hex_get(VIEW_STR("abcd"), back, 1), ERR_MALFORMED);
}

static enum err standard(const char *text, struct writer *w)
{
    writer_reset(w);
    return base64_get(view_str(text), w);
}

static void base64_is_strict(void **state)
{
    static const char *const pairs[][2] = {/* RFC 4648, section 10 */
                                           {"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {"Zg",   "Zg=",      "Zg===", "Zh==",   "Zm9=", "Zm8",   "=",         "====",
                                        "Z===", "Zg==Zg==", "Zm 8=", "Zm8=\n", "Zm-_", "Zm9vZ", "Zm\xc3\xa9"};
    AUTO_WRITER w = writer_new(100);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        writer_reset(&w);
        base64_put(&w, view_str(pairs[i][0]));
        support_expect(&w, pairs[i][1]);
        assert_int_equal(standard(pairs[i][1], &w), OK);
        support_expect(&w, pairs[i][0]);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (standard(wrong[i], &w) != ERR_MALFORMED)
            fail_msg("\"%s\" is taken", wrong[i]);
}

static void base64url_is_strict(void **state)
{
    static const char *const wrong[] = {"Zg==", "Zm8=", "+/8", "A", "Zh", "Zm9", "a b"};
    AUTO_WRITER w = writer_new(100);

    (void)state;
    base64url_put(&w, VIEW("\xfb\xff\xbf\xff", 4));
    support_expect(&w, "-_-__w");
    writer_reset(&w);
    assert_int_equal(base64url_get(VIEW_STR("-_-__w"), &w), OK);
    SUPPORT_VIEW_EQ(writer_view_of(&w), VIEW("\xfb\xff\xbf\xff", 4));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (base64url_get(view_str(wrong[i]), &w) != ERR_MALFORMED)
            fail_msg("\"%s\" is taken", wrong[i]);
}

static void base64_every_length(void **state)
{
    struct support_rng rng = {42};
    uint8_t bytes[100];
    AUTO_WRITER text = writer_new(1000);
    AUTO_WRITER back = writer_new(1000);

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)support_next(&rng);
        writer_reset(&text);
        writer_reset(&back);
        base64_put(&text, VIEW(bytes, n));
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_int_equal(base64_get(writer_view_of(&text), &back), OK);
        SUPPORT_VIEW_EQ(writer_view_of(&back), VIEW(bytes, n));
        writer_reset(&text);
        writer_reset(&back);
        base64url_put(&text, VIEW(bytes, n));
        assert_int_equal(base64url_get(writer_view_of(&text), &back), OK);
        SUPPORT_VIEW_EQ(writer_view_of(&back), VIEW(bytes, n));
    }
}

static void base62_fits_or_is_refused(void **state)
{
    char text[44];
    uint8_t bytes[32], back[32];

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(base62_put(bytes, 4, text, 6), OK);
    assert_memory_equal(text, "4gfFC3", 6); /* 2^32 - 1 */
    assert_int_equal(base62_put(bytes, 4, text, 5), ERR_TOO_LONG);
    assert_int_equal(base62_put((const uint8_t *)"\0\0\0\x3d", 4, text, 6), OK);
    assert_memory_equal(text, "00000z", 6);
    assert_int_equal(base62_put(bytes, 32, text, 43), OK);
    assert_int_equal(base62_get(text, 43, back, 32), OK);
    assert_memory_equal(bytes, back, 32);
    assert_int_equal(base62_get("4gfFC3", 6, back, 4), OK);
    assert_memory_equal(back, "\xff\xff\xff\xff", 4);
    assert_int_equal(base62_get("4gfFC4", 6, back, 4), ERR_MALFORMED); /* 2^32 */
    assert_int_equal(base62_get("zzzzzz", 6, back, 4), ERR_MALFORMED);
    assert_int_equal(base62_get("4gfF-3", 6, back, 4), ERR_MALFORMED);
    assert_int_equal(base62_put(bytes, 65, text, 44), ERR_TOO_LONG);
}

static void crc32_as_zlib(void **state)
{
    (void)state;
    assert_int_equal(crc32_of(VIEW_STR("123456789")), 0xcbf43926);
    assert_int_equal(crc32_of((struct view){0}), 0);
    assert_int_equal(crc32_of(VIEW_STR("The quick brown fox jumps over the lazy dog")), 0x414fa339);
    /* Eight bytes, four and one are taken at a time: each length against one bit after the other, or keys that were
     * issued before would be mistyped ones. */
    uint8_t text[64];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 151 + 7);
    for (size_t len = 0; len <= sizeof text; len++) {
        uint32_t crc = ~UINT32_C(0);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            uint32_t low = (crc ^ (uint32_t)text[bit / 8] >> bit % 8) & 1;
            crc = crc >> 1 ^ (low ? UINT32_C(0xedb88320) : 0);
        }
        assert_int_equal(crc32_of(VIEW(text, len)), ~crc);
    }
}

/* Most text is looked at eight bytes at a time: one byte that is not plain is seen wherever it stands. */
static void text_is_looked_at_byte_by_byte(void **state)
{
    (void)state;
    for (size_t at = 0; at < 20; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t text[20];
            memset(text, '~', sizeof text);
            text[at] = (uint8_t)byte;
            assert_int_equal(text_printable(VIEW_OF(text)), byte >= ' ' && byte < 0x7f);
            assert_int_equal(utf8_valid(VIEW_OF(text)), byte > 0 && byte < 0x80);
        }
    for (size_t at = 0; at < 16; at++) {
        char text[] = "                   ";
        memcpy(text + at, "€", 3);
        assert_true(text_printable(view_str(text)));
        memcpy(text + at, "\u2028", 3);
        assert_false(text_printable(view_str(text)));
    }
}

static void percent_coding(void **state)
{
    static const char *const wrong[] = {"%", "%4", "a%zz", "%00", "x%0", "%%41"};
    AUTO_WRITER w = writer_new(100);

    (void)state;
    percent_put(&w, VIEW_STR("aZ0-._~ +/é"));
    support_expect(&w, "aZ0-._~%20%2B%2F%C3%A9");
    writer_reset(&w);
    assert_int_equal(percent_get(VIEW_STR("a+b%2Bc%2f"), true, &w), OK);
    support_expect(&w, "a b+c/");
    writer_reset(&w);
    assert_int_equal(percent_get(VIEW_STR("a+b"), false, &w), OK);
    support_expect(&w, "a+b");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(percent_get(view_str(wrong[i]), false, &w), ERR_MALFORMED);
    assert_int_equal(percent_get(VIEW("a\0", 2), false, &w), ERR_MALFORMED);
}

static void ids_have_one_spelling(void **state)
{
    struct id id, other;
    char text[ID_TEXT_SIZE];

    (void)state;
    assert_int_equal(id_parse(VIEW_STR("00112233445566778899aabbccddeeff"), &id), OK);
    id_format(&id, text);
    assert_string_equal(text, "00112233445566778899aabbccddeeff");
    other = id;
    assert_true(id_eq(&id, &other));
    other.b[15] ^= 1;
    assert_false(id_eq(&id, &other));
    assert_int_equal(id_parse(VIEW_STR("00112233445566778899AABBCCDDEEFF"), &id), ERR_MALFORMED);
    assert_int_equal(id_parse(VIEW_STR("00112233445566778899aabbccddeef"), &id), ERR_MALFORMED);
}

static void times_are_written_and_read(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {UINT64_C(951782399999), "2000-02-28T23:59:59.999Z"},
        {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"}, /* 2100 is no leap year */
        {UINT64_C(1795308202123), "2026-11-22T00:43:22.123Z"},
        {UINT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };
    char text[TIME_TEXT_SIZE];
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        time_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(time_parse(view_str(text), &ms), OK);
        assert_true(ms == cases[i].ms);
    }
    time_format(UINT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    for (uint64_t day = 0; day < 80000; day++) { /* each day of two centuries and leap years among them */
        time_format(day * 86400000, text);
        assert_int_equal(time_parse(view_str(text), &ms), OK);
        assert_true(ms == day * 86400000);
    }
}

static void times_in_other_spellings(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        uint64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:01Z", OK, 1000},
        {"1970-01-01T00:00:01.5Z", OK, 1500},
        {"1970-01-01T00:00:01.123456789Z", OK, 1123},
        {"1970-01-01T02:00:00+02:00", OK, 0},
        {"1969-12-31T23:00:00-01:00", OK, 0},
        {"1969-12-31T23:59:59Z", ERR_OUT_OF_RANGE, 0},
        {"1970-01-01T00:00:00+00:01", ERR_OUT_OF_RANGE, 0},
        {"9999-12-31T23:59:59-00:01", ERR_OUT_OF_RANGE, 0},
        {"0000-01-01T00:00:00Z", ERR_OUT_OF_RANGE, 0},
        {"2100-02-29T00:00:00Z", ERR_MALFORMED, 0},
        {"2026-13-01T00:00:00Z", ERR_MALFORMED, 0},
        {"2026-00-01T00:00:00Z", ERR_MALFORMED, 0},
        {"2026-01-00T00:00:00Z", ERR_MALFORMED, 0},
        {"2026-01-32T00:00:00Z", ERR_MALFORMED, 0},
        {"2026-01-01T24:00:00Z", ERR_MALFORMED, 0},
        {"2016-12-31T23:59:60Z", ERR_MALFORMED, 0},
        {"2026-01-01T00:00:00", ERR_MALFORMED, 0},
        {"2026-01-01T00:00:00.Z", ERR_MALFORMED, 0},
        {"2026-01-01T00:00:00.1234567890Z", ERR_MALFORMED, 0},
        {"2026-01-01 00:00:00Z", ERR_MALFORMED, 0},
        {"2026-01-01T00:00:00Zx", ERR_MALFORMED, 0},
        {"2026-01-01T00:00:00+24:00", ERR_MALFORMED, 0},
        {"2026-1-01T00:00:00Z", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t ms = 0;

        if (time_parse(view_str(cases[i].text), &ms) != cases[i].err || ms != cases[i].ms)
            fail_msg("%s is read as %llu", cases[i].text, (unsigned long long)ms);
    }
}

/* Counts up, so that a byte that is given twice shows; fails when told to. */
struct counting {
    struct random random;
    uint32_t next;
    unsigned calls;
    bool fails;
};

static enum err count_up(const struct random *r, void *out, size_t n)
{
    struct counting *c = r->context;

    if (c->fails)
        return ERR_NO_RANDOM;
    c->calls++;
    for (size_t i = 0; i + 4 <= n; i += 4, c->next++)
        memcpy((uint8_t *)out + i, &c->next, 4);
    return OK;
}

static void a_pool_gives_each_byte_once(void **state)
{
    enum { N = 500, ALL = 4 * RANDOM_POOL_SIZE };
    static uint8_t seen[ALL], much[RANDOM_POOL_SIZE + 4];
    struct counting source = {.random = {count_up, &source}};
    struct random_pool p;
    uint32_t nonce[6];

    (void)state;
    random_pool_init(&p, &source.random);
    for (size_t i = 0; i < N / 2; i++) {
        assert_int_equal(p.random.fill(&p.random, nonce, sizeof nonce), OK);
        for (size_t k = 0; k < ARRAY_LEN(nonce); k++) {
            assert_true(nonce[k] < ALL);
            assert_int_equal(seen[nonce[k]]++, 0);
            for (size_t at = 0; at + 4 <= sizeof p.bytes && nonce[k]; at += 4) /* gone from the pool */
                assert_memory_not_equal(p.bytes + at, &nonce[k], 4);
        }
    }
    assert_true(source.calls <= 1 + N / 2 * sizeof nonce / (RANDOM_POOL_SIZE - sizeof nonce));
    assert_int_equal(p.random.fill(&p.random, much, sizeof much), OK); /* more than it holds */
    source.fails = true;
    nonce[0] = 77;
    for (size_t i = 0; i < RANDOM_POOL_SIZE && p.random.fill(&p.random, nonce, sizeof nonce) == OK; i++)
        nonce[0] = 77;
    assert_int_equal(p.random.fill(&p.random, nonce, sizeof nonce), ERR_NO_RANDOM);
    assert_int_equal(nonce[0], 77);
}

static void system_clock_and_random_work(void **state)
{
    const struct clock *c = clock_system();
    uint8_t a[64] = {0}, b[64] = {0};

    (void)state;
    assert_true(c->wall_ms(c) > UINT64_C(1600000000000));
    uint64_t first = c->mono_ms(c);
    assert_true(c->mono_ms(c) >= first);
    assert_int_equal(random_system()->fill(random_system(), a, sizeof a), OK);
    assert_int_equal(random_system()->fill(random_system(), b, sizeof b), OK);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(safe_text_can_not_drive_a_terminal),
        cmocka_unit_test(hex_round_trip),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(base64_every_length),
        cmocka_unit_test(base62_fits_or_is_refused),
        cmocka_unit_test(crc32_as_zlib),
        cmocka_unit_test(text_is_looked_at_byte_by_byte),
        cmocka_unit_test(percent_coding),
        cmocka_unit_test(ids_have_one_spelling),
        cmocka_unit_test(times_are_written_and_read),
        cmocka_unit_test(times_in_other_spellings),
        cmocka_unit_test(system_clock_and_random_work),
        cmocka_unit_test(a_pool_gives_each_byte_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
