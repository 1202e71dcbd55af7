/* What every test of this folder includes. */
#ifndef HOLDFAST_TEST_WARDEN_H
#define HOLDFAST_TEST_WARDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prefix.h"

static inline struct prefix network(const char *text)
{
    struct prefix p;
    assert_int_equal(prefix_parse(view_str(text), &p, NULL), OK);
    return p;
}

#endif
