/* What would break for the user: a code that no app can read. Both drawings are read back into modules here; that they
 * are the right modules, a real reader says (tests/integration/test_mfa.py). */
#include "base/qr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIDE 256

struct grid {
    bool dark[SIDE][SIDE];
    int size; /* with the quiet zone */
};

static const char text[] = "otpauth://totp/Holdfast:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdfast";

static void read_terminal(const char *out, struct grid *ret)
{
    int x = 0, y = 0;

    for (const char *p = out; *p;) {
        bool upper = true, lower = true; /* a space is dark */
        size_t n = 3;

        if (*p == '\033') {
            p = strchr(p, 'm') + 1;
            continue;
        }
        if (*p == '\n') {
            ret->size = x;
            x = 0;
            y += 2;
            p++;
            continue;
        }
        if (*p == ' ')
            n = 1;
        else if (!strncmp(p, "\u2588", 3))
            upper = lower = false;
        else if (!strncmp(p, "\u2580", 3))
            upper = false;
        else if (!strncmp(p, "\u2584", 3))
            lower = false;
        else
            fail();
        ret->dark[y][x] = upper;
        ret->dark[y + 1][x++] = lower;
        p += n;
    }
}

static void read_svg(const char *out, struct grid *ret)
{
    int x, y, run, back;

    assert_int_equal(sscanf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d", &ret->size), 1);
    const char *p = strstr(out, "<path d=\"");
    assert_non_null(p);
    for (p += strlen("<path d=\""); *p == 'M'; p = strchr(p, 'z') + 1) {
        assert_int_equal(sscanf(p, "M%d %dh%dv1h-%dz", &x, &y, &run, &back), 4);
        assert_int_equal(run, back);
        for (int i = 0; i < run; i++)
            ret->dark[y][x + i] = true;
    }
    assert_string_equal(p, "\"/></svg>");
}

static char *drawn(RESULT (*draw)(struct view, struct writer *))
{
    struct writer w = writer_new(1u << 20);

    assert_int_equal(draw(VIEW_STR(text), &w), OK);
    writer_u8(&w, 0);
    char *copy = strdup((const char *)w.ptr);
    writer_free(&w);
    return copy;
}

static void both_drawings_are_the_same_symbol(void **state)
{
    static struct grid terminal, svg;
    char *t = drawn(qr_terminal), *s = drawn(qr_svg);

    (void)state;
    read_terminal(t, &terminal);
    read_svg(s, &svg);
    assert_int_equal(terminal.size, svg.size);
    assert_true(svg.size >= 21 + 8);
    for (int y = 0; y < svg.size; y++)
        for (int x = 0; x < svg.size; x++)
            assert_int_equal(terminal.dark[y][x], svg.dark[y][x]);
    for (int i = 0; i < svg.size; i++) /* the quiet zone, and the first finder pattern */
        assert_false(svg.dark[3][i] || svg.dark[i][3]);
    for (int i = 4; i < 11; i++)
        assert_true(svg.dark[4][i] && svg.dark[i][4]);
    free(t);
    free(s);
}

static void too_long_is_refused(void **state)
{
    static uint8_t much[QR_TEXT_MAX + 1];
    struct writer w = writer_new(1u << 20);

    (void)state;
    memset(much, 'x', sizeof much);
    assert_int_equal(qr_svg(VIEW_OF(much), &w), ERR_TOO_LONG);
    assert_int_equal(qr_terminal(VIEW_STR(""), &w), ERR_TOO_LONG);
    assert_int_equal(qr_svg(VIEW(much, QR_TEXT_MAX), &w), OK);
    writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_drawings_are_the_same_symbol),
        cmocka_unit_test(too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
