#include "ipc/channel_fds.h"

#include <string.h>
#include <unistd.h>

#define DESCRIPTORS_IN 2 /* what the smallest control buffer holds on 64 bits */

void channel_fds_put(struct msghdr *m, union channel_fds *control, int fd)
{
    *control = (union channel_fds){0};
    m->msg_control = control->bytes;
    m->msg_controllen = sizeof control->bytes;
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(h), &fd, sizeof fd);
}

bool channel_fds_take(struct msghdr *m, int *ret_fd)
{
    int fds[DESCRIPTORS_IN];
    size_t n = 0;
    *ret_fd = -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        n = n < DESCRIPTORS_IN ? n : DESCRIPTORS_IN;
        memcpy(fds, CMSG_DATA(h), n * sizeof(int));
    }
    if (n == 1 && !(m->msg_flags & MSG_CTRUNC)) {
        *ret_fd = fds[0];
        return true;
    }
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    return n == 0 && !(m->msg_flags & MSG_CTRUNC);
}
