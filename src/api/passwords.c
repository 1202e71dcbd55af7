#include "api/passwords.h"

#include "crypto/bcrypt.h"

#include <pthread.h>

enum kind { KIND_VERIFY = 1, KIND_HASH };

/* What a password costs now. */
struct effort {
    struct argon2_cost cost;
    char nobody[PASSWORD_HASH_SIZE]; /* the hash of a random password at that cost */
};

struct passwords {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct breached *breached; /* NULL: no list */
    struct effort effort;
    struct password_task *first, *last;
    size_t waiting, threads;
    bool stopping;
    pthread_t thread[PASSWORDS_THREADS];
};

/* --- in the pool's threads */

/* Argon2id, or bcrypt of somebody who was imported and has not signed in since. */
static enum err is_password(const char *hash, struct view password)
{
    return hash[0] == '$' && hash[1] == '2' ? bcrypt_verify(hash, password) : password_verify(hash, password);
}

static enum err verify(const struct effort *now, struct password_task *t)
{
    t->upgraded[0] = '\0';
    if (!t->hash[0]) {
        enum err e = password_verify(now->nobody, t->password);
        return e == OK ? ERR_BAD_CREDENTIALS : e;
    }
    TRY(is_password(t->hash, t->password));
    if (password_outdated(t->hash, now->cost) && password_hash(t->password, now->cost, t->upgraded) != OK)
        t->upgraded[0] = '\0'; /* for want of memory: the next log-in tries again */
    return OK;
}

/* The hashes of a user's own row, so each is tried in full: no other answer would be sure. */
static enum err not_used(struct password_task *t)
{
    char hash[PASSWORD_HASH_SIZE];
    for (size_t i = 0; i < t->used.count; i++) {
        TRY(view_to_str(t->used.items[i], hash, sizeof hash));
        enum err e = is_password(hash, t->password);
        if (e == OK)
            return problem_set(&t->why, ERR_WEAK_PASSWORD, "/password", "%s",
                               "It was used before; choose one that is new.");
        if (e != ERR_BAD_CREDENTIALS)
            return e;
    }
    return OK;
}

static enum err hash(const struct passwords *p, const struct effort *now, struct password_task *t)
{
    t->why = (struct problem){0};
    if (p->breached)
        TRY(breached_check(p->breached, t->password, &t->why));
    TRY(not_used(t));
    return password_hash(t->password, now->cost, t->hash);
}

static void work(const struct passwords *p, const struct effort *now, struct password_task *t)
{
    t->result = t->kind == KIND_HASH ? hash(p, now, t) : verify(now, t);
    mailbox_post(t->box, &t->mail, &t->mail);
}

static struct password_task *take(struct passwords *p, struct effort *ret_now)
{
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->stopping)
        pthread_cond_wait(&p->wake, &p->lock);
    struct password_task *t = p->stopping ? NULL : p->first;
    if (t) {
        p->first = t->next;
        p->last = p->first ? p->last : NULL;
        p->waiting--;
        *ret_now = p->effort;
    }
    pthread_mutex_unlock(&p->lock);
    return t;
}

static void *serve(void *context)
{
    struct passwords *p = context;
    struct effort now;
    for (struct password_task *t; (t = take(p, &now));)
        work(p, &now, t);
    return NULL;
}

/* --- starting and ending */

static RESULT start_threads(struct passwords *p)
{
    for (; p->threads < PASSWORDS_THREADS; p->threads++)
        if (pthread_create(&p->thread[p->threads], NULL, serve, p) != 0)
            return ERR_NO_MEMORY;
    return OK;
}

RESULT passwords_set_cost(struct passwords *p, struct argon2_cost cost)
{
    AUTO(secret_free) struct secret *s = NULL;
    struct effort e = {.cost = cost};
    TRY(secret_random(32, &s));
    TRY(password_hash(secret_view(s), cost, e.nobody));
    pthread_mutex_lock(&p->lock);
    p->effort = e;
    pthread_mutex_unlock(&p->lock);
    return OK;
}

RESULT passwords_new(const struct config *config, struct breached *breached, struct passwords **ret)
{
    AUTO(passwords_free) struct passwords *p = calloc(1, sizeof *p);
    if (!p) {
        breached_free(breached);
        return ERR_NO_MEMORY;
    }
    p->breached = breached;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    struct argon2_cost cost = {.passes = config->argon2.passes, .memory_kib = config->argon2.memory_kib};
    if (cost.passes == 0 || cost.memory_kib == 0)
        cost = ARGON2_DEFAULT;
    /* Before the first question, or the first one would take twice as long. */
    TRY(passwords_set_cost(p, cost));
    TRY(start_threads(p));
    *ret = TAKE(p);
    return OK;
}

void passwords_free(struct passwords *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    for (struct password_task *t = p->first, *next; t; t = next) {
        next = t->next;
        t->result = ERR_UNAVAILABLE;
        mailbox_post(t->box, &t->mail, &t->mail);
    }
    breached_free(p->breached);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- asking */

static void deliver(struct mail *m)
{
    struct password_task *t = (struct password_task *)(void *)m; /* its first member */
    t->done(t);
}

static RESULT submit(struct passwords *p, struct password_task *t, enum kind kind)
{
    enum err e = OK;
    t->kind = kind;
    t->next = NULL;
    t->mail = (struct mail){.deliver = deliver};
    pthread_mutex_lock(&p->lock);
    if (p->stopping)
        e = ERR_UNAVAILABLE;
    else if (p->waiting >= PASSWORDS_QUEUE)
        e = ERR_BUSY;
    if (e == OK) {
        if (p->last)
            p->last->next = t;
        else
            p->first = t;
        p->last = t;
        p->waiting++;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return e;
}

RESULT passwords_verify(struct passwords *p, struct password_task *t)
{
    return submit(p, t, KIND_VERIFY);
}

RESULT passwords_hash(struct passwords *p, struct password_task *t)
{
    return submit(p, t, KIND_HASH);
}
