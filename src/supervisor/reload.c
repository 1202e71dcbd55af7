/* SIGHUP: files are read anew, and front and signer start anew with them. What is wrong changes nothing; what only
 * turns out wrong when a process starts with it is taken back. */
#include "base/log.h"
#include "base/text.h"
#include "supervisor/state.h"

#include <unistd.h>

/* What a running server can't change: its sockets are bound and its keeper has the data directory's anchor. */
static const struct {
    const char *name;
    size_t offset;
} fixed[] = {
    {"data_dir", offsetof(struct config, data_dir)},
    {"listen", offsetof(struct config, listen)},
    {"unix_socket", offsetof(struct config, unix_socket)},
    {"operator_socket", offsetof(struct config, operator_socket)},
    {"user", offsetof(struct config, user)},
};

RESULT reload_read_config(const struct supervisor *s, struct arena *arena, struct config *ret, struct problem *why)
{
    TRY(config_load(s->options->config_file, s->options->data_dir, arena, ret, why));
    if (!s->options->dev)
        return OK;
    char dir[4096];
    TRY(view_to_str(*s->temporary ? view_str(s->temporary) : ret->data_dir, dir, sizeof dir));
    return config_dev(ret, dir, arena, why);
}

static void keep_fixed(const struct supervisor *s, struct config *fresh, struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const struct view *now = (const struct view *)((const uint8_t *)&s->config + fixed[i].offset);
        struct view *next = (struct view *)((uint8_t *)fresh + fixed[i].offset);
        bool any_port = i == 1 && next->len > 2 && memcmp(next->ptr + next->len - 2, ":0", 2) == 0;
        if (!view_eq(*now, *next) && !any_port)
            log_warn("%s changes only when the server is stopped and started", fixed[i].name);
        if (arena_copy(arena, *now, next) != OK)
            *next = (struct view){0};
    }
}

RESULT reload_check_files(const struct supervisor *s, struct problem *why)
{
    for (enum start_role r = ROLE_KEEPER; r < ROLE_COUNT; r++) {
        AUTO_WRITER w = {0};
        TRY(files_of_role(s, r, &w, why));
    }
    int fd;
    TRY(watched_check(&s->config, why));
    TRY(files_breached(&s->config, &fd, why));
    if (fd >= 0)
        close(fd);
    return OK;
}

/* --- what the front is told, for the status and the record */

static void tell(struct supervisor *s)
{
    struct child *front = &s->children[ROLE_FRONT];
    struct supervisor_config body = {
        .reloaded = s->reload.fresh, .refused = view_str(s->reload.refused), .again = s->reload.told};
    if (front->state != CHILD_SERVING || (!body.reloaded && body.refused.len == 0))
        return;
    memcpy(body.before, s->reload.before, sizeof body.before);
    if (children_tell(front, SUPERVISOR_CONFIG, &supervisor_config_entity, &body, -1) != OK)
        return; /* it ends, or gets no more: the next one is told */
    s->reload.fresh = false;
    s->reload.told = true;
}

static void refused(struct supervisor *s, const struct problem *why, enum err e)
{
    AUTO_WRITER w = writer_new(1024);
    writer_printf(&w, "%s%s%s", why->where, *why->where ? ": " : "", *why->detail ? why->detail : err_sentence(e));
    size_t n = w.len < SUPERVISOR_REFUSED_MAX ? w.len : SUPERVISOR_REFUSED_MAX;
    while (n && !utf8_valid(VIEW(w.ptr, n)))
        n--;
    if (n)
        memcpy(s->reload.refused, w.ptr, n);
    s->reload.refused[n] = 0;
    s->reload.told = false;
    log_error("%.*s", (int)w.len, w.ptr ? (const char *)w.ptr : "");
    tell(s);
}

/* --- reading */

static void close_patterns(int fd)
{
    if (fd >= 0)
        close(fd);
}

static enum err read_all(const struct supervisor *s, struct supervisor *fresh, struct problem *why)
{
    *fresh = *s;
    TRY(arena_new(4096, SUPERVISOR_ARENA, &fresh->arena));
    TRY(reload_read_config(s, fresh->arena, &fresh->config, why));
    keep_fixed(s, &fresh->config, fresh->arena);
    TRY(prepare_firewall(&fresh->config, why));
    TRY(prepare_certificate(&fresh->config, why));
    TRY(reload_check_files(fresh, why));
    memcpy(fresh->reload.before, s->patterns.policy, sizeof fresh->reload.before);
    return compile_patterns(fresh, &fresh->patterns, why); /* last, so that nothing else has to let go of it */
}

void reload_files(struct supervisor *s)
{
    struct problem why = {.code = OK};
    s->reload.asked = s->goal == GOAL_RELOAD || s->handing_over;
    if (s->goal != GOAL_SERVE || s->handing_over)
        return;
    struct supervisor fresh;
    enum err e = read_all(s, &fresh, &why);
    if (e != OK) {
        if (fresh.arena != s->arena)
            arena_free(fresh.arena);
        refused(s, &why, e);
        log_error("the configuration was not taken over; the server goes on with what it has");
        return;
    }
    if (s->reload.former_arena) {
        arena_free(s->arena); /* no front was ready with it yet: what is taken back is still the one before */
        close_patterns(s->patterns.fd);
    } else {
        s->reload.former_arena = s->arena;
        s->reload.former_patterns = s->patterns;
        s->reload.former = s->config;
        memcpy(s->reload.before, fresh.reload.before, sizeof s->reload.before);
    }
    s->reload.fresh = true;
    *s->reload.refused = 0;
    s->arena = fresh.arena;
    s->config = fresh.config;
    s->patterns = fresh.patterns;
    prepare_limits(&s->config);
    log_info("configuration and its files read again: front and signer start anew");
    s->goal = GOAL_RELOAD;
}

void reload_front_ready(struct supervisor *s)
{
    if (s->reload.former_arena)
        close_patterns(s->reload.former_patterns.fd);
    arena_free(s->reload.former_arena);
    s->reload.former_arena = NULL;
    tell(s);
    if (s->reload.asked)
        reload_files(s);
}

bool reload_failed(struct supervisor *s, const char *child)
{
    struct problem why = {.code = OK};
    if (!s->reload.former_arena || s->goal != GOAL_SERVE)
        return false;
    arena_free(s->arena);
    s->arena = s->reload.former_arena;
    s->config = s->reload.former;
    close_patterns(s->patterns.fd);
    s->patterns = s->reload.former_patterns;
    s->reload.former_arena = NULL;
    s->reload.fresh = false;
    (void)!problem_set(&why, ERR_BAD_CONFIG, "", "the %s does not start with it, and logs why", child);
    refused(s, &why, ERR_BAD_CONFIG);
    log_error("the former configuration is in force again");
    s->goal = GOAL_RELOAD;
    return true;
}
