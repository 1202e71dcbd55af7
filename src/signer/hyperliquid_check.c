#include "signer/hyperliquid_check.h"

#include "signer/msgpack.h"
#include "signer/policy_model.h"

#include <stdarg.h>

static const struct hl_actions *const tables[] = {&hyperliquid_trade_actions, &hyperliquid_user_actions,
                                                  &hyperliquid_deploy_actions};

const struct hl_action *hyperliquid_action_find(const json_t *action)
{
    const char *type = json_string_value(json_object_get(action, "type"));
    if (!type)
        return NULL;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct hl_action *row = &tables[t]->rows[i];
            if (strcmp(row->type, type) == 0 && (!row->variant || json_object_get(action, row->variant)))
                return row;
        }
    }
    return NULL;
}

/* "vault/0x…/order" is the action "order" of another account; where a star stands in its place, anything may follow. */
static bool is_open(struct view *pattern)
{
    static const char *const before[] = {"vault/", "multiSig/"};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        size_t from = strlen(before[i]), at = from;
        if (!view_starts(*pattern, before[i]))
            continue;
        while (at < pattern->len && pattern->ptr[at] != '/' && pattern->ptr[at] != '*')
            at++;
        if (at < pattern->len && pattern->ptr[at] == '*')
            return true;
        if (at < pattern->len && at - from == 42)
            *pattern = VIEW(pattern->ptr + at + 1, pattern->len - at - 1);
    }
    return false;
}

bool hyperliquid_acts(struct view pattern)
{
    if (is_open(&pattern))
        return true;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            if (policy_glob(pattern, view_str(tables[t]->rows[i].endpoint)))
                return true;
    return false;
}

/* --- errors with a JSON pointer */

static void put_pointer(const struct hl_walk *w, struct writer *out)
{
    for (size_t i = 0; i < w->depth; i++) {
        if (w->path[i].name)
            writer_printf(out, "/%.60s", w->path[i].name);
        else
            writer_printf(out, "/%zu", w->path[i].index);
    }
    writer_u8(out, '\0');
}

enum err hyperliquid_refuse(const struct hl_walk *w, enum err code, const char *format, ...)
{
    char where[HL_PATH_MAX * 64] = "", detail[256];
    struct writer out = writer_fixed(where, sizeof(where));
    put_pointer(w, &out);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    return problem_set(w->why, code, where, "%s", detail);
}

static RESULT enter(struct hl_walk *w, const char *name, size_t index)
{
    if (w->depth == HL_PATH_MAX)
        return hyperliquid_refuse(w, ERR_TOO_LONG, "nested too deep");
    w->path[w->depth++] = (struct hl_step){name, index};
    return OK;
}

/* --- objects and lists */

static const struct hl_member *find_member(const struct hl_shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->count; i++)
        if (strcmp(shape->members[i].name, name) == 0)
            return &shape->members[i];
    return NULL;
}

/* Members of the action itself that check_envelope reads. */
static bool in_envelope(const struct hl_walk *w, const struct hl_shape *shape, const char *name)
{
    if (shape != &w->row->shape)
        return false;
    if (strcmp(name, "type") == 0)
        return true;
    return (w->row->kind != HL_L1 && strcmp(name, "signatureChainId") == 0) ||
           (w->row->kind == HL_USER && strcmp(name, "hyperliquidChain") == 0);
}

static RESULT check_missing(struct hl_walk *w, const struct hl_shape *shape, uint32_t seen)
{
    if (shape->form == HL_ONE_OF) {
        if (__builtin_popcount(seen) == 1)
            return OK;
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must have exactly one of %s and %s", shape->members[0].name,
                                  shape->members[1].name);
    }
    for (size_t i = 0; i < shape->count; i++) {
        const struct hl_member *m = &shape->members[i];
        if ((seen >> i & 1) || (m->flags & HL_OPTIONAL))
            continue;
        TRY(enter(w, m->name, 0));
        return hyperliquid_refuse(w, ERR_MISSING_FIELD, "%s needs it", w->row->type);
    }
    return OK;
}

static RESULT walk_members(struct hl_walk *w, const struct hl_shape *shape, const json_t *value)
{
    if (!json_is_object(value))
        return hyperliquid_form_wrong(w, value, "an object");
    json_t *object = (json_t *)(uintptr_t)value; /* jansson iterates over const objects only through a cast */
    uint32_t seen = 0;
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const char *name = json_object_iter_key(i);
        const struct hl_member *m = find_member(shape, name);
        TRY(enter(w, name, 0));
        if (m) {
            seen |= UINT32_C(1) << (m - shape->members);
            TRY(hyperliquid_form_check(w, m, json_object_iter_value(i)));
        } else if (!in_envelope(w, shape, name)) {
            return hyperliquid_refuse(w, ERR_UNKNOWN_PARAMETER, "%s has no such member", w->row->type);
        }
        w->depth--;
    }
    return check_missing(w, shape, seen);
}

static RESULT walk_items(struct hl_walk *w, const struct hl_shape *shape, const json_t *value)
{
    if (!json_is_array(value))
        return hyperliquid_form_wrong(w, value, "a list");
    size_t count = json_array_size(value);
    if (shape->form == HL_TUPLE && count != shape->count)
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must have %zu items", shape->count);
    for (size_t i = 0; i < count; i++) {
        TRY(enter(w, NULL, i));
        TRY(hyperliquid_form_check(w, &shape->members[shape->form == HL_TUPLE ? i : 0], json_array_get(value, i)));
        w->depth--;
    }
    return OK;
}

static RESULT walk_contents(struct hl_walk *w, const struct hl_shape *shape, const json_t *value)
{
    bool list = shape->form == HL_TUPLE || shape->form == HL_EACH;
    return list ? walk_items(w, shape, value) : walk_members(w, shape, value);
}

RESULT hyperliquid_walk_shape(struct hl_walk *w, const struct hl_shape *shape, const json_t *value)
{
    if (shape->intent == HL_NO_INTENT)
        return walk_contents(w, shape, value);
    struct hl_draft draft, *outer = w->draft;
    hyperliquid_intent_begin(w, shape, &draft);
    TRY(walk_contents(w, shape, value));
    TRY(hyperliquid_intent_end(w));
    w->draft = outer;
    return OK;
}

/* --- an action as a whole */

static RESULT check_envelope_text(struct hl_walk *w, const json_t *action, const char *name, struct view *ret)
{
    const json_t *value = json_object_get(action, name);
    TRY(enter(w, name, 0));
    if (!value)
        return hyperliquid_refuse(w, ERR_MISSING_FIELD, "%s needs it", w->row->type);
    if (!json_is_string(value))
        return hyperliquid_form_wrong(w, value, "text");
    *ret = hl_text(value);
    return OK;
}

static RESULT check_envelope(struct hl_walk *w, const json_t *action)
{
    struct view text = {0};
    if (w->row->kind == HL_L1)
        return OK;
    TRY(check_envelope_text(w, action, "signatureChainId", &text));
    if (hyperliquid_chain_id(text, &w->call->chain_id) != OK)
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be 0x and lower-case digits without leading zeros");
    w->depth--;
    if (w->row->kind == HL_MULTISIG)
        return OK;
    TRY(check_envelope_text(w, action, "hyperliquidChain", &text));
    const char *chain = w->call->testnet ? "Testnet" : "Mainnet";
    if (!view_is(text, chain))
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "the request is for %s", chain);
    w->depth--;
    return OK;
}

static RESULT unknown_action(struct hl_walk *w, const json_t *action)
{
    const char *type = json_string_value(json_object_get(action, "type"));
    TRY(enter(w, "type", 0));
    return hyperliquid_refuse(w, ERR_UNKNOWN_ENDPOINT, "no action of type \"%.60s\" is known", type ? type : "");
}

static RESULT walk_action(struct hl_walk *w, const json_t *action, const struct hl_action *row)
{
    w->row = row;
    TRY(check_envelope(w, action));
    return hyperliquid_walk_shape(w, &row->shape, action);
}

/* The action inside of a multi-sig: any but a further multi-sig. */
RESULT hyperliquid_walk_action(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    const struct hl_action *outer = w->row, *row = hyperliquid_action_find(value);
    uint64_t chain_id = w->call->chain_id;
    (void)m;
    if (!row || row->kind == HL_MULTISIG)
        return unknown_action(w, value);
    TRY(walk_action(w, value, row));
    w->row = outer;
    w->call->chain_id = chain_id;
    return OK;
}

static RESULT outside(struct problem *why, const char *where, const char *sentence)
{
    return problem_set(why, ERR_BAD_VALUE, where, "%s", sentence);
}

/* What the caller says beside the action. Whatever the signature would not cover is refused. */
static RESULT read_settings(const struct sign_request *r, struct hl_call *call, struct problem *why)
{
    if (!view_is(r->network, "mainnet") && !view_is(r->network, "testnet"))
        return outside(why, "network", "must be mainnet or testnet");
    call->testnet = view_is(r->network, "testnet");
    bool post = (r->method.len == 0 || view_is(r->method, "POST")) &&
                (r->path.len == 0 || view_is(r->path, "/exchange"));
    if (!post || r->query.len || r->body.len)
        return problem_set(why, ERR_UNKNOWN_ENDPOINT, "path", "only POST /exchange, with the action as params");
    if (r->nonce > MSGPACK_INTEGER_MAX || (r->has_expires_after && r->expires_after > MSGPACK_INTEGER_MAX))
        return outside(why, "nonce", "nonce and expires_after are milliseconds below 2^53");
    call->has_vault = r->vault_address.len > 0;
    if (call->has_vault && hyperliquid_address(r->vault_address, call->vault) != OK)
        return outside(why, "vault_address", "must be 0x and 40 hexadecimal digits in lower case");
    return OK;
}

/* Whose multi-sig it is, and who submits it: from the payload, or from the request for a co-signer. Read before the
 * action is, which may stand before them. */
static RESULT read_cosigning(const struct sign_request *r, struct hl_call *call, struct problem *why)
{
    static const char *const wheres[][2] = {[HL_INNER] = {"multi_sig_user", "outer_signer"},
                                            [HL_OUTER] = {"/payload/multiSigUser", "/payload/outerSigner"}};
    uint8_t address[HL_ADDRESS_SIZE];
    const json_t *payload = json_object_get(call->action, "payload");
    bool outer = call->mode == HL_OUTER;
    call->multi_sig_user = outer ? hl_text(json_object_get(payload, "multiSigUser")) : r->multi_sig_user;
    call->outer_signer = outer ? hl_text(json_object_get(payload, "outerSigner")) : r->outer_signer;
    if (hyperliquid_address(call->multi_sig_user, address) != OK)
        return outside(why, wheres[call->mode][0], "must be 0x and 40 hexadecimal digits in lower case");
    if (hyperliquid_address(call->outer_signer, address) != OK)
        return outside(why, wheres[call->mode][1], "must be 0x and 40 hexadecimal digits in lower case");
    if (r->multi_sig_user.len && !view_eq(r->multi_sig_user, call->multi_sig_user))
        return outside(why, "multi_sig_user", "is not the payload's multiSigUser");
    if (r->outer_signer.len && !view_eq(r->outer_signer, call->outer_signer))
        return outside(why, "outer_signer", "is not the payload's outerSigner");
    return OK;
}

static RESULT check_kind(struct hl_walk *w, enum hl_kind kind, const struct sign_request *r)
{
    static const char *const schemes[] = {"hl-l1", "hl-user", "hl-multisig"};
    struct hl_call *call = w->call;
    if (kind != HL_MULTISIG && call->row->kind != kind) {
        TRY(enter(w, "type", 0));
        return hyperliquid_refuse(w, ERR_UNKNOWN_ENDPOINT, "%s is signed with the scheme %s", call->row->type,
                                  schemes[call->row->kind]);
    }
    if (kind != HL_MULTISIG && (r->multi_sig_user.len || r->outer_signer.len))
        return outside(w->why, "multi_sig_user", "is for the scheme hl-multisig");
    if (kind == HL_MULTISIG)
        call->mode = call->row->kind == HL_MULTISIG ? HL_OUTER : HL_INNER;
    if (call->row->kind == HL_USER && (call->has_vault || r->has_expires_after))
        return outside(w->why, call->has_vault ? "vault_address" : "expires_after",
                       "the signature of a user-signed action does not cover it");
    return OK;
}

RESULT hyperliquid_call_read(enum hl_kind kind, const struct sign_request *request, struct arena *arena,
                             struct hl_call *call, struct intents *ret_intents, struct problem *why)
{
    struct intents intents = {0};
    struct hl_walk w = {
        .request = request, .call = call, .arena = arena, .why = why, .intents = ret_intents ? &intents : NULL};
    TRY(read_settings(request, call, why));
    TRY(json_read(request->params, &call->action, why));
    call->row = hyperliquid_action_find(call->action);
    if (!call->row)
        return unknown_action(&w, call->action);
    TRY(check_kind(&w, kind, request));
    if (call->mode != HL_PLAIN_ACTION)
        TRY(read_cosigning(request, call, why));
    TRY(walk_action(&w, call->action, call->row));
    if (w.intent_count == 0)
        return hyperliquid_refuse(&w, ERR_BAD_VALUE, "the action does nothing");
    if (ret_intents)
        *ret_intents = intents;
    return OK;
}

void hyperliquid_call_done(struct hl_call *call)
{
    json_decref(call->action);
    call->action = NULL;
}
