/* The relying party for tests with a browser: a JSON object on standard input, a verdict on standard output. Bytes are
 * hex. "do" is "register" or "login". */
#include "base/clock.h"
#include "base/text.h"
#include "crypto/secmem.h"
#include "crypto/sign.h"
#include "domain/webauthn/webauthn.h"

#include <unistd.h>

#define INPUT_MAX 65536
#define ARENA_MAX (1u << 20)

static struct arena *arena;
static json_t *input;

static struct view text_of(const char *name)
{
    return view_str(json_string_value(json_object_get(input, name)));
}

static struct view bytes_of(const char *name)
{
    struct view text = text_of(name);
    uint8_t *bytes = arena_alloc(arena, text.len / 2 + 1);
    if (!bytes || hex_get(text, bytes, text.len / 2) != OK) {
        fprintf(stderr, "\"%s\" is not hex\n", name);
        exit(2);
    }
    return VIEW(bytes, text.len / 2);
}

static enum err register_it(const struct webauthn_ceremony *expect, struct webauthn_credential *ret,
                            struct problem *why)
{
    const struct webauthn_created answer = {.id = bytes_of("id"),
                                            .client_data = bytes_of("client_data"),
                                            .attestation_object = bytes_of("attestation_object")};
    return webauthn_register(expect, &answer, ret, why);
}

static enum err log_in(const struct webauthn_ceremony *expect, struct webauthn_credential *ret, struct problem *why)
{
    const struct webauthn_asserted answer = {.id = bytes_of("id"),
                                             .client_data = bytes_of("client_data"),
                                             .authenticator_data = bytes_of("authenticator_data"),
                                             .signature = bytes_of("signature"),
                                             .user_handle = bytes_of("user_handle")};
    struct webauthn_credential stored = {0};
    TRY(entity_decode(&webauthn_credential_entity, bytes_of("stored"), arena, &stored));
    return webauthn_assert(expect, &answer, &stored, ret, why);
}

/* The credential as rows have it, to be given back at the next login, and what a person sees of it. */
static enum err put(struct writer *w, const struct webauthn_credential *c)
{
    AUTO_WRITER row = writer_new(8192);
    TRY(entity_encode(&webauthn_credential_entity, c, &row));
    writer_str(w, "{\"stored\":\"");
    hex_put(w, writer_view_of(&row));
    writer_str(w, "\",\"shown\":");
    entity_to_json(&webauthn_credential_entity, c, w);
    writer_str(w, "}");
    return writer_done(w);
}

static enum err judge(struct writer *w, struct problem *why)
{
    const struct view origin = text_of("origin");
    const struct webauthn_policy policy = {.least = WEBAUTHN_UNATTESTED};
    const struct webauthn_ceremony expect = {
        .challenge = bytes_of("challenge"),
        .rp_id = text_of("rp_id"),
        .origins = &origin,
        .origin_count = 1,
        .user_verification = json_is_true(json_object_get(input, "user_verification")),
        .now_ms = clock_system()->wall_ms(clock_system()),
        .user_handle = bytes_of("expected_handle"),
        .algorithms = webauthn_algorithms,
        .algorithm_count = webauthn_algorithms_count,
        .policy = &policy,
    };
    struct webauthn_credential c = {0};
    bool registering = view_is(text_of("do"), "register");
    TRY(registering ? register_it(&expect, &c, why) : log_in(&expect, &c, why));
    return put(w, &c);
}

int main(void)
{
    static char text[INPUT_MAX];
    AUTO_WRITER out = writer_new(INPUT_MAX);
    struct problem why = {0};
    bool locked;
    size_t n = fread(text, 1, sizeof text, stdin);
    if (crypto_init(&locked) != OK || crypto_pk_init() != OK || arena_new(4096, ARENA_MAX, &arena) != OK ||
        json_read(VIEW(text, n), &input, &why) != OK) {
        fprintf(stderr, "no input: %s\n", why.detail);
        return 2;
    }
    enum err e = judge(&out, &why);
    if (e == OK)
        (void)fwrite(out.ptr, 1, out.len, stdout);
    else
        printf("{\"refused\":\"%s\",\"detail\":\"%s\"}", err_code(e), why.detail);
    json_decref(input);
    arena_free(arena);
    return 0;
}
