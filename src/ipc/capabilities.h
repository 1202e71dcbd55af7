/* Linux capabilities of this process, by capabilities(7), through raw system calls: no library is needed for them. */
#ifndef HOLDFAST_IPC_CAPABILITIES_H
#define HOLDFAST_IPC_CAPABILITIES_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPABILITY(number) (UINT64_C(1) << (number)) /* number: CAP_NET_ADMIN … of <linux/capability.h> */

/* May this process use all of them? */
bool capabilities_has(uint64_t set);
/* Keeps those of the set that it has, and no other: permitted and effective; the ambient and inheritable sets are
 * emptied, and so is the bounding set as far as it may. ERR_IO: something else is left. */
RESULT capabilities_keep(uint64_t set);
/* Keeps those of the set that it has, unused, for children that capabilities_pass(): permitted and inheritable, none
 * effective or ambient. For a process that is not root. */
RESULT capabilities_hold(uint64_t set);
/* The next program that this process runs gets the set, of what it holds: only async-signal-safe calls, so that it can
 * be called between fork and exec. False: it does not hold it. */
bool capabilities_pass(uint64_t set);

#endif
