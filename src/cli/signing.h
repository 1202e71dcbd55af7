/* A request for a signature, made of a JSON file and options, with the bot's own proof. */
#ifndef HOLDFAST_CLI_SIGNING_H
#define HOLDFAST_CLI_SIGNING_H

#include "cli/cli.h"
#include "ipc/signer_msg.h"

/* Asks the server; the answer's body lives until the next call. */
RESULT signing_ask(struct cli *c, bool dry_run, struct view *ret_answer);
/* A dry run that is refused exits like the refusal. */
RESULT signing_exit(struct cli *c, struct view answer);
/* What POST /api/v1/sign is sent: --request's JSON with the options over it. Texts live in the arena. */
RESULT signing_read(struct cli *c, bool dry_run, struct signer_sign *ret);
/* Adds the proof of --proof-key, if it was given. */
RESULT signing_prove(struct cli *c, struct signer_sign *s);
RESULT signing_body(const struct signer_sign *s, struct writer *w);

#endif
