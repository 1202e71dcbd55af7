/* The root key: made once, wrapped by what a person keeps, held in guarded memory while unsealed. */
#include "keeper/core.h"

#include "crypto/password.h"

#define ROOT_SIZE   32
#define KEK_CONTEXT "holdfast root key"

static uint64_t now(const struct keeper *k)
{
    return k->config.clock->wall_ms(k->config.clock);
}

static RESULT operator_record(struct keeper *k, uint16_t type, const char *resource, struct arena *arena)
{
    struct authoring record = {.type = type, .outcome = OUTCOME_DONE, .what.resource = view_str(resource)};
    struct view authored;

    TRY(authors_write(k, &record, arena, &authored));
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return OK;
}

HANDLER(seal_status)
{
    struct keeper_status *s = answer;

    (void)request, (void)arena, (void)why;
    s->state = (uint8_t)k->state;
    s->method = k->head.method;
    s->threshold = k->head.threshold;
    s->shares = k->head.shares;
    s->given = (uint8_t)k->given_count;
    s->memory_locked = k->config.memory_locked;
    memcpy(s->installation, k->head.installation, sizeof s->installation);
    if (k->state != STATE_UNSEALED)
        return OK;
    memcpy(s->import_key, k->import_public, 32);
    memcpy(s->checkpoint_key, k->checkpoint_public, 32);
    s->epoch = keyring_epoch(k->rings[RING_STATE]);
    s->log_size = k->frontier.size;
    s->authored_waiting = k->authors[0].waiting_count + k->authors[1].waiting_count;
    s->administrators = (uint8_t)k->admin_count;
    return OK;
}

/* --- the key that wraps the root key */

static RESULT kek_from_passphrase(const struct keeper *k, struct view passphrase, uint8_t out[static 32])
{
    struct argon2_cost cost = {.passes = k->head.argon2_passes, .memory_kib = k->head.argon2_memory_kib};

    return argon2_key(passphrase, k->head.salt, cost, out, 32);
}

static RESULT wrap_root(struct keeper *k, const uint8_t kek[static 32])
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

static RESULT unwrap_root(const struct keeper *k, const uint8_t kek[static 32], struct secret **ret)
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

/* --- init */

static RESULT check_init(const struct keeper_init *q, struct problem *why)
{
    if (q->method == UNSEAL_PASSPHRASE && q->passphrase.len < 12)
        return problem_set(why, ERR_TOO_SHORT, "passphrase", "use at least 12 characters; five random words are good");
    if (q->method == UNSEAL_SHARES && (q->shares < 1 || q->shares > SHAMIR_MAX_SHARES || q->threshold < 1 ||
                                       q->threshold > q->shares || (q->shares > 1 && q->threshold < 2)))
        return problem_set(why, ERR_OUT_OF_RANGE, "threshold",
                           "at most %d shares, and 2 <= threshold <= shares (or 1 of 1)", SHAMIR_MAX_SHARES);
    if (q->method != UNSEAL_PASSPHRASE && q->method != UNSEAL_SHARES)
        return problem_set(why, ERR_BAD_VALUE, "method", "1 is passphrase, 2 is shares");
    if (q->cipher != AEAD_XAES_256_GCM && q->cipher != AEAD_XCHACHA20_POLY1305)
        return problem_set(why, ERR_BAD_VALUE, "cipher", "1 is XAES-256-GCM, 2 is XChaCha20-Poly1305");
    if (q->argon2_passes < 1 || q->argon2_passes > 64 || q->argon2_memory_kib < 8192 || q->argon2_memory_kib > 1048576)
        return problem_set(why, ERR_OUT_OF_RANGE, "argon2", "1 to 64 passes, 8 MiB to 1 GiB");
    if (q->administrator.len == 0 || q->administrator.len >= NAME_SIZE)
        return problem_set(why, ERR_BAD_VALUE, "administrator", "a name of 1 to %d bytes", NAME_SIZE - 1);
    return OK;
}

static RESULT make_keys(struct keeper *k)
{
    static const enum key_class classes[RING_COUNT] = {KEY_CLASS_STATE, KEY_CLASS_SECRET, KEY_CLASS_CREDENTIAL};
    const struct random *random = k->config.random;
    struct seeds *s;

    TRY(secret_random(ROOT_SIZE, &k->root));
    for (size_t i = 0; i < RING_COUNT; i++) {
        TRY(keyring_new(classes[i], &k->rings[i]));
        TRY(keyring_rotate(k->rings[i], now(k), random));
    }
    TRY(secret_new(sizeof *s, &k->seeds));
    s = (struct seeds *)(void *)secret_ptr(k->seeds);
    TRY(random->fill(random, s->checkpoint, 32));
    TRY(random->fill(random, s->import_seed, 32));
    TRY(box_keypair(s->import_seed, k->import_public, s->import_private));
    TRY(ed25519_public(s->checkpoint, k->checkpoint_public));
    for (size_t i = 0; i < 2; i++) {
        k->authors[i].chain.author = i == 0 ? AUTHOR_KEEPER : AUTHOR_SIGNER;
        k->authors[i].low = 1;
        k->authors[i].mark = 1;
        TRY(random->fill(random, k->authors[i].chain.key, 32));
    }
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

static RESULT wrap_with_shares(struct keeper *k, struct arena *arena, struct text_list *ret_texts)
{
    struct share shares[SHAMIR_MAX_SHARES];
    uint8_t kek[32];
    enum err e = k->config.random->fill(k->config.random, kek, sizeof kek);

    if (e == OK)
        e = shamir_split(kek, k->head.threshold, k->head.shares, k->config.random, shares);
    if (e == OK)
        e = wrap_root(k, kek);
    if (e == OK)
        e = shares_out(shares, k->head.shares, arena, ret_texts);
    wipe(kek, sizeof kek);
    wipe(shares, sizeof shares);
    return e;
}

static RESULT wrap_with_passphrase(struct keeper *k, struct view passphrase)
{
    uint8_t kek[32];
    enum err e = kek_from_passphrase(k, passphrase, kek);

    if (e == OK)
        e = wrap_root(k, kek);
    wipe(kek, sizeof kek);
    return e;
}

static RESULT init(struct keeper *k, const struct keeper_init *q, struct keeper_init_done *done, struct arena *arena)
{
    struct admin *first = &k->admins[0];

    k->head = (struct anchor_head){.method = q->method,
                                   .cipher = q->cipher,
                                   .argon2_passes = q->argon2_passes,
                                   .argon2_memory_kib = q->argon2_memory_kib};
    if (q->method == UNSEAL_SHARES) {
        k->head.threshold = q->threshold;
        k->head.shares = q->shares;
    }
    TRY(k->config.random->fill(k->config.random, k->head.installation, sizeof k->head.installation));
    TRY(k->config.random->fill(k->config.random, k->head.salt, sizeof k->head.salt));
    TRY(make_keys(k));
    TRY(view_to_str(q->administrator, first->name, NAME_SIZE));
    memcpy(first->key, q->administrator_key, 32);
    k->admin_count = 1;
    TRY(admins_enrolment_token(k, first->name, arena, &done->enrolment_token));
    if (q->method == UNSEAL_SHARES)
        TRY(wrap_with_shares(k, arena, &done->shares));
    else
        TRY(wrap_with_passphrase(k, q->passphrase));
    return authors_start(k);
}

HANDLER(seal_init)
{
    struct keeper_init_done *done = answer;
    enum err e;

    TRY(check_init(request, why));
    e = init(k, request, done, arena);
    if (e != OK) {
        save_forget(k);
        return e;
    }
    k->state = STATE_UNSEALED;
    memcpy(done->installation, k->head.installation, sizeof done->installation);
    memcpy(done->import_key, k->import_public, 32);
    memcpy(done->checkpoint_key, k->checkpoint_public, 32);
    TRY(operator_record(k, EVENT_INSTALLATION_INITIALISED, "installation", arena));
    k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_UNSEALED, NULL, NULL);
    return OK;
}

/* --- unseal */

static RESULT open_with_root(struct keeper *k, struct secret *root)
{
    enum err e;

    k->root = root;
    e = save_read(k);
    if (e == OK)
        e = authors_start(k);
    if (e != OK) {
        save_forget(k);
        return e;
    }
    wipe(k->given, sizeof k->given);
    k->given_count = 0;
    k->state = STATE_UNSEALED;
    return OK;
}

static RESULT add_share(struct keeper *k, struct view text, struct problem *why)
{
    struct share s;

    if (share_parse(text, &s) != OK)
        return problem_set(why, ERR_MALFORMED, "share", "this is not a whole share; check it for typing errors");
    if (s.threshold != k->head.threshold)
        return problem_set(why, ERR_WRONG_SHARE, "share", "this share belongs to another installation");
    for (size_t i = 0; i < k->given_count; i++) {
        if (memcmp(k->given[i].set, s.set, sizeof s.set) != 0)
            return problem_set(why, ERR_WRONG_SHARE, "share",
                               "this share belongs to another set than those given before");
        if (k->given[i].x == s.x)
            return problem_set(why, ERR_SHARE_TWICE, "share", "share %u was given already", s.x);
    }
    k->given[k->given_count++] = s;
    return OK;
}

static RESULT root_from_shares(const struct keeper *k, const struct share *shares, size_t count, struct secret **ret)
{
    uint8_t kek[32];
    enum err e = shamir_join(shares, count, kek);

    if (e == OK)
        e = unwrap_root(k, kek, ret);
    wipe(kek, sizeof kek);
    return e;
}

static RESULT root_from_passphrase(const struct keeper *k, struct view passphrase, struct secret **ret)
{
    uint8_t kek[32];
    enum err e = kek_from_passphrase(k, passphrase, kek);

    if (e == OK)
        e = unwrap_root(k, kek, ret);
    wipe(kek, sizeof kek);
    return e;
}

static RESULT unseal(struct keeper *k, const struct keeper_unseal *q, struct problem *why)
{
    struct secret *root = NULL;
    enum err e;

    if (k->head.method == UNSEAL_PASSPHRASE) {
        TRY(root_from_passphrase(k, q->passphrase, &root));
        return open_with_root(k, root);
    }
    TRY(add_share(k, q->share, why));
    if (k->given_count < k->head.threshold)
        return OK;
    e = root_from_shares(k, k->given, k->given_count, &root);
    if (e != OK) {
        wipe(k->given, sizeof k->given);
        k->given_count = 0;
        return problem_set(why, e, "share", "the shares do not fit this installation; start again with the first one");
    }
    return open_with_root(k, root);
}

HANDLER(seal_unseal)
{
    const struct keeper_unseal *q = request;
    bool by_share = k->head.method == UNSEAL_SHARES;

    if (by_share ? q->share.len == 0 : q->passphrase.len == 0)
        return problem_set(why, ERR_MISSING_FIELD, by_share ? "share" : "passphrase",
                           "this installation is unsealed by %s", by_share ? "shares" : "a passphrase");
    TRY(unseal(k, q, why));
    if (k->state == STATE_UNSEALED) {
        TRY(operator_record(k, EVENT_UNSEALED, "installation", arena));
        k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_UNSEALED, NULL, NULL);
    }
    return seal_status(k, NULL, answer, arena, why);
}

/* What unseals also recovers: given whole and at once, it proves the authority of those who hold it. */
RESULT seal_check_authority(struct keeper *k, struct view passphrase, const struct text_list *shares)
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

/* --- seal, rotate, hand-over */

HANDLER(seal_seal)
{
    TRY(authors_stop(k));
    save_forget(k);
    k->state = STATE_SEALED;
    k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_SEALED, NULL, NULL);
    return seal_status(k, request, answer, arena, why);
}

static RESULT rotate_ring(const struct keeper *k, const struct keyring *ring, struct keyring **ret)
{
    AUTO_WRITER copy = writer_new(8192);
    AUTO(keyring_free) struct keyring *rotated = NULL;

    TRY(keyring_export(ring, &copy));
    TRY(keyring_import(writer_view_of(&copy), &rotated));
    TRY(keyring_rotate(rotated, now(k), k->config.random));
    *ret = TAKE(rotated);
    return OK;
}

static void swap_rings(struct keeper *k, struct keyring *with[static RING_COUNT])
{
    for (size_t i = 0; i < RING_COUNT; i++) {
        struct keyring *mine = k->rings[i];
        k->rings[i] = with[i];
        with[i] = mine;
    }
}

/* A new epoch seals nothing before it is in the anchor: the rings are replaced whole, or not at all. */
static RESULT rotate_rings(struct keeper *k)
{
    struct keyring *rings[RING_COUNT] = {0};
    enum err e = OK;

    for (size_t i = 0; i < RING_COUNT && e == OK; i++)
        e = rotate_ring(k, k->rings[i], &rings[i]);
    if (e == OK) {
        swap_rings(k, rings);
        e = save_write(k);
        if (e != OK)
            swap_rings(k, rings);
    }
    for (size_t i = 0; i < RING_COUNT; i++)
        keyring_free(rings[i]);
    return e;
}

HANDLER(seal_rotate)
{
    TRY(rotate_rings(k));
    TRY(operator_record(k, EVENT_DATA_KEY_ROTATED, "installation", arena));
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_ROTATED, NULL, NULL);
    return seal_status(k, request, answer, arena, why);
}

RESULT keeper_export(struct keeper *k, struct writer *ret_secret)
{
    if (k->state != STATE_UNSEALED)
        return ERR_SEALED;
    TRY(authors_stop(k));
    writer_view(ret_secret, secret_view(k->root));
    TRY(writer_done(ret_secret));
    save_forget(k);
    k->state = STATE_SEALED;
    return OK;
}

RESULT keeper_import(struct keeper *k, struct view secret)
{
    struct secret *root = NULL;

    if (k->state != STATE_SEALED)
        return ERR_ALREADY_UNSEALED;
    if (secret.len != ROOT_SIZE)
        return ERR_BAD_KEY;
    TRY(keeper_reopen(k)); /* the old keeper wrote since this one started */
    TRY(secret_from(secret, &root));
    TRY(open_with_root(k, root));
    k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_UNSEALED, NULL, NULL);
    return OK;
}
