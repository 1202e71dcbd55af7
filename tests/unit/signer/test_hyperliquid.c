/* What the policy is told about each Hyperliquid action, and what is never signed. */
#include "hyperliquid_case.h"

#include "base/text.h"

#define ALICE               "0x1111111111111111111111111111111111111111"
#define BOB                 "0x2222222222222222222222222222222222222222"
#define OWN                 "0x14791697260e4c9a71f18484c9f997b308e59325" /* address of CASE_KEY */
#define CLOID               "0x00000000000000000000000000000001"
#define USER(type)          "{\"type\":\"" type "\",\"signatureChainId\":\"0xa4b1\",\"hyperliquidChain\":\"Mainnet\","
#define ORDER(px, sz, rest) "{\"a\":39,\"b\":true,\"p\":\"" px "\",\"s\":\"" sz "\",\"r\":false," rest "}"
#define GTC                 "\"t\":{\"limit\":{\"tif\":\"Gtc\"}}"
#define ONE_ORDER(order)    "{\"type\":\"order\",\"orders\":[" order "],\"grouping\":\"na\"}"

static struct venue *venue;
static struct arena *arena;

static int reset(void **state)
{
    (void)state;
    arena_reset(arena);
    return 0;
}

/* --- one good example of every row of the tables */

struct example {
    const char *scheme, *action;
    enum intent_class class;
    const char *endpoint, *symbol, *destination, *notional;
};

static const struct example examples[] = {
    {"hl-l1", ONE_ORDER(ORDER("10.5", "2", GTC)), INTENT_ORDER, "order", "39", "", "21"},
    {"hl-l1", "{\"type\":\"cancel\",\"cancels\":[{\"a\":7,\"o\":1}]}", INTENT_CANCEL, "cancel", "7"},
    {"hl-l1", "{\"type\":\"cancelByCloid\",\"cancels\":[{\"asset\":7,\"cloid\":\"" CLOID "\"}]}", INTENT_CANCEL,
     "cancelByCloid", "7"},
    {"hl-l1", "{\"type\":\"modify\",\"oid\":5,\"order\":" ORDER("3", "4", GTC) "}", INTENT_AMEND, "modify", "39", "",
     "12"},
    {"hl-l1", "{\"type\":\"batchModify\",\"modifies\":[{\"oid\":\"" CLOID "\",\"order\":" ORDER("3", "4", GTC) "}]}",
     INTENT_AMEND, "batchModify", "39", "", "12"},
    {"hl-l1", "{\"type\":\"scheduleCancel\",\"time\":1}", INTENT_CANCEL, "scheduleCancel"},
    {"hl-l1", "{\"type\":\"twapOrder\",\"twap\":{\"a\":3,\"b\":true,\"s\":\"2\",\"r\":false,\"m\":30,\"t\":true}}",
     INTENT_ORDER, "twapOrder", "3"},
    {"hl-l1", "{\"type\":\"twapCancel\",\"a\":3,\"t\":9}", INTENT_CANCEL, "twapCancel", "3"},
    {"hl-l1", "{\"type\":\"noop\"}", INTENT_CANCEL, "noop"},
    {"hl-l1", "{\"type\":\"updateLeverage\",\"asset\":25,\"isCross\":false,\"leverage\":37}", INTENT_ACCOUNT,
     "updateLeverage", "25"},
    {"hl-l1", "{\"type\":\"updateIsolatedMargin\",\"asset\":1,\"isBuy\":true,\"ntli\":-5}", INTENT_ACCOUNT,
     "updateIsolatedMargin", "1"},
    {"hl-l1", "{\"type\":\"topUpIsolatedOnlyMargin\",\"asset\":1,\"leverage\":\"2.0\"}", INTENT_ACCOUNT,
     "topUpIsolatedOnlyMargin", "1"},
    {"hl-l1", "{\"type\":\"evmUserModify\",\"usingBigBlocks\":true}", INTENT_ACCOUNT, "evmUserModify"},
    {"hl-l1", "{\"type\":\"spotUser\",\"toggleSpotDusting\":{\"optOut\":true}}", INTENT_ACCOUNT, "spotUser"},
    {"hl-l1", "{\"type\":\"setDisplayName\",\"displayName\":\"x\"}", INTENT_ACCOUNT, "setDisplayName"},
    {"hl-l1", "{\"type\":\"setReferrer\",\"code\":\"X\"}", INTENT_ACCOUNT, "setReferrer"},
    {"hl-l1", "{\"type\":\"registerReferrer\",\"code\":\"X\"}", INTENT_ACCOUNT, "registerReferrer"},
    {"hl-l1", "{\"type\":\"claimRewards\"}", INTENT_ACCOUNT, "claimRewards"},
    {"hl-l1", "{\"type\":\"reserveRequestWeight\",\"weight\":10}", INTENT_ACCOUNT, "reserveRequestWeight"},
    {"hl-l1", "{\"type\":\"createSubAccount\",\"name\":\"x\"}", INTENT_ACCOUNT, "createSubAccount"},
    {"hl-l1", "{\"type\":\"subAccountModify\",\"subAccountUser\":\"" ALICE "\",\"name\":\"x\"}", INTENT_ACCOUNT,
     "subAccountModify"},
    {"hl-l1", "{\"type\":\"agentSetAbstraction\",\"abstraction\":\"u\"}", INTENT_ACCOUNT, "agentSetAbstraction"},
    {"hl-l1", "{\"type\":\"agentEnableDexAbstraction\"}", INTENT_ACCOUNT, "agentEnableDexAbstraction"},
    {"hl-l1",
     "{\"type\":\"vaultModify\",\"vaultAddress\":\"" ALICE "\",\"allowDeposits\":null,\"alwaysCloseOnWithdraw\":true}",
     INTENT_ACCOUNT, "vaultModify"},
    {"hl-l1", "{\"type\":\"validatorL1Stream\",\"riskFreeRate\":\"-0.05\"}", INTENT_ACCOUNT, "validatorL1Stream"},
    {"hl-l1", "{\"type\":\"vaultTransfer\",\"vaultAddress\":\"" ALICE "\",\"isDeposit\":true,\"usd\":1500000}",
     INTENT_TRANSFER, "vaultTransfer", "", ALICE, "1.5"},
    {"hl-l1", "{\"type\":\"subAccountTransfer\",\"subAccountUser\":\"" ALICE "\",\"isDeposit\":true,\"usd\":1000000}",
     INTENT_TRANSFER, "subAccountTransfer", "", ALICE, "1"},
    {"hl-l1",
     "{\"type\":\"subAccountSpotTransfer\",\"subAccountUser\":\"" ALICE
     "\",\"isDeposit\":true,\"token\":\"PURR:0x1\",\"amount\":\"1.0\"}",
     INTENT_TRANSFER, "subAccountSpotTransfer", "PURR:0x1", ALICE},
    {"hl-l1",
     "{\"type\":\"createVault\",\"name\":\"v\",\"description\":\"d\",\"initialUsd\":100000000,\"nonce\":1700000000000}",
     INTENT_TRANSFER, "createVault", "", "", "100"},
    {"hl-l1", "{\"type\":\"vaultDistribute\",\"vaultAddress\":\"" ALICE "\",\"usd\":1}", INTENT_TRANSFER,
     "vaultDistribute", "", ALICE, "0.000001"},
    {"hl-l1", "{\"type\":\"borrowLend\",\"operation\":\"supply\",\"token\":0,\"amount\":null}", INTENT_TRANSFER,
     "borrowLend", "0"},
    {"hl-l1", "{\"type\":\"userOutcome\",\"splitOutcome\":{\"outcome\":4,\"amount\":\"1\"}}", INTENT_TRANSFER,
     "userOutcome", "4"},
    {"hl-l1", "{\"type\":\"hip3LiquidatorTransfer\",\"dex\":\"test\",\"ntl\":1000000000,\"isDeposit\":true}",
     INTENT_TRANSFER, "hip3LiquidatorTransfer", "test", "", "1000"},
    {"hl-l1", "{\"type\":\"gossipPriorityBid\",\"slotId\":0,\"ip\":\"192.0.2.1\",\"maxGas\":1}", INTENT_TRANSFER,
     "gossipPriorityBid"},
    {"hl-l1",
     "{\"type\":\"agentSendAsset\",\"destination\":\"" ALICE
     "\",\"sourceDex\":\"\",\"destinationDex\":\"spot\",\"token\":\"USDC\",\"amount\":\"1\",\"fromSubAccount\":\"\","
     "\"nonce\":1700000000000}",
     INTENT_WITHDRAW, "agentSendAsset", "USDC", ALICE},

    {"hl-user", USER("usdSend") "\"destination\":\"" ALICE "\",\"amount\":\"1.0\",\"time\":1700000000000}",
     INTENT_WITHDRAW, "usdSend", "", ALICE, "1"},
    {"hl-user", USER("withdraw3") "\"destination\":\"" ALICE "\",\"amount\":\"5\",\"time\":1700000000000}",
     INTENT_WITHDRAW, "withdraw3", "", ALICE, "5"},
    {"hl-user",
     USER("spotSend") "\"destination\":\"" ALICE "\",\"token\":\"HYPE:0x2\",\"amount\":\"1\",\"time\":1700000000000}",
     INTENT_WITHDRAW, "spotSend", "HYPE:0x2", ALICE},
    {"hl-user",
     USER("sendAsset") "\"destination\":\"" ALICE "\",\"sourceDex\":\"\",\"destinationDex\":\"spot\",\"token\":"
                       "\"USDC\",\"amount\":\"1\",\"fromSubAccount\":\"" BOB "\",\"nonce\":1700000000000}",
     INTENT_WITHDRAW, "sendAsset", "USDC", ALICE},
    {"hl-user",
     USER("sendToEvmWithData") "\"token\":\"USDC\",\"amount\":\"1\",\"sourceDex\":\"\",\"destinationRecipient\":"
                               "\"" ALICE "\",\"addressEncoding\":\"hex\",\"destinationChainId\":3,\"gasLimit\":"
                               "200000,\"data\":\"0x\",\"nonce\":1700000000000}",
     INTENT_WITHDRAW, "sendToEvmWithData", "USDC", ALICE},
    {"hl-user",
     USER("usdClassTransfer") "\"amount\":\"7.0 subaccount:" BOB "\",\"toPerp\":true,\"nonce\":1700000000000}",
     INTENT_TRANSFER, "usdClassTransfer", "", BOB, "7"},
    {"hl-user", USER("cDeposit") "\"wei\":1,\"nonce\":1700000000000}", INTENT_TRANSFER, "cDeposit"},
    {"hl-user", USER("cWithdraw") "\"wei\":1,\"nonce\":1700000000000}", INTENT_TRANSFER, "cWithdraw"},
    {"hl-user",
     USER("tokenDelegate") "\"validator\":\"" ALICE "\",\"wei\":1,\"isUndelegate\":false,\"nonce\":1700000000000}",
     INTENT_TRANSFER, "tokenDelegate", "", ALICE},
    {"hl-user",
     USER("approveBuilderFee") "\"maxFeeRate\":\"0.001%\",\"builder\":\"" ALICE "\",\"nonce\":1700000000000}",
     INTENT_TRANSFER, "approveBuilderFee", "", ALICE},
    {"hl-user", USER("approveAgent") "\"agentAddress\":\"" ALICE "\",\"agentName\":\"\",\"nonce\":1700000000000}",
     INTENT_SESSION, "approveAgent", "", ALICE},
    {"hl-user",
     USER("convertToMultiSigUser") "\"signers\":\"{\\\"authorizedUsers\\\":[\\\"" ALICE
                                   "\\\"],\\\"threshold\\\":1}\",\"nonce\":1700000000000}",
     INTENT_WITHDRAW, "convertToMultiSigUser", "", ALICE},
    {"hl-user", USER("linkStakingUser") "\"user\":\"" ALICE "\",\"isFinalize\":false,\"nonce\":1700000000000}",
     INTENT_WITHDRAW, "linkStakingUser", "", ALICE},
    {"hl-user", USER("stakingLinkDisableTradingUser") "\"tradingUser\":\"" ALICE "\",\"nonce\":1700000000000}",
     INTENT_WITHDRAW, "stakingLinkDisableTradingUser", "", ALICE},
    {"hl-user", USER("userDexAbstraction") "\"user\":\"" ALICE "\",\"enabled\":true,\"nonce\":1700000000000}",
     INTENT_ACCOUNT, "userDexAbstraction"},
    {"hl-user",
     USER("userSetAbstraction") "\"user\":\"" ALICE "\",\"abstraction\":\"disabled\",\"nonce\":1700000000000}",
     INTENT_ACCOUNT, "userSetAbstraction"},
    {"hl-user", USER("userPortfolioMargin") "\"user\":\"" ALICE "\",\"enabled\":true,\"nonce\":1700000000000}",
     INTENT_ACCOUNT, "userPortfolioMargin"},

    {"hl-multisig",
     "{\"type\":\"multiSig\",\"signatureChainId\":\"0x66eee\",\"signatures\":[{\"r\":\"0x1\",\"s\":\"0xab\",\"v\":27}],"
     "\"payload\":{\"multiSigUser\":\"" ALICE "\",\"outerSigner\":\"" OWN
     "\",\"action\":" ONE_ORDER(ORDER("10.5", "2", GTC)) "}}",
     INTENT_ORDER, "multiSig/" ALICE "/order", "39", "", "21"},

    {"hl-l1",
     "{\"type\":\"perpDeploy\",\"registerAsset\":{\"maxGas\":null,\"assetRequest\":{\"coin\":\"c\",\"szDecimals\":2,"
     "\"oraclePx\":\"1.0\",\"marginTableId\":1,\"onlyIsolated\":true},\"dex\":\"d\",\"schema\":{\"fullName\":\"f\","
     "\"collateralToken\":0,\"oracleUpdater\":\"" ALICE "\"}}}",
     INTENT_TRANSFER, "perpDeploy/registerAsset"},
    {"hl-l1",
     "{\"type\":\"perpDeploy\",\"registerAsset2\":{\"maxGas\":5,\"assetRequest\":{\"coin\":\"c\",\"szDecimals\":2,"
     "\"oraclePx\":\"1.0\",\"marginTableId\":1,\"marginMode\":\"noCross\"},\"dex\":\"d\",\"schema\":null}}",
     INTENT_TRANSFER, "perpDeploy/registerAsset2"},
    {"hl-l1",
     "{\"type\":\"perpDeploy\",\"setOracle\":{\"dex\":\"d\",\"oraclePxs\":[[\"c\",\"1.0\"]],\"markPxs\":[[[\"c\","
     "\"1.0\"]]],\"externalPerpPxs\":[]}}",
     INTENT_ACCOUNT, "perpDeploy/setOracle"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setFundingMultipliers\":[[\"c\",\"1\"]]}", INTENT_ACCOUNT,
     "perpDeploy/setFundingMultipliers"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setFundingInterestRates\":[[\"c\",\"-0.01\"]]}", INTENT_ACCOUNT,
     "perpDeploy/setFundingInterestRates"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"haltTrading\":{\"coin\":\"c\",\"isHalted\":true}}", INTENT_ACCOUNT,
     "perpDeploy/haltTrading", "c"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setMarginTableIds\":[[\"c\",1]]}", INTENT_ACCOUNT,
     "perpDeploy/setMarginTableIds"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setFeeRecipient\":{\"dex\":\"d\",\"feeRecipient\":\"" ALICE "\"}}",
     INTENT_TRANSFER, "perpDeploy/setFeeRecipient", "", ALICE},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setOpenInterestCaps\":[[\"c\",1]]}", INTENT_ACCOUNT,
     "perpDeploy/setOpenInterestCaps"},
    {"hl-l1",
     "{\"type\":\"perpDeploy\",\"setSubDeployers\":{\"dex\":\"d\",\"subDeployers\":[{\"variant\":\"setOracle\","
     "\"user\":"
     "\"" ALICE "\",\"allowed\":true}]}}",
     INTENT_SESSION, "perpDeploy/setSubDeployers", "", ALICE},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setMarginModes\":[[\"c\",\"noCross\"]]}", INTENT_ACCOUNT,
     "perpDeploy/setMarginModes"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setFeeScale\":{\"dex\":\"d\",\"scale\":\"1.5\"}}", INTENT_ACCOUNT,
     "perpDeploy/setFeeScale"},
    {"hl-l1", "{\"type\":\"perpDeploy\",\"setGrowthModes\":[[\"c\",true]]}", INTENT_ACCOUNT,
     "perpDeploy/setGrowthModes"},
    {"hl-l1",
     "{\"type\":\"perpDeploy\",\"setPerpAnnotation\":{\"coin\":\"c\",\"category\":\"x\",\"description\":\"y\","
     "\"displayName\":null,\"keywords\":[\"z\"]}}",
     INTENT_ACCOUNT, "perpDeploy/setPerpAnnotation", "c"},
    {"hl-l1",
     "{\"type\":\"spotDeploy\",\"registerToken2\":{\"spec\":{\"name\":\"T\",\"szDecimals\":2,\"weiDecimals\":8},"
     "\"maxGas\":9,\"fullName\":\"n\"}}",
     INTENT_TRANSFER, "spotDeploy/registerToken2"},
    {"hl-l1",
     "{\"type\":\"spotDeploy\",\"userGenesis\":{\"token\":3,\"userAndWei\":[[\"" ALICE
     "\",\"5\"]],\"existingTokenAndWei\":[],\"blacklistUsers\":[[\"" BOB "\",true]]}}",
     INTENT_TRANSFER, "spotDeploy/userGenesis", "", ALICE},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"genesis\":{\"token\":3,\"maxSupply\":\"5\",\"noHyperliquidity\":true}}",
     INTENT_TRANSFER, "spotDeploy/genesis", "3"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"registerSpot\":{\"tokens\":[1,0]}}", INTENT_TRANSFER,
     "spotDeploy/registerSpot"},
    {"hl-l1",
     "{\"type\":\"spotDeploy\",\"registerHyperliquidity\":{\"spot\":1,\"startPx\":\"1.0\",\"orderSz\":\"1.0\","
     "\"nOrders\":4}}",
     INTENT_TRANSFER, "spotDeploy/registerHyperliquidity", "1"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"setDeployerTradingFeeShare\":{\"token\":3,\"share\":\"100%\"}}",
     INTENT_ACCOUNT, "spotDeploy/setDeployerTradingFeeShare", "3"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"enableQuoteToken\":{\"token\":3}}", INTENT_ACCOUNT,
     "spotDeploy/enableQuoteToken", "3"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"enableAlignedQuoteToken\":{\"token\":3}}", INTENT_ACCOUNT,
     "spotDeploy/enableAlignedQuoteToken", "3"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"enableFreezePrivilege\":{\"token\":3}}", INTENT_ACCOUNT,
     "spotDeploy/enableFreezePrivilege", "3"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"revokeFreezePrivilege\":{\"token\":3}}", INTENT_ACCOUNT,
     "spotDeploy/revokeFreezePrivilege", "3"},
    {"hl-l1", "{\"type\":\"spotDeploy\",\"freezeUser\":{\"token\":3,\"user\":\"" ALICE "\",\"freeze\":true}}",
     INTENT_ACCOUNT, "spotDeploy/freezeUser", "3"},
    {"hl-l1", "{\"type\":\"CSignerAction\",\"jailSelf\":null}", INTENT_ACCOUNT, "CSignerAction/jailSelf"},
    {"hl-l1", "{\"type\":\"CSignerAction\",\"unjailSelf\":null}", INTENT_ACCOUNT, "CSignerAction/unjailSelf"},
    {"hl-l1",
     "{\"type\":\"CValidatorAction\",\"changeProfile\":{\"node_ip\":{\"Ip\":\"192.0.2.1\"},\"name\":null,"
     "\"description\":null,\"unjailed\":true,\"disable_delegations\":null,\"commission_bps\":null,\"signer\":\"" ALICE
     "\"}}",
     INTENT_SESSION, "CValidatorAction/changeProfile", "", ALICE},
    {"hl-l1",
     "{\"type\":\"CValidatorAction\",\"register\":{\"profile\":{\"node_ip\":{\"Ip\":\"192.0.2.1\"},\"name\":\"n\","
     "\"description\":\"d\",\"delegations_disabled\":false,\"commission_bps\":1,\"signer\":\"" ALICE
     "\"},\"unjailed\":false,\"initial_wei\":1}}",
     INTENT_TRANSFER, "CValidatorAction/register", "", ALICE},
    {"hl-l1", "{\"type\":\"CValidatorAction\",\"unregister\":null}", INTENT_ACCOUNT, "CValidatorAction/unregister"},
    {"hl-l1", "{\"type\":\"finalizeEvmContract\",\"token\":3,\"input\":{\"create\":{\"nonce\":0}}}", INTENT_ACCOUNT,
     "finalizeEvmContract", "3"},
    {"hl-l1", "{\"type\":\"authorizeAqav2Role\",\"token\":3,\"role\":\"treasury\"}", INTENT_SESSION,
     "authorizeAqav2Role", "3"},
    {"hl-l1", "{\"type\":\"activateOutcomeDeployer\",\"isDeactivate\":false}", INTENT_TRANSFER,
     "activateOutcomeDeployer"},
};

static void decimal_is(struct decimal d, const char *text)
{
    char memory[64];
    struct writer w = writer_fixed(memory, sizeof(memory));
    decimal_put(&w, d);
    assert_true(view_is(writer_view_of(&w), text));
}

static void text_is(struct view got, const char *want)
{
    if (!view_is(got, want ? want : ""))
        fail_msg("'%.*s' is not '%s'", (int)got.len, (const char *)got.ptr, want ? want : "");
}

static void every_action_is_told_to_the_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *e = &examples[i];
        struct intents intents = {0};
        struct problem why = {0};
        if (case_judge(venue, e->scheme, e->action, arena, &intents, &why) != OK)
            fail_msg("%s: %s %s", e->endpoint, why.where, why.detail);
        assert_int_equal(intents.count, 1);
        assert_int_equal(intents.items[0].class, e->class);
        text_is(intents.items[0].endpoint, e->endpoint);
        text_is(intents.items[0].symbol, e->symbol);
        text_is(intents.items[0].destination, e->destination);
        assert_int_equal(intents.items[0].has_notional, e->notional != NULL);
        if (e->notional)
            decimal_is(intents.items[0].notional, e->notional);
        arena_reset(arena);
    }
}

static void every_row_has_an_example(void **state)
{
    const struct hl_actions *tables[] = {&hyperliquid_trade_actions, &hyperliquid_user_actions,
                                         &hyperliquid_deploy_actions};
    size_t rows = 0, found = 0;
    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        rows += tables[t]->count;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        json_t *action = NULL;
        assert_int_equal(json_read(view_str(examples[i].action), &action, NULL), OK);
        const struct hl_action *row = hyperliquid_action_find(action);
        assert_non_null(row);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(examples[k].endpoint, examples[i].endpoint);
        found++;
        json_decref(action);
    }
    assert_int_equal(found, rows);
}

/* --- the sets are closed: one member more, or one less, at any depth */

static size_t tried;

static void expect_refused(const char *scheme, const json_t *action, enum err code)
{
    char *text = json_dumps(action, JSON_COMPACT);
    struct intents intents = {0};
    struct problem why = {0};
    enum err e = case_judge(venue, scheme, text, arena, &intents, &why);
    bool as_expected = code == ERR_UNKNOWN_PARAMETER ? e == code || e == ERR_BAD_VALUE || e == ERR_UNKNOWN_ENDPOINT
                                                     : e != OK;
    if (!as_expected || (e == ERR_UNKNOWN_PARAMETER && why.where[0] != '/'))
        fail_msg("%s gave %s at %s", text, e == OK ? "ok" : err_code(e), why.where);
    free(text);
    tried++;
    arena_reset(arena);
}

static void add_everywhere(const char *scheme, const json_t *root, json_t *at)
{
    const char *name;
    json_t *value;
    size_t i;
    if (json_is_object(at)) {
        json_object_set_new(at, "surprise", json_true());
        expect_refused(scheme, root, ERR_UNKNOWN_PARAMETER);
        json_object_del(at, "surprise");
    }
    json_object_foreach(at, name, value) add_everywhere(scheme, root, value);
    json_array_foreach(at, i, value) add_everywhere(scheme, root, value);
}

static void an_unknown_member_is_refused_at_every_depth(void **state)
{
    (void)state;
    tried = 0;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        json_t *action = json_loads(examples[i].action, 0, NULL);
        add_everywhere(examples[i].scheme, action, action);
        json_decref(action);
    }
    assert_true(tried > 100);
}

static bool may_be_left_out(const char *name)
{
    static const char *const optional[] = {"time", "agentName", "fullName", "noHyperliquidity", "blacklistUsers"};
    for (size_t i = 0; i < ARRAY_LEN(optional); i++)
        if (strcmp(optional[i], name) == 0)
            return true;
    return false;
}

static void remove_everywhere(const char *scheme, json_t *root, json_t *at)
{
    json_t *copy = json_copy(at), *value;
    const char *name;
    size_t i;
    json_object_foreach(copy, name, value)
    {
        if (!may_be_left_out(name)) {
            json_object_del(at, name);
            expect_refused(scheme, root, ERR_MISSING_FIELD);
            json_object_set(at, name, value);
        }
        remove_everywhere(scheme, root, value);
    }
    json_array_foreach(copy, i, value) remove_everywhere(scheme, root, value);
    json_decref(copy);
}

static void a_missing_member_is_refused_at_every_depth(void **state)
{
    (void)state;
    tried = 0;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        json_t *action = json_loads(examples[i].action, 0, NULL);
        remove_everywhere(examples[i].scheme, action, action);
        json_decref(action);
    }
    assert_true(tried > 200);
}

/* A value of another kind in place of every value. */
static void replace_everywhere(const char *scheme, json_t *root, json_t *at)
{
    const char *name;
    json_t *value, *copy = json_copy(at),
                   *wrong[] = {json_real(1.5), json_integer(-9007199254740993), json_pack("[n]")};
    json_object_foreach(copy, name, value)
    {
        for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
            json_object_set(at, name, wrong[k]);
            expect_refused(scheme, root, ERR_WRONG_TYPE);
        }
        json_object_set(at, name, value);
        replace_everywhere(scheme, root, value);
    }
    for (size_t i = 0; i < json_array_size(copy); i++)
        replace_everywhere(scheme, root, json_array_get(copy, i));
    for (size_t k = 0; k < ARRAY_LEN(wrong); k++)
        json_decref(wrong[k]);
    json_decref(copy);
}

static void a_value_of_the_wrong_kind_is_refused_everywhere(void **state)
{
    (void)state;
    tried = 0;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        json_t *action = json_loads(examples[i].action, 0, NULL);
        replace_everywhere(examples[i].scheme, action, action);
        json_decref(action);
    }
    assert_true(tried > 600);
}

static void decimals_are_brought_into_one_form(void **state)
{
    static const char *const pairs[][2] = {{"-0", "0"}, {"-0.50", "-0.5"}, {"00.1", "0.1"}, {"1.00000000000", "1"},
                                           {"0", "0"},  {"007", "7"}};
    static const char *const wrong[] = {"", ".", "-", "+1", "1e2", " 1", "1 ", "1..2", "0x1", "--1", "1,5"};
    char text[64];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct writer w = writer_fixed(text, sizeof(text));
        assert_int_equal(hyperliquid_decimal(view_str(pairs[i][0]), &w), OK);
        assert_true(view_is(writer_view_of(&w), pairs[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct writer w = writer_fixed(text, sizeof(text));
        assert_int_equal(hyperliquid_decimal(view_str(wrong[i]), &w), ERR_MALFORMED);
        assert_false(hyperliquid_is_normal(view_str(wrong[i])));
    }
    struct writer w = writer_fixed(text, sizeof(text));
    assert_int_equal(hyperliquid_decimal(VIEW_STR("0.000000001"), &w), ERR_OUT_OF_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_action_is_told_to_the_policy, reset),
        cmocka_unit_test(every_row_has_an_example),
        cmocka_unit_test(an_unknown_member_is_refused_at_every_depth),
        cmocka_unit_test(a_missing_member_is_refused_at_every_depth),
        cmocka_unit_test(a_value_of_the_wrong_kind_is_refused_everywhere),
        cmocka_unit_test(decimals_are_brought_into_one_form),
    };
    venue = case_venue();
    arena = case_arena();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    venue_free(venue);
    return failed;
}
