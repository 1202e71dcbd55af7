#include "signer/rest.h"

#include "signer/judge.h"
#include "signer/rest_sign.h"

static RESULT rest_judge_as(const char *name, const struct venue *venue, const struct sign_request *request,
                            struct arena *arena, struct intents *ret, struct problem *why)
{
    const struct venue_scheme *s = venue_scheme_of(venue, view_str(name));
    if (!s)
        return problem_set(why, ERR_WRONG_KEY_FOR_VENUE, "/scheme", "this venue does not declare the scheme %s", name);
    return judge_request(venue, s, request, arena, ret, why);
}

static RESULT rest_sign_as(const char *name, struct signing *s, struct sign_result *ret)
{
    s->scheme = venue_scheme_of(s->venue, view_str(name));
    if (!s->scheme)
        return problem_set(s->why, ERR_WRONG_KEY_FOR_VENUE, "/scheme", "this venue does not declare the scheme %s",
                           name);
    return s->scheme->place == PLACE_FRAME ? frame_sign(s, ret) : rest_sign(s, ret);
}

/* A scheme's functions know its name, and the venue's declaration everything else. */
#define REST_SCHEME(symbol, text, algorithm)                                                                           \
    static enum err symbol##_key_new(const struct bundle *bundle, struct signing_key **ret, struct problem *why)       \
    {                                                                                                                  \
        return rest_key_new(algorithm, bundle, ret, why);                                                              \
    }                                                                                                                  \
    static enum err symbol##_judge(const struct venue *venue, const struct sign_request *request, struct arena *arena, \
                                   struct intents *ret, struct problem *why)                                           \
    {                                                                                                                  \
        return rest_judge_as(text, venue, request, arena, ret, why);                                                   \
    }                                                                                                                  \
    static enum err symbol##_sign(const struct venue *venue, const struct signing_key *key,                            \
                                  const struct sign_request *request, struct arena *arena, struct sign_result *ret,    \
                                  struct problem *why)                                                                 \
    {                                                                                                                  \
        struct signing s = {venue, NULL, key, request, arena, why};                                                    \
        return rest_sign_as(text, &s, ret);                                                                            \
    }                                                                                                                  \
    const struct scheme scheme_##symbol = {.name = text,                                                               \
                                           .key_new = symbol##_key_new,                                                \
                                           .key_free = rest_key_free,                                                  \
                                           .judge = symbol##_judge,                                                    \
                                           .sign = symbol##_sign,                                                      \
                                           .slow = (algorithm) == ALGORITHM_RSA}

REST_SCHEME(binance_hmac, "binance-hmac", ALGORITHM_HMAC);
REST_SCHEME(binance_rsa, "binance-rsa", ALGORITHM_RSA);
REST_SCHEME(binance_ed25519, "binance-ed25519", ALGORITHM_ED25519);
REST_SCHEME(binance_wsapi_hmac, "binance-wsapi-hmac", ALGORITHM_HMAC);
REST_SCHEME(binance_wsapi_rsa, "binance-wsapi-rsa", ALGORITHM_RSA);
REST_SCHEME(binance_wsapi_ed25519, "binance-wsapi-ed25519", ALGORITHM_ED25519);
REST_SCHEME(binance_apikey_only, "binance-apikey-only", ALGORITHM_NONE);
REST_SCHEME(phemex, "phemex", ALGORITHM_HMAC);
REST_SCHEME(phemex_ws, "phemex-ws", ALGORITHM_HMAC);
