/* The public halves of the keys that sign tokens, as the keeper publishes them. */
#include "front/front.h"

#include "base/log.h"

#define CALL_MS 10000

static RESULT take(struct front *f, struct view entity)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_token_keys keys = {0};

    TRY(arena_new(4096, 65536, &arena));
    TRY(entity_decode(&keeper_token_keys_entity, entity, arena, &keys));
    return tokens_set_keys(f->shared.tokens, &keys);
}

static void on_keys(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct front *f = context;
    enum err e = error == OK ? take(f, entity) : error;

    (void)why;
    if (e != OK && e != ERR_UNAVAILABLE)
        log_error("the keys of tokens could not be had: %s", err_sentence(e));
}

void token_keys_ask(struct front *f)
{
    struct caller *keeper = front_keeper(f);

    if (keeper && caller_call(keeper, KEEPER_TOKEN_KEYS, NULL, NULL, CALL_MS, on_keys, f) != OK)
        log_warn("the keeper can't be asked for the keys of tokens now");
}
