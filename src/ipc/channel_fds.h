/* The one descriptor that a message may carry. */
#ifndef HOLDFAST_IPC_CHANNEL_FDS_H
#define HOLDFAST_IPC_CHANNEL_FDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union channel_fds {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

/* Attaches fd to m; control lives until m is sent. */
void channel_fds_put(struct msghdr *m, union channel_fds *control, int fd);
/* The one descriptor of a message, or -1; false, and everything closed, if there are more or some were cut off. */
bool channel_fds_take(struct msghdr *m, int *ret_fd);

#endif
