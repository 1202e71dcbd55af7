#include "signer/parked.h"

#define PARKED_MAX       4096
#define PARKED_LINE_MAX  1024
#define PARKED_BYTES_MAX (16u << 20)

struct parked_line *parked_find(const struct parked_queue *q, const uint8_t credential[static 16])
{
    for (struct parked_line *l = q->lines; l; l = l->next)
        if (memcmp(l->credential, credential, sizeof l->credential) == 0)
            return l;
    return NULL;
}

static struct parked_line *line_new(struct parked_queue *q, const uint8_t credential[static 16])
{
    struct parked_line *l = calloc(1, sizeof *l), **at = &q->lines;

    if (!l)
        return NULL;
    memcpy(l->credential, credential, sizeof l->credential);
    l->end = &l->first;
    while (*at)
        at = &(*at)->next;
    *at = l;
    return l;
}

static void append(struct parked_queue *q, struct parked_line *line, struct parked *p)
{
    *line->end = p;
    line->end = &p->next;
    line->count++;
    q->count++;
    q->bytes += p->len;
}

RESULT parked_add(struct parked_queue *q, void *from, uint64_t id, const uint8_t credential[static 16],
                  struct view body)
{
    struct parked_line *line = parked_find(q, credential);
    struct parked *p;

    if (q->count == PARKED_MAX || q->bytes + body.len > PARKED_BYTES_MAX || (line && line->count == PARKED_LINE_MAX))
        return ERR_BUSY;
    p = malloc(sizeof *p + body.len);
    if (!p)
        return ERR_NO_MEMORY;
    if (!line)
        line = line_new(q, credential);
    if (!line) {
        free(p);
        return ERR_NO_MEMORY;
    }
    *p = (struct parked){.from = from, .id = id, .len = body.len};
    if (body.len)
        memcpy(p->body, body.ptr, body.len);
    append(q, line, p);
    return OK;
}

/* Out of its line; at is where the line points at it. */
static struct parked *unlink_at(struct parked_queue *q, struct parked_line *line, struct parked **at)
{
    struct parked *p = *at;

    *at = p->next;
    if (!*at)
        line->end = at;
    p->next = NULL;
    line->count--;
    q->count--;
    q->bytes -= p->len;
    return p;
}

struct parked *parked_take(struct parked_queue *q, struct parked_line *line)
{
    return line->first ? unlink_at(q, line, &line->first) : NULL;
}

void parked_forget(struct parked_queue *q, const void *from)
{
    for (struct parked_line *l = q->lines; l; l = l->next)
        for (struct parked **at = &l->first; *at;) {
            if ((*at)->from == from)
                parked_free(unlink_at(q, l, at));
            else
                at = &(*at)->next;
        }
}

void parked_sweep(struct parked_queue *q)
{
    for (struct parked_line **at = &q->lines; *at;) {
        struct parked_line *l = *at;
        if (l->first || l->out) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        free(l);
    }
}

void parked_free(struct parked *p)
{
    if (!p)
        return;
    explicit_bzero(p->body, p->len);
    free(p);
}
