#include "signer/hyperliquid_hash.h"

#include "base/text.h"
#include "signer/msgpack.h"

#include <threads.h>

/* nonce, vault tag and address, expiry tag and time; the list around an inner action with two addresses */
#define TAIL_ROOM  (8 + 1 + HL_ADDRESS_SIZE + 1 + 8)
#define INNER_ROOM (1 + 2 * (2 + HL_ADDRESS_TEXT))

#define TYPE_ROOM 512 /* the longest encodeType of the tables has 280 characters */

/* The wrapper of a multi-sig is hashed without its type. */
static RESULT put_without_type(const json_t *action, struct writer *w)
{
    json_t *object = (json_t *)(uintptr_t)action; /* jansson iterates over const objects only through a cast */
    TRY(msgpack_put_object(json_object_size(object) - 1, w));
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        if (strcmp(json_object_iter_key(i), "type") == 0)
            continue;
        TRY(msgpack_put_text(view_str(json_object_iter_key(i)), w));
        TRY(msgpack_put_json(json_object_iter_value(i), w));
    }
    return OK;
}

static RESULT put_action(const struct hl_call *call, struct writer *w)
{
    if (call->mode == HL_PLAIN_ACTION)
        return msgpack_put_json(call->action, w);
    if (call->mode == HL_OUTER)
        return put_without_type(call->action, w);
    TRY(msgpack_put_list(3, w));
    TRY(msgpack_put_text(call->multi_sig_user, w));
    TRY(msgpack_put_text(call->outer_signer, w));
    return msgpack_put_json(call->action, w);
}

/* action ‖ nonce ‖ 00, or 01 and the vault ‖ if it expires: 00 and the time */
static RESULT hash_action(const struct hl_call *call, const struct sign_request *r, struct arena *arena,
                          struct hl_digest *ret)
{
    size_t room = MSGPACK_ROOM(r->params.len) + TAIL_ROOM + INNER_ROOM;
    uint8_t *memory = arena_alloc(arena, room);
    if (!memory)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(memory, room);
    TRY(put_action(call, &w));
    ret->action_len = w.len;
    writer_u64(&w, r->nonce);
    writer_u8(&w, call->has_vault);
    if (call->has_vault)
        writer_bytes(&w, call->vault, sizeof(call->vault));
    if (r->has_expires_after) {
        writer_u8(&w, 0);
        writer_u64(&w, r->expires_after);
    }
    TRY(writer_done(&w));
    ret->prehash = writer_view_of(&w);
    keccak256(ret->prehash, ret->action_hash);
    return OK;
}

/* The same for every L1 action of a network, so it is hashed once. */
static uint8_t agent_domain[EIP712_WORD];
static struct eip712 agents[2]; /* on the mainnet, and on the testnet: type and source */

static void make_agents(void)
{
    static const char *const sources[] = {"a", "b"};
    eip712_domain("Exchange", "1", 1337, agent_domain);
    for (size_t i = 0; i < ARRAY_LEN(agents); i++) {
        eip712_begin(&agents[i], VIEW_STR("Agent(string source,bytes32 connectionId)"));
        eip712_bytes(&agents[i], view_str(sources[i]));
    }
}

static void hash_agent(const struct hl_call *call, struct hl_digest *ret)
{
    static once_flag once = ONCE_FLAG_INIT;
    struct eip712 s;
    call_once(&once, make_agents);
    s = agents[call->testnet];
    eip712_word(&s, ret->action_hash);
    eip712_hash(&s, ret->struct_hash);
    memcpy(ret->domain, agent_domain, sizeof(ret->domain));
}

static struct view chain_name(const struct hl_call *call)
{
    return call->testnet ? VIEW_STR("Testnet") : VIEW_STR("Mainnet");
}

static void hash_multisig(const struct hl_call *call, const struct sign_request *r, struct hl_digest *ret)
{
    struct eip712 s;
    eip712_begin(&s, VIEW_STR("HyperliquidTransaction:SendMultiSig(string hyperliquidChain,"
                              "bytes32 multiSigActionHash,uint64 nonce)"));
    eip712_bytes(&s, chain_name(call));
    eip712_word(&s, ret->action_hash);
    eip712_uint(&s, r->nonce);
    eip712_hash(&s, ret->struct_hash);
}

/* --- user-signed types */

static RESULT put_string(struct eip712 *s, const json_t *value, struct arena *arena)
{
    (void)arena;
    eip712_bytes(s, json_is_string(value) ? hl_text(value) : (struct view){0});
    return OK;
}

static RESULT put_address(struct eip712 *s, const json_t *value, struct arena *arena)
{
    uint8_t address[HL_ADDRESS_SIZE];
    (void)arena;
    TRY(hyperliquid_address(hl_text(value), address));
    eip712_address(s, address);
    return OK;
}

static RESULT put_uint(struct eip712 *s, const json_t *value, struct arena *arena)
{
    (void)arena;
    eip712_uint(s, (uint64_t)json_integer_value(value));
    return OK;
}

static RESULT put_bool(struct eip712 *s, const json_t *value, struct arena *arena)
{
    (void)arena;
    eip712_bool(s, json_is_true(value));
    return OK;
}

static RESULT put_bytes(struct eip712 *s, const json_t *value, struct arena *arena)
{
    struct view text = hl_text(value);
    size_t n = (text.len - 2) / 2;
    uint8_t *bytes = arena_alloc(arena, n + 1);
    if (!bytes)
        return ERR_NO_MEMORY;
    TRY(hex_get(VIEW(text.ptr + 2, text.len - 2), bytes, n));
    eip712_bytes(s, VIEW(bytes, n));
    return OK;
}

static const struct {
    const char *type;
    RESULT (*put)(struct eip712 *s, const json_t *value, struct arena *arena);
} eip_types[] = {{"string", put_string}, {"address", put_address}, {"uint64", put_uint},
                 {"uint32", put_uint},   {"bool", put_bool},       {"bytes", put_bytes}};

static RESULT put_field(struct eip712 *s, const struct hl_member *m, const json_t *value, struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_LEN(eip_types); i++)
        if (strcmp(eip_types[i].type, m->eip) == 0)
            return eip_types[i].put(s, value, arena);
    return ERR_INTERNAL;
}

/* A co-signer's contribution has two more fields after the first, so it can't be taken for the plain action. */
static RESULT begin_user(struct eip712 *s, const struct hl_call *call)
{
    char type[TYPE_ROOM];
    struct writer w = writer_fixed(type, sizeof(type));
    writer_printf(&w, "HyperliquidTransaction:%s(string hyperliquidChain", call->row->primary);
    if (call->mode == HL_INNER)
        writer_str(&w, ",address payloadMultiSigUser,address outerSigner");
    for (size_t i = 0; i < call->row->shape.count; i++)
        writer_printf(&w, ",%s %s", call->row->shape.members[i].eip, call->row->shape.members[i].name);
    writer_u8(&w, ')');
    TRY(writer_done(&w));
    eip712_begin(s, writer_view_of(&w));
    eip712_bytes(s, chain_name(call));
    return OK;
}

static RESULT put_cosigner(struct eip712 *s, struct view text)
{
    uint8_t address[HL_ADDRESS_SIZE];
    TRY(hyperliquid_address(text, address));
    eip712_address(s, address);
    return OK;
}

static RESULT hash_user(const struct hl_call *call, struct arena *arena, struct hl_digest *ret)
{
    struct eip712 s;
    TRY(begin_user(&s, call));
    if (call->mode == HL_INNER) {
        TRY(put_cosigner(&s, call->multi_sig_user));
        TRY(put_cosigner(&s, call->outer_signer));
    }
    for (size_t i = 0; i < call->row->shape.count; i++) {
        const struct hl_member *m = &call->row->shape.members[i];
        TRY(put_field(&s, m, json_object_get(call->action, m->name), arena));
    }
    eip712_hash(&s, ret->struct_hash);
    return OK;
}

RESULT hyperliquid_hash(const struct hl_call *call, const struct sign_request *request, struct arena *arena,
                        struct hl_digest *ret)
{
    uint8_t *prehash = arena_alloc(arena, EIP712_PREHASH_SIZE);
    if (!prehash)
        return ERR_NO_MEMORY;
    if (call->row->kind != HL_USER)
        TRY(hash_action(call, request, arena, ret));
    if (call->row->kind == HL_L1)
        hash_agent(call, ret);
    else if (call->row->kind == HL_MULTISIG)
        hash_multisig(call, request, ret);
    else
        TRY(hash_user(call, arena, ret));
    if (call->row->kind != HL_L1)
        eip712_domain("HyperliquidSignTransaction", "1", call->chain_id, ret->domain);
    eip712_prehash(ret->domain, ret->struct_hash, prehash);
    keccak256(VIEW(prehash, EIP712_PREHASH_SIZE), ret->digest);
    if (call->row->kind == HL_USER)
        ret->prehash = VIEW(prehash, EIP712_PREHASH_SIZE);
    return OK;
}
