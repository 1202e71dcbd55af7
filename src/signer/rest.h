/* The signing schemes that a venue's declaration drives: REST requests and WebSocket frames. */
#ifndef HOLDFAST_SIGNER_REST_H
#define HOLDFAST_SIGNER_REST_H

#include "signer/scheme.h"

extern const struct scheme scheme_binance_hmac;
extern const struct scheme scheme_binance_rsa;
extern const struct scheme scheme_binance_ed25519;
extern const struct scheme scheme_binance_wsapi_hmac;
extern const struct scheme scheme_binance_wsapi_rsa;
extern const struct scheme scheme_binance_wsapi_ed25519;
extern const struct scheme scheme_binance_apikey_only;
extern const struct scheme scheme_phemex;
extern const struct scheme scheme_phemex_ws;

#endif
