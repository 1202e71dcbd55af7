/* Requests that wait for marks in the anchor: their bytes are kept and they are judged anew, in their order. */
#ifndef HOLDFAST_SIGNER_PARKED_H
#define HOLDFAST_SIGNER_PARKED_H

#include "base/buf.h"

struct parked {
    struct parked *next;
    void *from; /* the front */
    uint64_t id;
    uint8_t credential[16];
    size_t len;
    uint8_t body[];
};

struct parked_queue {
    struct parked *first, **end;
    size_t count, bytes;
};

void parked_init(struct parked_queue *q);
/* Copies the body. ERR_BUSY when too many, or too many bytes, wait. */
RESULT parked_add(struct parked_queue *q, void *from, uint64_t id, const uint8_t credential[static 16],
                  struct view body);
void parked_append(struct parked_queue *q, struct parked *p);
bool parked_waits(const struct parked_queue *q, const uint8_t credential[static 16]);
struct parked *parked_take_all(struct parked_queue *q);     /* as a chain; the queue is empty then */
void parked_drop(struct parked_queue *q, const void *from); /* NULL: all */
void parked_free(struct parked *p);                         /* wipes */

#endif
