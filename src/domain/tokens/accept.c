/* Is this a token of ours, and is it good now? */
#include "domain/tokens/inside.h"

#include "base/text.h"
#include "crypto/hash.h"

#define CACHE_MAX    65536 /* tokens, of about 400 bytes each */
#define CACHE_DROPS  4096
#define SCRATCH_SIZE (32u * 1024)

/* A token whose signature and claims were found right. */
struct cached {
    struct token_accepted a;
    char kid[TOKEN_KID_LEN + 1];
};

RESULT tokens_new(struct tokens **ret)
{
    AUTO(tokens_free) struct tokens *t = calloc(1, sizeof *t);

    if (!t)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&t->lock, NULL);
    TRY(table_new(NULL, &t->grants));
    TRY(table_new(NULL, &t->revoked));
    TRY(table_new(NULL, &t->accepted));
    *ret = TAKE(t);
    return OK;
}

void tokens_free(struct tokens *t)
{
    struct verifiers *v, *former;

    if (!t)
        return;
    for (v = atomic_load(&t->verifiers); v; v = former) {
        former = v->former;
        free(v);
    }
    table_free(t->grants);
    table_free(t->revoked);
    table_free(t->accepted);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* --- keys */

static RESULT take_key(const struct keeper_token_key *k, struct verifier *out)
{
    if (k->public_key.len > sizeof out->key.bytes)
        return ERR_BAD_KEY;
    out->key.alg = k->alg;
    out->key.len = (uint16_t)k->public_key.len;
    memcpy(out->key.bytes, k->public_key.ptr, k->public_key.len);
    out->until_ms = k->until_ms;
    return token_key_id(&out->key, out->kid);
}

static RESULT take_keys(const struct keeper_token_keys *keys, struct verifiers *v)
{
    const struct keeper_token_key *list = keys->keys.items;

    if (keys->keys.count > TOKEN_KEYS_MAX || keys->issuer.len > sizeof v->issuer)
        return ERR_TOO_LONG;
    for (; v->count < keys->keys.count; v->count++)
        TRY(take_key(&list[v->count], &v->keys[v->count]));
    v->max_seconds = keys->max_seconds;
    v->issuer_len = keys->issuer.len;
    memcpy(v->issuer, keys->issuer.ptr, keys->issuer.len);
    return OK;
}

RESULT tokens_set_keys(struct tokens *t, const struct keeper_token_keys *keys)
{
    struct verifiers *v = calloc(1, sizeof *v);
    enum err e = v ? take_keys(keys, v) : ERR_NO_MEMORY;

    if (e != OK) {
        free(v);
        return e;
    }
    pthread_mutex_lock(&t->lock);
    v->former = atomic_load(&t->verifiers);
    atomic_store(&t->verifiers, v);
    pthread_mutex_unlock(&t->lock);
    return OK;
}

bool tokens_have_keys(struct tokens *t)
{
    return atomic_load(&t->verifiers) != NULL;
}

uint32_t tokens_max_seconds(struct tokens *t)
{
    const struct verifiers *v = atomic_load(&t->verifiers);

    return v ? v->max_seconds : 0;
}

static bool published(const struct verifier *k, uint64_t now_ms)
{
    return k->until_ms == 0 || now_ms < k->until_ms;
}

static const struct verifier *find_key(const struct verifiers *v, const char *kid, uint64_t now_ms)
{
    for (size_t i = 0; i < v->count; i++)
        if (memcmp(v->keys[i].kid, kid, TOKEN_KID_LEN) == 0 && published(&v->keys[i], now_ms))
            return &v->keys[i];
    return NULL;
}

RESULT tokens_jwks(struct tokens *t, uint64_t now_ms, struct writer *w)
{
    const struct verifiers *v = atomic_load(&t->verifiers);
    bool first = true;

    if (!v)
        return ERR_UNAVAILABLE;
    writer_str(w, "{\"keys\":[");
    for (size_t i = v->count; i > 0; i--) { /* the one that signs now comes first */
        const struct verifier *k = &v->keys[i - 1];
        if (!published(k, now_ms))
            continue;
        writer_str(w, first ? "" : ",");
        first = false;
        TRY(token_key_jwk(&k->key, w));
        w->len--; /* its closing brace: further members follow */
        writer_printf(w, ",\"alg\":\"%s\",\"kid\":\"%s\",\"use\":\"sig\"}", token_alg_names[k->key.alg], k->kid);
    }
    writer_str(w, "]}");
    return writer_done(w);
}

/* --- believing */

static uint64_t issued_ms(const uint8_t id[static TOKEN_ID_SIZE])
{
    uint64_t ms = 0;

    for (unsigned i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    return ms;
}

/* RFC 8725 §3.1, §3.8, §3.9, §3.11. That the life is no longer than the keeper gives is the keeper's own affair. */
static RESULT check_claims(const struct verifiers *v, const struct jwt_claims *c)
{
    struct view us = VIEW(v->issuer, v->issuer_len);

    if (!view_eq(c->iss, us) || !view_eq(c->aud, us))
        return ERR_TOKEN_INVALID;
    if (!view_starts(c->sub, "user:") && !view_starts(c->sub, "key:"))
        return ERR_TOKEN_INVALID;
    return issued_ms(c->jti) / 1000 == c->iat && c->nbf == c->iat && c->exp > c->iat ? OK : ERR_TOKEN_INVALID;
}

static RESULT fill(const struct jwt_claims *c, struct token_accepted *out)
{
    TRY(view_to_str(c->sub, out->subject, sizeof out->subject));
    TRY(view_to_str(c->client_id, out->client, sizeof out->client));
    memcpy(out->id, c->jti, sizeof out->id);
    memcpy(out->grant, c->sid, sizeof out->grant);
    out->issued_ms = issued_ms(c->jti);
    out->expires_ms = c->exp * 1000;
    return OK;
}

/* The key says which algorithm it is for; the header may only agree (RFC 8725 §3.1). */
static RESULT verify(const struct verifiers *v, struct view text, uint64_t now_ms, struct cached *out)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    const struct verifier *k;
    struct jwt jwt;

    TRY(arena_new(4096, SCRATCH_SIZE, &scratch));
    TRY(jwt_parse(text, scratch, &jwt));
    k = find_key(v, jwt.kid, now_ms);
    if (!k || k->key.alg != jwt.alg)
        return ERR_TOKEN_INVALID;
    if (token_key_verify(&k->key, jwt.signed_part, VIEW(jwt.signature, jwt.signature_len)) != OK)
        return ERR_TOKEN_INVALID;
    TRY(check_claims(v, &jwt.claims));
    memcpy(out->kid, jwt.kid, sizeof out->kid);
    return fill(&jwt.claims, &out->a);
}

/* --- what was verified before */

struct dropping {
    uint8_t keys[CACHE_DROPS][SHA256_SIZE];
    size_t count;
    uint64_t now_ms;
    bool any;
};

static bool pick(void *context, void *value)
{
    struct dropping *d = context;
    const struct cached *c = value;

    if (d->any || d->now_ms >= c->a.expires_ms)
        memcpy(d->keys[d->count++], table_key(value).ptr, SHA256_SIZE);
    return d->count < CACHE_DROPS;
}

/* What has ended goes first; without any, a part of the rest, which only costs a verification each. */
static void make_room(struct tokens *t, uint64_t now_ms)
{
    struct dropping *d = table_count(t->accepted) >= CACHE_MAX ? calloc(1, sizeof *d) : NULL;

    if (!d)
        return;
    d->now_ms = now_ms;
    table_enter();
    table_visit(t->accepted, pick, d);
    if (d->count == 0) {
        d->any = true;
        table_visit(t->accepted, pick, d);
    }
    table_leave();
    for (size_t i = 0; i < d->count; i++)
        (void)!table_remove(t->accepted, VIEW_OF(d->keys[i])); /* another thread was faster */
    free(d);
}

static void keep(struct tokens *t, const uint8_t hash[static SHA256_SIZE], const struct cached *c, uint64_t now_ms)
{
    struct cached *copy;

    make_room(t, now_ms);
    if (table_count(t->accepted) >= CACHE_MAX)
        return;
    copy = table_value_new(sizeof *copy, VIEW(hash, SHA256_SIZE));
    if (!copy)
        return; /* it is verified again then */
    *copy = *c;
    table_put(t->accepted, copy);
}

static bool seen(struct tokens *t, const struct verifiers *v, const uint8_t hash[static SHA256_SIZE], uint64_t now_ms,
                 struct cached *out)
{
    const struct cached *c;
    bool good;

    table_enter();
    c = table_find(t->accepted, VIEW(hash, SHA256_SIZE));
    good = c && find_key(v, c->kid, now_ms);
    if (good)
        *out = *c;
    table_leave();
    return good;
}

/* Of now, each time. */
static RESULT judge(struct tokens *t, const struct token_accepted *a, uint64_t now_ms)
{
    bool ended;

    if (a->issued_ms > now_ms + TOKEN_SKEW_MS)
        return ERR_TOKEN_INVALID;
    if (now_ms >= a->expires_ms)
        return ERR_TOKEN_EXPIRED;
    table_enter();
    ended = tokens_ended(t, a, now_ms);
    table_leave();
    return ended ? ERR_TOKEN_REVOKED : OK;
}

RESULT tokens_accept(struct tokens *t, struct view text, uint64_t now_ms, struct token_accepted *ret)
{
    const struct verifiers *v = atomic_load(&t->verifiers);
    uint8_t hash[SHA256_SIZE];
    struct cached c = {0};
    enum err e;

    if (!v)
        return ERR_UNAVAILABLE;
    if (text.len > TOKEN_TEXT_MAX)
        return ERR_TOKEN_INVALID;
    sha256(text, hash);
    if (!seen(t, v, hash, now_ms, &c)) {
        TRY(verify(v, text, now_ms, &c));
        if (now_ms < c.a.expires_ms)
            keep(t, hash, &c, now_ms);
    }
    e = judge(t, &c.a, now_ms);
    if (e == OK || e == ERR_TOKEN_EXPIRED || e == ERR_TOKEN_REVOKED)
        *ret = c.a;
    return e;
}
