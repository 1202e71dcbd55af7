/* What the warden does with messages of a front that may be somebody else's: the part of it that knows no sockets. */
#ifndef HOLDFAST_WARDEN_WARDEN_H
#define HOLDFAST_WARDEN_WARDEN_H

#include "base/clock.h"
#include "warden/limits.h"
#include "warden/table.h"

#define WARDEN_PER_SECOND       500u /* messages that change one block; */
#define WARDEN_BURST            2000u
#define WARDEN_NETWORKS_PER_SEC 10u /* of them prefixes, each of which writes a set of up to 4,096 anew; */
#define WARDEN_NETWORKS_BURST   50u
#define WARDEN_RESTORES_PER_SEC 1u /* and a restore writes all */
#define WARDEN_RESTORES_BURST   5u

struct warden;

/* Borrows all. config: guard.firewall, guard.networks.allow, guard.trusted and guard.proxies count. ERR_BAD_CONFIG. */
RESULT warden_new(const struct config_guard *config, const struct clock *clock, struct table *table,
                  struct warden **ret, struct problem *why);
void warden_free(struct warden *w);
/* One message; ret gets the encoded answer, if there is one. ERR_BUSY: too many of them; ERR_CONFLICT: only after a
 * restore; ERR_FORBIDDEN: never blocked; else as table.h has it, and ERR_MALFORMED and the like. */
RESULT warden_message(struct warden *w, uint16_t type, struct view body, struct writer *ret, struct problem *why);
/* Now and then: prefixes that a wider one hid until it ended come into force. */
RESULT warden_tick(struct warden *w, struct problem *why);

AUTO_DEFINE(struct warden *, warden_free);

#endif
