/* A request to Binance or Phemex: first byte the venue, then method and path, query, and body or frame, divided by line
 * feeds. What is judged is also signed, so that signing meets the same texts. */
#include "signer/scheme.h"
#include "signer/venue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const scheme_names[] = {"binance-hmac", "phemex", "binance-wsapi-hmac", "phemex-ws"};

static struct venue *load(const char *name)
{
    static char text[1 << 20];
    char path[512];
    const char *source = getenv("HOLDFAST_SOURCE");
    snprintf(path, sizeof(path), "%s/spec/venues/%s.yaml", source ? source : ".", name);
    FILE *f = fopen(path, "rb");
    struct venue *v = NULL;
    if (!f)
        abort();
    size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    if (venue_parse(path, VIEW(text, n), &v, NULL) != OK)
        abort();
    return v;
}

static struct view line(struct view *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct view v = *rest;
    if (end)
        v.len = (size_t)(end - rest->ptr);
    *rest = end ? VIEW(end + 1, rest->len - v.len - 1) : VIEW(NULL, 0);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct venue *venues[2];
    static struct signing_key *keys[ARRAY_LEN(scheme_names)];
    static struct arena *arena;
    if (size == 0)
        return 0;
    size_t which = data[0] % ARRAY_LEN(scheme_names);
    const struct scheme *s = scheme_find(view_str(scheme_names[which]));
    if (!venues[0]) {
        bool locked;
        if (crypto_init(&locked) != OK || arena_new(65536, 64 << 20, &arena) != OK)
            abort();
        venues[0] = load("binance");
        venues[1] = load("phemex");
        struct bundle b = {.api_key = view_str("name"), .secret = view_str("secret")};
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (scheme_find(view_str(scheme_names[i]))->key_new(&b, &keys[i], NULL) != OK)
                abort();
    }
    arena_reset(arena);
    struct view rest = VIEW(data + 1, size - 1);
    struct sign_request q = {.now_ms = 1795871514365, .recv_window_ms = 5000};
    q.method = line(&rest);
    q.path = line(&rest);
    q.query = line(&rest);
    if (which < 2)
        q.body = rest;
    else
        q.params = rest;
    struct intents intents = {0};
    struct sign_result r;
    struct problem why = {0};
    if (s->judge(venues[which % 2], &q, arena, &intents, &why) == OK) {
        if (intents.count == 0)
            abort();
        (void)!s->sign(venues[which % 2], keys[which], &q, arena, &r, &why);
    }
    return 0;
}
