/* The warden's table in the kernel, by libnftables: the only file that knows it, and the only table that it touches. */
#ifndef HOLDFAST_WARDEN_TABLE_H
#define HOLDFAST_WARDEN_TABLE_H

#include "base/buf.h"
#include "ipc/config.h"
#include "warden/sets.h"

struct table;

/* Before the sandbox, since the library reads files of its own. Borrows f. */
RESULT table_new(const struct config_guard_firewall *f, struct table **ret);
void table_free(struct table *t); /* what is in the kernel stays */

/* Each of these is one transaction: the kernel has all of it, or none. ERR_LIMIT_REACHED: a set is full;
 * ERR_NOT_FOUND: there is no such element, set or table; ERR_IO: the kernel refused for another reason, in why. */

/* A table that is there stays as it is, with what it blocks, until it is replaced; else an empty one is made. */
RESULT table_begin(struct table *t, struct problem *why);
/* elements: for each set as sets_put_element writes them, with commas between; may be empty. */
RESULT table_replace(struct table *t, const struct view elements[static SETS_COUNT], struct problem *why);
RESULT table_fill(struct table *t, enum sets_which set, struct view elements, struct problem *why); /* one set anew */
RESULT table_add(struct table *t, enum sets_which set, struct view element, const char *address, struct problem *why);
RESULT table_take(struct table *t, enum sets_which set, const char *address, struct problem *why);
bool table_is_there(struct table *t);
RESULT table_drop(struct table *t, struct problem *why);

AUTO_DEFINE(struct table *, table_free);

#endif
