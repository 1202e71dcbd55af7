#include "keeper/core.h"

#define ARENA_FIRST (16u * 1024)
#define ARENA_MAX   (4u << 20)

/* keeper_messages[] says who may send a message and when; this says who handles it. */
static const struct {
    uint16_t type;
    keeper_handler handle;
} handlers[] = {
    {KEEPER_STATUS, seal_status},
    {KEEPER_INIT, seal_init},
    {KEEPER_INIT_CONFIRM, seal_init_confirm},
    {KEEPER_UNSEAL, seal_unseal},
    {KEEPER_SEAL, seal_seal},
    {KEEPER_ROTATE, seal_rotate},
    {KEEPER_ADMIN_ADD, admins_add},
    {KEEPER_ADMIN_REMOVE, admins_remove},
    {KEEPER_ADMIN_LIST, admins_list},
    {KEEPER_FOUR_EYES, approvals_rule},
    {KEEPER_OPERATOR_FREEZE, freeze_operator},
    {KEEPER_HELLO, log_hello},
    {KEEPER_PENDING, log_pending},
    {KEEPER_LOG_APPEND, log_append},
    {KEEPER_SECRET_SEAL, secrets_seal},
    {KEEPER_SECRET_OPEN, secrets_open},
    {KEEPER_SECRET_REWRAP, secrets_rewrap},
    {KEEPER_CREDENTIAL_PUT, credentials_put},
    {KEEPER_CREDENTIAL_FREEZE, freeze_set},
    {KEEPER_CREDENTIAL_REWRAP, credentials_rewrap},
    {KEEPER_ENROL, admins_enrol},
    {KEEPER_EMERGENCY, emergency_begin},
    {KEEPER_CREDENTIAL_STATE, freeze_state},
    {KEEPER_CREDENTIALS_FROZEN, freeze_list},
    {KEEPER_TOKEN_SIGN, tokens_sign},
    {KEEPER_TOKEN_KEYS, tokens_keys},
    {KEEPER_TOKENS_ROTATE, tokens_rotate},
    {KEEPER_SIGNER_HELLO, signer_hello},
    {KEEPER_UNWRAP, credentials_unwrap},
    {KEEPER_AUTHORED, signer_authored},
    {KEEPER_RESERVE, signer_reserve},
    {KEEPER_SIGNER_CLOSED, signer_closed},
};

/* The head is read before anything can be authenticated: it must not cost memory or time beyond reason. */
static bool head_sane(const struct anchor_head *h)
{
    if (h->method == UNSEAL_PASSPHRASE)
        return root_cost_sane(h->argon2_passes, h->argon2_memory_kib);
    return h->method == UNSEAL_SHARES && h->threshold >= 1 && h->threshold <= h->shares &&
           h->shares <= SHAMIR_MAX_SHARES;
}

static RESULT take_head(struct keeper *k, struct view bytes)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct anchor_head head = {0};

    TRY(arena_new(ARENA_FIRST, ARENA_MAX, &arena));
    TRY(entity_decode(&anchor_head_entity, bytes, arena, &head));
    if (!head_sane(&head) || head.wrapped_root.len > sizeof k->wrapped_root)
        return ERR_TAMPERED;
    memcpy(k->wrapped_root, head.wrapped_root.ptr, head.wrapped_root.len);
    head.wrapped_root.ptr = k->wrapped_root;
    k->head = head;
    return OK;
}

/* On failure nothing is changed: a keeper that forgot that there is an anchor could be initialised over it. */
RESULT keeper_reopen(struct keeper *k)
{
    AUTO(anchor_free) struct anchor *anchor = NULL;

    TRY(anchor_open(k->config.anchor_fd, &anchor));
    if (!anchor_empty(anchor))
        TRY(take_head(k, anchor_head_bytes(anchor)));
    anchor_free(k->anchor);
    k->anchor = TAKE(anchor);
    k->state = anchor_empty(k->anchor) ? STATE_UNINITIALISED : STATE_SEALED;
    return OK;
}

RESULT keeper_new(const struct keeper_config *config, struct keeper **ret)
{
    AUTO(keeper_free) struct keeper *k = calloc(1, sizeof *k);

    if (!k)
        return ERR_NO_MEMORY;
    k->config = *config;
    k->sealed = config->sealed;
    config_tokens_complete(&k->config.tokens);
    random_pool_init(&k->salts, config->random);
    TRY(keeper_reopen(k));
    *ret = TAKE(k);
    return OK;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    save_forget(k);
    anchor_free(k->anchor);
    arena_free(k->spare);
    wipe(k, sizeof *k);
    free(k);
}

void keeper_stop(struct keeper *k)
{
    if (k && k->state == STATE_UNSEALED)
        authors_stop(k);
}

enum keeper_state keeper_state_of(const struct keeper *k)
{
    return k->state;
}

/* The error that tells the peer what to do, rather than a bare refusal. */
static enum err wrong_state(const struct keeper *k, const struct keeper_message *m)
{
    if (k->state == STATE_UNINITIALISED)
        return ERR_NOT_INITIALISED;
    if (k->state == STATE_SEALED && (m->when & STATE_UNINITIALISED))
        return ERR_ALREADY_INITIALISED;
    if (k->state == STATE_SEALED)
        return ERR_SEALED;
    return m->when & STATE_SEALED ? ERR_ALREADY_UNSEALED : ERR_ALREADY_INITIALISED;
}

static keeper_handler handler_of(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i].type == type)
            return handlers[i].handle;
    return NULL;
}

static RESULT run(struct keeper *k, const struct keeper_message *m, keeper_handler handle, struct view body,
                  struct arena *arena, struct writer *ret_answer, struct problem *why)
{
    void *request = NULL, *answer = NULL;
    enum err e;

    if (m->request && !(request = arena_alloc(arena, m->request->size)))
        return ERR_NO_MEMORY;
    if (m->answer && !(answer = arena_alloc(arena, m->answer->size)))
        return ERR_NO_MEMORY;
    if (m->request)
        TRY(entity_decode(m->request, body, arena, request));
    else if (body.len != 0)
        return problem_set(why, ERR_MALFORMED, m->name, "this message has no body");
    TRY(handle(k, request, answer, arena, why));
    if (!m->answer)
        return OK;
    e = entity_encode(m->answer, answer, ret_answer);
    if (e != OK && k->state == STATE_UNSEALED) /* what was done is done, and its record is fetched instead */
        k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return e;
}

/* To tell the signer something may bring in what the signer sent meanwhile: a message may be handled inside another. */
static RESULT run_in_arena(struct keeper *k, const struct keeper_message *m, keeper_handler handle, struct view body,
                           struct writer *ret_answer, struct problem *why)
{
    struct arena *arena = k->spare;

    k->spare = NULL;
    if (!arena)
        TRY(arena_new(ARENA_FIRST, ARENA_MAX, &arena));
    enum err e = run(k, m, handle, body, arena, ret_answer, why);

    arena_reset(arena);
    if (k->spare)
        arena_free(arena);
    else
        k->spare = arena;
    return e;
}

RESULT keeper_handle(struct keeper *k, enum keeper_peer from, uint16_t type, struct view body,
                     struct writer *ret_answer, struct problem *why)
{
    const struct keeper_message *m = keeper_message_find(type);
    keeper_handler handle = handler_of(type);
    enum err e;

    if (!m || !handle)
        return problem_set(why, ERR_MALFORMED, "type", "there is no message of number %u", type);
    if (!(m->from & (unsigned)from))
        return problem_set(why, ERR_FORBIDDEN, m->name, "this message is not taken over this socket");
    if (!(m->when & (unsigned)k->state))
        return problem_set(why, wrong_state(k, m), m->name, "not in this state");
    e = run_in_arena(k, m, handle, body, ret_answer, why);
    /* A record of the signer is lost, and the front may have it: its number must not be given again. The next start
     * counts it as used, takes the record by its tag, and declares the gap. */
    if (e == ERR_NO_MEMORY && type == KEEPER_AUTHORED)
        seal_now(k, SEALED_RECORD_LOST);
    return e;
}
