/* Actions that only the account's own key may sign, as EIP-712 HyperliquidTransaction:<primary>. The members are in the
 * order of the type; "hyperliquidChain" always comes first and is not repeated here. What gives the account's money or
 * the account itself to somebody else is WITHDRAW. */
#include "signer/hyperliquid_action.h"

static const char *const encodings[] = {"hex", "base58", NULL};
static const char *const abstractions[] = {"disabled", "unifiedAccount", "portfolioMargin", NULL};

static const struct hl_shape inner_signature = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"r", HL_SCALAR}, {"s", HL_SCALAR},
                                                           {"v", HL_UINT});
static const struct hl_shape inner_signatures = HL_SHAPE_OF(HL_EACH, HL_NO_INTENT,
                                                            {"", HL_SHAPE, .shape = &inner_signature});
static const struct hl_shape payload = HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"multiSigUser", HL_ADDRESS},
                                                   {"outerSigner", HL_ADDRESS}, {"action", HL_ACTION});

#define USER(type_, primary_, class_, ...)                                                                             \
    {                                                                                                                  \
        type_, NULL, type_, HL_USER, class_, HL_SHAPE_OF(HL_RECORD, HL_INTENT, __VA_ARGS__), primary_                  \
    }
#define TEXT(...)        HL_TEXT, __VA_ARGS__, .eip = "string"
#define ADDRESS(...)     HL_ADDRESS, __VA_ARGS__, .eip = "address"
#define TO_TEXT          HL_ADDRESS, HL_DESTINATION, .eip = "string"
#define AMOUNT(meaning_) HL_AMOUNT, meaning_, .eip = "string"
#define FLAG             HL_BOOL, .eip = "bool"
#define NUMBER           HL_UINT, .eip = "uint64"
#define NONCE(name_)                                                                                                   \
    {                                                                                                                  \
        name_, HL_UINT, HL_NONCE, .eip = "uint64"                                                                      \
    }

static const struct hl_action rows[] = {
    USER("usdSend", "UsdSend", INTENT_WITHDRAW, {"destination", TO_TEXT}, {"amount", AMOUNT(HL_USD)}, NONCE("time")),
    USER("withdraw3", "Withdraw", INTENT_WITHDRAW, {"destination", TO_TEXT}, {"amount", AMOUNT(HL_USD)}, NONCE("time")),
    USER("spotSend", "SpotSend", INTENT_WITHDRAW, {"destination", TO_TEXT}, {"token", TEXT(HL_SYMBOL)},
         {"amount", AMOUNT(HL_SIZE)}, NONCE("time")),
    USER("sendAsset", "SendAsset", INTENT_WITHDRAW, {"destination", TO_TEXT}, {"sourceDex", TEXT(HL_PLAIN)},
         {"destinationDex", TEXT(HL_PLAIN)}, {"token", TEXT(HL_SYMBOL)}, {"amount", AMOUNT(HL_SIZE)},
         {"fromSubAccount", HL_SENDER, .eip = "string"}, NONCE("nonce")),
    USER("sendToEvmWithData", "SendToEvmWithData", INTENT_WITHDRAW, {"token", TEXT(HL_SYMBOL)},
         {"amount", AMOUNT(HL_SIZE)}, {"sourceDex", TEXT(HL_PLAIN)},
         {"destinationRecipient", HL_RECIPIENT, HL_DESTINATION, .eip = "string"},
         {"addressEncoding", HL_CHOICE, .choices = encodings, .eip = "string"},
         {"destinationChainId", HL_UINT, .eip = "uint32"}, {"gasLimit", NUMBER}, {"data", HL_HEX, .eip = "bytes"},
         NONCE("nonce")),
    USER("usdClassTransfer", "UsdClassTransfer", INTENT_TRANSFER, {"amount", HL_USD_TEXT, HL_USD, .eip = "string"},
         {"toPerp", FLAG}, NONCE("nonce")),
    USER("cDeposit", "CDeposit", INTENT_TRANSFER, {"wei", NUMBER}, NONCE("nonce")),
    USER("cWithdraw", "CWithdraw", INTENT_TRANSFER, {"wei", NUMBER}, NONCE("nonce")),
    USER("tokenDelegate", "TokenDelegate", INTENT_TRANSFER, {"validator", ADDRESS(HL_DESTINATION)}, {"wei", NUMBER},
         {"isUndelegate", FLAG}, NONCE("nonce")),
    USER("approveBuilderFee", "ApproveBuilderFee", INTENT_TRANSFER, {"maxFeeRate", TEXT(HL_PLAIN)},
         {"builder", ADDRESS(HL_DESTINATION)}, NONCE("nonce")),
    /* An agent without a name is signed as one with the name "". */
    USER("approveAgent", "ApproveAgent", INTENT_SESSION, {"agentAddress", ADDRESS(HL_DESTINATION)},
         {"agentName", HL_TEXT, HL_PLAIN, HL_OPTIONAL | HL_NULLABLE, .eip = "string"}, NONCE("nonce")),
    /* One intent for each of the new signers, who will own the account. */
    {"convertToMultiSigUser", NULL, "convertToMultiSigUser", HL_USER, INTENT_WITHDRAW,
     HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"signers", HL_SIGNERS, .eip = "string"}, NONCE("nonce")),
     "ConvertToMultiSigUser"},
    USER("linkStakingUser", "LinkStakingUser", INTENT_WITHDRAW, {"user", ADDRESS(HL_DESTINATION)}, {"isFinalize", FLAG},
         NONCE("nonce")),
    USER("stakingLinkDisableTradingUser", "StakingLinkDisableTradingUser", INTENT_WITHDRAW,
         {"tradingUser", ADDRESS(HL_DESTINATION)}, NONCE("nonce")),
    USER("userDexAbstraction", "UserDexAbstraction", INTENT_ACCOUNT, {"user", ADDRESS(HL_PLAIN)}, {"enabled", FLAG},
         NONCE("nonce")),
    USER("userSetAbstraction", "UserSetAbstraction", INTENT_ACCOUNT, {"user", ADDRESS(HL_PLAIN)},
         {"abstraction", HL_CHOICE, .choices = abstractions, .eip = "string"}, NONCE("nonce")),
    USER("userPortfolioMargin", "UserPortfolioMargin", INTENT_ACCOUNT, {"user", ADDRESS(HL_PLAIN)}, {"enabled", FLAG},
         NONCE("nonce")),
    {"multiSig", NULL, "multiSig", HL_MULTISIG, INTENT_WITHDRAW,
     HL_SHAPE_OF(HL_RECORD, HL_NO_INTENT, {"signatures", HL_SHAPE, .shape = &inner_signatures},
                 {"payload", HL_SHAPE, .shape = &payload}),
     NULL},
};

const struct hl_actions hyperliquid_user_actions = {rows, ARRAY_LEN(rows)};
