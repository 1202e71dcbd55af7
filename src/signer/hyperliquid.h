/* Hyperliquid (https://hyperliquid.gitbook.io, exchange endpoint). A request's params are the action, as JSON text.
 *
 *   hl-l1        orders and settings: hash of the action as MessagePack, signed as Agent{source, connectionId}
 *   hl-user      what only the account's own key may do: EIP-712 HyperliquidTransaction:*
 *   hl-multisig  params of type "multiSig": as the outer signer, the whole request. Any other action, with
 *                multi_sig_user and outer_signer: as one of the inner signers; the result's body is then the
 *                {"r","s","v"} that belongs into "signatures", and there is no URL.
 *
 * Every action type has a table of its members (hyperliquid_action.h); an unknown type or member is refused. Prices and
 * sizes must be in the venue's normal form and addresses in lower case, because the venue hashes them so: the refusal
 * shows the right form. Where the action holds "nonce" or "time" itself, it must be the request's nonce.
 *
 * The policy knows an action by its type, or type and variant ("order", "perpDeploy/setOracle"). Done for another
 * account it is another endpoint: "vault/<address>/order" with a vault address (vaults and sub-accounts),
 * "multiSig/<user>/order" in a multi-sig. So a rule for "order" covers the key's own account only.
 *
 * The same signed bytes never mean two things: network, vault address and expiry are in every hash; a plain action is
 * hashed as an object and a multi-sig contribution as a list; user-signed types have hashes of their own. What the
 * policy can't know: a sell's notional is what it asks at least (price times size), so only a size bounds what is sold.
 */
#ifndef HOLDFAST_SIGNER_HYPERLIQUID_H
#define HOLDFAST_SIGNER_HYPERLIQUID_H

#include "signer/scheme.h"

extern const struct scheme scheme_hl_l1, scheme_hl_user, scheme_hl_multisig;

/* The nonce that the action names itself ("nonce", or "time" in user-signed transfers), so that the signer can adopt it
 * as the request's nonce if it is larger than the last one. Looks into a multi-sig payload too. ERR_NOT_FOUND if the
 * action leaves the nonce to the request, or is not JSON (judge says why). */
RESULT hyperliquid_nonce(struct view action_json, uint64_t *ret);

/* A price or size in the form the venue hashes: no leading zeros, no trailing zeros after the point, at most 8
 * decimals ("0615.500" gives "615.5", ".5" gives "0.5"). ERR_MALFORMED, ERR_OUT_OF_RANGE for more decimals. */
RESULT hyperliquid_decimal(struct view text, struct writer *w);

#endif
