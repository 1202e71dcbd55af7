/* One run of the command line: what the handlers share. */
#ifndef HOLDFAST_CLI_CLI_H
#define HOLDFAST_CLI_CLI_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/profile.h"
#include "crypto/secmem.h"

struct api;
struct cli {
    struct args args;
    FILE *out, *err;
    bool json;      /* -o json */
    bool terminal;  /* out is one */
    bool color;     /* on out */
    unsigned width; /* of the terminal out is; 0: lines may be of any length */
    struct arena *arena;
    const struct clock *clock;
    const struct random *random;
    struct profile *profile; /* read on demand by profile_of */
    struct api *api;         /* connected on demand by api_call */
    char *const *argv;
    int exit_code;       /* of a run without an error: the server's own, or a dry run's that is refused */
    struct problem why;  /* what a handler's error means; may be empty */
    char title[256];     /* the server's sentence for it, "" for the catalogue's */
    char request_id[40]; /* of the request that failed, or "" */
};

/* Fills c->why: return cli_fail(c, ERR_X, "--policy", "…"). */
RESULT cli_fail(struct cli *c, enum err code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same when nobody listens where the server should be. */
RESULT cli_unreachable(struct cli *c, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A line for people on standard error: notes and warnings, never data. */
void cli_note(struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* printf into the arena; NULL when memory is used up or the text is longer than 4096 bytes. */
const char *cli_text(struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Runs the words after the program's name; the exit code. Prints what went wrong. */
int cli_run(int argc, char **argv, FILE *out, FILE *err);

/* The handlers, by the table's rows (table.c). */
#define HANDLERS(X)                                                                                                    \
    X(server_run)                                                                                                      \
    X(operator_init)                                                                                                   \
    X(operator_unseal)                                                                                                 \
    X(operator_seal)                                                                                                   \
    X(operator_status)                                                                                                 \
    X(operator_rotate)                                                                                                 \
    X(administrators_list) X(administrators_key) X(administrators_add) X(administrators_remove)                        \
        X(administrators_recover) X(sessions_enrol) X(sessions_login) X(sessions_logout) X(sessions_whoami)            \
            X(secrets_put) X(secrets_get) X(secrets_list) X(secrets_rotate) X(secrets_revoke) X(secrets_history)       \
                X(secrets_delete) X(secrets_undelete) X(secrets_destroy) X(credentials_put) X(credentials_policy)      \
                    X(credentials_list) X(credentials_show) X(credentials_freeze) X(credentials_release)               \
                        X(credentials_revoke) X(credentials_test) X(credentials_venues) X(signing_run) X(keys_create)  \
                            X(keys_list) X(keys_show) X(keys_rotate) X(keys_suspend) X(keys_reactivate) X(keys_revoke) \
                                X(users_list) X(users_create) X(users_show) X(users_change) X(audit_tail)              \
                                    X(audit_search) X(audit_show) X(audit_verify) X(audit_export) X(audit_checkpoint)  \
                                        X(status_show) X(completion_run) X(help_run) X(help_version)
#define DECLARE_HANDLER(name) RESULT name(struct cli *c);
HANDLERS(DECLARE_HANDLER)
#undef DECLARE_HANDLER

#endif
