#include "chained.h"

#include "ledger/chain.h"

void chained_begin(struct rig *r)
{
    assert_int_equal(chains_new(&r->chains), OK);
    r->logged = chained_add;
}

void chained_add(struct rig *r, const struct authored_record *a)
{
    struct leaf leaf;
    uint8_t hash[32];

    assert_int_equal(leaf_decode(a->leaf, &leaf), OK);
    assert_int_equal(leaf_check_fields(a), OK);
    leaf_hash(a->leaf, hash);
    assert_int_equal(chains_add(r->chains, &leaf, hash, r->chained++, a->what), OK);
}

void chained_end(struct rig *r)
{
    assert_true(chains_gap(r->chains, r->chained, 0) == UINT64_MAX);
    chains_free(r->chains);
    r->chains = NULL;
    r->logged = NULL;
}
