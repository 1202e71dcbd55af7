#include "supervisor/wires.h"

#include "ipc/supervisor_msg.h"

#include <sys/socket.h>
#include <unistd.h>

static const enum start_fd_kind kind_of[ROLE_COUNT] = {[ROLE_KEEPER] = START_FD_KEEPER,
                                                       [ROLE_SIGNER] = START_FD_SIGNER,
                                                       [ROLE_WARDEN] = START_FD_WARDEN,
                                                       [ROLE_FRONT] = START_FD_FRONT};

static void add_link(struct supervisor *s, enum start_role a, enum start_role b, uint8_t which)
{
    s->links[s->link_count++] = (struct link){.roles = {a, b}, .which = which, .ends = {-1, -1}};
}

void wires_init(struct supervisor *s)
{
    s->link_count = 0;
    add_link(s, ROLE_KEEPER, ROLE_SIGNER, 0);
    if (children_wants(s, ROLE_WARDEN))
        add_link(s, ROLE_WARDEN, ROLE_FRONT, 0);
    for (uint8_t i = 0; i < s->config.front_threads; i++) {
        add_link(s, ROLE_KEEPER, ROLE_FRONT, i);
        add_link(s, ROLE_SIGNER, ROLE_FRONT, i);
    }
}

/* Which side of the link the role has; -1: neither. */
static int side_of(const struct link *l, enum start_role role)
{
    return l->roles[0] == role ? 0 : l->roles[1] == role ? 1 : -1;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void wires_drop(struct child *c)
{
    for (size_t i = 0; i < c->s->link_count; i++) {
        struct link *l = &c->s->links[i];
        if (side_of(l, c->role) < 0)
            continue;
        close_end(&l->ends[0]);
        close_end(&l->ends[1]);
    }
}

RESULT wires_make(struct child *c, struct start *start, struct wires *ret)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        ret->far[i] = -1;
    for (size_t i = 0; i < c->s->link_count; i++) {
        struct link *l = &c->s->links[i];
        int side = side_of(l, c->role), pair[2];
        if (side < 0)
            continue;
        if (l->ends[side] < 0) {
            if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                wires_done(c, ret, false);
                return ERR_IO;
            }
            l->ends[side] = pair[0];
            ret->far[i] = pair[1];
        }
        start->fds[start->fd_count++] = (struct start_fd){
            .kind = (uint8_t)kind_of[l->roles[1 - side]], .which = l->which, .fd = l->ends[side]};
    }
    return OK;
}

static void give_up_on(struct child *peer)
{
    if (peer->channel)
        channel_break(peer->channel);
}

static void hand_out(struct supervisor *s, struct link *l, int side, int fd)
{
    struct child *peer = &s->children[l->roles[side]];
    const struct supervisor_new_channel body = {.kind = (uint8_t)kind_of[l->roles[1 - side]], .which = l->which};
    close_end(&l->ends[side]);
    if (peer->pid == 0) {
        l->ends[side] = fd;
        return;
    }
    /* A peer that can't be told would serve without its new neighbour for good: it starts anew. */
    if (children_tell(peer, SUPERVISOR_NEW_CHANNEL, &supervisor_new_channel_entity, &body, fd) != OK)
        give_up_on(peer);
    close(fd);
}

void wires_done(struct child *c, struct wires *w, bool started)
{
    for (size_t i = 0; i < c->s->link_count; i++) {
        struct link *l = &c->s->links[i];
        int side = side_of(l, c->role);
        if (side < 0)
            continue;
        close_end(&l->ends[side]);
        if (w->far[i] >= 0 && started)
            hand_out(c->s, l, 1 - side, w->far[i]);
        else
            close_end(&w->far[i]);
    }
}
