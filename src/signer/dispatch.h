/* Requests to sign, in their order: those of one credential one after the other, those of different ones side by side.
 * What takes long is signed in the worker's thread, so that only its own credential waits for it. */
#ifndef HOLDFAST_SIGNER_DISPATCH_H
#define HOLDFAST_SIGNER_DISPATCH_H

#include "ipc/channel.h"
#include "signer/signer.h"
#include "signer/worker.h"

struct dispatch;

struct dispatch_config { /* borrowed */
    struct signer *signer;
    struct worker *worker;
    struct arena *arena; /* for one request at a time; reset by the caller of dispatch_sign() */
    /* Takes in what the keeper has said, so that it counts for what is released next. */
    RESULT (*listen)(void *context);
    /* OK once every authored record has left this process; another error as long as one has not. */
    RESULT (*recorded)(void *context);
    void *context;
};

RESULT dispatch_new(const struct dispatch_config *config, struct dispatch **ret);
/* The worker has stopped. */
void dispatch_free(struct dispatch *d);
/* Answers leave, if their records have left. Each is released at once where that works; the end of a turn of the loop
 * releases the others. */
void dispatch_release(struct dispatch *d);
/* Their records may never arrive: answers that have not gone become this error. */
void dispatch_withdraw(struct dispatch *d, enum err why);
/* Answers on the channel, now or later. An error is for the caller to answer. */
RESULT dispatch_sign(struct dispatch *d, struct channel *from, uint64_t id, struct view body);
/* Marks are written: those that waited for them are judged anew. */
void dispatch_reserved(struct dispatch *d);
void dispatch_refuse_unmarked(struct dispatch *d, enum err why); /* marks can't be written: those that wait for them */
void dispatch_refuse_all(struct dispatch *d, enum err why);      /* also whose signature is being made */
void dispatch_forget(struct dispatch *d, const struct channel *from); /* nobody is there to be answered any more */
AUTO_DEFINE(struct dispatch *, dispatch_free);

#endif
