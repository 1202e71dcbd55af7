/* holdfast-front: started by the supervisor, never by hand. */
#include "api/change_gate.h"
#include "api/passkey.h"
#include "api/passwords.h"
#include "api/strikes.h"
#include "api/token_share.h"
#include "api/watch.h"
#include "base/log.h"
#include "crypto/secmem.h"
#include "front/front.h"
#include "ipc/sandbox.h"

#define CONFIG_ARENA (4u << 20)

static RESULT read_config(struct front *f)
{
    TRY(arena_new(16384, CONFIG_ARENA, &f->arena));
    TRY(entity_decode(&config_entity, f->start.config, f->arena, &f->config));
    TRY(config_passkeys_complete(&f->config, f->arena));
    f->thread_count = f->config.front_threads ? f->config.front_threads : 1;
    if (f->thread_count > CONFIG_FRONT_THREADS_MAX)
        f->thread_count = CONFIG_FRONT_THREADS_MAX;
    return OK;
}

static RESULT open_breached(const struct front *f, struct breached **ret, struct problem *why)
{
    int fd = start_fd_of(&f->start, START_FD_BREACHED, 0);

    return fd < 0 ? OK : breached_new(fd, ret, why);
}

static RESULT make_shared(struct front *f, struct problem *why)
{
    struct api_shared *s = &f->shared;
    struct router *router = NULL;
    struct breached *breached = NULL;

    s->config = &f->config;
    clock_forward_init(&f->clock, clock_system());
    s->clock = &f->clock.clock;
    s->random = random_system();
    s->first = &f->threads[0].api;
    TRY(gate_new(&s->gate));
    TRY(identity_new(&s->identity));
    TRY(api_keys_new(&s->api_keys));
    TRY(usages_new(&s->usages));
    TRY(tokens_new(&s->tokens));
    TRY(token_share_new(&f->config.tokens, s->random, &s->token_share, why));
    TRY(guard_new(&f->config.guard, s->random, &s->guard, why));
    TRY(strikes_new(s, &s->strikes));
    TRY(watch_new(s->random, f->thread_count, &s->watch));
    TRY(patterns_open(f, why));
    TRY(patterns_policy(f));
    TRY(open_breached(f, &breached, why));
    TRY(passwords_new(s->config, breached, &s->passwords));
    TRY(passkey_site_new(s->config, front_file(f, "passkey-roots.pem"), &s->passkeys, why));
    TRY(api_router_new(&router, why));
    s->router = router;
    return api_openapi_new(s);
}

static RESULT make_threads(struct front *f, struct problem *why)
{
    for (size_t i = 0; i < f->thread_count; i++)
        TRY(thread_init(f, i, why));
    TRY(life_new(f));
    TRY(feed_new(f));
    TRY(rewrap_new(f));
    TRY(firewall_new(f));
    TRY(loader_new(f));
    return supervisor_open(f);
}

static RESULT serve(struct front *f, const struct sandbox_report *report)
{
    for (size_t i = 1; i < f->thread_count; i++)
        TRY(thread_start(&f->threads[i]));
    TRY(supervisor_ready(f, report));
    life_look(f);
    return loop_run(front_loop(f));
}

/* The ledger first: what was submitted is finished, and its background threads end. The supervisor's channel stays open
 * until the process ends: to the supervisor its end means that something went wrong. */
static void end(struct front *f)
{
    for (size_t i = 1; i < f->thread_count; i++)
        thread_end(&f->threads[i]);
    passwords_free(f->shared.passwords);
    rewrap_free(f->rewrap);
    upkeep_end(&f->threads[0].api);
    ledger_close(f->shared.ledger);
    f->shared.ledger = NULL;
    feed_free(f->feed);
    firewall_free(f->firewall);
    loader_end(f->loader);
    for (size_t i = 0; i < f->thread_count; i++)
        thread_done(&f->threads[i]);
    life_free(f->life);
    tokens_free(f->shared.tokens);
    rates_free(f->shared.token_share);
    api_keys_free(f->shared.api_keys);
    usages_free(f->shared.usages);
    identity_free(f->shared.identity);
    row_keys_free(atomic_load(&f->shared.keys));
    gate_free(f->shared.gate);
    strikes_free(f->shared.strikes);
    watch_free(f->shared.watch);
    passkey_site_free(f->shared.passkeys);
    patterns_free(f->shared.patterns);
    writer_free(&f->shared.openapi);
    loader_free(f->loader);
    guard_free(f->shared.guard);
    arena_free(f->arena);
}

static RESULT run(struct front *f, struct problem *why)
{
    struct sandbox_report report;
    char data_dir[4096];
    bool locked;

    TRY(sandbox_prepare());
    TRY(start_receive(&f->start));
    TRY(crypto_init(&locked));
    TRY(read_config(f));
    log_init("front", config_log_level(&f->config));
    TRY(view_to_str(f->config.data_dir, data_dir, sizeof data_dir));
    TRY(sandbox_enter(SANDBOX_FRONT, data_dir, &report));
    TRY(make_shared(f, why));
    TRY(make_threads(f, why));
    return serve(f, &report);
}

int main(void)
{
    static struct front front;
    struct problem why = {.code = OK};
    enum err e;

    log_init("front", LOG_INFO);
    e = run(&front, &why);
    if (e != OK) {
        log_error("the front ends: %s %s%s%s%s(%s)", err_sentence(e), why.where, *why.where ? ": " : "", why.detail,
                  *why.detail ? " " : "", err_code(e));
        return 1;
    }
    end(&front);
    return 0;
}
