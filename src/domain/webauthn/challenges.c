#include "domain/webauthn/challenges.h"

#include "crypto/secmem.h"

#include <pthread.h>

struct slot {
    struct challenge challenge;
    enum challenge_purpose purpose; /* 0: free */
    char user[CHALLENGE_USER_MAX];
    size_t user_len;
    uint8_t session[CHALLENGE_SESSION_SIZE];
    uint64_t given_ms;
};

struct challenges {
    pthread_mutex_t lock;
    size_t capacity;        /* of each half */
    struct slot *halves[2]; /* strangers', and those of people who are signed in */
};

static struct slot *half_of(const struct challenges *c, enum challenge_purpose purpose)
{
    return c->halves[purpose == CHALLENGE_REGISTER || purpose == CHALLENGE_STEP_UP];
}

RESULT challenges_new(size_t capacity, struct challenges **ret)
{
    if (capacity == 0)
        return ERR_OUT_OF_RANGE;
    struct challenges *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NO_MEMORY;
    c->capacity = capacity;
    c->halves[0] = calloc(capacity, sizeof(struct slot));
    c->halves[1] = calloc(capacity, sizeof(struct slot));
    if (!c->halves[0] || !c->halves[1] || pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c->halves[0]);
        free(c->halves[1]);
        free(c);
        return ERR_NO_MEMORY;
    }
    *ret = c;
    return OK;
}

void challenges_free(struct challenges *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < ARRAY_LEN(c->halves); i++) {
        wipe(c->halves[i], c->capacity * sizeof(struct slot));
        free(c->halves[i]);
    }
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool over(const struct slot *s, uint64_t mono_ms)
{
    return s->purpose == 0 || mono_ms < s->given_ms || mono_ms - s->given_ms >= CHALLENGE_MS;
}

static bool is_of(const struct slot *s, struct view user)
{
    return view_eq(VIEW(s->user, s->user_len), user);
}

/* A free slot, or else the oldest. One who is signed in has a few slots of his own to use up first. */
static struct slot *choose(const struct challenges *c, const struct challenge_for *what, uint64_t mono_ms)
{
    struct slot *half = half_of(c, what->purpose), *open = NULL, *oldest = &half[0], *own = NULL;
    bool strangers = half == c->halves[0];
    size_t owned = 0;
    for (size_t i = 0; i < c->capacity; i++) {
        struct slot *s = &half[i];
        if (over(s, mono_ms)) {
            open = s;
            continue;
        }
        if (s->given_ms < oldest->given_ms)
            oldest = s;
        if (strangers || !is_of(s, what->user))
            continue;
        owned++;
        if (!own || s->given_ms < own->given_ms)
            own = s;
    }
    if (owned >= CHALLENGES_OF_A_USER)
        return own;
    return open ? open : oldest;
}

RESULT challenges_give(struct challenges *c, const struct random *random, const struct challenge_for *what,
                       uint64_t mono_ms, struct challenge *ret)
{
    struct slot made = {.purpose = what->purpose, .user_len = what->user.len, .given_ms = mono_ms};
    if (what->user.len > sizeof made.user)
        return ERR_TOO_LONG;
    TRY(random->fill(random, made.challenge.id.b, sizeof made.challenge.id.b));
    TRY(random->fill(random, made.challenge.bytes, sizeof made.challenge.bytes));
    if (what->user.len > 0)
        memcpy(made.user, what->user.ptr, what->user.len);
    memcpy(made.session, what->session, sizeof made.session);
    (void)pthread_mutex_lock(&c->lock);
    *choose(c, what, mono_ms) = made;
    (void)pthread_mutex_unlock(&c->lock);
    *ret = made.challenge;
    return OK;
}

/* Both halves are searched, so that a challenge that is offered for the wrong thing is gone as well. */
static struct slot remove_slot(struct challenges *c, const struct id *id)
{
    struct slot found = {0};
    for (size_t i = 0; i < 2 * c->capacity; i++) {
        struct slot *s = &c->halves[i / c->capacity][i % c->capacity];
        if (s->purpose == 0 || !id_eq(&s->challenge.id, id))
            continue;
        found = *s;
        wipe(s, sizeof *s);
        break;
    }
    return found;
}

RESULT challenges_take(struct challenges *c, const struct id *id, const struct challenge_for *what, uint64_t mono_ms,
                       uint8_t ret_bytes[static CHALLENGE_SIZE])
{
    (void)pthread_mutex_lock(&c->lock);
    struct slot s = remove_slot(c, id);
    (void)pthread_mutex_unlock(&c->lock);
    if (over(&s, mono_ms) || s.purpose != what->purpose || !is_of(&s, what->user) ||
        !ct_eq(s.session, what->session, sizeof s.session))
        return ERR_CHALLENGE_UNKNOWN;
    memcpy(ret_bytes, s.challenge.bytes, CHALLENGE_SIZE);
    wipe(&s, sizeof s);
    return OK;
}
