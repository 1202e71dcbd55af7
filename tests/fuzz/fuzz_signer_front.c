/* A sequence of requests to a signer that holds a credential, from a front that says what it likes. */
#include "base/text.h"
#include "crypto/sign.h"
#include "signer/signer.h"

#define SECRET    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
#define STEPS_MAX 200
#define POLICY                                                                                                         \
    "{\"classes\":[\"read\",\"cancel\",\"order\"],\"exceptions\":["                                                    \
    "{\"endpoint\":\"* /sapi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"},"                    \
    "{\"endpoint\":\"* /papi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"}],"                   \
    "\"symbols\":[\"LTCBTC\"],\"windows\":[{\"seconds\":3600,\"orders\":8}]}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct signer *signer;
    struct arena *arena;
    uint64_t now, mono, authored, last_nonce, limit, version;
    bool asked, refuse_records;
} f;

static uint64_t wall(const struct clock *c)
{
    (void)c;
    return f.now;
}

static uint64_t mono(const struct clock *c)
{
    (void)c;
    return f.mono;
}

static const struct clock clock_ = {.wall_ms = wall, .mono_ms = mono};

static void must(enum err e)
{
    if (e != OK)
        abort();
}

static enum err authored(void *context, struct view bytes)
{
    (void)context;
    if (f.refuse_records)
        return ERR_BUSY;
    if (memmem(bytes.ptr, bytes.len, SECRET, sizeof SECRET - 1))
        abort();
    f.authored++;
    return OK;
}

static enum err reserve(void *context, const struct keeper_reserve *marks)
{
    (void)context, (void)marks;
    f.asked = true;
    return OK;
}

static struct view venue_text(void)
{
    static char text[262144];
    static size_t n;
    const char *root = getenv("HOLDFAST_SOURCE");
    char path[4096];

    if (n > 0)
        return VIEW(text, n);
    snprintf(path, sizeof path, "%s/spec/venues/binance.yaml", root ? root : ".");
    FILE *file = fopen(path, "rb");
    if (!file)
        abort();
    n = fread(text, 1, sizeof text, file);
    fclose(file);
    return VIEW(text, n);
}

static void load(void)
{
    struct credential_descriptor c = {.version = f.version,
                                      .id = {5},
                                      .path = VIEW_STR("main"),
                                      .venue = VIEW_STR("binance"),
                                      .scheme = VIEW_STR("binance-hmac"),
                                      .policy = VIEW_STR(POLICY)};
    struct credential_bundle b = {.api_key = VIEW_STR("the-key"), .secret = VIEW_STR(SECRET)};
    AUTO_WRITER descriptor = writer_new(32768), bundle = writer_new(4096);
    struct keeper_unwrapped u = {0};
    struct problem why;

    must(entity_encode(&credential_descriptor_entity, &c, &descriptor));
    must(entity_encode(&credential_bundle_entity, &b, &bundle));
    u.bundle = writer_view_of(&bundle);
    must(signer_load(f.signer, writer_view_of(&descriptor), &u, &why));
}

static void welcome(void)
{
    struct keeper_signer_welcome w = {.next_sequence = 1, .sequence_limit = f.limit, .nonce_mark_ms = f.last_nonce};

    signer_welcome(f.signer, &w);
}

/* A signature needs its record, a nonce above all before, and says nothing of the secret. */
static void sign(struct signer_sign *q)
{
    struct signer_reply reply;
    struct signer_signed out = {0};
    struct problem why = {0};
    uint64_t before = f.authored;
    AUTO_WRITER w = writer_new(1u << 20);

    memset(q->id, 0, sizeof q->id);
    q->id[0] = 5;
    if (signer_sign(f.signer, q, f.arena, &reply, &why) != OK || reply.outcome != SIGNER_ANSWER)
        return; /* its one key is quick */
    out = reply.answer;
    if (entity_encode(&signer_signed_entity, &out, &w) == OK && memmem(w.ptr, w.len, SECRET, sizeof SECRET - 1))
        abort();
    if (out.signature.len == 0)
        return;
    if (out.dry_run || !view_is(out.decision, "ok") || f.authored == before || out.nonce <= f.last_nonce)
        abort();
    f.last_nonce = out.nonce;
}

static void order(struct view body)
{
    struct signer_sign q = {.method = VIEW_STR("POST"), .request_path = VIEW_STR("/api/v3/order"), .body = body};

    if (body.len == 0)
        q.body = VIEW_STR("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1");
    sign(&q);
}

static void step(uint8_t op, struct view body)
{
    struct keeper_event_credential e = {.id = {5}, .version = f.version, .frozen = op & 16};
    struct signer_sign q = {0};
    struct problem why = {0};

    switch (op % 10) {
    case 0:
        if (entity_decode(&signer_sign_entity, body, f.arena, &q) == OK)
            sign(&q);
        return;
    case 1:
        order(body);
        return;
    case 2:
        if (f.asked)
            signer_reserved(f.signer, op & 128 ? ERR_IO : OK);
        f.asked = false;
        return;
    case 3:
        signer_changed(f.signer, &e);
        return;
    case 4:
        f.version++;
        e.version = f.version;
        signer_changed(f.signer, &e);
        load();
        return;
    case 5:
        f.now += op * 100u;
        f.mono += op & 64 ? 0 : op * 100u;
        return;
    case 6:
        signer_sealed(f.signer);
        welcome();
        load();
        return;
    case 7:
        f.limit += op;
        signer_room(f.signer, f.limit);
        return;
    case 8:
        f.refuse_records = op & 32;
        return;
    default:
        (void)!signer_check(f.signer, body, &why);
    }
}

/* One signer for all inputs, since the venue takes long to parse: each begins two hours later, with a new version. */
static void begin(void)
{
    struct signer_config config = {
        .clock = &clock_, .random = random_system(), .authored = authored, .reserve = reserve};
    struct venue *v = NULL;
    struct problem why = {0};
    bool locked;

    if (!f.signer) {
        must(crypto_init(&locked));
        must(arena_new(1u << 16, 64u << 20, &f.arena));
        must(signer_new(&config, &f.signer));
        must(venue_parse("binance.yaml", venue_text(), &v, &why));
        must(signer_add_venue(f.signer, v));
        f.now = 1790000000000u;
    }
    f.now = (f.now > f.last_nonce ? f.now : f.last_nonce) + 7200000;
    f.mono = f.now;
    f.version++;
    f.limit = 64;
    f.refuse_records = f.asked = false;
    signer_sealed(f.signer);
    welcome();
    load();
}

/* u8 what, u16 length, bytes, again and again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_new(VIEW(data, size));
    uint8_t op;

    if (memmem(data, size, SECRET, sizeof SECRET - 1))
        return -1; /* whoever says the secret himself has not learnt it from the signer */
    begin();
    for (int i = 0; i < STEPS_MAX && reader_u8(&r, &op) == OK; i++) {
        struct view body = {0};
        uint16_t len;
        if (reader_u16(&r, &len) == OK)
            (void)!reader_bytes(&r, len < r.left ? len : r.left, &body);
        step(op, body);
        arena_reset(f.arena);
    }
    return 0;
}
