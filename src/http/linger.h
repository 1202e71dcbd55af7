/* Inside of src/http: closing without losing the answer. A socket that is closed with unread input sends a reset, which
 * may overtake the answer just sent. So such sockets are half-closed and read dry for a moment first. */
#ifndef HOLDFAST_HTTP_LINGER_H
#define HOLDFAST_HTTP_LINGER_H

#include "base/buf.h"

#define LINGER_MAX   64
#define LINGER_MS    2000
#define LINGER_BYTES (1024 * 1024)

struct linger_one {
    int fd;
    uint64_t until_ms;
    size_t read;
};

struct lingering {
    struct linger_one all[LINGER_MAX];
    uint32_t count;
};

/* Takes over a duplicate of fd; drops it when too many wait already. */
void linger_add(struct lingering *l, int fd, uint64_t now_ms);
void linger_turn(struct lingering *l, uint64_t now_ms); /* cheap; at each turn */
void linger_end(struct lingering *l);

#endif
