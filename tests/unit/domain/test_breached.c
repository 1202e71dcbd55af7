/* What would break for the user: a password that every guessing program has is taken, or a good one refused. */
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/identity/breached.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 1000

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, SHA1_SIZE);
}

static int file_of(const char *text, size_t len)
{
    int fd = memfd_create("list", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    return fd;
}

/* "password-0" … in the list, with counts of all widths. */
static int list(size_t count, const char *line_end, bool last_ends)
{
    static uint8_t hashes[MANY][SHA1_SIZE];
    struct writer w = writer_new(1u << 20);
    char name[32];

    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "password-%zu", i);
        sha1_for_lookup(view_str(name), hashes[i]);
    }
    qsort(hashes, count, SHA1_SIZE, by_bytes);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < SHA1_SIZE; k++)
            writer_printf(&w, "%02X", hashes[i][k]);
        writer_printf(&w, ":%llu", i % 3 == 0 ? 1ull : i % 3 == 1 ? 4242ull : 37359195ull);
        if (i + 1 < count || last_ends)
            writer_str(&w, line_end);
    }
    int fd = file_of((const char *)w.ptr, w.len);
    writer_free(&w);
    return fd;
}

static void all_that_are_listed_and_no_others(void **state)
{
    static const struct {
        size_t count;
        const char *line_end;
        bool last_ends;
    } files[] = {{1, "\n", true},   {1, "\r\n", false}, {2, "\n", false},
                 {3, "\r\n", true}, {MANY, "\n", true}, {MANY, "\r\n", false}};
    char name[32];

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        struct breached *b = NULL;
        struct problem why = {0};
        assert_int_equal(breached_new(list(files[f].count, files[f].line_end, files[f].last_ends), &b, &why), OK);
        for (size_t i = 0; i < files[f].count; i++) {
            snprintf(name, sizeof name, "password-%zu", i);
            assert_int_equal(breached_check(b, view_str(name), &why), ERR_WEAK_PASSWORD);
        }
        for (size_t i = 0; i < 2 * MANY; i++) {
            snprintf(name, sizeof name, "another-%zu", i);
            assert_int_equal(breached_check(b, view_str(name), &why), OK);
        }
        breached_free(b);
    }
}

static void how_often_it_was_seen(void **state)
{
    /* The SHA-1 of "P@ssw0rd", as it stands in the published list. */
    static const char text[] = "0000000000000000000000000000000000000001:7\r\n"
                               "21BD12DC183F740EE76F27B78EB39C8AD972A757:83129\r\n"
                               "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE:9\r\n";
    struct breached *b = NULL;
    struct problem why = {0};

    (void)state;
    assert_int_equal(breached_new(file_of(text, sizeof text - 1), &b, &why), OK);
    assert_int_equal(breached_check(b, VIEW_STR("P@ssw0rd"), &why), ERR_WEAK_PASSWORD);
    assert_non_null(strstr(why.detail, "83129"));
    breached_free(b);
}

static void other_files_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "hello\n",
        "21BD12DC183F740EE76F27B78EB39C8AD972A757\n", /* without a count */
        "21BD12DC183F740EE76F27B78EB39C8AD972A757:x\n",
        "21BD12DC183F740EE76F27B78EB39C8AD972A757 83129\n",
        "FFBD12DC183F740EE76F27B78EB39C8AD972A757:1\n00BD12DC183F740EE76F27B78EB39C8AD972A757:1\n", /* by count, not by
                                                                                                       hash */
        "8846F7EAEE8FB117AD06BDD830B7586C:1\n8846F7EAEE8FB117AD06BDD830B7586D:1\n",                 /* NTLM */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct breached *b = NULL;
        struct problem why = {0};
        assert_int_equal(breached_new(file_of(texts[i], strlen(texts[i])), &b, &why), ERR_BAD_CONFIG);
        assert_non_null(strstr(why.detail, "byte"));
        assert_null(b);
    }
}

static void a_file_that_changed_is_an_error(void **state)
{
    struct breached *b = NULL;
    struct problem why = {0};
    int fd = list(MANY, "\n", true), same = dup(fd);
    static const char noise[MANY * 44];

    (void)state;
    assert_int_equal(breached_new(fd, &b, &why), OK);
    assert_int_equal(pwrite(same, noise, sizeof noise, 0), (ssize_t)sizeof noise);
    assert_int_equal(breached_check(b, VIEW_STR("password-1"), &why), ERR_MALFORMED);
    breached_free(b);
    close(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_are_listed_and_no_others),
        cmocka_unit_test(how_often_it_was_seen),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_file_that_changed_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
