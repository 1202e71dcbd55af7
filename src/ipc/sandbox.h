/* What a process gives up before it reads its first byte from outside. Each profile is a table of system calls in
 * sandbox.c; Landlock rules come on top where the kernel has it (asked at run time). no_new_privs, no capabilities,
 * (but for the warden's CAP_NET_ADMIN), not dumpable, no core dumps, everything in both. A call outside the profile
 * kills the process. */
#ifndef HOLDFAST_IPC_SANDBOX_H
#define HOLDFAST_IPC_SANDBOX_H

#include "base/result.h"

#include <stdbool.h>

enum sandbox_profile {
    SANDBOX_KEEPER, /* read, write, pread, pwrite, fdatasync on open descriptors, accept4 on the operator listener,
                       sendmsg, recvmsg, epoll, memory (no PROT_EXEC), getrandom, clock, futex, exit */
    SANDBOX_SIGNER, /* the same without accept, pwrite and fdatasync */
    SANDBOX_FRONT,  /* also files below its data directory, threads, accept on its listeners; no socket, no exec */
    SANDBOX_WARDEN, /* the keeper's without files, and sockets to the kernel's netfilter alone; keeps CAP_NET_ADMIN */
};

struct sandbox_report {
    bool landlock; /* file rules are enforced by Landlock as well */
    int landlock_abi;
    bool locked_memory; /* RLIMIT_MEMLOCK allows what the process needs */
    char note[160];     /* for the log: what this kernel does not offer */
};

#define SANDBOX_LOCK_LEAST (1024u * 1024) /* bytes: what locked_memory asks RLIMIT_MEMLOCK for */

/* data_dir: the only directory below which FRONT may open files; NULL for the others. To be called while the process
 * has one thread: Landlock binds the calling thread and those it starts later. A second entry is ERR_EXISTS. */
RESULT sandbox_enter(enum sandbox_profile profile, const char *data_dir, struct sandbox_report *ret);
/* The same for a process that may start no thread later. begin starts them, after Landlock and the capabilities, which
 * a thread has from the one that starts it, and before the filter, which is laid on all of them. Its error is returned.
 */
RESULT sandbox_enter_with(enum sandbox_profile profile, enum err (*begin)(void *context), void *context,
                          struct sandbox_report *ret);
/* Part of it that every process takes at its very start: no core dumps, not dumpable, no_new_privs, umask 077. */
RESULT sandbox_prepare(void);

#endif
