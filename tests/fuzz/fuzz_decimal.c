/* Two numbers, divided by a space: their forms and the laws of their arithmetic. */
#include "base/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool same(struct decimal a, struct decimal b)
{
    return a.digits == b.digits && a.scale == b.scale;
}

static void comes_back(struct decimal d)
{
    char text[100];
    struct writer w = writer_fixed(text, sizeof text);
    struct decimal again;

    decimal_put(&w, d);
    check(writer_done(&w) == OK && decimal_parse(writer_view_of(&w), &again) == OK && same(d, again));
}

static void arithmetic(struct decimal a, struct decimal b)
{
    struct decimal ab, ba, back, minus = {-b.digits, b.scale};
    enum err sum = decimal_add(a, b, &ab);

    check(decimal_add(b, a, &ba) == sum && (sum || same(ab, ba)));
    check(decimal_cmp(a, b) == -decimal_cmp(b, a) && decimal_cmp(a, a) == 0);
    if (sum == OK) {
        comes_back(ab);
        check(decimal_add(ab, minus, &back) == OK && same(back, a));
        check(decimal_cmp(ab, a) == (b.digits > 0) - (b.digits < 0));
    }
    enum err product = decimal_mul(a, b, &ab);

    check(decimal_mul(b, a, &ba) == product && (product || same(ab, ba)));
    if (product == OK)
        comes_back(ab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *space = size ? memchr(data, ' ', size) : NULL;
    size_t first = space ? (size_t)(space - data) : size;
    struct view rest = space ? VIEW(space + 1, size - first - 1) : (struct view){0};
    struct decimal a, b;

    if (decimal_parse_json(VIEW(data, first), &a) != OK)
        return 0;
    comes_back(a);
    if (decimal_parse_json(rest, &b) == OK)
        arithmetic(a, b);
    return 0;
}
