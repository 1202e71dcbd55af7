#include "cli/keeper_link.h"

#include "ipc/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 60000 /* Argon2id with 1 GiB takes seconds */

static const char *data_dir(const struct cli *c)
{
    const char *dir = args_text(&c->args, "data-dir");

    if (!dir)
        dir = getenv("HOLDFAST_DATA_DIR");
    return dir && *dir ? dir : NULL;
}

RESULT keeper_link_config(struct cli *c, struct config *ret)
{
    return config_load(args_text(&c->args, "config"), data_dir(c), c->arena, ret, &c->why);
}

RESULT keeper_link_socket(struct cli *c, const char **ret)
{
    struct config config;
    struct profile *p;

    *ret = args_text(&c->args, "socket");
    if (*ret)
        return OK;
    TRY(profile_of(c, &p));
    if (p->operator_socket.len && !data_dir(c) && !args_text(&c->args, "config")) {
        *ret = arena_str(c->arena, p->operator_socket);
    } else {
        TRY(keeper_link_config(c, &config));
        *ret = arena_str(c->arena, config.operator_socket);
    }
    return *ret ? OK : ERR_NO_MEMORY;
}

static RESULT dial(struct cli *c, int *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path;
    int fd;

    TRY(keeper_link_socket(c, &path));
    if (view_to_str(view_str(path), address.sun_path, sizeof address.sun_path) != OK)
        return cli_fail(c, ERR_TOO_LONG, "--socket", "%s is too long for a socket", path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
        *ret = fd;
        return OK;
    }
    int code = errno;
    if (fd >= 0)
        close(fd);
    if (code == EACCES || code == EPERM)
        return cli_fail(c, ERR_FORBIDDEN, path, "only the server's own user may use %s: run this as that user (sudo)",
                        path);
    return cli_unreachable(
        c, path, "no server listens at %s (%s): start it with 'holdfast server', or name its --data-dir or --socket",
        path, strerrordesc_np(code));
}

RESULT keeper_link_ask(struct cli *c, uint16_t type, const void *question, void *answer)
{
    const struct keeper_message *m = keeper_message_find(type);
    AUTO_WRITER bytes = writer_new(CHANNEL_FRAME_MAX);
    struct view kept;
    enum err e;
    int fd = -1;

    TRY(dial(c, &fd));
    e = call_blocking(fd, type, m->request, question, ANSWER_MS, &bytes, &c->why);
    close(fd);
    TRY(e);
    if (!m->answer || !answer)
        return OK;
    TRY(arena_copy(c->arena, writer_view_of(&bytes), &kept));
    return entity_decode(m->answer, kept, c->arena, answer);
}
