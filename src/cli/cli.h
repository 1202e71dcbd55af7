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
/* All that was printed has left this process, and, if it is a file, is on the disk. */
RESULT cli_flush(struct cli *c);
/* A line for people on standard error: notes and warnings, never data. */
void cli_note(struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* printf into the arena; NULL when memory is used up or the text is longer than 4096 bytes. */
const char *cli_text(struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Runs the words after the program's name; the exit code. Prints what went wrong. */
int cli_run(int argc, char **argv, FILE *out, FILE *err);

/* The handlers, by the table's rows (table.c). */
typedef enum err cli_handler(struct cli *c);
extern cli_handler server_run, operator_init, operator_unseal, operator_seal, operator_status, operator_rotate,
    operator_freeze, tokens_rotate, tokens_create, tokens_list, tokens_end_now, tokens_jwks, operator_four_eyes,
    approvals_list, approvals_show, approvals_approve, approvals_reject, approvals_run, administrators_list,
    administrators_key, administrators_add, administrators_remove, administrators_recover, sessions_enrol,
    sessions_login, sessions_logout, sessions_whoami, sessions_password, secrets_put, secrets_get, secrets_list,
    secrets_rotate, secrets_revoke, secrets_history, secrets_delete, secrets_undelete, secrets_destroy, credentials_put,
    credentials_policy, credentials_list, credentials_show, credentials_freeze, credentials_release, credentials_revoke,
    credentials_test, credentials_venues, signing_run, keys_create, keys_import, keys_list, keys_show, keys_usage,
    keys_rotate, keys_renew, keys_unlock, keys_suspend, keys_reactivate, keys_revoke, roles_list, roles_show,
    roles_create, roles_change, roles_delete, mappings_list, mappings_create, mappings_delete, explain_run,
    explain_who_can, users_list, users_create, users_show, users_change, users_invite, users_delete, users_import,
    users_search, profile_show, mfa_totp, mfa_recovery, mfa_list, mfa_passkeys, mfa_remove, mfa_verify, mfa_reset,
    sessions_list, sessions_revoke, audit_tail, audit_search, audit_show, audit_verify, audit_export, audit_checkpoint,
    status_show, completion_run, help_run, help_version;
extern cli_handler emergency_begin, emergency_end, guard_list, guard_block, guard_allow, guard_unblock, guard_test,
    policy_check, policy_compare, guard_status;
extern cli_handler keys_verify, tokens_refresh, mfa_rename;
extern cli_handler guard_blocks, guard_top, guard_live;
extern cli_handler guard_check_request;

#endif
