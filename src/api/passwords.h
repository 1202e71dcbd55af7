/* Argon2id off the loop: a bounded pool of threads that hash and verify passwords, and mail the result back. */
#ifndef HOLDFAST_API_PASSWORDS_H
#define HOLDFAST_API_PASSWORDS_H

#include "crypto/password.h"
#include "ipc/config.h"
#include "ipc/loop.h"

#define PASSWORDS_THREADS 2
#define PASSWORDS_QUEUE   32 /* waiting, at about 0.1 s each: whoever comes later is better told at once */

struct passwords;
RESULT passwords_new(const struct config *config, struct passwords **ret);
/* Ends its threads; what still waits is mailed with ERR_UNAVAILABLE first. */
void passwords_free(struct passwords *p);

/* One task, in memory that lasts until done was called. done runs in the thread of box, exactly once if the call that
 * submitted it returned OK. */
struct password_task {
    struct mail mail;
    struct mailbox *box;
    struct view password;
    char hash[PASSWORD_HASH_SIZE]; /* to verify against; or made */
    enum err result;               /* of password_verify or password_hash */
    void (*done)(struct password_task *t);
    void *context;
    uint8_t kind;
    struct password_task *next;
};
/* hash "" verifies against one of the configured cost that fits no password: same work, ERR_BAD_CREDENTIALS. ERR_BUSY
 * when too many wait. */
RESULT passwords_verify(struct passwords *p, struct password_task *t);
RESULT passwords_hash(struct passwords *p, struct password_task *t);

AUTO_DEFINE(struct passwords *, passwords_free);

#endif
