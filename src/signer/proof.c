/* A bot's own signature over its request (SGN-10): then "who" is not the front's word. */
#include "signer/signer_core.h"

#include "crypto/hash.h"

#define PROOF_LIFE_MS 30000u

static bool seen(const struct loaded *l, const uint8_t hash[static 32], uint64_t now_ms)
{
    for (size_t i = 0; i < PROOFS_REMEMBERED; i++)
        if (l->proofs[i].until_ms >= now_ms && memcmp(l->proofs[i].hash, hash, 32) == 0)
            return true;
    return false;
}

RESULT proof_use(struct loaded *l, const struct proof *p, uint64_t now_ms)
{
    size_t at = l->proof_next % PROOFS_REMEMBERED;

    if (!p->proven)
        return OK;
    if (l->proofs[at].until_ms >= now_ms)
        return ERR_BUSY; /* a memory full of live proofs refuses rather than forgets */
    memcpy(l->proofs[at].hash, p->hash, 32);
    l->proofs[at].until_ms = p->time_ms + PROOF_LIFE_MS;
    l->proof_next++;
    return OK;
}

static RESULT verify(const struct loaded *l, const struct signer_sign *q, uint64_t now_ms, uint8_t ret_hash[static 32])
{
    AUTO_WRITER text = writer_new(8192);
    uint8_t key[32];

    if (policy_proof_key(l->policy, q->bot, key) != OK)
        return ERR_PROOF_INVALID;
    if (q->proof_time_ms + PROOF_LIFE_MS < now_ms || q->proof_time_ms > now_ms + PROOF_LIFE_MS)
        return ERR_PROOF_INVALID;
    TRY(signer_proof_text(q, &text));
    if (ed25519_verify(key, writer_view_of(&text), q->proof) != OK)
        return ERR_PROOF_INVALID;
    sha256(writer_view_of(&text), ret_hash);
    return OK;
}

RESULT proof_check(const struct loaded *l, const struct signer_sign *q, uint64_t now_ms, struct proof *ret)
{
    *ret = (struct proof){.time_ms = q->proof_time_ms};
    if (q->proof.len == 0)
        return policy_demands_proof(l->policy) ? ERR_PROOF_NEEDED : OK;
    TRY(verify(l, q, now_ms, ret->hash));
    if (seen(l, ret->hash, now_ms))
        return ERR_PROOF_INVALID;
    ret->proven = true;
    return OK;
}
