#include "domain/keys/failures.h"

#include "crypto/hash.h"
#include "crypto/secmem.h"

#include <pthread.h>

#define SETS     4096u
#define WAYS     4u
#define LOCKS    64u
#define TAG_SIZE 16

struct place {
    uint8_t tag[TAG_SIZE]; /* of key and source */
    char id[FAILURES_ID_SIZE];
    uint64_t at_ms; /* of the last one that counted */
    uint32_t count; /* 0: free */
};

struct set {
    struct place ways[WAYS];
    struct place nobody; /* takes what is done for ids that are nobody's */
};

struct failures {
    struct hmac_key key; /* of this process: nobody can choose who shares a set with him */
    pthread_mutex_t locks[LOCKS];
    struct set sets[SETS];
};

RESULT failures_new(const struct random *random, struct failures **ret)
{
    uint8_t key[32];
    TRY(random->fill(random, key, sizeof key));
    struct failures *f = calloc(1, sizeof *f);
    if (f) {
        hmac_key_init(&f->key, VIEW_OF(key));
        for (size_t i = 0; i < LOCKS; i++)
            pthread_mutex_init(&f->locks[i], NULL);
    }
    wipe(key, sizeof key);
    if (!f)
        return ERR_NO_MEMORY;
    *ret = f;
    return OK;
}

void failures_free(struct failures *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&f->locks[i]);
    wipe(&f->key, sizeof f->key);
    free(f);
}

/* --- the pair */

static void tag_of(struct failures *f, const struct failures_try *t, uint8_t out[static SHA256_SIZE])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const struct network_source *s = t->from;
    bool four = !s->is_unix && memcmp(s->address, mapped, sizeof mapped) == 0;
    uint8_t kind = s->is_unix ? 1 : four ? 2 : 3;
    uint8_t from[16] = {0};
    if (s->is_unix)
        memcpy(from, &s->uid, sizeof s->uid);
    else
        memcpy(from, s->address, four ? 16 : 8);
    const struct view parts[] = {t->id, VIEW(&kind, 1), VIEW_OF(from), t->via};
    hmac_key_code(&f->key, parts, ARRAY_LEN(parts), out);
}

/* After a clock that was set back nothing lasts: nobody stays shut out until it has caught up. */
static bool is_over(const struct place *p, uint64_t now_ms)
{
    return p->count == 0 || now_ms < p->at_ms || now_ms - p->at_ms >= FAILURES_MS;
}

/* a is to be given up before b. */
static bool less_worth(const struct place *a, const struct place *b, uint64_t now_ms)
{
    bool over_a = is_over(a, now_ms), over_b = is_over(b, now_ms);
    if (over_a != over_b)
        return over_a;
    if ((a->count >= FAILURES_LIMIT) != (b->count >= FAILURES_LIMIT))
        return a->count < FAILURES_LIMIT;
    return a->at_ms < b->at_ms;
}

/* The pair's own place, or the one that it may have. */
static struct place *place_of(struct set *s, const uint8_t *tag, uint64_t now_ms)
{
    struct place *own = NULL, *least = &s->ways[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (s->ways[i].count && memcmp(s->ways[i].tag, tag, TAG_SIZE) == 0)
            own = &s->ways[i];
        if (less_worth(&s->ways[i], least, now_ms))
            least = &s->ways[i];
    }
    return own ? own : least;
}

static enum failures_verdict judge(struct set *s, const struct failures_try *t, const uint8_t *tag)
{
    struct place *found = place_of(s, tag, t->now_ms), *p = t->known ? found : &s->nobody;
    bool own = memcmp(p->tag, tag, TAG_SIZE) == 0 && !is_over(p, t->now_ms) && t->known;
    if (own && p->count >= FAILURES_LIMIT)
        return FAILURES_SUSPENDED;
    if (t->right) {
        if (own)
            *p = (struct place){0};
        return FAILURES_NONE;
    }
    p->count = own ? p->count + 1 : 1;
    p->at_ms = t->now_ms;
    memcpy(p->tag, tag, TAG_SIZE);
    memcpy(p->id, t->id.ptr, sizeof p->id);
    return p->count >= FAILURES_LIMIT ? FAILURES_BEGUN : FAILURES_COUNTED;
}

enum failures_verdict failures_judge(struct failures *f, const struct failures_try *t)
{
    uint8_t tag[SHA256_SIZE];
    if (t->id.len != FAILURES_ID_SIZE)
        return t->right ? FAILURES_NONE : FAILURES_COUNTED;
    tag_of(f, t, tag);
    unsigned at = ((unsigned)tag[TAG_SIZE] << 8 | tag[TAG_SIZE + 1]) % SETS;
    pthread_mutex_lock(&f->locks[at % LOCKS]);
    enum failures_verdict v = judge(&f->sets[at], t, tag);
    pthread_mutex_unlock(&f->locks[at % LOCKS]);
    return v;
}

/* --- all of one key */

static size_t look(struct failures *f, struct view id, uint64_t now_ms, bool forget)
{
    size_t suspended = 0;
    for (size_t i = 0; i < SETS; i++) {
        pthread_mutex_lock(&f->locks[i % LOCKS]);
        for (size_t w = 0; w < WAYS; w++) {
            struct place *p = &f->sets[i].ways[w];
            if (p->count == 0 || !view_eq(VIEW_OF(p->id), id))
                continue;
            suspended += p->count >= FAILURES_LIMIT && !is_over(p, now_ms);
            if (forget)
                *p = (struct place){0};
        }
        pthread_mutex_unlock(&f->locks[i % LOCKS]);
    }
    return suspended;
}

size_t failures_suspended(struct failures *f, struct view id, uint64_t now_ms)
{
    return look(f, id, now_ms, false);
}

void failures_forget(struct failures *f, struct view id)
{
    (void)look(f, id, 0, true);
}
