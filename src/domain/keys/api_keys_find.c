#include "crypto/hash.h"
#include "crypto/secmem.h"
#include "domain/keys/inside.h"

static RESULT copy_known(const struct known *k, struct arena *arena, struct api_key_found *ret)
{
    struct view plain = {0};
    TRY(arena_copy(arena, VIEW(k->plain, k->len), &plain));
    TRY(entity_decode_again(&api_key_entity, plain, arena, &ret->key));
    ret->key.last_used_ms = atomic_load_explicit(&k->used_ms, memory_order_relaxed);
    ret->version = k->version;
    memcpy(ret->commitment, k->commitment, sizeof ret->commitment);
    ret->by_old = false;
    return OK;
}

RESULT api_keys_find(struct api_keys *k, struct view id, struct arena *arena, struct api_key_found *ret)
{
    table_enter();
    const struct known *known = table_find(k->keys, id);
    enum err e = known ? copy_known(known, arena, ret) : ERR_NOT_FOUND;
    table_leave();
    return e;
}

static RESULT usable(const struct judged *j, uint64_t now_ms)
{
    if (j->status == KEY_EXPIRED || (j->status == KEY_ACTIVE && now_ms >= j->expires_ms))
        return ERR_KEY_EXPIRED;
    return j->status == KEY_ACTIVE ? OK : ERR_KEY_DISABLED;
}

/* The same work whether the key exists or not; more only for a key in its grace period after a rotation. */
static RESULT prove(const struct row_keys *keys, const struct judged *j, const struct former *former,
                    const struct api_key_shown *shown, bool *ret_by_old)
{
    const uint8_t *hash = shown->parts->hash;
    uint8_t now[32], old[32];
    bool by_old = false;
    TRY(api_key_verifier(keys, j->epoch, hash, now));
    bool by_new = ct_eq(now, j->verifier, sizeof now);
    if (j->rotated && former->until_ms > shown->now_ms) {
        memcpy(old, now, sizeof old);
        if (former->epoch != j->epoch)
            TRY(api_key_verifier(keys, former->epoch, hash, old));
        by_old = ct_eq(old, former->verifier, sizeof old);
        wipe(old, sizeof old);
    }
    wipe(now, sizeof now);
    *ret_by_old = by_old && !by_new;
    return by_new || *ret_by_old ? OK : ERR_BAD_CREDENTIALS;
}

/* What was found out about a key that is shown, and whether that needs judging by what failed before. */
struct proof {
    bool known, right, by_old, failing;
};

static bool is_failing(const struct known *k, uint64_t now_ms)
{
    uint64_t failed = atomic_load_explicit(&k->failed_ms, memory_order_relaxed);
    return failed && (now_ms < failed || now_ms - failed < FAILURES_MS);
}

static RESULT take(struct known *k, uint64_t now_ms, struct arena *arena, struct api_key_found *ret)
{
    TRY(usable(&k->judged, now_ms));
    atomic_store_explicit(&k->used_ms, now_ms, memory_order_relaxed);
    return ret ? copy_known(k, arena, ret) : OK;
}

/* Reads what is shown, but for the check digits. What the table knows of such a key is fetched into the cache
 * meanwhile: in a large table that would take as long as all the hashing. */
static RESULT read_shown(struct api_keys *k, const struct api_key_shown *shown, struct known **ret)
{
    struct api_key_parts p;
    TRY(api_key_split(shown->text, &p));
    struct view id = VIEW(p.id, API_KEY_ID_LEN);
    uint64_t hash = table_hash(k->keys, id);
    table_fetch_place(k->keys, hash);
    sha256(shown->text, p.hash);
    table_fetch_value(k->keys, hash);
    *shown->parts = p;
    *ret = table_find_hashed(k->keys, hash, id);
    return OK;
}

/* The right secret is all of the text, so only what is refused can have wrong check digits: then a digit got lost, and
 * nobody was guessing. All that is refused takes the time for it. */
static RESULT check_shown(const struct api_key_shown *shown)
{
    if (!api_key_is_ours(shown->text) || api_key_check(shown->text) == OK)
        return OK;
    *shown->parts = (struct api_key_parts){0};
    return ERR_KEY_MALFORMED;
}

/* With the right secret of a key that nobody failed with lately, that is all. */
static RESULT verify_inside(struct api_keys *k, const struct row_keys *keys, const struct api_key_shown *shown,
                            struct arena *arena, struct api_key_found *ret, struct proof *proof)
{
    const struct api_key_parts *parts = shown->parts;
    struct known *known = NULL;
    if (api_key_is_ours(shown->text))
        TRY(read_shown(k, shown, &known));
    else
        known = table_find(k->keys, view_str(parts->id));
    /* All zero is nobody's HMAC. */
    struct judged nobody = {.epoch = keyring_epoch(row_keys_ring(keys)), .environment = parts->environment};
    const struct judged *j = known ? &known->judged : &nobody;
    _Atomic uint64_t *failed_ms = known ? &known->failed_ms : &k->nobody_failed_ms;
    enum err e = prove(keys, j, known ? &known->former : NULL, shown, &proof->by_old);
    proof->known = known != NULL;
    proof->right = known && e == OK && (parts->environment == 0 || j->environment == parts->environment);
    proof->failing = proof->right && is_failing(known, shown->now_ms);
    if (proof->right && !proof->failing)
        return take(known, shown->now_ms, arena, ret);
    TRY(check_shown(shown));
    if (proof->failing)
        return OK;
    atomic_store_explicit(failed_ms, shown->now_ms, memory_order_relaxed);
    return e == OK ? ERR_BAD_CREDENTIALS : e;
}

static RESULT take_again(struct api_keys *k, const struct api_key_shown *shown, struct arena *arena,
                         struct api_key_found *ret)
{
    table_enter();
    struct known *known = table_find(k->keys, view_str(shown->parts->id));
    enum err e = known ? take(known, shown->now_ms, arena, ret) : ERR_BAD_CREDENTIALS;
    table_leave();
    return e;
}

/* Judging takes a lock, so it is done outside of the table's section. */
static RESULT judge(struct api_keys *k, struct api_key_shown *shown, const struct proof *proof)
{
    const struct failures_try t = {.id = view_str(shown->parts->id),
                                   .from = shown->from,
                                   .via = shown->via,
                                   .known = proof->known,
                                   .right = proof->right,
                                   .now_ms = shown->now_ms};
    enum failures_verdict v = shown->from ? failures_judge(k->failures, &t)
                              : t.right   ? FAILURES_NONE
                                          : FAILURES_COUNTED;
    shown->why = !t.known ? API_KEY_UNKNOWN : API_KEY_WRONG;
    if (v == FAILURES_BEGUN || v == FAILURES_SUSPENDED)
        shown->why = v == FAILURES_BEGUN ? API_KEY_SUSPENDED_NOW : API_KEY_SUSPENDED_HERE;
    return v == FAILURES_NONE ? OK : ERR_BAD_CREDENTIALS;
}

RESULT api_keys_verify(struct api_keys *k, const struct row_keys *keys, struct api_key_shown *shown,
                       struct arena *arena, struct api_key_found *ret)
{
    struct proof proof = {0};
    if (shown->text.len && !api_key_is_ours(shown->text))
        TRY(api_key_read(keys, shown->text, shown->parts));
    table_enter();
    enum err e = verify_inside(k, keys, shown, arena, ret, &proof);
    table_leave();
    if (e != ERR_BAD_CREDENTIALS && !proof.failing) {
        if (e == OK && ret)
            ret->by_old = proof.by_old;
        return e;
    }
    TRY(judge(k, shown, &proof));
    TRY(take_again(k, shown, arena, ret));
    if (ret)
        ret->by_old = proof.by_old;
    return OK;
}

size_t api_keys_suspended_sources(struct api_keys *k, struct view id, uint64_t now_ms)
{
    return failures_suspended(k->failures, id, now_ms);
}

void api_keys_forgive(struct api_keys *k, struct view id)
{
    failures_forget(k->failures, id);
}

static RESULT by_uid_inside(struct api_keys *k, uint32_t uid, uint64_t now_ms, struct arena *arena,
                            struct api_key_found *ret)
{
    const struct by_uid *u = table_find(k->uids, uid_view(&uid));
    struct known *known = u ? table_find(k->keys, VIEW_OF(u->id)) : NULL;
    if (!known) /* his own is damaged: he gets no other instead */
        return u ? ERR_KEY_DISABLED : ERR_NOT_FOUND;
    TRY(usable(&known->judged, now_ms));
    atomic_store_explicit(&known->used_ms, now_ms, memory_order_relaxed);
    TRY(copy_known(known, arena, ret));
    return OK;
}

RESULT api_keys_by_uid(struct api_keys *k, uint32_t uid, uint64_t now_ms, struct arena *arena,
                       struct api_key_found *ret)
{
    table_enter();
    enum err e = by_uid_inside(k, uid, now_ms, arena, ret);
    table_leave();
    return e;
}

RESULT api_keys_spend(struct api_keys *k, struct view id, uint64_t now_ms, struct limits_state *ret,
                      struct limits *ret_limits)
{
    static const enum err errors[] = {[LIMITS_WITHIN] = OK,
                                      [LIMITS_BURSTING] = ERR_RATE_LIMITED,
                                      [LIMITS_HOUR_USED] = ERR_RATE_LIMITED,
                                      [LIMITS_DAY_USED] = ERR_USAGE_EXCEEDED};
    enum err e = ERR_NOT_FOUND;
    table_enter();
    struct known *known = table_find(k->keys, id);
    if (known) {
        limits_take(&known->used, &known->limits, now_ms, ret);
        e = errors[ret->verdict];
        if (ret_limits)
            *ret_limits = known->limits;
    }
    table_leave();
    return e;
}

bool api_keys_used_up(struct api_keys *k, struct view id, uint64_t now_ms)
{
    table_enter();
    const struct known *known = table_find(k->keys, id);
    bool is = known && limits_used_up(&known->used, &known->limits, now_ms);
    table_leave();
    return is;
}

bool api_keys_uid_taken(struct api_keys *k, uint32_t uid)
{
    table_enter();
    bool taken = table_find(k->uids, uid_view(&uid));
    table_leave();
    return taken;
}
