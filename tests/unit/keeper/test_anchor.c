/* The anchor file: torn writes, damage, and a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/anchor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int file(void)
{
    int fd = memfd_create("anchor", 0);

    assert_true(fd >= 0);
    return fd;
}

static void flip(int fd, off_t at)
{
    uint8_t b;

    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 0x40;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
}

static void the_newest_whole_slot_is_in_force(void **state)
{
    int fd = file();
    struct anchor *a, *b;

    (void)state;
    assert_int_equal(anchor_open(fd, &a), OK);
    assert_true(anchor_empty(a));
    assert_int_equal(anchor_write(a, VIEW_STR("h1"), VIEW_STR("one")), OK);
    assert_int_equal(anchor_write(a, VIEW_STR("h2"), VIEW_STR("two")), OK);
    assert_int_equal(anchor_open(fd, &b), OK);
    assert_true(view_is(anchor_body_bytes(b), "two"));
    anchor_free(b);
    flip(fd, ANCHOR_SLOT + 30); /* the second write, torn */
    assert_int_equal(anchor_open(fd, &b), OK);
    assert_true(view_is(anchor_body_bytes(b), "one"));
    anchor_free(b);
    flip(fd, 30);
    assert_int_equal(anchor_open(fd, &b), ERR_TAMPERED);
    anchor_free(a);
    close(fd);
}

static void a_truncated_slot_is_no_slot(void **state)
{
    int fd = file();
    struct anchor *a, *b;

    (void)state;
    assert_int_equal(anchor_open(fd, &a), OK);
    assert_int_equal(anchor_write(a, VIEW_STR("h1"), VIEW_STR("one")), OK);
    assert_int_equal(anchor_write(a, VIEW_STR("h2"), VIEW_STR("two")), OK);
    assert_int_equal(ftruncate(fd, ANCHOR_SLOT + 20), 0);
    assert_int_equal(anchor_open(fd, &b), OK);
    assert_true(view_is(anchor_head_bytes(b), "h1"));
    anchor_free(b);
    anchor_free(a);
    close(fd);
}

static void a_write_that_fails_leaves_the_former_version(void **state)
{
    int fd = file(), read_only;
    struct anchor *a;
    char path[64];

    (void)state;
    assert_int_equal(anchor_open(fd, &a), OK);
    assert_int_equal(anchor_write(a, VIEW_STR("h"), VIEW_STR("one")), OK);
    anchor_free(a);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_only = open(path, 0);
    assert_true(read_only >= 0);
    assert_int_equal(anchor_open(read_only, &a), OK);
    assert_int_equal(anchor_write(a, VIEW_STR("h"), VIEW_STR("two")), ERR_IO);
    assert_true(view_is(anchor_body_bytes(a), "one"));
    anchor_free(a);
    close(read_only);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_whole_slot_is_in_force),
        cmocka_unit_test(a_truncated_slot_is_no_slot),
        cmocka_unit_test(a_write_that_fails_leaves_the_former_version),
    };
    return cmocka_run_group_tests_name("keeper-anchor", tests, NULL, NULL);
}
