/* Runs the command line inside the test, as a process would: words in, exit code and both outputs back. */
#ifndef HOLDFAST_TEST_CLI_SUPPORT_H
#define HOLDFAST_TEST_CLI_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "cli/cli.h"

struct ran {
    int code;
    char *out, *err;
};

/* words end with NULL; the program's name is added. input, if not NULL, is what standard input holds. */
struct ran support_run(const char *input, const char *const *words);
#define RUN(...)             support_run(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define RUN_WITH(input, ...) support_run((input), (const char *const[]){__VA_ARGS__, NULL})
void support_done(struct ran *r);
/* A fresh directory as HOLDFAST_HOME, with no other variable of ours set; removed by support_home_done. */
const char *support_home(void);
void support_home_done(void);
char *support_read(const char *path); /* a whole file; fails the test if it is not there; free it */
void support_write(const char *path, const char *text, size_t len);

#endif
