/* The supervisor: reads the configuration, binds sockets, opens the anchor, starts keeper, signer and front in this
 * order and restarts what dies. It holds nothing secret and parses nothing but its own files.
 *
 * Signals: SIGTERM and SIGINT stop in order (front, which drains, then signer, then keeper). SIGHUP reads configuration
 * and venue files again and, when they are right, restarts front and signer; the keeper stays, and stays unsealed.
 * SIGUSR2 runs the supervisor's file anew, with sockets kept, and hands the keeper's unsealed state to a new keeper;
 * clients wait meanwhile in the sockets' queues. The process id is in <data_dir>/lock. */
#ifndef HOLDFAST_SUPERVISOR_SUPERVISOR_H
#define HOLDFAST_SUPERVISOR_SUPERVISOR_H

#include "ipc/config.h"

struct supervisor_options {
    const char *config_file; /* NULL: CONFIG_FILE if there is one */
    const char *data_dir;    /* overrides the file's; NULL: not */
    bool dev;                /* a temporary directory, removed at the end, unless data_dir names one; any free port */
    int ready_fd;            /* gets "ready\n" and is closed when all serve; -1: none */
    const char *libexec_dir; /* of holdfast-keeper and the others, or of a build's sibling folders keeper/, signer/ … ;
                                NULL: ../libexec/holdfast or . beside this program */
    char *const *argv;       /* of this process, for SIGUSR2; NULL: not offered */
    /* Called once when all serve, in a forked process of its own without the supervisor's descriptors: --dev
     * initialises, unseals and prints the log-in this way. config->listen holds the port that was really bound. A
     * result other than 0 stops a --dev server, with that exit code. NULL: nothing. */
    int (*on_ready)(void *context, const struct config *config);
    void *context;
};

/* files.c: the files of rules against attack patterns that a configuration has, each as its path and its text
 * (writer_var); w is to be released by writer_free. program: the path of this program, beside which they may be. */
RESULT files_patterns(const struct config *c, const char *program, struct writer *w, struct problem *why);

/* compile.c: all that the server refuses of these rules, and of what the configuration says of them, found as the
 * server finds it, by its program that compiles them: a second or two. ERR_BAD_CONFIG with the place in why, of the
 * configuration's file or of a rules' one. The policy's SHA-256, as config_policy_hash has it. */
RESULT compile_check(const struct config *c, const char *program, uint8_t ret_policy[static CONFIG_POLICY_HASH],
                     struct problem *why);

/* Serves until it is told to stop. Returns the exit code; what went wrong is logged. */
int supervisor_main(const struct supervisor_options *options);

#endif
