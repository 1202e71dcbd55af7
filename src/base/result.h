/* Results that the compiler makes you check.
 *
 * Every function that can fail is declared with RESULT and returns OK or one code of the catalogue in errors.def.
 * Outputs named ret_* stay untouched on failure. */
#ifndef HOLDFAST_BASE_RESULT_H
#define HOLDFAST_BASE_RESULT_H

#include <stddef.h>

enum err {
    OK = 0,
#define ERROR(name, code, http, exit, sentence) ERR_##name,
#include "base/errors.def"
#undef ERROR
    ERR_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define RESULT     MUST_CHECK enum err

/* Returns from the calling function with the error of expr, if it has one. */
#define TRY(expr)                                                                                                      \
    do {                                                                                                               \
        enum err try_err_ = (expr);                                                                                    \
        if (try_err_ != OK)                                                                                            \
            return try_err_;                                                                                           \
    } while (0)

/* Scoped clean-up: AUTO(secret_free) struct secret *s = NULL; needs AUTO_DEFINE(struct secret *, secret_free). */
#define AUTO(fn) __attribute__((cleanup(fn##_auto)))
#define AUTO_DEFINE(type, fn)                                                                                          \
    static inline void fn##_auto(type *value)                                                                          \
    {                                                                                                                  \
        if (*value)                                                                                                    \
            fn(*value);                                                                                                \
    }                                                                                                                  \
    struct auto_needs_semicolon_

/* Takes ownership out of a scoped variable: return TAKE(s); */
#define TAKE(ptr)                                                                                                      \
    ({                                                                                                                 \
        __typeof__(ptr) taken_ = (ptr);                                                                                \
        (ptr) = NULL;                                                                                                  \
        taken_;                                                                                                        \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* What went wrong with somebody's input: the code, where in the input (JSON pointer, file:line:column, parameter
 * name; "" if nowhere in particular) and what would mend it. Text is cut, never overrun. */
struct problem {
    enum err code;
    char where[160];
    char detail[320];
};

/* Fills why (may be NULL) and returns code, so that a guard can say: return problem_set(why, ERR_X, "/name", "…"). */
RESULT problem_set(struct problem *why, enum err code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The catalogue. A code outside it is answered as ERR_INTERNAL. */
const char *err_code(enum err e);     /* stable, lower case with dashes: "not-found" */
const char *err_sentence(enum err e); /* for the person who reads it */
int err_http(enum err e);             /* HTTP status */
int err_exit(enum err e);             /* exit code of the command line */

#endif
