/* Why a keeper is sealed, and since when: the supervisor's word at its start, the keeper's own from then on. */
#ifndef HOLDFAST_IPC_SEALED_H
#define HOLDFAST_IPC_SEALED_H

#include "base/entity.h"

enum sealed_cause {
    SEALED_AT_START = 1,   /* each start is sealed */
    SEALED_BY_OPERATOR,    /* 'holdfast operator seal' */
    SEALED_KEEPER_ENDED,   /* the former keeper ended, and took the root key along */
    SEALED_UPGRADE_FAILED, /* the former keeper did not hand it over */
    SEALED_RECORD_LOST,    /* there was no memory for the record of a signature */
};
#define SEALED_FILE "sealed" /* its name in a keeper's START */

struct sealed {
    uint8_t cause;        /* enum sealed_cause; 0: not known, and then nothing else is */
    uint64_t since_ms;    /* wall clock */
    uint32_t wait_status; /* of waitpid(2), with SEALED_KEEPER_ENDED */
};
extern const struct entity sealed_entity;

/* "keeper-ended"; NULL if the cause is not known. */
const char *sealed_cause_name(uint8_t cause);
/* For a person: "Sealed since 2026-01-02T03:04:05.000Z: the keeper ended by signal 9 (Killed). Run …". At most 256
 * bytes. */
void sealed_sentence(const struct sealed *s, struct writer *w);

#endif
