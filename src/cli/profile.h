/* What this user knows of a server, in $HOLDFAST_HOME or ~/.config/holdfast (0700): where it is, its certificate, and
 * what was pinned when it was first met, so that another one in its place is noticed.
 *
 *   profile.json       address, operator socket, installation, import key, verifier of checkpoints
 *   ca.pem             the server's certificate or its authority's
 *   session            the session's token (0600)
 *   administrator.key  the approval key, encrypted under a passphrase (0600); see approver.h
 *   checkpoint         the newest signed checkpoint that this user was shown */
#ifndef HOLDFAST_CLI_PROFILE_H
#define HOLDFAST_CLI_PROFILE_H

#include "base/entity.h"

#define PROFILE_ADDRESS_DEFAULT "https://127.0.0.1:8450"

struct profile {
    struct view address;         /* "https://host:port" or "unix:/path" */
    struct view operator_socket; /* of a server on this host */
    struct view user;            /* who logged in last */
    uint8_t installation[32];    /* all zero: nothing is pinned yet */
    uint8_t import_key[32];
    struct view verifier; /* C2SP verifier key of the checkpoints */
    const char *dir;      /* not in the file */
};
extern const struct entity profile_entity;

struct cli;
/* Reads it, once; without a file everything is empty. Also finds the directory. ERR_UNSAFE_PROFILE if somebody else
 * could have written what is trusted in it, or read what is secret. */
RESULT profile_of(struct cli *c, struct profile **ret);
RESULT profile_save(struct cli *c, const struct profile *p);
bool profile_pinned(const struct profile *p);
/* The path of a file in it, in the arena. */
RESULT profile_path(struct cli *c, const char *name, const char **ret);
/* Writes a file of the profile whole or not at all, durable, readable for its owner alone. */
RESULT profile_put(struct cli *c, const char *name, struct view contents);
RESULT profile_remove(struct cli *c, const char *name); /* fine if it is not there */
/* SHA-256 as people compare it: "ab12:cd34:…", 16 groups; text is in the arena. */
RESULT profile_fingerprint(struct cli *c, struct view bytes, const char **ret);
/* The same of the first certificate in a PEM text. */
RESULT profile_certificate(struct cli *c, struct view pem, const char **ret);
/* What the server says it is, against what was pinned. Pins it if nothing was, after showing it and asking; a mismatch
 * is ERR_PIN_MISMATCH and says so loudly. */
struct profile_pin {
    uint8_t installation[32], import_key[32];
    struct view verifier;
};
RESULT profile_check_pin(struct cli *c, const struct profile_pin *pin);

#endif
