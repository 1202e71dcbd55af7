/* A signing policy, and then a judgement by it. */
#include "signer/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *p = NULL;
    struct problem why = {0};
    if (policy_parse(VIEW(data, size), &p, &why) != OK)
        return 0;
    struct intent items[] = {
        {.class = INTENT_ORDER,
         .endpoint = view_str("POST /o"),
         .symbol = view_str("BTCUSDT"),
         .side = SIDE_SELL,
         .has_size = true,
         .size = {123456789, 4}},
        {.class = INTENT_WITHDRAW, .endpoint = view_str("POST /w"), .formable = true, .destination = view_str("0xaa")},
    };
    struct intents list = {items, ARRAY_LEN(items)};
    struct policy_caller caller = {.bot = view_str("a"), .source = view_str("192.0.2.1")};
    struct window_use use[POLICY_WINDOWS_MAX] = {0};
    struct policy_decision d = {0};
    enum err e = policy_judge(p, &list, &caller, 1795871514365, false, use, &d);
    /* A withdrawal that no rule names must never pass. */
    if (e == OK && d.code == OK && !memmem(data, size, "withdraw", 8))
        abort();
    policy_free(p);
    return 0;
}
