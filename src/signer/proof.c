/* A bot's own signature over its request (SGN-10): then "who" is not the front's word. */
#include "signer/signer_core.h"

#include "crypto/hash.h"

#define PROOF_LIFE_MS  30000u
#define PROOF_AHEAD_MS 5000u  /* a bot's clock may be this much fast */
#define MARK_AHEAD_MS  20000u /* the keeper's nonce mark is at most about this far ahead of the last signature */

static struct used_proof *set_of(const struct signer *s, const uint8_t hash[static 32])
{
    return s->proofs[(hash[0] << 8 | hash[1]) % PROOF_SETS];
}

static bool seen(const struct signer *s, const uint8_t hash[static 32], uint64_t now_ms)
{
    const struct used_proof *set = set_of(s, hash);

    for (size_t i = 0; i < PROOF_WAYS; i++)
        if (set[i].until_ms >= now_ms && memcmp(set[i].hash, hash, 32) == 0)
            return true;
    return false;
}

RESULT proof_use(struct signer *s, const struct proof *p, uint64_t now_ms)
{
    struct used_proof *set = set_of(s, p->hash);

    if (!p->proven)
        return OK;
    for (size_t i = 0; i < PROOF_WAYS; i++)
        if (set[i].until_ms < now_ms) {
            memcpy(set[i].hash, p->hash, 32);
            set[i].until_ms = p->time_ms + PROOF_LIFE_MS;
            return OK;
        }
    return ERR_BUSY; /* a memory full of live proofs refuses rather than forgets */
}

void proof_begin(struct signer *s, uint64_t nonce_mark_ms)
{
    uint64_t now_ms = s->config.clock->wall_ms(s->config.clock);
    uint64_t floor = nonce_mark_ms > now_ms + MARK_AHEAD_MS ? nonce_mark_ms : now_ms;

    if (s->proof_floor_ms == 0)
        s->proof_floor_ms = floor + PROOF_AHEAD_MS;
}

/* What a bot can mend is said to it; whose key it should have been is not. */
static RESULT check_time(const struct signer *s, const struct signer_sign *q, uint64_t now_ms, struct problem *why)
{
    if (q->proof_time_ms + PROOF_LIFE_MS < now_ms)
        return problem_set(why, ERR_PROOF_INVALID, "/proof_time_ms", "the proof is older than %u seconds",
                           PROOF_LIFE_MS / 1000);
    if (q->proof_time_ms > now_ms + PROOF_AHEAD_MS)
        return problem_set(why, ERR_PROOF_INVALID, "/proof_time_ms", "the proof's time is ahead of this host's clock");
    if (q->proof_time_ms <= s->proof_floor_ms)
        return problem_set(
            why, ERR_PROOF_INVALID, "/proof_time_ms",
            "the signer has just started and takes no proof from before; make a new one in %llu seconds",
            (unsigned long long)(s->proof_floor_ms >= now_ms ? (s->proof_floor_ms - now_ms) / 1000 + 1 : 1));
    return OK;
}

/* The text names the path and not the id, so the path has to be this credential's: or the front could lead a bot's
 * request to another credential that knows the same bot. */
static RESULT verify(const struct loaded *l, const struct signer_sign *q, uint8_t ret_hash[static 32])
{
    AUTO_WRITER text = writer_new(8192);
    uint8_t key[32];

    if (policy_proof_key(l->policy, q->bot, key) != OK || !view_eq(q->path, l->descriptor.path))
        return ERR_PROOF_INVALID;
    TRY(signer_proof_text(q, &text));
    if (ed25519_verify(key, writer_view_of(&text), q->proof) != OK)
        return ERR_PROOF_INVALID;
    sha256(writer_view_of(&text), ret_hash);
    return OK;
}

RESULT proof_check(const struct signer *s, const struct loaded *l, const struct signer_sign *q, uint64_t now_ms,
                   struct proof *ret, struct problem *why)
{
    *ret = (struct proof){.time_ms = q->proof_time_ms};
    if (q->proof.len == 0)
        return policy_demands_proof(l->policy) ? ERR_PROOF_NEEDED : OK;
    TRY(check_time(s, q, now_ms, why));
    TRY(verify(l, q, ret->hash));
    if (seen(s, ret->hash, now_ms))
        return problem_set(why, ERR_PROOF_INVALID, "/proof", "this proof was used before");
    ret->proven = true;
    return OK;
}
