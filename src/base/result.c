#include "base/result.h"

#include <stdarg.h>
#include <stdint.h>

struct catalogue_row {
    const char *code, *sentence;
    int http, exit;
};

static const struct catalogue_row catalogue[ERR_COUNT] = {
    [OK] = {"ok", "Done.", 200, 0},
#define ERROR(name, stable, status, exit_code, text) [ERR_##name] = {stable, text, status, exit_code},
#include "base/errors.def"
#undef ERROR
};

static const struct catalogue_row *row(enum err e)
{
    return &catalogue[(unsigned)e < ERR_COUNT ? e : ERR_INTERNAL];
}

const char *err_code(enum err e)
{
    return row(e)->code;
}

const char *err_sentence(enum err e)
{
    return row(e)->sentence;
}

int err_http(enum err e)
{
    return row(e)->http;
}

int err_exit(enum err e)
{
    return row(e)->exit;
}

/* A text that was cut to fit may end inside a UTF-8 sequence; what is left of that sequence goes too. */
static void drop_partial_character(char *text)
{
    size_t len = strlen(text), start = len;

    while (start > 0 && len - start < 3 && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    uint8_t lead = (uint8_t)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

    if (wanted > len - start + 1)
        text[start - 1] = '\0';
}

enum err problem_set(struct problem *why, enum err code, const char *where, const char *format, ...)
{
    if (!why)
        return code;
    /* Both texts may point into *why itself, when a caller adds to what a lower layer said. */
    struct problem made = {.code = code};
    va_list args;

    (void)snprintf(made.where, sizeof made.where, "%s", where ? where : "");
    va_start(args, format);
    (void)vsnprintf(made.detail, sizeof made.detail, format, args);
    va_end(args);
    drop_partial_character(made.where);
    drop_partial_character(made.detail);
    *why = made;
    return code;
}
