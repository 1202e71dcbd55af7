/* L1 actions of a trading account. Classes: what pays out to, or can be drawn by, somebody else is WITHDRAW or
 * TRANSFER; what only burns a fee is ACCOUNT; what grants rights is SESSION. */
#include "signer/hyperliquid_action.h"

static const char *const tifs[] = {"Gtc", "Ioc", "Alo", "FrontendMarket", "LiquidationMarket", NULL};
static const char *const tpsls[] = {"tp", "sl", NULL};
static const char *const groupings[] = {"na", "normalTpsl", "positionTpsl", NULL};
static const char *const abstractions[] = {"i", "u", "p", NULL};
static const char *const operations[] = {"supply", "withdraw", "repay", "borrow", NULL};

static const struct hl_shape limit = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"tif", HL_CHOICE, HL_TIF, .choices = tifs});

static const struct hl_shape trigger = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"isMarket", HL_BOOL, HL_MARKET},
                                                   {"triggerPx", HL_DECIMAL}, {"tpsl", HL_CHOICE, .choices = tpsls});

static const struct hl_shape order_kind = HL_SHAPE_OF(HL_ONE_OF, HL_NO_INTENT, {"limit", HL_SHAPE, .shape = &limit},
                                                      {"trigger", HL_SHAPE, .shape = &trigger});

static const struct hl_shape order = HL_SHAPE_OF(
    HL_RECORD, HL_INTENT, {"a", HL_UINT, HL_ASSET}, {"b", HL_BOOL, HL_SIDE}, {"p", HL_DECIMAL, HL_PRICE},
    {"s", HL_DECIMAL, HL_SIZE}, {"r", HL_BOOL, HL_REDUCE}, {"t", HL_SHAPE, .shape = &order_kind},
    {"c", HL_CLOID, HL_PLAIN, HL_OPTIONAL});
static const struct hl_shape orders = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &order});

/* A priority fee is burned, a builder's fee goes to whoever is named. */
static const struct hl_shape priority = HL_SHAPE_OF(HL_RECORD, HL_INTENT_ACCOUNT, {"p", HL_UINT, HL_SPENDS});
static const struct hl_shape builder = HL_SHAPE_OF(HL_RECORD, HL_INTENT_TRANSFER, {"b", HL_ADDRESS, HL_DESTINATION},
                                                   {"f", HL_UINT, HL_SPENDS});

static const struct hl_shape cancel = HL_SHAPE_OF(HL_RECORD, HL_INTENT, {"a", HL_UINT, HL_ASSET}, {"o", HL_UINT});
static const struct hl_shape cancels = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &cancel});

static const struct hl_shape cloid_cancel = HL_SHAPE_OF(HL_RECORD, HL_INTENT, {"asset", HL_UINT, HL_ASSET},
                                                        {"cloid", HL_CLOID});
static const struct hl_shape cloid_cancels = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &cloid_cancel});

static const struct hl_shape modify = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"oid", HL_ORDER_REF},
                                                  {"order", HL_SHAPE, .shape = &order});
static const struct hl_shape modifies = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &modify});

static const struct hl_shape twap = {HL_LIST_OF({"a", HL_UINT, HL_ASSET}, {"b", HL_BOOL, HL_SIDE},
                                                {"s", HL_DECIMAL, HL_SIZE}, {"r", HL_BOOL, HL_REDUCE}, {"m", HL_UINT},
                                                {"t", HL_BOOL}),
                                     HL_RECORD, HL_INTENT, "twap"};

static const struct hl_shape dusting = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"optOut", HL_BOOL});

static const struct hl_shape outcome = HL_SHAPE_OF(HL_RECORD, HL_INTENT, {"outcome", HL_UINT, HL_ASSET},
                                                   {"amount", HL_AMOUNT, HL_SIZE, HL_NULLABLE});
static const struct hl_shape question = HL_SHAPE_OF(HL_RECORD, HL_INTENT, {"question", HL_UINT},
                                                    {"amount", HL_AMOUNT, HL_SIZE, HL_NULLABLE});
static const struct hl_shape negation = HL_SHAPE_OF(HL_RECORD, HL_INTENT, {"question", HL_UINT},
                                                    {"outcome", HL_UINT, HL_ASSET}, {"amount", HL_AMOUNT, HL_SIZE});

#define L1(type_, class_, intent_, ...)                                                                                \
    {                                                                                                                  \
        type_, NULL, type_, HL_L1, class_, HL_SHAPE_OF(HL_RECORD, intent_, __VA_ARGS__), NULL                          \
    }
#define L1_BARE(type_, class_)                                                                                         \
    {                                                                                                                  \
        type_, NULL, type_, HL_L1, class_, {NULL, 0, HL_RECORD, HL_INTENT, NULL}, NULL                                 \
    }

static const struct hl_action rows[] = {
    /* orders */
    L1("order", INTENT_ORDER, HL_NO_INTENT, {"orders", HL_SHAPE, .shape = &orders},
       {"grouping", HL_CHOICE, .shape = &priority, .choices = groupings},
       {"builder", HL_SHAPE, HL_PLAIN, HL_OPTIONAL, &builder}),
    L1("cancel", INTENT_CANCEL, HL_NO_INTENT, {"cancels", HL_SHAPE, .shape = &cancels}),
    L1("cancelByCloid", INTENT_CANCEL, HL_NO_INTENT, {"cancels", HL_SHAPE, .shape = &cloid_cancels}),
    L1("modify", INTENT_AMEND, HL_NO_INTENT, {"oid", HL_ORDER_REF}, {"order", HL_SHAPE, .shape = &order}),
    L1("batchModify", INTENT_AMEND, HL_NO_INTENT, {"modifies", HL_SHAPE, .shape = &modifies}),
    L1("scheduleCancel", INTENT_CANCEL, HL_INTENT, {"time", HL_UINT, HL_PLAIN, HL_OPTIONAL}),
    L1("twapOrder", INTENT_ORDER, HL_NO_INTENT, {"twap", HL_SHAPE, .shape = &twap}),
    L1("twapCancel", INTENT_CANCEL, HL_INTENT, {"a", HL_UINT, HL_ASSET}, {"t", HL_UINT}),
    L1_BARE("noop", INTENT_CANCEL), /* uses up a nonce, which calls back a request that is under way */
    /* margin and settings */
    L1("updateLeverage", INTENT_ACCOUNT, HL_INTENT, {"asset", HL_UINT, HL_ASSET}, {"isCross", HL_BOOL},
       {"leverage", HL_UINT}),
    L1("updateIsolatedMargin", INTENT_ACCOUNT, HL_INTENT, {"asset", HL_UINT, HL_ASSET}, {"isBuy", HL_BOOL, HL_SIDE},
       {"ntli", HL_INT}),
    L1("topUpIsolatedOnlyMargin", INTENT_ACCOUNT, HL_INTENT, {"asset", HL_UINT, HL_ASSET}, {"leverage", HL_AMOUNT}),
    L1("evmUserModify", INTENT_ACCOUNT, HL_INTENT, {"usingBigBlocks", HL_BOOL}),
    L1("spotUser", INTENT_ACCOUNT, HL_INTENT, {"toggleSpotDusting", HL_SHAPE, .shape = &dusting}),
    L1("setDisplayName", INTENT_ACCOUNT, HL_INTENT, {"displayName", HL_TEXT}),
    L1("setReferrer", INTENT_ACCOUNT, HL_INTENT, {"code", HL_TEXT}),
    L1("registerReferrer", INTENT_ACCOUNT, HL_INTENT, {"code", HL_TEXT}),
    L1_BARE("claimRewards", INTENT_ACCOUNT),
    L1("reserveRequestWeight", INTENT_ACCOUNT, HL_INTENT, {"weight", HL_UINT}),
    L1("createSubAccount", INTENT_ACCOUNT, HL_INTENT, {"name", HL_TEXT}),
    L1("subAccountModify", INTENT_ACCOUNT, HL_INTENT, {"subAccountUser", HL_ADDRESS}, {"name", HL_TEXT}),
    L1("agentSetAbstraction", INTENT_ACCOUNT, HL_INTENT, {"abstraction", HL_CHOICE, .choices = abstractions}),
    L1_BARE("agentEnableDexAbstraction", INTENT_ACCOUNT),
    L1("vaultModify", INTENT_ACCOUNT, HL_INTENT, {"vaultAddress", HL_ADDRESS},
       {"allowDeposits", HL_BOOL, HL_PLAIN, HL_NULLABLE}, {"alwaysCloseOnWithdraw", HL_BOOL, HL_PLAIN, HL_NULLABLE}),
    L1("validatorL1Stream", INTENT_ACCOUNT, HL_INTENT, {"riskFreeRate", HL_RATE}),
    /* funds */
    L1("vaultTransfer", INTENT_TRANSFER, HL_INTENT, {"vaultAddress", HL_ADDRESS, HL_DESTINATION},
       {"isDeposit", HL_BOOL}, {"usd", HL_UINT, HL_USD_MICRO}),
    L1("subAccountTransfer", INTENT_TRANSFER, HL_INTENT, {"subAccountUser", HL_ADDRESS, HL_DESTINATION},
       {"isDeposit", HL_BOOL}, {"usd", HL_UINT, HL_USD_MICRO}),
    L1("subAccountSpotTransfer", INTENT_TRANSFER, HL_INTENT, {"subAccountUser", HL_ADDRESS, HL_DESTINATION},
       {"isDeposit", HL_BOOL}, {"token", HL_TEXT, HL_SYMBOL}, {"amount", HL_AMOUNT, HL_SIZE}),
    L1("createVault", INTENT_TRANSFER, HL_INTENT, {"name", HL_TEXT}, {"description", HL_TEXT},
       {"initialUsd", HL_UINT, HL_USD_MICRO}, {"nonce", HL_UINT, HL_NONCE}),
    L1("vaultDistribute", INTENT_TRANSFER, HL_INTENT, {"vaultAddress", HL_ADDRESS, HL_DESTINATION},
       {"usd", HL_UINT, HL_USD_MICRO}),
    L1("borrowLend", INTENT_TRANSFER, HL_INTENT, {"operation", HL_CHOICE, .choices = operations},
       {"token", HL_UINT, HL_ASSET}, {"amount", HL_AMOUNT, HL_SIZE, HL_NULLABLE}),
    L1("userOutcome", INTENT_TRANSFER, HL_NO_INTENT, {"splitOutcome", HL_SHAPE, HL_PLAIN, HL_OPTIONAL, &outcome},
       {"mergeOutcome", HL_SHAPE, HL_PLAIN, HL_OPTIONAL, &outcome},
       {"mergeQuestion", HL_SHAPE, HL_PLAIN, HL_OPTIONAL, &question},
       {"negateOutcome", HL_SHAPE, HL_PLAIN, HL_OPTIONAL, &negation}),
    L1("hip3LiquidatorTransfer", INTENT_TRANSFER, HL_INTENT, {"dex", HL_TEXT, HL_SYMBOL},
       {"ntl", HL_UINT, HL_USD_MICRO}, {"isDeposit", HL_BOOL}),
    L1("gossipPriorityBid", INTENT_TRANSFER, HL_INTENT, {"slotId", HL_UINT}, {"ip", HL_TEXT}, {"maxGas", HL_UINT}),
    L1("agentSendAsset", INTENT_WITHDRAW, HL_INTENT, {"destination", HL_ADDRESS, HL_DESTINATION},
       {"sourceDex", HL_TEXT}, {"destinationDex", HL_TEXT}, {"token", HL_TEXT, HL_SYMBOL},
       {"amount", HL_AMOUNT, HL_SIZE}, {"fromSubAccount", HL_SENDER}, {"nonce", HL_UINT, HL_NONCE}),
};

const struct hl_actions hyperliquid_trade_actions = {rows, ARRAY_LEN(rows)};
