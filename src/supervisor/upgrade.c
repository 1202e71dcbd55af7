#include "supervisor/state.h"

#include "base/log.h"
#include "ipc/capabilities.h"
#include "ipc/supervisor_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the next program takes over, as decimal numbers in this order: the keeper's process id, its channel, the lock,
 * the listening sockets, and bits of those of them whose paths are ours to remove (a version that does not know these
 * leaves them out). The process id stays the same, so the children stay ours. */
#define VARIABLE    "HOLDFAST_UPGRADE"
#define HANDOVER_MS 15000

enum { KEEPER_PID, KEEPER_CHANNEL, LOCK, HTTPS, API, OPERATOR, NUMBERS };
enum { API_MADE = 1, OPERATOR_MADE = 2 };

RESULT upgrade_possible(const struct supervisor *s, struct problem *why)
{
    if (!s->options->argv || *s->temporary)
        return problem_set(why, ERR_USAGE, "", "this server can't be upgraded in place: stop it and start it again");
    if (access(s->program, X_OK) < 0)
        return problem_set(why, ERR_NOT_FOUND, s->program, "%s is not there: install the new version first",
                           s->program);
    if (s->goal != GOAL_SERVE || s->handing_over || s->children[ROLE_KEEPER].state != CHILD_SERVING)
        return problem_set(why, ERR_BUSY, "", "something else is under way: try again when all serve");
    return OK;
}

static bool keep_open(int fd)
{
    return fcntl(fd, F_SETFD, 0) == 0;
}

void upgrade_exec(struct supervisor *s)
{
    const struct child *keeper = &s->children[ROLE_KEEPER];
    char text[128];
    const int fds[] = {keeper->spare, s->lock, s->listeners.https, s->listeners.api, s->listeners.operator};
    bool kept = keeper->pid > 0;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        kept = kept && keep_open(fds[i]);
    int made = (s->listeners.api_made ? API_MADE : 0) | (s->listeners.operator_made ? OPERATOR_MADE : 0);
    (void)snprintf(text, sizeof text, "%d %d %d %d %d %d %d", (int)keeper->pid, fds[0], fds[1], fds[2], fds[3], fds[4],
                   made);
    /* What the next program can't have it does without, or says so. */
    if (config_firewall_wanted(&s->config))
        (void)capabilities_pass(CAPABILITY(CAP_NET_ADMIN));
    if (kept && setenv(VARIABLE, text, 1) == 0) {
        log_info("running %s anew", s->program);
        (void)execv(s->program, s->options->argv);
    }
    log_error("the upgrade failed (%s): going on with the old version", strerrordesc_np(errno));
    (void)unsetenv(VARIABLE);
}

void upgrade_take_descriptors(struct supervisor *s)
{
    const char *text = getenv(VARIABLE);
    int numbers[NUMBERS];
    char *end;
    if (!text)
        return;
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] = (int)strtol(text, &end, 10);
        if (end == text || (i > KEEPER_PID && fcntl(numbers[i], F_SETFD, FD_CLOEXEC) < 0))
            return;
        text = end;
    }
    long made = strtol(text, NULL, 10);
    (void)unsetenv(VARIABLE);
    s->upgraded = true;
    s->old_keeper.pid = numbers[KEEPER_PID];
    s->old_keeper.spare = numbers[KEEPER_CHANNEL];
    s->lock = numbers[LOCK];
    s->listeners = (struct listeners){.https = numbers[HTTPS],
                                      .api = numbers[API],
                                      .operator= numbers[OPERATOR],
                                      .api_made = made & API_MADE,
                                      .operator_made = made & OPERATOR_MADE};
}

void upgrade_adopt_keeper(struct supervisor *s)
{
    int channel = s->old_keeper.spare;
    s->old_keeper.spare = -1;
    s->sealed.cause = SEALED_UPGRADE_FAILED; /* what the new keeper says, if nothing comes over */
    s->handing_over = children_adopt(s, s->old_keeper.pid, channel) == OK;
}

void upgrade_hand_over(struct supervisor *s)
{
    struct child *taker = &s->children[ROLE_KEEPER];
    const struct supervisor_handover gives = {.gives = true}, takes = {.gives = false};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        upgrade_handed_over(s, false, VIEW_STR("no more sockets"));
        return;
    }
    bool told = children_tell(taker, SUPERVISOR_HANDOVER, &supervisor_handover_entity, &takes, pair[0]) == OK &&
                children_tell(&s->old_keeper, SUPERVISOR_HANDOVER, &supervisor_handover_entity, &gives, pair[1]) == OK;
    close(pair[0]);
    close(pair[1]);
    taker->due_ms = loop_clock(s->loop)->mono_ms(loop_clock(s->loop)) + HANDOVER_MS;
    if (!told)
        upgrade_handed_over(s, false, VIEW_STR("the old keeper is gone"));
}

void upgrade_handed_over(struct supervisor *s, bool unsealed, struct view detail)
{
    s->handing_over = false;
    if (s->children[ROLE_KEEPER].state == CHILD_SERVING)
        s->children[ROLE_KEEPER].due_ms = 0;
    if (unsealed)
        log_info("the new keeper took over the unsealed state");
    else
        log_warn("the new keeper is sealed (%.*s): run 'holdfast operator unseal'", (int)detail.len,
                 (const char *)detail.ptr);
    children_stop(&s->old_keeper);
}
