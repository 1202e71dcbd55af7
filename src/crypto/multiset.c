#include "crypto/multiset.h"

#include "crypto/secmem.h"

#define LIMBS ARRAY_LEN(((struct multiset *)0)->limb)

static struct multiset element_hash(const struct hmac_key *key, struct view element)
{
    uint8_t mac[SHA256_SIZE];
    hmac_key_code(key, &element, 1, mac);
    struct multiset h = {{0}};
    for (size_t i = 0; i < sizeof(mac); i++)
        h.limb[i / 8] |= (uint64_t)mac[i] << (8 * (i % 8));
    wipe(mac, sizeof(mac));
    return h;
}

/* m + other modulo 2^256 */
void multiset_merge(struct multiset *m, const struct multiset *other)
{
    unsigned __int128 sum = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        sum += (unsigned __int128)m->limb[i] + other->limb[i];
        m->limb[i] = (uint64_t)sum;
        sum >>= 64;
    }
}

void multiset_add(struct multiset *m, const struct hmac_key *key, struct view element)
{
    struct multiset h = element_hash(key, element);
    multiset_merge(m, &h);
    wipe(&h, sizeof(h));
}

void multiset_remove(struct multiset *m, const struct hmac_key *key, struct view element)
{
    struct multiset h = element_hash(key, element);
    unsigned __int128 carry = 1; /* −h is ~h + 1 */
    for (size_t i = 0; i < LIMBS; i++) {
        carry += (uint64_t)~h.limb[i];
        h.limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    multiset_merge(m, &h);
    wipe(&h, sizeof(h));
}

/* Another function than the elements' (SHA-512, cut), so that no element's hash can ever be a digest. */
void multiset_digest(const struct multiset *m, const uint8_t key[static 32], uint8_t out[static 32])
{
    uint8_t bytes[sizeof(m->limb)];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(m->limb[i / 8] >> (8 * (i % 8)));
    uint8_t mac[SHA512_SIZE];
    hmac_sha512(VIEW(key, 32), VIEW_OF(bytes), mac);
    memcpy(out, mac, 32);
    wipe(bytes, sizeof(bytes));
    wipe(mac, sizeof(mac));
}
