#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#define MESSAGE_SIZE 2048
#define LINE_SIZE    (6 * MESSAGE_SIZE + 512) /* every byte may become six */

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *process_name = "holdfast";
static enum log_level least_level = LOG_INFO;
static bool for_people;

void log_init(const char *process, enum log_level least)
{
    process_name = process;
    least_level = least;
    for_people = isatty(STDERR_FILENO) == 1;
}

static void put_json(struct writer *w, const char *now, enum log_level level, struct view message)
{
    json_open(w, '{');
    json_text(w, "time", view_str(now));
    json_text(w, "level", view_str(level_names[level]));
    json_text(w, "process", view_str(process_name));
    json_u64(w, "pid", (uint64_t)getpid());
    json_text(w, "message", message);
    json_close(w, '}');
    writer_u8(w, '\n');
}

static void put_text(struct writer *w, const char *now, enum log_level level, struct view message)
{
    writer_printf(w, "%s %-7s %s: ", now, level_names[level], process_name);
    text_put_safe(w, message);
    writer_u8(w, '\n');
}

void log_line(enum log_level level, const char *format, ...)
{
    char message[MESSAGE_SIZE], line[LINE_SIZE], now[TIME_TEXT_SIZE];
    int keep_errno = errno;
    va_list args;

    if (level < least_level || (size_t)level >= ARRAY_LEN(level_names))
        return;
    va_start(args, format);
    int n = vsnprintf(message, sizeof message, format, args);

    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof message ? (size_t)n : sizeof message - 1;
    struct writer w = writer_fixed(line, sizeof line);

    time_format(clock_system()->wall_ms(clock_system()), now);
    (for_people ? put_text : put_json)(&w, now, level, VIEW(message, len));
    /* One write, so that lines of several processes do not mix; if standard error is gone there is nobody to tell. */
    struct view v = writer_view_of(&w);

    if (write(STDERR_FILENO, v.ptr, v.len) < 0)
        errno = keep_errno;
    errno = keep_errno;
}
