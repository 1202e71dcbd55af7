/* What every test of this folder includes. */
#ifndef HOLDFAST_TEST_IPC_H
#define HOLDFAST_TEST_IPC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_ok(expr) assert_int_equal((expr), 0)

#endif
