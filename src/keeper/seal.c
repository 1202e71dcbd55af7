/* Initialising, unsealing, sealing, rotating, handing over. */
#include "keeper/core.h"

static uint64_t now(const struct keeper *k)
{
    return k->config.clock->wall_ms(k->config.clock);
}

static RESULT operator_record(struct keeper *k, uint16_t type, bool anchored, struct arena *arena)
{
    struct authoring record = {
        .type = type, .outcome = OUTCOME_DONE, .what.resource = VIEW_STR("installation"), .anchored = anchored};
    struct view authored;

    return authors_write(k, &record, arena, &authored);
}

HANDLER(seal_status)
{
    struct keeper_status *s = answer;

    (void)request, (void)arena, (void)why;
    s->state = (uint8_t)k->state;
    s->memory_locked = k->config.memory_locked;
    if (k->state == STATE_UNINITIALISED)
        return OK; /* what an init made is nothing before it is confirmed */
    s->method = k->head.method;
    s->threshold = k->head.threshold;
    s->shares = k->head.shares;
    s->given = (uint8_t)k->given_count;
    memcpy(s->installation, k->head.installation, sizeof s->installation);
    if (k->state == STATE_SEALED) {
        s->sealed = k->sealed;
        return OK;
    }
    memcpy(s->import_key, k->import_public, 32);
    memcpy(s->checkpoint_key, k->checkpoint_public, 32);
    s->epoch = keyring_epoch(k->rings[RING_STATE]);
    s->log_size = k->frontier.size;
    s->authored_waiting = k->authors[0].waiting_count + k->authors[1].waiting_count;
    s->administrators = (uint8_t)k->people.admin_count;
    s->four_eyes = k->people.four_eyes;
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
    if (!root_cost_sane(q->argon2_passes, q->argon2_memory_kib))
        return problem_set(why, ERR_OUT_OF_RANGE, "argon2", "8 MiB to 1 GiB, and passes x memory at most 4 GiB");
    if ((q->password_passes || q->password_memory_kib) && !root_cost_sane(q->password_passes, q->password_memory_kib))
        return problem_set(why, ERR_OUT_OF_RANGE, "password", "8 MiB to 1 GiB, and passes x memory at most 4 GiB");
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

/* One write makes the installation, its record included: before it there is none. */
static RESULT first_save(struct keeper *k, struct arena *arena)
{
    for (size_t i = 0; i < 2; i++) {
        struct author *a = &k->authors[i];
        a->low = a->former_low = a->former_end = a->chain.next_sequence = 1;
        a->mark = 1 + SEQUENCE_BLOCK;
    }
    TRY(operator_record(k, EVENT_INSTALLATION_INITIALISED, true, arena));
    return save_write(k);
}

static RESULT init(struct keeper *k, const struct keeper_init *q, struct keeper_init_done *done, struct arena *arena)
{
    struct admin *first = &k->people.admins[0];

    k->head = (struct anchor_head){.method = q->method,
                                   .cipher = q->cipher,
                                   .argon2_passes = q->argon2_passes,
                                   .argon2_memory_kib = q->argon2_memory_kib,
                                   .password_passes = q->password_passes,
                                   .password_memory_kib = q->password_memory_kib};
    if (q->method == UNSEAL_SHARES) {
        k->head.threshold = q->threshold;
        k->head.shares = q->shares;
    }
    TRY(k->config.random->fill(k->config.random, k->head.installation, sizeof k->head.installation));
    TRY(k->config.random->fill(k->config.random, k->head.salt, sizeof k->head.salt));
    TRY(make_keys(k));
    TRY(view_to_str(q->administrator, first->name, NAME_SIZE));
    memcpy(first->key, q->administrator_key, 32);
    k->people.admin_count = 1;
    TRY(admins_enrolment_token(k, first->name, arena, &done->enrolment_token));
    if (q->method == UNSEAL_SHARES)
        TRY(root_wrap_shares(k, arena, &done->shares));
    else
        TRY(root_wrap_passphrase(k, q->passphrase));
    return OK;
}

static void drop_init(struct keeper *k)
{
    save_forget(k);
    k->head = (struct anchor_head){0};
}

HANDLER(seal_init)
{
    struct keeper_init_done *done = answer;
    enum err e;

    TRY(check_init(request, why));
    drop_init(k); /* one that nobody confirmed */
    e = init(k, request, done, arena);
    if (e != OK) {
        drop_init(k);
        return e;
    }
    memcpy(done->installation, k->head.installation, sizeof done->installation);
    memcpy(done->import_key, k->import_public, 32);
    memcpy(done->checkpoint_key, k->checkpoint_public, 32);
    return OK;
}

/* The operator has the shares. Had the installation been kept before, shares that were lost on their way to a full disk
 * or a closed terminal would have left one that nobody can ever unseal. */
HANDLER(seal_init_confirm)
{
    const struct keeper_init_confirm *q = request;
    enum err e;

    (void)answer;
    if (!k->root || !ct_eq(q->installation, k->head.installation, INSTALLATION_SIZE))
        return problem_set(why, ERR_CONFLICT, "installation", "it is not the one that was made last; begin again");
    e = first_save(k, arena);
    if (e != OK) {
        drop_init(k);
        return e;
    }
    k->state = STATE_UNSEALED;
    k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_UNSEALED, NULL, NULL);
    return OK;
}

/* --- unseal */

static void drop_given(struct keeper *k)
{
    secret_free(k->given);
    k->given = NULL;
    k->given_count = 0;
}

static RESULT open_with_root(struct keeper *k, struct secret *root, struct arena *arena)
{
    enum err e;

    k->root = root;
    e = save_read(k);
    if (e == OK)
        e = authors_start(k);
    if (e == OK)
        e = operator_record(k, EVENT_UNSEALED, false, arena);
    if (e != OK) {
        save_forget(k);
        return e;
    }
    drop_given(k);
    k->state = STATE_UNSEALED;
    return OK;
}

static struct share *given_shares(const struct keeper *k)
{
    return (struct share *)(void *)secret_ptr(k->given);
}

static RESULT add_share(struct keeper *k, struct view text, struct problem *why)
{
    struct share s, *given;
    enum err e = OK;

    if (share_parse(text, &s) != OK)
        return problem_set(why, ERR_DAMAGED_SHARE, "share", "check it for typing errors");
    if (!k->given)
        e = secret_new(SHAMIR_MAX_SHARES * sizeof s, &k->given);
    if (e == OK && s.threshold != k->head.threshold)
        e = problem_set(why, ERR_WRONG_SHARE, "share", "this share belongs to another installation");
    given = e == OK ? given_shares(k) : NULL;
    for (size_t i = 0; i < k->given_count && e == OK; i++) {
        if (memcmp(given[i].set, s.set, sizeof s.set) != 0)
            e = problem_set(why, ERR_WRONG_SHARE, "share",
                            "this share belongs to another set; start again with the first one");
        else if (given[i].x == s.x)
            e = problem_set(why, ERR_SHARE_TWICE, "share", "share %u was given already", s.x);
    }
    if (e == OK)
        given[k->given_count++] = s;
    else if (e == ERR_WRONG_SHARE)
        drop_given(k); /* or one wrong share would keep out the right ones until a restart */
    wipe(&s, sizeof s);
    return e;
}

static RESULT unseal(struct keeper *k, const struct keeper_unseal *q, struct arena *arena, struct problem *why)
{
    struct secret *root = NULL;
    enum err e;

    if (k->head.method == UNSEAL_PASSPHRASE) {
        TRY(root_from_passphrase(k, q->passphrase, &root));
        return open_with_root(k, root, arena);
    }
    TRY(add_share(k, q->share, why));
    if (k->given_count < k->head.threshold)
        return OK;
    e = root_from_shares(k, given_shares(k), k->given_count, &root);
    if (e != OK) {
        drop_given(k);
        return problem_set(why, e, "share", "the shares do not fit this installation; start again with the first one");
    }
    return open_with_root(k, root, arena);
}

HANDLER(seal_unseal)
{
    const struct keeper_unseal *q = request;
    bool by_share = k->head.method == UNSEAL_SHARES;

    if (by_share ? q->share.len == 0 : q->passphrase.len == 0)
        return problem_set(why, ERR_MISSING_FIELD, by_share ? "share" : "passphrase",
                           "this installation is unsealed by %s", by_share ? "shares" : "a passphrase");
    TRY(unseal(k, q, arena, why));
    if (k->state == STATE_UNSEALED) {
        k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_UNSEALED, NULL, NULL);
    }
    return seal_status(k, NULL, answer, arena, why);
}

/* --- seal, rotate, hand-over */

/* Always succeeds: somebody who wants the keys gone must not be stopped by a full disk. */
void seal_now(struct keeper *k, enum sealed_cause cause)
{
    authors_stop(k);
    save_forget(k);
    k->state = STATE_SEALED;
    k->sealed = (struct sealed){.cause = (uint8_t)cause, .since_ms = now(k)};
    k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_SEALED, NULL, NULL);
}

HANDLER(seal_seal)
{
    seal_now(k, SEALED_BY_OPERATOR);
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

/* The operator's socket is enough where the rule does not name it; what is given all the same is looked at. */
static RESULT check_rotation(const struct keeper *k, const struct approvals *given)
{
    uint32_t epoch = keyring_epoch(k->rings[RING_STATE]);
    uint8_t object[32], previous[32], next[32];

    if (!approvals_takes_two(k, APPROVE_ROTATE) && given->first->alg == 0 && given->second->alg == 0)
        return OK;
    sha256(VIEW_STR(ROTATE_OBJECT), object);
    epoch_hash(epoch, previous);
    epoch_hash(epoch + 1, next);
    return approvals_check(k, given, &(struct approved){APPROVE_ROTATE, object, previous, next});
}

HANDLER(seal_rotate)
{
    const struct keeper_rotate *q = request;
    struct authoring record = {.type = EVENT_DATA_KEY_ROTATED,
                               .outcome = OUTCOME_DONE,
                               .what.resource = VIEW_STR("installation"),
                               .approvals = {&q->approval, &q->second},
                               .anchored = true};
    struct view authored;
    enum err e;

    TRY(check_rotation(k, &record.approvals));
    TRY(authors_write(k, &record, arena, &authored));
    e = rotate_rings(k);
    if (e != OK) {
        authors_withdraw(k);
        return e;
    }
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_ROTATED, NULL, NULL);
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return seal_status(k, request, answer, arena, why);
}

RESULT keeper_export(struct keeper *k, struct writer *ret_secret)
{
    if (k->state != STATE_UNSEALED)
        return ERR_SEALED;
    writer_view(ret_secret, secret_view(k->root));
    TRY(writer_done(ret_secret));
    authors_stop(k);
    save_forget(k);
    k->state = STATE_SEALED;
    k->sealed = (struct sealed){.cause = SEALED_UPGRADE_FAILED, .since_ms = now(k)}; /* unless the new one has it */
    return OK;
}

RESULT keeper_import(struct keeper *k, struct view secret)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct secret *root = NULL;

    if (k->state != STATE_SEALED)
        return ERR_ALREADY_UNSEALED;
    if (secret.len != ROOT_SIZE)
        return ERR_BAD_KEY;
    TRY(keeper_reopen(k)); /* the old keeper wrote since this one started */
    TRY(arena_new(4096, 64u * 1024, &arena));
    TRY(secret_from(secret, &root));
    TRY(open_with_root(k, root, arena));
    k->config.event(k->config.context, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_UNSEALED, NULL, NULL);
    return OK;
}
