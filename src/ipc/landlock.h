/* Landlock through raw system calls, since Debian 12's headers know only its first versions. */
#ifndef HOLDFAST_IPC_LANDLOCK_H
#define HOLDFAST_IPC_LANDLOCK_H

#include "base/result.h"

/* The version that this kernel offers; 0 if it has none or it is switched off. */
int landlock_abi(void);
/* Denies the calling thread all files but those below dir (NULL: all files), and, as far as the version knows them, TCP
 * and signals and abstract sockets of others. abi is what landlock_abi told, or less. */
RESULT landlock_enter(int abi, const char *dir);

#endif
