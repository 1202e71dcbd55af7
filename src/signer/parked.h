/* Requests that wait, each behind the earlier ones of its credential: for marks in the anchor, or for a signature that
 * is being made. Their bytes are kept, and they are judged anew when their turn comes. */
#ifndef HOLDFAST_SIGNER_PARKED_H
#define HOLDFAST_SIGNER_PARKED_H

#include "base/buf.h"

struct parked {
    struct parked *next;
    void *from; /* whom to answer, or NULL once he is gone */
    uint64_t id;
    size_t len;
    uint8_t body[];
};

/* Those of one credential, in their order. */
struct parked_line {
    struct parked_line *next;
    uint8_t credential[16];
    struct parked *first, **end;
    size_t count;
    void *out; /* the owner's: while it is set, the line stays, also when it is empty */
};

struct parked_queue {
    struct parked_line *lines;
    size_t count, bytes;
};

struct parked_line *parked_find(const struct parked_queue *q, const uint8_t credential[static 16]);
/* Copies the body to the end of its credential's line, which is made if there is none. ERR_BUSY when too many, or too
 * many bytes, wait, and before that when too many of this credential do, so that it leaves room for others. */
RESULT parked_add(struct parked_queue *q, void *from, uint64_t id, const uint8_t credential[static 16],
                  struct view body);
struct parked *parked_take(struct parked_queue *q, struct parked_line *line); /* the first, or NULL */
void parked_forget(struct parked_queue *q, const void *from);                 /* frees what waits for him */
void parked_sweep(struct parked_queue *q); /* of lines in which nothing waits and nothing is out */
void parked_free(struct parked *p);        /* wipes */

#endif
