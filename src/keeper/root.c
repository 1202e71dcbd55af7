/* The root key and what wraps it: a passphrase or shares. */
#include "keeper/core.h"

#include "crypto/password.h"

#define KEK_CONTEXT   "holdfast root key"
#define COST_MOST_KIB (4ull << 20) /* passes × memory: about two seconds */
#define GUESS_COST_MS 1000u
#define GUESS_DEBT_MS 4000u

bool root_cost_sane(uint32_t passes, uint32_t memory_kib)
{
    return passes >= 1 && memory_kib >= 8192 && memory_kib <= 1048576 && (uint64_t)passes * memory_kib <= COST_MOST_KIB;
}

static RESULT kek_from_passphrase(const struct keeper *k, struct view passphrase, uint8_t out[static 32])
{
    struct argon2_cost cost = {.passes = k->head.argon2_passes, .memory_kib = k->head.argon2_memory_kib};

    return argon2_key(passphrase, k->head.salt, cost, out, 32);
}

RESULT root_wrap(struct keeper *k, const uint8_t kek[static 32])
{
    struct writer w = writer_fixed(k->wrapped_root, sizeof k->wrapped_root);
    uint8_t nonce[AEAD_NONCE_SIZE], sealed[ROOT_SIZE + AEAD_TAG_SIZE];

    TRY(k->config.random->fill(k->config.random, nonce, sizeof nonce));
    TRY(aead_seal(AEAD_XAES_256_GCM, kek, nonce, VIEW_STR(KEK_CONTEXT), secret_view(k->root), sealed));
    writer_bytes(&w, nonce, sizeof nonce);
    writer_bytes(&w, sealed, sizeof sealed);
    TRY(writer_done(&w));
    k->head.wrapped_root = writer_view_of(&w);
    return OK;
}

static RESULT unwrap(const struct keeper *k, const uint8_t kek[static 32], struct secret **ret)
{
    AUTO(secret_free) struct secret *root = NULL;
    struct view w = k->head.wrapped_root;

    if (w.len != AEAD_NONCE_SIZE + ROOT_SIZE + AEAD_TAG_SIZE)
        return ERR_TAMPERED;
    TRY(secret_new(ROOT_SIZE, &root));
    if (aead_open(AEAD_XAES_256_GCM, kek, w.ptr, VIEW_STR(KEK_CONTEXT),
                  VIEW(w.ptr + AEAD_NONCE_SIZE, w.len - AEAD_NONCE_SIZE), secret_ptr(root)) != OK)
        return ERR_WRONG_SHARE;
    *ret = TAKE(root);
    return OK;
}

static RESULT shares_out(const struct share *shares, size_t count, struct arena *arena, struct text_list *ret)
{
    struct view *texts = arena_alloc(arena, count * sizeof *texts);

    if (!texts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        char *text = arena_alloc(arena, SHARE_TEXT_SIZE);
        if (!text)
            return ERR_NO_MEMORY;
        TRY(share_format(&shares[i], text));
        texts[i] = view_str(text);
    }
    *ret = (struct text_list){texts, count};
    return OK;
}

RESULT root_wrap_shares(struct keeper *k, struct arena *arena, struct text_list *ret_texts)
{
    struct share shares[SHAMIR_MAX_SHARES];
    uint8_t kek[32];
    enum err e = k->config.random->fill(k->config.random, kek, sizeof kek);

    if (e == OK)
        e = shamir_split(kek, k->head.threshold, k->head.shares, k->config.random, shares);
    if (e == OK)
        e = root_wrap(k, kek);
    if (e == OK)
        e = shares_out(shares, k->head.shares, arena, ret_texts);
    wipe(kek, sizeof kek);
    wipe(shares, sizeof shares);
    return e;
}

RESULT root_wrap_passphrase(struct keeper *k, struct view passphrase)
{
    uint8_t kek[32];
    enum err e = kek_from_passphrase(k, passphrase, kek);

    if (e == OK)
        e = root_wrap(k, kek);
    wipe(kek, sizeof kek);
    return e;
}

RESULT root_from_shares(const struct keeper *k, const struct share *shares, size_t count, struct secret **ret)
{
    uint8_t kek[32];
    enum err e = shamir_join(shares, count, kek);

    if (e == OK)
        e = unwrap(k, kek, ret);
    wipe(kek, sizeof kek);
    return e;
}

/* A guess costs Argon2id on the keeper's only thread. A few in a row are free, since people mistype; after that there
 * is one a second, so that everybody else is still served. */
static bool may_guess(struct keeper *k)
{
    uint64_t now = k->config.clock->mono_ms(k->config.clock);
    uint64_t past = now - k->guess_seen_ms;

    k->guess_debt_ms -= past < k->guess_debt_ms ? past : k->guess_debt_ms;
    k->guess_seen_ms = now;
    return k->guess_debt_ms <= GUESS_DEBT_MS;
}

RESULT root_from_passphrase(struct keeper *k, struct view passphrase, struct secret **ret)
{
    uint8_t kek[32];
    enum err e;

    if (!may_guess(k))
        return ERR_BUSY;
    e = kek_from_passphrase(k, passphrase, kek);
    if (e == OK)
        e = unwrap(k, kek, ret);
    e = e == ERR_WRONG_SHARE ? ERR_WRONG_PASSPHRASE : e;
    if (e != OK)
        k->guess_debt_ms += GUESS_COST_MS;
    wipe(kek, sizeof kek);
    return e;
}

/* What unseals also recovers: given whole and at once, it proves the authority of those who hold it. */
RESULT root_check_authority(struct keeper *k, struct view passphrase, const struct text_list *shares)
{
    AUTO(secret_free) struct secret *root = NULL;
    struct share given[SHAMIR_MAX_SHARES];
    enum err e = OK;

    if (k->head.method == UNSEAL_PASSPHRASE)
        return root_from_passphrase(k, passphrase, &root);
    if (shares->count != k->head.threshold)
        return ERR_WRONG_SHARE;
    for (size_t i = 0; i < shares->count && e == OK; i++)
        e = share_parse(shares->items[i], &given[i]);
    if (e == OK)
        e = root_from_shares(k, given, shares->count, &root);
    wipe(given, sizeof given);
    return e;
}
