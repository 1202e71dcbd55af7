/* L1 actions of deployers and validators. Each variant is a row of its own, since some set a price and others pay out.
 * Registering burns the gas of an auction: TRANSFER. */
#include "signer/hyperliquid_action.h"

static const char *const margin_modes[] = {"strictIsolated", "noCross", NULL};
static const char *const slots[] = {"firstStorageSlot", "customStorageSlot", NULL};
static const char *const roles[] = {"technical", "treasury", NULL};

/* Lists of [coin, value]. */
#define PAIRS(name, ...)                                                                                               \
    static const struct hl_shape name##_pair = HL_SHAPE_OF(HL_TUPLE, HL_NO_INTENT, {"", HL_TEXT}, __VA_ARGS__);        \
    static const struct hl_shape name = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &name##_pair})

PAIRS(price_pairs, {"", HL_AMOUNT});
PAIRS(rate_pairs, {"", HL_RATE});
PAIRS(number_pairs, {"", HL_UINT});
PAIRS(mode_pairs, {"", HL_CHOICE, .choices = margin_modes});
PAIRS(switch_pairs, {"", HL_BOOL});
static const struct hl_shape price_lists = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &price_pairs});
static const struct hl_shape texts = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_TEXT});

/* --- perpDeploy (HIP-3) */
static const struct hl_shape dex_schema = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"fullName", HL_TEXT},
                                                      {"collateralToken", HL_UINT},
                                                      {"oracleUpdater", HL_ADDRESS, HL_PLAIN, HL_NULLABLE});
static const struct hl_shape asset_request = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"coin", HL_TEXT},
                                                         {"szDecimals", HL_UINT}, {"oraclePx", HL_AMOUNT},
                                                         {"marginTableId", HL_UINT}, {"onlyIsolated", HL_BOOL});
static const struct hl_shape asset_request2 = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"coin", HL_TEXT}, {"szDecimals", HL_UINT}, {"oraclePx", HL_AMOUNT},
    {"marginTableId", HL_UINT}, {"marginMode", HL_CHOICE, .choices = margin_modes});
static const struct hl_shape register_asset = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"maxGas", HL_UINT, HL_PLAIN, HL_NULLABLE},
    {"assetRequest", HL_SHAPE, .shape = &asset_request}, {"dex", HL_TEXT},
    {"schema", HL_SHAPE, HL_PLAIN, HL_NULLABLE, &dex_schema});
static const struct hl_shape register_asset2 = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"maxGas", HL_UINT, HL_PLAIN, HL_NULLABLE},
    {"assetRequest", HL_SHAPE, .shape = &asset_request2}, {"dex", HL_TEXT},
    {"schema", HL_SHAPE, HL_PLAIN, HL_NULLABLE, &dex_schema});
static const struct hl_shape set_oracle = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"dex", HL_TEXT}, {"oraclePxs", HL_SHAPE, .shape = &price_pairs},
    {"markPxs", HL_SHAPE, .shape = &price_lists}, {"externalPerpPxs", HL_SHAPE, .shape = &price_pairs});
static const struct hl_shape halt_trading = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"coin", HL_TEXT, HL_SYMBOL},
                                                        {"isHalted", HL_BOOL});
static const struct hl_shape fee_recipient = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"dex", HL_TEXT},
                                                         {"feeRecipient", HL_ADDRESS, HL_DESTINATION});
static const struct hl_shape sub_deployer = HL_SHAPE_OF(HL_RECORD, HL_INTENT_SESSION, {"variant", HL_TEXT},
                                                        {"user", HL_ADDRESS, HL_DESTINATION}, {"allowed", HL_BOOL});
static const struct hl_shape sub_deployer_list = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT,
                                                             {"", HL_SHAPE, .shape = &sub_deployer});
static const struct hl_shape sub_deployers = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"dex", HL_TEXT},
                                                         {"subDeployers", HL_SHAPE, .shape = &sub_deployer_list});
static const struct hl_shape fee_scale = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"dex", HL_TEXT}, {"scale", HL_AMOUNT});
static const struct hl_shape annotation = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"coin", HL_TEXT, HL_SYMBOL}, {"category", HL_TEXT}, {"description", HL_TEXT},
    {"displayName", HL_TEXT, HL_PLAIN, HL_NULLABLE}, {"keywords", HL_SHAPE, .shape = &texts});

/* --- spotDeploy (HIP-1, HIP-2) */
static const struct hl_shape token_spec = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"name", HL_TEXT},
                                                      {"szDecimals", HL_UINT}, {"weiDecimals", HL_UINT});
static const struct hl_shape register_token = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT,
                                                          {"spec", HL_SHAPE, .shape = &token_spec}, {"maxGas", HL_UINT},
                                                          {"fullName", HL_TEXT, HL_PLAIN, HL_OPTIONAL});
static const struct hl_shape user_wei = HL_SHAPE_OF(HL_TUPLE, HL_INTENT, {"", HL_ADDRESS, HL_DESTINATION},
                                                    {"", HL_AMOUNT, HL_SIZE});
static const struct hl_shape user_weis = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &user_wei});
static const struct hl_shape token_wei = HL_SHAPE_OF(HL_TUPLE, HL_INTENT, {"", HL_UINT, HL_ASSET},
                                                     {"", HL_AMOUNT, HL_SIZE});
static const struct hl_shape token_weis = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &token_wei});
static const struct hl_shape barred = HL_SHAPE_OF(HL_TUPLE, HL_NO_INTENT, {"", HL_ADDRESS}, {"", HL_BOOL});
static const struct hl_shape barreds = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT, {"", HL_SHAPE, .shape = &barred});
static const struct hl_shape user_genesis = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"token", HL_UINT, HL_ASSET},
                                                        {"userAndWei", HL_SHAPE, .shape = &user_weis},
                                                        {"existingTokenAndWei", HL_SHAPE, .shape = &token_weis},
                                                        {"blacklistUsers", HL_SHAPE, HL_PLAIN, HL_OPTIONAL, &barreds});
static const struct hl_shape genesis = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"token", HL_UINT, HL_ASSET},
                                                   {"maxSupply", HL_AMOUNT},
                                                   {"noHyperliquidity", HL_BOOL, HL_PLAIN, HL_OPTIONAL});
static const struct hl_shape token_pair = HL_SHAPE_OF(HL_TUPLE, HL_NO_INTENT, {"", HL_UINT}, {"", HL_UINT});
static const struct hl_shape register_spot = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT,
                                                         {"tokens", HL_SHAPE, .shape = &token_pair});
static const struct hl_shape liquidity = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"spot", HL_UINT, HL_ASSET}, {"startPx", HL_AMOUNT}, {"orderSz", HL_AMOUNT},
    {"nOrders", HL_UINT}, {"nSeededLevels", HL_UINT, HL_PLAIN, HL_OPTIONAL});
static const struct hl_shape fee_share = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"token", HL_UINT, HL_ASSET},
                                                     {"share", HL_TEXT});
static const struct hl_shape one_token = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"token", HL_UINT, HL_ASSET});
static const struct hl_shape freeze_user = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"token", HL_UINT, HL_ASSET},
                                                       {"user", HL_ADDRESS}, {"freeze", HL_BOOL});

/* --- validators and EVM contracts */
static const struct hl_shape node_ip = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"Ip", HL_TEXT});
static const struct hl_shape change_profile = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"node_ip", HL_SHAPE, HL_PLAIN, HL_NULLABLE, &node_ip},
    {"name", HL_TEXT, HL_PLAIN, HL_NULLABLE}, {"description", HL_TEXT, HL_PLAIN, HL_NULLABLE}, {"unjailed", HL_BOOL},
    {"disable_delegations", HL_BOOL, HL_PLAIN, HL_NULLABLE}, {"commission_bps", HL_UINT, HL_PLAIN, HL_NULLABLE},
    {"signer", HL_ADDRESS, HL_DESTINATION, HL_NULLABLE});
static const struct hl_shape profile = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"node_ip", HL_SHAPE, .shape = &node_ip}, {"name", HL_TEXT}, {"description", HL_TEXT},
    {"delegations_disabled", HL_BOOL}, {"commission_bps", HL_UINT}, {"signer", HL_ADDRESS, HL_DESTINATION});
static const struct hl_shape registration = HL_SHAPE_OF(
    HL_RECORD, HL_NO_INTENT, {"profile", HL_SHAPE, .shape = &profile}, {"unjailed", HL_BOOL}, {"initial_wei", HL_UINT});
static const struct hl_shape create_input = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"nonce", HL_UINT});
static const struct hl_shape evm_input = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT,
                                                     {"create", HL_SHAPE, .shape = &create_input});

#define ROW(type_, variant_, class_, intent_, ...)                                                                     \
    {                                                                                                                  \
        type_, variant_, type_ "/" variant_, HL_L1, class_, HL_SHAPE_OF(HL_RECORD, intent_, {variant_, __VA_ARGS__}),  \
            NULL                                                                                                       \
    }
#define VARIANT(type_, variant_, class_, ...)         ROW(type_, variant_, class_, HL_INTENT, __VA_ARGS__)
#define VARIANT_OF_EACH(type_, variant_, class_, ...) ROW(type_, variant_, class_, HL_NO_INTENT, __VA_ARGS__)
#define L1(type_, class_, ...)                                                                                         \
    {                                                                                                                  \
        type_, NULL, type_, HL_L1, class_, HL_SHAPE_OF(HL_RECORD, HL_INTENT, __VA_ARGS__), NULL                        \
    }
#define OF(shape_) HL_SHAPE, .shape = &shape_

static const struct hl_action rows[] = {
    VARIANT("perpDeploy", "registerAsset", INTENT_TRANSFER, OF(register_asset)),
    VARIANT("perpDeploy", "registerAsset2", INTENT_TRANSFER, OF(register_asset2)),
    VARIANT("perpDeploy", "setOracle", INTENT_ACCOUNT, OF(set_oracle)),
    VARIANT("perpDeploy", "setFundingMultipliers", INTENT_ACCOUNT, OF(price_pairs)),
    VARIANT("perpDeploy", "setFundingInterestRates", INTENT_ACCOUNT, OF(rate_pairs)),
    VARIANT("perpDeploy", "haltTrading", INTENT_ACCOUNT, OF(halt_trading)),
    VARIANT("perpDeploy", "setMarginTableIds", INTENT_ACCOUNT, OF(number_pairs)),
    VARIANT("perpDeploy", "setFeeRecipient", INTENT_TRANSFER, OF(fee_recipient)),
    VARIANT("perpDeploy", "setOpenInterestCaps", INTENT_ACCOUNT, OF(number_pairs)),
    VARIANT_OF_EACH("perpDeploy", "setSubDeployers", INTENT_SESSION, OF(sub_deployers)),
    VARIANT("perpDeploy", "setMarginModes", INTENT_ACCOUNT, OF(mode_pairs)),
    VARIANT("perpDeploy", "setFeeScale", INTENT_ACCOUNT, OF(fee_scale)),
    VARIANT("perpDeploy", "setGrowthModes", INTENT_ACCOUNT, OF(switch_pairs)),
    VARIANT("perpDeploy", "setPerpAnnotation", INTENT_ACCOUNT, OF(annotation)),
    VARIANT("spotDeploy", "registerToken2", INTENT_TRANSFER, OF(register_token)),
    VARIANT_OF_EACH("spotDeploy", "userGenesis", INTENT_TRANSFER, OF(user_genesis)),
    VARIANT("spotDeploy", "genesis", INTENT_TRANSFER, OF(genesis)),
    VARIANT("spotDeploy", "registerSpot", INTENT_TRANSFER, OF(register_spot)),
    VARIANT("spotDeploy", "registerHyperliquidity", INTENT_TRANSFER, OF(liquidity)),
    VARIANT("spotDeploy", "setDeployerTradingFeeShare", INTENT_ACCOUNT, OF(fee_share)),
    VARIANT("spotDeploy", "enableQuoteToken", INTENT_ACCOUNT, OF(one_token)),
    VARIANT("spotDeploy", "enableAlignedQuoteToken", INTENT_ACCOUNT, OF(one_token)),
    VARIANT("spotDeploy", "enableFreezePrivilege", INTENT_ACCOUNT, OF(one_token)),
    VARIANT("spotDeploy", "revokeFreezePrivilege", INTENT_ACCOUNT, OF(one_token)),
    VARIANT("spotDeploy", "freezeUser", INTENT_ACCOUNT, OF(freeze_user)),
    VARIANT("CSignerAction", "jailSelf", INTENT_ACCOUNT, HL_NOTHING),
    VARIANT("CSignerAction", "unjailSelf", INTENT_ACCOUNT, HL_NOTHING),
    VARIANT("CValidatorAction", "changeProfile", INTENT_SESSION, OF(change_profile)),
    VARIANT("CValidatorAction", "register", INTENT_TRANSFER, OF(registration)),
    VARIANT("CValidatorAction", "unregister", INTENT_ACCOUNT, HL_NOTHING),
    L1("finalizeEvmContract", INTENT_ACCOUNT, {"token", HL_UINT, HL_ASSET},
       {"input", HL_CHOICE, .shape = &evm_input, .choices = slots}),
    L1("authorizeAqav2Role", INTENT_SESSION, {"token", HL_UINT, HL_ASSET}, {"role", HL_CHOICE, .choices = roles}),
    L1("activateOutcomeDeployer", INTENT_TRANSFER, {"isDeactivate", HL_BOOL}),
};

const struct hl_actions hyperliquid_deploy_actions = {rows, ARRAY_LEN(rows)};
