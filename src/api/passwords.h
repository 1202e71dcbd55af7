/* What takes time with passwords, off the loop: a bounded pool of threads that hash and verify them and look them up in
 * lists, and mail the result back. */
#ifndef HOLDFAST_API_PASSWORDS_H
#define HOLDFAST_API_PASSWORDS_H

#include "crypto/password.h"
#include "domain/identity/breached.h"
#include "ipc/config.h"
#include "ipc/loop.h"

#define PASSWORDS_THREADS 2
#define PASSWORDS_QUEUE   32 /* waiting, at about 0.1 s each: whoever comes later is better told at once */

struct passwords;
/* breached is taken, also on failure; NULL: no list is asked. */
RESULT passwords_new(const struct config *config, struct breached *breached, struct passwords **ret);
/* Of what is hashed from now on. ERR_NO_MEMORY, ERR_OUT_OF_RANGE; all stays then. Takes as long as one password. */
RESULT passwords_set_cost(struct passwords *p, struct argon2_cost cost);
/* Ends its threads; what still waits is mailed with ERR_UNAVAILABLE first. */
void passwords_free(struct passwords *p);

/* One task, in memory that lasts until done was called. done runs in the thread of box, exactly once if the call that
 * submitted it returned OK. */
struct password_task {
    struct mail mail;
    struct mailbox *box;
    struct view password;
    char hash[PASSWORD_HASH_SIZE];     /* to verify against; or made */
    enum err result;                   /* of password_verify or password_hash */
    struct text_list used;             /* to hash: hashes of passwords that it must not be */
    struct problem why;                /* to hash: with ERR_WEAK_PASSWORD, where is "/password" */
    char upgraded[PASSWORD_HASH_SIZE]; /* verified, but hash took less work than the cost of now: a new one; else "" */
    void (*done)(struct password_task *t);
    void *context;
    uint8_t kind;
    struct password_task *next;
};
/* hash "" verifies against one of the configured cost that fits no password: same work, ERR_BAD_CREDENTIALS. ERR_BUSY
 * when too many wait. */
RESULT passwords_verify(struct passwords *p, struct password_task *t);
/* ERR_WEAK_PASSWORD for one that is among the used ones, or in the list of breached ones. */
RESULT passwords_hash(struct passwords *p, struct password_task *t);

AUTO_DEFINE(struct passwords *, passwords_free);

#endif
