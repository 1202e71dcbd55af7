#include "../failing_alloc.h"
#include "support.h"

#include "base/arena.h"

#include <inttypes.h>

static void problem_is_cut_between_characters(void **state)
{
    struct problem p;
    char text[400];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) { /* so that every byte of the 4-byte character meets the limit */
        memset(text, 'a', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        text[sizeof text - 1] = '\0';
        assert_int_equal(problem_set(&p, ERR_BAD_VALUE, text, "%s", text), ERR_BAD_VALUE);
        assert_int_equal((strlen(p.detail) - shift) % 4, 0);
        assert_int_equal((strlen(p.where) - shift) % 4, 0);
        assert_true(strlen(p.detail) > sizeof p.detail - 5);
    }
    assert_int_equal(problem_set(&p, ERR_IO, NULL, "short é"), ERR_IO);
    assert_string_equal(p.detail, "short é");
    assert_string_equal(p.where, "");
    assert_int_equal(problem_set(&p, ERR_IO, p.detail, "%s again", p.detail), ERR_IO);
    assert_string_equal(p.where, "short é");
    assert_string_equal(p.detail, "short é again");
    assert_int_equal(problem_set(NULL, ERR_IO, "", "x"), ERR_IO);
}

static void catalogue_is_whole(void **state)
{
    (void)state;
    for (int a = 0; a < ERR_COUNT; a++) {
        assert_non_null(err_code((enum err)a));
        assert_true(strlen(err_sentence((enum err)a)) > 3);
        assert_true(a == OK ? err_exit(OK) == 0 : err_exit((enum err)a) >= 1 && err_exit((enum err)a) <= 8);
        assert_true(a == OK || (err_http((enum err)a) >= 400 && err_http((enum err)a) <= 599));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(err_code((enum err)a), err_code((enum err)b));
    }
    assert_string_equal(err_code((enum err)9999), "internal");
    assert_int_equal(err_http((enum err) - 1), 500);
}

static void views_compare(void **state)
{
    char text[4];

    (void)state;
    assert_true(view_is(view_str(NULL), ""));
    assert_true(view_starts(VIEW_STR("abc"), "ab"));
    assert_false(view_starts(VIEW_STR("a"), "ab"));
    assert_true(view_cmp(VIEW_STR("a"), VIEW_STR("ab")) < 0);
    assert_true(view_cmp(VIEW_STR("b"), VIEW_STR("ab")) > 0);
    assert_int_equal(view_cmp((struct view){0}, (struct view){0}), 0);
    assert_int_equal(view_to_str(VIEW_STR("abc"), text, 4), OK);
    assert_string_equal(text, "abc");
    assert_int_equal(view_to_str(VIEW_STR("abcd"), text, 4), ERR_TOO_LONG);
    assert_int_equal(view_to_str(VIEW("a\0b", 3), text, 4), ERR_NUL_BYTE);
    assert_int_equal(view_to_str((struct view){0}, text, 4), OK);
    assert_string_equal(text, "");
}

static void reader_stops_at_the_end(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 2, 'h'};
    struct reader r = reader_new(VIEW_OF(bytes)), before;
    uint64_t v64 = 77;
    uint16_t v16;
    struct view v = {0};

    (void)state;
    assert_int_equal(reader_u16(&r, &v16), OK);
    assert_int_equal(v16, 0x0102);
    r = reader_new(VIEW_OF(bytes));
    assert_int_equal(reader_u64(&r, &v64), OK);
    assert_true(v64 == UINT64_C(0x0102030405060708));
    before = r;
    assert_int_equal(reader_u64(&r, &v64), ERR_TRUNCATED);
    assert_int_equal(reader_var(&r, 1, &v), ERR_TOO_LONG);
    assert_int_equal(reader_var(&r, 2, &v), ERR_TRUNCATED);
    assert_ptr_equal(r.ptr, before.ptr);
    assert_int_equal(r.left, before.left);
    assert_null(v.ptr);
    assert_int_equal(reader_end(&r), ERR_MALFORMED);
    assert_int_equal(reader_bytes(&r, 5, &v), OK);
    assert_int_equal(reader_end(&r), OK);
    assert_int_equal(reader_bytes(&r, 0, &v), OK);
}

static void a_number_is_written_in_decimal(void **state)
{
    uint8_t memory[64];
    struct writer w = writer_fixed(memory, sizeof memory);

    (void)state;
    writer_decimal(&w, 0);
    writer_str(&w, " ");
    writer_decimal(&w, 1000);
    writer_str(&w, " ");
    writer_decimal(&w, UINT64_MAX);
    support_expect(&w, "0 1000 18446744073709551615");
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10)
        for (uint64_t v = power - 1; v <= power + 1; v++) {
            char expected[24];
            writer_reset(&w);
            writer_decimal(&w, v);
            (void)snprintf(expected, sizeof expected, "%" PRIu64, v);
            support_expect(&w, expected);
        }
}

static void writer_is_all_or_nothing(void **state)
{
    uint8_t memory[8];
    struct writer w = writer_fixed(memory, sizeof memory);

    (void)state;
    writer_printf(&w, "%s", "12345678"); /* to the brim: there is no room for printf's NUL */
    support_expect(&w, "12345678");
    assert_int_equal(writer_done(&w), OK);
    writer_u8(&w, 'x');
    assert_int_equal(writer_done(&w), ERR_TOO_LONG);
    assert_int_equal(writer_view_of(&w).len, 0);
    writer_reset(&w);
    writer_u32(&w, 0x01020304);
    writer_bytes(&w, "12345", 5);
    writer_u8(&w, 'x'); /* would fit, but what came before it did not */
    assert_int_equal(w.len, 4);
    assert_int_equal(writer_done(&w), ERR_TOO_LONG);
}

static void writer_grows_to_its_limit(void **state)
{
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        writer_u8(&w, (uint8_t)i);
    assert_int_equal(writer_done(&w), OK);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(w.ptr[i], (uint8_t)i);
    writer_u8(&w, 0);
    assert_int_equal(writer_done(&w), ERR_TOO_LONG);
    writer_free(&w);
    writer_u8(&w, 0);
    assert_int_equal(writer_done(&w), ERR_TOO_LONG);
}

static void writer_without_memory(void **state)
{
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        AUTO_WRITER w = writer_new(4096);

        failing_alloc_begin(n + 1, FAILING_REST);
        for (int i = 0; i < 300; i++)
            writer_printf(&w, "%0300d", i); /* grows, and needs the heap for the text as well */
        (void)failing_alloc_end();
        assert_int_equal(writer_done(&w), n < 3 ? ERR_NO_MEMORY : ERR_NO_MEMORY);
        assert_int_equal(writer_view_of(&w).len, 0);
    }
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    AUTO(arena_free) struct arena *a = NULL;

    (void)state;
    assert_int_equal(arena_new(64, 100000, &a), OK);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 300; n++) {
            uint8_t *p = arena_alloc(a, n);

            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            if (n)
                memset(p, 0xff, n); /* what a reset must not leave behind */
        }
        arena_reset(a);
    }
}

static void arena_keeps_its_limit(void **state)
{
    AUTO(arena_free) struct arena *a = NULL;
    struct view v;

    (void)state;
    assert_int_equal(arena_new(16, 1000, &a), OK);
    assert_null(arena_alloc(a, 1001));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_non_null(arena_alloc(a, 1000));
    assert_null(arena_alloc(a, 1));
    arena_reset(a);
    assert_string_equal(arena_str(a, VIEW_STR("abc")), "abc");
    assert_int_equal(arena_copy(a, VIEW_STR("abc"), &v), OK);
    SUPPORT_VIEW_EQ(v, VIEW_STR("abc"));
    assert_int_equal(arena_copy(a, VIEW("", 0), &v), OK);
    assert_null(v.ptr);
    arena_free(NULL);
}

static void arena_without_memory(void **state)
{
    struct arena *a = NULL;

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        failing_alloc_begin(n + 1, FAILING_REST);
        assert_int_equal(arena_new(64, 1000, &a), ERR_NO_MEMORY);
        assert_null(a);
    }
    failing_alloc_begin(3, FAILING_REST);
    assert_int_equal(arena_new(64, 1000, &a), OK);
    assert_non_null(arena_alloc(a, 64));
    assert_null(arena_alloc(a, 1));
    (void)failing_alloc_end();
    assert_non_null(arena_alloc(a, 1));
    arena_free(a);
}

/* Looks at memory after it was given back: the wiping is what is tested, so the wrapped free looks before it frees. */
static const uint8_t *watched;
static size_t watched_len;
static bool seen_dirty;

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
    const uint8_t *from = p;

    for (size_t i = 0; from && watched >= from && watched < from + 4096 && i < watched_len; i++)
        seen_dirty |= watched[i] != 0;
    __real_free(p);
}

static void released_memory_is_wiped(void **state)
{
    struct arena *a = NULL;
    struct writer w = writer_new(1000);

    (void)state;
    assert_int_equal(arena_new(64, 1000, &a), OK);
    watched = (const uint8_t *)arena_str(a, VIEW_STR("a secret of the first block"));
    watched_len = 20;
    seen_dirty = false;
    arena_free(a);
    assert_false(seen_dirty);
    writer_str(&w, "a secret in a writer that grows");
    watched = w.ptr;
    for (int i = 0; i < 900; i++)
        writer_u8(&w, 'x');
    assert_int_equal(writer_done(&w), OK);
    assert_false(seen_dirty);
    watched = w.ptr;
    writer_free(&w);
    assert_false(seen_dirty);
    watched = malloc(64);
    memset((void *)(uintptr_t)watched, 1, 64);
    free((void *)(uintptr_t)watched); /* the watch itself sees what is not wiped */
    assert_true(seen_dirty);
    watched = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem_is_cut_between_characters),
        cmocka_unit_test(catalogue_is_whole),
        cmocka_unit_test(views_compare),
        cmocka_unit_test(reader_stops_at_the_end),
        cmocka_unit_test(a_number_is_written_in_decimal),
        cmocka_unit_test(writer_is_all_or_nothing),
        cmocka_unit_test(writer_grows_to_its_limit),
        cmocka_unit_test(writer_without_memory),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_keeps_its_limit),
        cmocka_unit_test(arena_without_memory),
        cmocka_unit_test(released_memory_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
