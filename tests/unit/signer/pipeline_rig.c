#include "pipeline_rig.h"

static uint64_t wall(const struct clock *c)
{
    return ((const struct desk *)c->context)->wall_ms;
}

static uint64_t mono(const struct clock *c)
{
    return ((const struct desk *)c->context)->mono_ms;
}

static enum err authored(void *context, struct view bytes)
{
    struct desk *d = context;

    if (d->authored_result != OK)
        return d->authored_result;
    if (arena_copy(d->arena, bytes, &d->last) != OK)
        return ERR_NO_MEMORY; /* it has not left */
    d->authored++;
    return OK;
}

static enum err reserve(void *context, const struct keeper_reserve *marks)
{
    struct desk *d = context;

    d->reserves++;
    d->asked = *marks;
    if (marks->windows.count == 0)
        return OK;
    return view_to_str(((const struct window_mark *)marks->windows.items)->notional, d->notional, sizeof d->notional);
}

static void add_venue(struct desk *d, const char *name)
{
    char path[4096], text[262144];
    const char *root = getenv("HOLDFAST_SOURCE");
    struct venue *v;
    size_t n;
    FILE *f;

    assert_non_null(root);
    snprintf(path, sizeof path, "%s/spec/venues/%s.yaml", root, name);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_int_equal(venue_parse(path, VIEW(text, n), &v, &d->why), OK);
    assert_int_equal(signer_add_venue(d->signer, v), OK);
}

int pipeline_setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    struct signer_config config = {
        .clock = &d->clock, .random = random_system(), .authored = authored, .reserve = reserve, .context = d};
    struct keeper_signer_welcome welcome = {.next_sequence = 1, .sequence_limit = 4000};
    bool locked;

    assert_int_equal(crypto_init(&locked), OK);
    assert_int_equal(crypto_pk_init(), OK);
    d->wall_ms = 1790000000000u;
    d->mono_ms = 1000;
    d->clock = (struct clock){.wall_ms = wall, .mono_ms = mono, .context = d};
    assert_int_equal(arena_new(1u << 16, 64u << 20, &d->arena), OK);
    assert_int_equal(signer_new(&config, &d->signer), OK);
    add_venue(d, "binance");
    add_venue(d, "hyperliquid");
    signer_welcome(d->signer, &welcome);
    memset(d->id, 5, sizeof d->id);
    *state = d;
    return 0;
}

int pipeline_teardown(void **state)
{
    struct desk *d = *state;

    signer_free(d->signer);
    arena_free(d->arena);
    free(d);
    return 0;
}

const struct given binance = {.venue = "binance",
                              .scheme = "binance-hmac",
                              .policy = POLICY,
                              .version = 1,
                              .secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"};

enum err load(struct desk *d, const struct given *g, const struct window_mark *marks, size_t count)
{
    struct credential_descriptor c = {.version = g->version,
                                      .path = VIEW_STR("exchange/main"),
                                      .venue = view_str(g->venue),
                                      .scheme = view_str(g->scheme),
                                      .policy = view_str(g->policy)};
    struct credential_bundle b = {.api_key = view_str(strcmp(g->venue, "hyperliquid") == 0 ? "" : "the-key-id"),
                                  .secret = view_str(g->secret)};
    AUTO_WRITER descriptor = writer_new(32768), bundle = writer_new(4096);
    struct keeper_unwrapped u = {.frozen = g->frozen, .windows = {(void *)(uintptr_t)marks, count}};

    memcpy(c.id, d->id, 16);
    assert_int_equal(entity_encode(&credential_descriptor_entity, &c, &descriptor), OK);
    assert_int_equal(entity_encode(&credential_bundle_entity, &b, &bundle), OK);
    u.bundle = writer_view_of(&bundle);
    return signer_load(d->signer, writer_view_of(&descriptor), &u, &d->why);
}

struct signer_sign order(const struct desk *d)
{
    struct signer_sign q = {.path = VIEW_STR("exchange/main"),
                            .method = VIEW_STR("POST"),
                            .request_path = VIEW_STR("/api/v3/order"),
                            .body = VIEW_STR(ORDER),
                            .bot = VIEW_STR("key:bot")};

    memcpy(q.id, d->id, 16);
    return q;
}

enum err run(struct desk *d, const struct signer_sign *q, struct signer_signed *ret)
{
    struct signer_reply reply = {.outcome = SIGNER_WAIT};
    enum err e = OK;

    for (int tries = 0; tries < 4 && e == OK && reply.outcome == SIGNER_WAIT; tries++) {
        e = signer_sign(d->signer, q, d->arena, &reply, &d->why);
        if (d->asked.nonce_mark_ms) {
            signer_reserved(d->signer, OK);
            d->asked = (struct keeper_reserve){0};
        }
    }
    *ret = reply.answer;
    assert_true(e != OK || reply.outcome != SIGNER_WAIT);
    if (e != OK || reply.outcome == SIGNER_ANSWER)
        return e;
    signer_work(reply.pass);
    return signer_finish(reply.pass, ret, &d->why);
}

void decides(struct desk *d, const struct signer_sign *q, const char *decision)
{
    struct signer_signed out;

    assert_int_equal(run(d, q, &out), OK);
    if (!view_is(out.decision, decision))
        fail_msg("%.*s, should be %s: %.*s", (int)out.decision.len, out.decision.ptr, decision, (int)out.sentence.len,
                 out.sentence.ptr);
    if (strcmp(decision, "ok") != 0)
        assert_int_equal(out.signature.len, 0);
}
