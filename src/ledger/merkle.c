#include "ledger/merkle.h"

#include "crypto/secmem.h"

#define NODE_PREFIX 0x01

void merkle_node(const uint8_t left[static 32], const uint8_t right[static 32], uint8_t out[static 32])
{
    uint8_t bytes[1 + 2 * SHA256_SIZE];
    bytes[0] = NODE_PREFIX;
    memcpy(bytes + 1, left, SHA256_SIZE);
    memcpy(bytes + 1 + SHA256_SIZE, right, SHA256_SIZE);
    sha256(VIEW_OF(bytes), out);
}

static size_t subtrees(uint64_t size)
{
    return (size_t)__builtin_popcountll(size);
}

void frontier_append(struct frontier *f, const uint8_t leaf_hash[static 32])
{
    size_t count = subtrees(f->size);
    uint8_t h[SHA256_SIZE];
    memcpy(h, leaf_hash, sizeof(h));
    /* One complete subtree is merged for each trailing one bit, as in a binary counter. */
    for (uint64_t bits = f->size; bits & 1; bits >>= 1)
        merkle_node(f->hashes[--count], h, h);
    memcpy(f->hashes[count], h, sizeof(h));
    f->size++;
}

void frontier_root(const struct frontier *f, uint8_t out[static 32])
{
    size_t count = subtrees(f->size);
    if (count == 0) {
        sha256(VIEW(NULL, 0), out);
        return;
    }
    uint8_t h[SHA256_SIZE];
    memcpy(h, f->hashes[count - 1], sizeof(h));
    for (size_t i = count - 1; i-- > 0;)
        merkle_node(f->hashes[i], h, h);
    memcpy(out, h, sizeof(h));
}

RESULT frontier_encode(const struct frontier *f, struct writer *w)
{
    writer_u64(w, f->size);
    writer_bytes(w, f->hashes, subtrees(f->size) * SHA256_SIZE);
    return writer_done(w);
}

RESULT frontier_decode(struct view bytes, struct frontier *ret)
{
    struct reader r = reader_new(bytes);
    struct frontier f = {0};
    TRY(reader_u64(&r, &f.size));
    TRY(reader_copy(&r, f.hashes, subtrees(f.size) * SHA256_SIZE));
    TRY(reader_end(&r));
    *ret = f;
    return OK;
}

static RESULT same_root(const uint8_t *a, const uint8_t *b)
{
    return ct_eq(a, b, SHA256_SIZE) ? OK : ERR_LOG_MISMATCH;
}

/* RFC 9162 §2.1.3.2; the names fn, sn, r are its. */
RESULT merkle_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[static 32],
                              const uint8_t (*proof)[32], size_t count, const uint8_t root[static 32])
{
    if (index >= size)
        return ERR_LOG_MISMATCH;
    uint64_t fn = index, sn = size - 1;
    uint8_t r[SHA256_SIZE];
    memcpy(r, leaf_hash, sizeof(r));
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return ERR_LOG_MISMATCH;
        if ((fn & 1) || fn == sn) {
            merkle_node(proof[i], r, r);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            merkle_node(r, proof[i], r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 ? same_root(r, root) : ERR_LOG_MISMATCH;
}

/* The walk of RFC 9162 §2.1.4.2 from step 4 on; fr and sr start as the proof's first hash. */
static RESULT consistency_walk(uint64_t fn, uint64_t sn, const uint8_t (*proof)[32], size_t count,
                               uint8_t fr[static 32], uint8_t sr[static 32])
{
    for (; fn & 1; fn >>= 1)
        sn >>= 1;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return ERR_LOG_MISMATCH;
        if ((fn & 1) || fn == sn) {
            merkle_node(proof[i], fr, fr);
            merkle_node(proof[i], sr, sr);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            merkle_node(sr, proof[i], sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 ? OK : ERR_LOG_MISMATCH;
}

RESULT merkle_check_consistency(uint64_t size1, uint64_t size2, const uint8_t (*proof)[32], size_t count,
                                const uint8_t root1[static 32], const uint8_t root2[static 32])
{
    if (size1 == 0 || size1 > size2) /* every log extends the empty one: there is nothing to prove */
        return ERR_LOG_MISMATCH;
    if (size1 == size2)
        return count == 0 ? same_root(root1, root2) : ERR_LOG_MISMATCH;

    /* "If first is an exact power of 2, then prepend first_hash to the consistency_path array." */
    bool whole = (size1 & (size1 - 1)) == 0;
    if (!whole && count == 0)
        return ERR_LOG_MISMATCH;
    const uint8_t *start = whole ? root1 : proof[0];
    size_t skip = whole ? 0 : 1;
    uint8_t fr[SHA256_SIZE], sr[SHA256_SIZE];
    memcpy(fr, start, sizeof(fr));
    memcpy(sr, start, sizeof(sr));
    if (count == 0) /* a larger tree needs at least one more hash */
        return ERR_LOG_MISMATCH;
    TRY(consistency_walk(size1 - 1, size2 - 1, proof + skip, count - skip, fr, sr));
    TRY(same_root(fr, root1));
    return same_root(sr, root2);
}
