/* An action for Hyperliquid, judged and hashed. The first byte chooses the scheme and what is said beside the action.
 * Whatever is accepted has something for the policy to decide on, is read the same way twice, and can be hashed. */
#include "signer/hyperliquid_hash.h"

#include "signer/hyperliquid.h"
#include "signer/venue.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scheme *const schemes[] = {
    [HL_L1] = &scheme_hl_l1, [HL_USER] = &scheme_hl_user, [HL_MULTISIG] = &scheme_hl_multisig};

static const char declaration[] = "name: hyperliquid\n"
                                  "hosts:\n"
                                  "  - {name: a.test, transport: https, serves: [/exchange], network: mainnet}\n"
                                  "  - {name: b.test, transport: https, serves: [/exchange], network: testnet}\n"
                                  "schemes: [{name: hl-l1, algorithm: none, place: none}]\n"
                                  "params: [{names: [action], type: json}]\n"
                                  "order_types: []\n"
                                  "sets: []\n"
                                  "endpoints: [{call: POST /exchange, class: withdraw, required: [action]}]\n";

static const struct venue *the_venue(void)
{
    static struct venue *venue;
    if (!venue)
        assert(venue_parse("fuzz", VIEW_STR(declaration), &venue, NULL) == OK);
    return venue;
}

static struct sign_request request_from(const uint8_t *data, size_t size)
{
    struct sign_request r = {.params = VIEW(data + 1, size - 1), .nonce = 1700000000000};
    r.network = data[0] & 4 ? VIEW_STR("testnet") : VIEW_STR("mainnet");
    if (data[0] & 8)
        r.vault_address = VIEW_STR("0x1111111111111111111111111111111111111111");
    if (data[0] & 16) {
        r.multi_sig_user = VIEW_STR("0x2222222222222222222222222222222222222222");
        r.outer_signer = VIEW_STR("0x3333333333333333333333333333333333333333");
    }
    r.has_expires_after = data[0] & 32;
    r.expires_after = 1700000060000;
    return r;
}

static void check_intents(const struct intents *intents)
{
    assert(intents->count > 0 && intents->count <= INTENTS_MAX);
    for (size_t i = 0; i < intents->count; i++) {
        const struct intent *it = &intents->items[i];
        assert(it->class < INTENT_CLASS_COUNT && it->class != INTENT_READ && it->endpoint.len > 0);
        assert(!it->has_size || !decimal_is_negative(it->size));
        assert(!it->has_notional || !decimal_is_negative(it->notional));
        if (it->has_size && it->has_price)
            assert(it->has_notional);
    }
}

static void check_hash(enum hl_kind kind, const struct sign_request *r, struct arena *arena)
{
    struct hl_call call = {0};
    struct hl_digest digest = {0};
    assert(hyperliquid_call_read(kind, r, arena, &call, NULL, NULL) == OK);
    assert(hyperliquid_hash(&call, r, arena, &digest) == OK);
    assert(digest.prehash.len > digest.action_len);
    hyperliquid_call_done(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    enum hl_kind kind = (enum hl_kind)((data[0] & 3) % 3);
    struct sign_request r = request_from(data, size);
    struct intents intents = {0};
    struct problem why = {0};
    struct arena *arena = NULL;
    uint64_t nonce;
    (void)!hyperliquid_nonce(r.params, &nonce);
    if (arena_new(4096, 4 << 20, &arena) != OK)
        return 0;
    if (schemes[kind]->judge(the_venue(), &r, arena, &intents, &why) == OK) {
        check_intents(&intents);
        check_hash(kind, &r, arena);
    } else {
        assert(intents.count == 0);
    }
    arena_free(arena);
    return 0;
}
