/* The gate of authored records: whatever way a record of keeper or signer reaches the front (an answer, or the keeper's
 * list of what is pending), it goes into the log exactly once. Lock-free; any thread. */
#ifndef HOLDFAST_API_CHANGE_GATE_H
#define HOLDFAST_API_CHANGE_GATE_H

#include "ledger/leaf.h"

struct api_gate;

RESULT gate_new(struct api_gate **ret);
void gate_free(struct api_gate *g);

enum gate_answer {
    GATE_YOURS, /* log it, then say gate_logged, or gate_left */
    GATE_TAKEN, /* somebody is at it: ask again later */
    GATE_LOGGED,
};
/* author: AUTHOR_KEEPER or AUTHOR_SIGNER. */
enum gate_answer gate_claim(struct api_gate *g, uint8_t author, uint64_t sequence);
enum gate_answer gate_look(const struct api_gate *g, uint8_t author, uint64_t sequence); /* YOURS: nobody has it */
void gate_logged(struct api_gate *g, uint8_t author, uint64_t sequence);
void gate_left(struct api_gate *g, uint8_t author, uint64_t sequence); /* for somebody else to log */
uint64_t gate_under_way(const struct api_gate *g);

AUTO_DEFINE(struct api_gate *, gate_free);

#endif
