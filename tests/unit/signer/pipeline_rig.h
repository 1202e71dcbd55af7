/* A signer with real venue files, a clock of its own, and a keeper that agrees to everything. */
#ifndef HOLDFAST_TEST_SIGNER_PIPELINE_RIG_H
#define HOLDFAST_TEST_SIGNER_PIPELINE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/sign.h"
#include "signer/signer.h"

/* Calls that require no parameter are formed by every Binance signature; an administrator has to accept them. */
#define CLASSES                                                                                                        \
    "\"classes\":[\"read\",\"cancel\",\"order\"],\"exceptions\":["                                                     \
    "{\"endpoint\":\"* /sapi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"},"                    \
    "{\"endpoint\":\"* /papi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"}]"
#define POLICY "{" CLASSES ",\"symbols\":[\"LTCBTC\"],\"windows\":[{\"seconds\":3600,\"orders\":32}]}"
#define ORDER  "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"

struct desk {
    struct signer *signer;
    uint64_t wall_ms, mono_ms;
    struct clock clock;
    struct arena *arena;
    size_t authored, reserves;
    enum err authored_result;
    struct view last;
    struct keeper_reserve asked;
    char notional[64]; /* of the first window, as it was last reserved */
    uint8_t id[16];
    struct problem why;
};

struct given {
    const char *venue, *scheme, *policy, *secret;
    uint64_t version;
    bool frozen;
};
extern const struct given binance;

int pipeline_setup(void **state);
int pipeline_teardown(void **state);
enum err load(struct desk *d, const struct given *g, const struct window_mark *marks, size_t count);
struct signer_sign order(const struct desk *d);
/* Signs, and answers as the keeper would when marks are asked for. */
enum err run(struct desk *d, const struct signer_sign *q, struct signer_signed *ret);
void decides(struct desk *d, const struct signer_sign *q, const char *decision);

#endif
