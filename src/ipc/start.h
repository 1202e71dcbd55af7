/* How the supervisor starts the others: fork and exec of <libexec>/holdfast-<role>, a start socket on descriptor 3,
 * over which one START message brings the configuration and the process's descriptors; everything else is closed. */
#ifndef HOLDFAST_IPC_START_H
#define HOLDFAST_IPC_START_H

#include "base/entity.h"

#include <sys/types.h>

#define START_FD      3
#define START_FDS_MAX 40

/* Those that serve, in the order of their start; then one that is started when there is something to do, and ends. */
enum start_role { ROLE_KEEPER = 1, ROLE_SIGNER, ROLE_WARDEN, ROLE_FRONT, ROLE_COUNT, ROLE_PATTERNS = ROLE_COUNT };
/* How ROLE_PATTERNS exits when the rules are wrong, and what is written says why: the place, a line feed, a sentence.
 */
#define START_PATTERNS_WRONG 1
extern const char *const start_role_names[]; /* by role */

/* What a descriptor is for; `which` tells several of a kind apart (front thread number). */
enum start_fd_kind {
    START_FD_SUPERVISOR = 1, /* channel to the supervisor */
    START_FD_KEEPER,         /* channel to the keeper */
    START_FD_SIGNER,         /* channel to the signer */
    START_FD_FRONT,          /* channel to a front thread */
    START_FD_OPERATOR,       /* listening operator socket (keeper) */
    START_FD_ANCHOR,         /* the anchor file, read and write (keeper) */
    START_FD_HTTPS,          /* listening TCP socket (front) */
    START_FD_UNIX,           /* listening Unix socket for bots (front) */
    START_FD_BREACHED,       /* list of breached passwords, for reading (front); only if one is configured */
    START_FD_WARDEN,         /* channel to the warden (front); only with a firewall */
    START_FD_PATTERNS,       /* compiled rules against attack patterns: for writing (patterns), for reading (front) */
};

struct start_fd {
    uint8_t kind;
    uint8_t which;
    int fd;
};

struct start {
    struct view config; /* entity Config (ipc/config.h), encoded */
    struct view files;  /* role-specific texts: venue declarations for the signer, TLS certificate and key, and
                           who vouches for authenticators, for the front, why it is sealed (ipc/sealed.h) for the
                           keeper; u32-counted name and u32-counted text, repeated */
    struct start_fd fds[START_FDS_MAX];
    size_t fd_count;
};

/* Supervisor side: the child runs when this returns; ret_pid is its process id. */
RESULT start_process(enum start_role role, const char *libexec_dir, const struct start *start, pid_t *ret_pid);
/* Child side, first thing in main: receives START (views live until process end). */
RESULT start_receive(struct start *ret);
int start_fd_of(const struct start *s, enum start_fd_kind kind, uint8_t which); /* -1 if there is none */

#endif
