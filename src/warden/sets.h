/* What is blocked, as the kernel's sets want it. Single addresses, and the /64 of IPv6 that are one subscriber's, go
 * into hash sets, where one more costs the same whatever is there; they are not kept here. Other prefixes go into
 * interval sets, whose members must not overlap: they are kept here, and of those that lie in each other the kernel
 * gets the widest, as long as that one lasts. */
#ifndef HOLDFAST_WARDEN_SETS_H
#define HOLDFAST_WARDEN_SETS_H

#include "base/prefix.h"
#include "ipc/warden_msg.h"

enum sets_which {
    SETS_HOSTS4,
    SETS_HOSTS6,
    SETS_SUBSCRIBERS6,
    SETS_NETWORKS4, /* from here on: intervals */
    SETS_NETWORKS6,
    SETS_COUNT,
};

struct sets_form {
    const char *name; /* of the set */
    const char *type; /* of its members */
    const char *flags;
    const char *match; /* what of a packet is looked up in it */
    uint32_t size;     /* of the set; an interval takes two */
};
extern const struct sets_form sets_forms[SETS_COUNT];

enum sets_which sets_of(const struct prefix *p);

struct sets_block {
    struct prefix network;
    uint64_t ends_ms; /* monotonic; UINT64_MAX: never */
};

/* "192.0.2.1 timeout 60s", "… timeout 2d3600s", for an element of a set. Time that is left is rounded up to seconds;
 * where none is left, it is one. */
void sets_put_element(const struct sets_block *b, uint64_t now_ms, struct writer *w);

/* Prefixes, in the order of their addresses, the wider of those that begin alike first. */
struct sets_networks {
    struct sets_block items[WARDEN_NETWORKS_MAX];
    size_t count;
    unsigned hides; /* bits of sets: one in it lasts, and the kernel does not know it while a wider one does */
};
RESULT sets_add(struct sets_networks *b, const struct sets_block *one); /* or another end; ERR_LIMIT_REACHED */
bool sets_remove(struct sets_networks *b, const struct prefix *p);      /* false: it was not there */
unsigned sets_expire(struct sets_networks *b, uint64_t now_ms); /* bits of the sets where one may have hidden others */
/* The elements of an interval set, with commas between them; how many. */
size_t sets_put(struct sets_networks *b, enum sets_which set, uint64_t now_ms, struct writer *w);

#endif
