/* Credentials in memory: a descriptor that the keeper vouched for, its policy, and its keys in guarded memory. */
#include "signer/signer_core.h"

#define LOADED_MAX 4096

static void loaded_free(struct loaded *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->key_count; i++)
        l->keys[i].scheme->key_free(l->keys[i].key);
    policy_free(l->policy);
    secret_free(l->bundle_bytes);
    arena_free(l->arena);
    wipe(l, sizeof *l);
    free(l);
}
AUTO_DEFINE(struct loaded *, loaded_free);

void loaded_release(struct loaded *l)
{
    if (--l->holders == 0)
        loaded_free(l);
}

struct loaded *loaded_find(struct signer *s, const uint8_t id[static 16])
{
    for (size_t i = 0; i < s->loaded_count; i++)
        if (memcmp(s->loaded[i]->id, id, 16) == 0)
            return s->loaded[i];
    return NULL;
}

/* Its nonces count as used for whatever comes after it, or a changed policy would begin them anew. */
static void take_nonces(struct signer *s, const struct loaded *l)
{
    if (l->last_nonce > s->nonce_floor)
        s->nonce_floor = l->last_nonce;
}

void loaded_drop(struct signer *s, const uint8_t id[static 16])
{
    for (size_t i = 0; i < s->loaded_count; i++)
        if (memcmp(s->loaded[i]->id, id, 16) == 0) {
            take_nonces(s, s->loaded[i]);
            loaded_release(s->loaded[i]);
            s->loaded[i] = s->loaded[--s->loaded_count];
            return;
        }
}

void loaded_drop_all(struct signer *s)
{
    while (s->loaded_count > 0)
        loaded_release(s->loaded[--s->loaded_count]);
}

const struct venue *venue_of(const struct signer *s, struct view name)
{
    for (size_t i = 0; i < s->venue_count; i++)
        if (view_eq(venue_name(s->venues[i]), name))
            return s->venues[i];
    return NULL;
}

RESULT signer_add_venues(struct signer *s, struct view files, struct problem *why)
{
    struct reader r = reader_new(files);

    while (r.left > 0) {
        struct view name, text;
        char file[256];
        struct venue *v;
        enum err e;
        TRY(reader_var(&r, sizeof file - 1, &name));
        TRY(reader_var(&r, 1u << 20, &text));
        TRY(view_to_str(name, file, sizeof file));
        e = venue_parse(file, text, &v, why);
        if (e != OK)
            return e == ERR_NO_MEMORY ? e : ERR_BAD_CONFIG;
        e = signer_add_venue(s, v);
        if (e != OK)
            venue_free(v);
        TRY(e);
    }
    return OK;
}

static RESULT add(struct signer *s, struct loaded *l)
{
    if (s->loaded_count == LOADED_MAX)
        return ERR_LIMIT_REACHED;
    if (s->loaded_count == s->loaded_cap) {
        size_t cap = s->loaded_cap ? s->loaded_cap * 2 : 16;
        struct loaded **grown = realloc(s->loaded, cap * sizeof(struct loaded *));
        if (!grown)
            return ERR_NO_MEMORY;
        s->loaded = grown;
        s->loaded_cap = cap;
    }
    l->holders = 1;
    s->loaded[s->loaded_count++] = l;
    return OK;
}

RESULT loaded_key(struct loaded *l, struct view scheme_name, const struct scheme **ret_scheme,
                  const struct signing_key **ret_key, struct problem *why)
{
    struct view name = scheme_name.len ? scheme_name : l->descriptor.scheme;
    const struct scheme *scheme = scheme_find(name);

    for (size_t i = 0; i < l->key_count; i++)
        if (l->keys[i].scheme == scheme) {
            *ret_scheme = scheme;
            *ret_key = l->keys[i].key;
            return OK;
        }
    if (!scheme || !venue_has_scheme(l->venue, name))
        return problem_set(why, ERR_WRONG_KEY_FOR_VENUE, "/scheme", "the venue has no scheme of this name");
    if (l->key_count == KEYS_PER_CREDENTIAL)
        return ERR_LIMIT_REACHED;
    TRY(scheme->key_new(&l->bundle, &l->keys[l->key_count].key, why));
    l->keys[l->key_count].scheme = scheme;
    *ret_scheme = scheme;
    *ret_key = l->keys[l->key_count++].key;
    return OK;
}

static RESULT check_venue(const struct signer *s, const struct credential_descriptor *d, const struct venue **ret,
                          struct problem *why)
{
    const struct venue *v = venue_of(s, d->venue);

    if (!v)
        return problem_set(why, ERR_UNKNOWN_VENUE, "/venue", "there is no declaration of this venue");
    if (!scheme_find(d->scheme) || !venue_has_scheme(v, d->scheme))
        return problem_set(why, ERR_WRONG_KEY_FOR_VENUE, "/scheme", "the venue has no scheme of this name");
    *ret = v;
    return OK;
}

RESULT signer_check(struct signer *s, struct view descriptor, struct problem *why)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(policy_free) struct policy *policy = NULL;
    struct credential_descriptor d;
    const struct venue *v = NULL;

    TRY(arena_new(4096, 1u << 20, &arena));
    TRY(entity_decode(&credential_descriptor_entity, descriptor, arena, &d));
    TRY(check_venue(s, &d, &v, why));
    TRY(policy_parse(d.policy, &policy, why));
    return policy_check_endpoints(policy, v, scheme_find(d.scheme), why);
}

/* What was reserved before counts as used; a window that has passed since begins anew by itself. */
static RESULT take_marks(struct loaded *l, const struct keeper_unwrapped *u)
{
    const struct window_mark *marks = u->windows.items;

    l->window_count = policy_window_count(l->policy);
    for (size_t i = 0; i < l->window_count && i < u->windows.count; i++) {
        struct window_use *use = &l->reserved[i];
        use->start_ms = marks[i].start_ms;
        use->orders = marks[i].orders;
        if (marks[i].notional.len)
            TRY(decimal_parse(marks[i].notional, &use->notional));
        l->used[i] = *use;
    }
    return OK;
}

static RESULT take_descriptor(struct loaded *l, struct view descriptor)
{
    struct view copy;

    TRY(arena_new(4096, 1u << 20, &l->arena));
    TRY(arena_copy(l->arena, descriptor, &copy));
    TRY(entity_decode(&credential_descriptor_entity, copy, l->arena, &l->descriptor));
    memcpy(l->id, l->descriptor.id, sizeof l->id);
    l->version = l->descriptor.version;
    return OK;
}

static RESULT fill(struct signer *s, const struct keeper_unwrapped *u, struct loaded *l, struct problem *why)
{
    struct credential_bundle b;
    const struct scheme *scheme;
    const struct signing_key *key;

    TRY(check_venue(s, &l->descriptor, &l->venue, why));
    TRY(policy_parse(l->descriptor.policy, &l->policy, why));
    TRY(secret_from(u->bundle, &l->bundle_bytes));
    TRY(entity_decode(&credential_bundle_entity, secret_view(l->bundle_bytes), l->arena, &b));
    l->bundle = (struct bundle){b.api_key, b.secret, b.passphrase};
    l->frozen = u->frozen;
    TRY(take_marks(l, u));
    return loaded_key(l, l->descriptor.scheme, &scheme, &key, why);
}

RESULT signer_load(struct signer *s, struct view descriptor, const struct keeper_unwrapped *u, struct problem *why)
{
    AUTO(loaded_free) struct loaded *l = calloc(1, sizeof *l);
    const struct loaded *former;

    if (!l)
        return ERR_NO_MEMORY;
    TRY(take_descriptor(l, descriptor));
    former = loaded_find(s, l->id);
    /* Two threads asked for it; the first one's windows go on. Seen before its key is read, which takes long for RSA:
     * or asking again and again would keep everybody else waiting. */
    if (former && former->version == l->version)
        return OK;
    TRY(fill(s, u, l, why));
    loaded_drop(s, l->id);
    TRY(add(s, l));
    l = NULL;
    return OK;
}

void signer_changed(struct signer *s, const struct keeper_event_credential *e)
{
    struct loaded *l = loaded_find(s, e->id);

    if (!l)
        return;
    if (l->version != e->version)
        loaded_drop(s, e->id);
    else
        l->frozen = e->frozen;
}
