#include "api/passwords.h"

#include <pthread.h>

enum kind { KIND_VERIFY = 1, KIND_HASH };

struct passwords {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct argon2_cost cost;
    char nobody[PASSWORD_HASH_SIZE]; /* of a random password; "" until it was made */
    struct password_task *first, *last;
    size_t waiting, threads;
    bool stopping;
    pthread_t thread[PASSWORDS_THREADS];
};

/* --- in the pool's threads */

static RESULT make_nobody(struct passwords *p)
{
    AUTO(secret_free) struct secret *s = NULL;
    TRY(secret_random(32, &s));
    return password_hash(secret_view(s), p->cost, p->nobody);
}

static enum err verify(struct passwords *p, const struct password_task *t)
{
    if (t->hash[0])
        return password_verify(t->hash, t->password);
    enum err e = password_verify(p->nobody, t->password);
    return e == OK ? ERR_BAD_CREDENTIALS : e;
}

static void work(struct passwords *p, struct password_task *t)
{
    t->result = t->kind == KIND_HASH ? password_hash(t->password, p->cost, t->hash) : verify(p, t);
    mailbox_post(t->box, &t->mail, &t->mail);
}

static struct password_task *take(struct passwords *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->stopping)
        pthread_cond_wait(&p->wake, &p->lock);
    struct password_task *t = p->stopping ? NULL : p->first;
    if (t) {
        p->first = t->next;
        p->last = p->first ? p->last : NULL;
        p->waiting--;
    }
    pthread_mutex_unlock(&p->lock);
    return t;
}

static void *serve(void *context)
{
    struct passwords *p = context;
    for (struct password_task *t; (t = take(p));)
        work(p, t);
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

RESULT passwords_new(const struct config *config, struct passwords **ret)
{
    AUTO(passwords_free) struct passwords *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->cost = (struct argon2_cost){.passes = config->argon2.passes, .memory_kib = config->argon2.memory_kib};
    if (p->cost.passes == 0 || p->cost.memory_kib == 0)
        p->cost = ARGON2_DEFAULT;
    /* Before the first question, or the first one would take twice as long. */
    TRY(make_nobody(p));
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
