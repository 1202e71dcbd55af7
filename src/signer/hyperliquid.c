#include "signer/hyperliquid.h"

#include "base/text.h"
#include "signer/hyperliquid_hash.h"
#include "signer/venue.h"

#define BODY_ROOM   512 /* what a body has besides the action */
#define SCALAR_SIZE 32

struct signing_key {
    struct secret *key;
    char address[HL_ADDRESS_TEXT + 1];
};

/* --- the key */

static void key_free(struct signing_key *key)
{
    if (!key)
        return;
    secret_free(key->key);
    free(key);
}

AUTO_DEFINE(struct signing_key *, key_free);

static RESULT wrong_key(struct problem *why, const char *where, const char *wanted)
{
    return problem_set(why, ERR_WRONG_KEY_FOR_VENUE, where, "%s", wanted);
}

static RESULT key_new(const struct bundle *bundle, struct signing_key **ret, struct problem *why)
{
    uint8_t address[HL_ADDRESS_SIZE];
    struct view hex = bundle->secret;
    if (view_starts(hex, "0x"))
        hex = VIEW(hex.ptr + 2, hex.len - 2);
    if (bundle->passphrase.len > 0)
        return wrong_key(why, "passphrase", "Hyperliquid has no passphrase");
    if (bundle->api_key.len > 0 &&
        (!view_starts(bundle->api_key, "0x") ||
         hex_get(VIEW(bundle->api_key.ptr + 2, bundle->api_key.len - 2), address, sizeof(address)) != OK))
        return wrong_key(why, "api_key", "must be empty, or the account's address");

    AUTO(key_free) struct signing_key *key = calloc(1, sizeof(*key));
    if (!key)
        return ERR_NO_MEMORY;
    TRY(secret_new(SECP256K1_KEY_SIZE, &key->key));
    enum err e = hex_get(hex, secret_ptr(key->key), SECP256K1_KEY_SIZE);
    if (e == OK)
        e = secp256k1_address(secret_ptr(key->key), address);
    if (e == ERR_MALFORMED || e == ERR_BAD_KEY)
        return wrong_key(why, "secret", "must be a secp256k1 private key: 0x and 64 hexadecimal digits");
    TRY(e);
    struct writer w = writer_fixed(key->address, sizeof(key->address));
    writer_str(&w, "0x");
    hex_put(&w, VIEW_OF(address));
    writer_u8(&w, '\0');
    TRY(writer_done(&w));
    *ret = TAKE(key);
    return OK;
}

/* --- judging */

static const char path[] = "/exchange";

static RESULT find_host(const struct venue *venue, const struct sign_request *r, struct view *ret, struct problem *why)
{
    if (venue_network_host(venue, r->network, r->host, view_str(path), ret) == OK)
        return OK;
    return problem_set(why, ERR_UNKNOWN_ENDPOINT, "host", "the venue has no such host on network '%.*s'",
                       (int)r->network.len, (const char *)r->network.ptr);
}

/* A request that judge found in order, kept for sign. */
struct form {
    const struct sign_request *request;
    enum hl_kind kind;
    struct hl_call call;
};

static void form_done(void *read)
{
    struct form *f = read;
    hyperliquid_call_done(&f->call);
}

/* Takes the call. Where it can't be kept, it will be read again. */
static void keep(enum hl_kind kind, const struct sign_request *request, struct arena *arena, struct hl_call *call)
{
    struct form *f = request->form && !request->form->read ? arena_alloc(arena, sizeof(*f)) : NULL;
    if (!f)
        return;
    *f = (struct form){request, kind, *call};
    *request->form = (struct scheme_form){f, form_done};
    *call = (struct hl_call){0};
}

static const struct hl_call *kept(enum hl_kind kind, const struct sign_request *request)
{
    const struct form *f = request->form && request->form->done == form_done ? request->form->read : NULL;
    return f && f->request == request && f->kind == kind ? &f->call : NULL;
}

static RESULT judge(enum hl_kind kind, const struct venue *venue, const struct sign_request *request,
                    struct arena *arena, struct intents *ret, struct problem *why)
{
    __attribute__((cleanup(hyperliquid_call_done))) struct hl_call call = {0};
    struct intents intents = {0};
    struct view host;
    TRY(hyperliquid_call_read(kind, request, arena, &call, &intents, why));
    TRY(find_host(venue, request, &host, why));
    keep(kind, request, arena, &call);
    *ret = intents;
    return OK;
}

static RESULT judge_l1(const struct venue *venue, const struct sign_request *request, struct arena *arena,
                       struct intents *ret, struct problem *why)
{
    return judge(HL_L1, venue, request, arena, ret, why);
}

static RESULT judge_user(const struct venue *venue, const struct sign_request *request, struct arena *arena,
                         struct intents *ret, struct problem *why)
{
    return judge(HL_USER, venue, request, arena, ret, why);
}

static RESULT judge_multisig(const struct venue *venue, const struct sign_request *request, struct arena *arena,
                             struct intents *ret, struct problem *why)
{
    return judge(HL_MULTISIG, venue, request, arena, ret, why);
}

/* The members that hold a nonce are called "nonce" or "time"; most actions have neither, which their bytes tell without
 * being parsed. A backslash may spell a name in another way. */
static bool may_have_nonce(struct view json)
{
    return json.ptr && (memchr(json.ptr, '\\', json.len) || memmem(json.ptr, json.len, "\"nonce\"", 7) ||
                        memmem(json.ptr, json.len, "\"time\"", 6));
}

RESULT hyperliquid_nonce(struct view action_json, uint64_t *ret)
{
    __attribute__((cleanup(json_decref_auto))) json_t *root = NULL;
    if (!may_have_nonce(action_json))
        return ERR_NOT_FOUND;
    enum err e = json_read(action_json, &root, NULL);
    if (e != OK)
        return e == ERR_NO_MEMORY ? e : ERR_NOT_FOUND;
    const json_t *action = root;
    const struct hl_action *row = hyperliquid_action_find(action);
    if (row && row->kind == HL_MULTISIG) {
        action = json_object_get(json_object_get(action, "payload"), "action");
        row = hyperliquid_action_find(action);
    }
    for (size_t i = 0; row && i < row->shape.count; i++) {
        const json_t *value = json_object_get(action, row->shape.members[i].name);
        if (row->shape.members[i].meaning != HL_NONCE || !json_is_integer(value) || json_integer_value(value) < 0)
            continue;
        *ret = (uint64_t)json_integer_value(value);
        return OK;
    }
    return ERR_NOT_FOUND;
}

/* --- signing */

/* Inside of a multi-sig the venue wants r and s without leading zeros. */
static void put_scalar(struct writer *w, const uint8_t *scalar, bool trimmed)
{
    char digits[2 * SCALAR_SIZE];
    struct writer hex = writer_fixed(digits, sizeof(digits));
    size_t skip = 0;
    hex_put(&hex, VIEW(scalar, SCALAR_SIZE));
    while (trimmed && skip + 1 < sizeof(digits) && digits[skip] == '0')
        skip++;
    writer_str(w, "\"0x");
    writer_bytes(w, digits + skip, sizeof(digits) - skip);
    writer_u8(w, '"');
}

static void put_rsv(struct writer *w, const uint8_t sig[static SECP256K1_SIG_SIZE], bool trimmed)
{
    writer_str(w, "{\"r\":");
    put_scalar(w, sig, trimmed);
    writer_str(w, ",\"s\":");
    put_scalar(w, sig + SCALAR_SIZE, trimmed);
    writer_printf(w, ",\"v\":%d}", 27 + sig[2 * SCALAR_SIZE]);
}

static RESULT put_body(const struct hl_call *call, const struct sign_request *r,
                       const uint8_t sig[static SECP256K1_SIG_SIZE], struct arena *arena, struct view *ret)
{
    size_t room = r->params.len + BODY_ROOM;
    uint8_t *memory = arena_alloc(arena, room);
    if (!memory)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(memory, room);
    if (call->mode == HL_INNER) {
        put_rsv(&w, sig, true);
    } else {
        writer_str(&w, "{\"action\":");
        writer_view(&w, r->params);
        writer_str(&w, ",\"signature\":");
        put_rsv(&w, sig, false);
        writer_printf(&w, ",\"nonce\":%llu", (unsigned long long)r->nonce);
        if (call->has_vault)
            writer_printf(&w, ",\"vaultAddress\":\"%.*s\"", (int)r->vault_address.len, r->vault_address.ptr);
        if (r->has_expires_after)
            writer_printf(&w, ",\"expiresAfter\":%llu", (unsigned long long)r->expires_after);
        writer_u8(&w, '}');
    }
    *ret = writer_view_of(&w);
    return writer_done(&w);
}

static RESULT put_signature(const uint8_t sig[static SECP256K1_SIG_SIZE], struct arena *arena, struct view *ret)
{
    size_t room = 2 + 2 * SECP256K1_SIG_SIZE;
    uint8_t *memory = arena_alloc(arena, room);
    if (!memory)
        return ERR_NO_MEMORY;
    uint8_t v = (uint8_t)(27 + sig[SECP256K1_SIG_SIZE - 1]);
    struct writer w = writer_fixed(memory, room);
    writer_str(&w, "0x");
    hex_put(&w, VIEW(sig, SECP256K1_SIG_SIZE - 1));
    hex_put(&w, VIEW(&v, 1));
    *ret = writer_view_of(&w);
    return writer_done(&w);
}

static RESULT put_url(struct view host, struct arena *arena, struct view *ret)
{
    static const char begin[] = "https://";
    size_t room = strlen(begin) + host.len + strlen(path);
    uint8_t *memory = arena_alloc(arena, room);
    if (!memory)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(memory, room);
    writer_str(&w, begin);
    writer_view(&w, host);
    writer_str(&w, path);
    *ret = writer_view_of(&w);
    return writer_done(&w);
}

static RESULT sign(enum hl_kind kind, const struct venue *venue, const struct signing_key *key,
                   const struct sign_request *request, struct arena *arena, struct sign_result *ret,
                   struct problem *why)
{
    __attribute__((cleanup(hyperliquid_call_done))) struct hl_call read = {0};
    const struct hl_call *call = kept(kind, request);
    struct sign_result result = {0};
    struct view host;
    struct hl_digest digest = {0};
    uint8_t sig[SECP256K1_SIG_SIZE];

    /* What judge has not just found in order is read here, so that nothing that it would refuse is ever signed. */
    if (!call)
        TRY(hyperliquid_call_read(kind, request, arena, &read, NULL, why));
    call = call ? call : &read;
    if (call->mode == HL_OUTER && !view_is(call->outer_signer, key->address))
        return problem_set(why, ERR_BAD_VALUE, "/payload/outerSigner", "is not this key's address, %s", key->address);
    TRY(find_host(venue, request, &host, why));
    if (call->mode != HL_INNER) {
        result.method = VIEW_STR("POST");
        TRY(put_url(host, arena, &result.url));
    }
    TRY(hyperliquid_hash(call, request, arena, &digest));
    TRY(secp256k1_sign_digest(secret_view(key->key).ptr, digest.digest, sig));
    TRY(put_body(call, request, sig, arena, &result.body));
    TRY(put_signature(sig, arena, &result.signature));
    result.prehash = digest.prehash;
    *ret = result;
    return OK;
}

static RESULT sign_l1(const struct venue *venue, const struct signing_key *key, const struct sign_request *request,
                      struct arena *arena, struct sign_result *ret, struct problem *why)
{
    return sign(HL_L1, venue, key, request, arena, ret, why);
}

static RESULT sign_user(const struct venue *venue, const struct signing_key *key, const struct sign_request *request,
                        struct arena *arena, struct sign_result *ret, struct problem *why)
{
    return sign(HL_USER, venue, key, request, arena, ret, why);
}

static RESULT sign_multisig(const struct venue *venue, const struct signing_key *key,
                            const struct sign_request *request, struct arena *arena, struct sign_result *ret,
                            struct problem *why)
{
    return sign(HL_MULTISIG, venue, key, request, arena, ret, why);
}

const struct scheme scheme_hl_l1 = {.name = "hl-l1",
                                    .key_new = key_new,
                                    .key_free = key_free,
                                    .judge = judge_l1,
                                    .sign = sign_l1,
                                    .own_nonce = hyperliquid_nonce,
                                    .acts = hyperliquid_acts};
const struct scheme scheme_hl_user = {.name = "hl-user",
                                      .key_new = key_new,
                                      .key_free = key_free,
                                      .judge = judge_user,
                                      .sign = sign_user,
                                      .own_nonce = hyperliquid_nonce,
                                      .acts = hyperliquid_acts};
const struct scheme scheme_hl_multisig = {.name = "hl-multisig",
                                          .key_new = key_new,
                                          .key_free = key_free,
                                          .judge = judge_multisig,
                                          .sign = sign_multisig,
                                          .own_nonce = hyperliquid_nonce,
                                          .acts = hyperliquid_acts};
