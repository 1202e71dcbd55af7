/* holdfast-patterns: compiles rules against attack patterns, and ends. Started by the supervisor, never by hand: it has
 * texts from the operator, one descriptor to write to, and no way to anything else. */
#include "base/log.h"
#include "base/text.h"
#include "domain/guard/patterns/configured.h"
#include "ipc/sandbox.h"
#include "ipc/start.h"

#include <errno.h>
#include <unistd.h>

#define ARENA_BYTES (8u << 20)
#define SAVED_BYTES (96u << 20)
#define FILES_MAX   512

static RESULT write_all(int fd, struct view v)
{
    while (v.len) {
        ssize_t n = write(fd, v.ptr, v.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        v = VIEW(v.ptr + n, v.len - (size_t)n);
    }
    return OK;
}

static RESULT read_files(struct view from, struct arena *arena, struct patterns_file *files, size_t *ret)
{
    struct reader r = reader_new(from);
    size_t n = 0;
    while (r.left > 0) {
        struct view name, text;
        if (n == FILES_MAX)
            return ERR_TOO_LONG;
        TRY(reader_var(&r, r.left, &name));
        TRY(reader_var(&r, r.left, &text));
        files[n] = (struct patterns_file){arena_str(arena, name), text};
        if (!files[n++].name)
            return ERR_NO_MEMORY;
    }
    *ret = n;
    return OK;
}

static RESULT compile(const struct start *start, struct writer *w, struct problem *why)
{
    static struct patterns_file files[FILES_MAX];
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(patterns_free) struct patterns *p = NULL;
    struct config config = {0};
    struct patterns_options options;
    size_t count = 0;
    TRY(arena_new(16384, ARENA_BYTES, &arena));
    TRY(entity_decode(&config_entity, start->config, arena, &config));
    TRY(read_files(start->files, arena, files, &count));
    TRY(patterns_configured(&config.guard.patterns, arena, &options));
    TRY(patterns_new(files, count, &options, &p, why));
    return patterns_save(p, w);
}

static RESULT say(int out, const struct problem *why, enum err e)
{
    AUTO_WRITER said = writer_new(4096);
    text_put_safe(&said, view_str(why->where));
    writer_u8(&said, '\n');
    text_put_safe(&said, view_str(*why->detail ? why->detail : err_sentence(e)));
    TRY(writer_done(&said));
    return write_all(out, writer_view_of(&said));
}

static RESULT run(bool *ret_wrong)
{
    struct start start;
    struct sandbox_report report;
    struct problem why = {.code = OK};
    AUTO_WRITER w = writer_new(SAVED_BYTES);
    TRY(sandbox_prepare());
    TRY(start_receive(&start));
    int out = start_fd_of(&start, START_FD_PATTERNS, 0);
    if (out < 0)
        return ERR_MALFORMED;
    TRY(sandbox_enter(SANDBOX_SIGNER, NULL, &report));
    enum err e = compile(&start, &w, &why);
    if (e == OK)
        return write_all(out, writer_view_of(&w));
    TRY(say(out, &why, e));
    *ret_wrong = true;
    return OK;
}

int main(void)
{
    bool wrong = false;
    log_init("patterns", LOG_INFO);
    if (run(&wrong) != OK)
        return START_PATTERNS_WRONG + 1;     /* what is written may be half of the rules */
    return wrong ? START_PATTERNS_WRONG : 0; /* what it is says the supervisor */
}
