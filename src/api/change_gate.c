#include "api/change_gate.h"

#include <stdatomic.h>
#include <stdlib.h>

/* More than can wait for the log at a time (8192 for each author) and than a restart skips, so that a record which is
 * still under way is not met by another one in its slot. */
#define SLOTS 32768u

/* A slot is sequence * 2, plus 1 once it is logged; 0 = never used. */
struct api_gate {
    _Atomic uint64_t slots[2][SLOTS];
    _Atomic uint64_t under_way;
};

RESULT gate_new(struct api_gate **ret)
{
    struct api_gate *g = calloc(1, sizeof *g);

    if (!g)
        return ERR_NO_MEMORY;
    *ret = g;
    return OK;
}

void gate_free(struct api_gate *g)
{
    free(g);
}

static _Atomic uint64_t *slot_of(const struct api_gate *g, uint8_t author, uint64_t sequence)
{
    struct api_gate *mine = (struct api_gate *)(uintptr_t)g;

    return &mine->slots[author == AUTHOR_SIGNER][sequence % SLOTS];
}

static enum gate_answer judge(uint64_t slot, uint64_t sequence)
{
    if (slot / 2 > sequence || slot == sequence * 2 + 1)
        return GATE_LOGGED;
    if (slot == sequence * 2 && slot != 0)
        return GATE_TAKEN;
    return slot == 0 || slot % 2 ? GATE_YOURS : GATE_TAKEN; /* the one before it in this slot is still under way */
}

enum gate_answer gate_look(const struct api_gate *g, uint8_t author, uint64_t sequence)
{
    return judge(atomic_load(slot_of(g, author, sequence)), sequence);
}

enum gate_answer gate_claim(struct api_gate *g, uint8_t author, uint64_t sequence)
{
    _Atomic uint64_t *slot = slot_of(g, author, sequence);
    uint64_t seen = atomic_load(slot);

    for (;;) {
        enum gate_answer a = judge(seen, sequence);
        if (a != GATE_YOURS)
            return a;
        if (atomic_compare_exchange_weak(slot, &seen, sequence * 2))
            break;
    }
    atomic_fetch_add(&g->under_way, 1);
    return GATE_YOURS;
}

void gate_logged(struct api_gate *g, uint8_t author, uint64_t sequence)
{
    atomic_store(slot_of(g, author, sequence), sequence * 2 + 1);
    atomic_fetch_sub(&g->under_way, 1);
}

void gate_left(struct api_gate *g, uint8_t author, uint64_t sequence)
{
    atomic_store(slot_of(g, author, sequence), 0);
    atomic_fetch_sub(&g->under_way, 1);
}

uint64_t gate_under_way(const struct api_gate *g)
{
    struct api_gate *mine = (struct api_gate *)(uintptr_t)g;

    return atomic_load(&mine->under_way);
}
