#include "signer/parked.h"

#define PARKED_MAX       4096
#define PARKED_BYTES_MAX (16u << 20)

void parked_init(struct parked_queue *q)
{
    *q = (struct parked_queue){.end = &q->first};
}

void parked_append(struct parked_queue *q, struct parked *p)
{
    p->next = NULL;
    *q->end = p;
    q->end = &p->next;
    q->count++;
    q->bytes += p->len;
}

RESULT parked_add(struct parked_queue *q, void *from, uint64_t id, const uint8_t credential[static 16],
                  struct view body)
{
    struct parked *p;

    if (q->count == PARKED_MAX || q->bytes + body.len > PARKED_BYTES_MAX)
        return ERR_BUSY;
    p = malloc(sizeof *p + body.len);
    if (!p)
        return ERR_NO_MEMORY;
    *p = (struct parked){.from = from, .id = id, .len = body.len};
    memcpy(p->credential, credential, sizeof p->credential);
    if (body.len)
        memcpy(p->body, body.ptr, body.len);
    parked_append(q, p);
    return OK;
}

bool parked_waits(const struct parked_queue *q, const uint8_t credential[static 16])
{
    for (const struct parked *p = q->first; p; p = p->next)
        if (memcmp(p->credential, credential, 16) == 0)
            return true;
    return false;
}

struct parked *parked_take_all(struct parked_queue *q)
{
    struct parked *all = q->first;

    parked_init(q);
    return all;
}

void parked_free(struct parked *p)
{
    explicit_bzero(p->body, p->len);
    free(p);
}

void parked_drop(struct parked_queue *q, const void *from)
{
    struct parked *p = parked_take_all(q), *next;

    for (; p; p = next) {
        next = p->next;
        if (!from || p->from == from)
            parked_free(p);
        else
            parked_append(q, p);
    }
}
