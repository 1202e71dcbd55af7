/* Challenges that were given out and wait for their answer: 32 random bytes, good once, for five minutes, for one
 * purpose. In memory only: after a restart people begin anew. Any thread. */
#ifndef HOLDFAST_DOMAIN_WEBAUTHN_CHALLENGES_H
#define HOLDFAST_DOMAIN_WEBAUTHN_CHALLENGES_H

#include "base/clock.h"
#include "base/text.h"

#define CHALLENGE_SIZE         32
#define CHALLENGE_MS           (5ull * 60 * 1000)
#define CHALLENGE_SESSION_SIZE 32
#define CHALLENGE_USER_MAX     64
#define CHALLENGES_OF_A_USER   4 /* open at a time when he is signed in; a further one replaces his oldest */

enum challenge_purpose {
    CHALLENGE_LOGIN = 1, /* of a user who was named */
    CHALLENGE_DISCOVER,  /* a login without a name: user is empty */
    CHALLENGE_REGISTER,  /* a new passkey of a user who is signed in */
    CHALLENGE_STEP_UP,   /* a session proves its user anew */
};

/* What a challenge is for. It is only ever taken for exactly that. */
struct challenge_for {
    enum challenge_purpose purpose;
    struct view user;                        /* at most CHALLENGE_USER_MAX bytes */
    uint8_t session[CHALLENGE_SESSION_SIZE]; /* the session's token hash; zeros where there is none yet */
};

struct challenge {
    struct id id; /* by which the answer names it */
    uint8_t bytes[CHALLENGE_SIZE];
};

struct challenges;
/* Room for so many challenges of strangers, and for as many of people who are signed in, so that a flood of the former
 * leaves the latter alone. When a half is full, its oldest is forgotten. */
RESULT challenges_new(size_t capacity, struct challenges **ret);
void challenges_free(struct challenges *c);

/* mono_ms is of a clock that never goes back. ERR_TOO_LONG for the user's name, ERR_NO_RANDOM. */
RESULT challenges_give(struct challenges *c, const struct random *random, const struct challenge_for *what,
                       uint64_t mono_ms, struct challenge *ret);
/* ERR_CHALLENGE_UNKNOWN for one that was never given, was taken, is too old, or is for something else. Whatever comes
 * out, it is gone afterwards. */
RESULT challenges_take(struct challenges *c, const struct id *id, const struct challenge_for *what, uint64_t mono_ms,
                       uint8_t ret_bytes[static CHALLENGE_SIZE]);

AUTO_DEFINE(struct challenges *, challenges_free);

#endif
