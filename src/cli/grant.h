/* A change of a credential: what is in force, what shall be, the administrator's approval of exactly that, and the
 * server's proof that it is in the record. */
#ifndef HOLDFAST_CLI_GRANT_H
#define HOLDFAST_CLI_GRANT_H

#include "cli/cli.h"
#include "ipc/approval_request.h"

struct grant {
    bool exists;
    uint8_t previous[32];                /* hash of the descriptor in force; zero for a new credential */
    struct credential_descriptor before; /* if it exists */
    struct view descriptor;              /* the same in wire form */
    struct credential_descriptor next;   /* to be filled in; begins as before, one version up, or empty with a new id */
    struct view box;                     /* encrypted bundle; empty: the key stays */
};

/* Fetches what is in force at the path, and checks that it is what it claims to be. */
RESULT grant_begin(struct cli *c, const char *path, struct grant *ret);
/* Is there such a venue, and has it this scheme? And does an existing credential stay what it is? The server and the
 * signer check it again; this is so that nobody types a key for nothing. */
RESULT grant_venue(struct cli *c, const struct grant *g);
/* Puts the bundle into a box for the pinned import key, after a look whether scheme and key fit. */
RESULT grant_seal(struct cli *c, struct grant *g, const struct credential_bundle *bundle);
/* Reads a policy file, refuses one that is wrong, and sets it. */
RESULT grant_policy(struct cli *c, struct grant *g, const char *file);
/* Shows all of what will be approved, and what of it is a change. */
void grant_show(struct cli *c, const struct grant *g);
void grant_show_parts(struct cli *c, const struct grant *g); /* the same without its first line */
/* Shows what will be approved, asks, signs and sends it; where two are wanted, to the other administrator. */
RESULT grant_send(struct cli *c, struct grant *g);
/* Approves the release of a frozen credential and sends that. */
RESULT grant_release(struct cli *c, const struct grant *g);
/* Puts in force what was approved: a credential, or its release. */
RESULT grant_run(struct cli *c, const struct approval_request *r);
/* The checkpoint in an answer: verified against the pinned key, and kept in the profile. */
RESULT grant_checkpoint(struct cli *c, struct view answer);
/* The profile, with the server's installation and keys pinned; ERR_USAGE if nothing is yet. */
RESULT grant_pinned(struct cli *c, struct profile **ret);
/* A checkpoint's text that the pinned key signed, of this log. */
RESULT grant_check_note(struct cli *c, struct view note, uint64_t *ret_size);

#endif
