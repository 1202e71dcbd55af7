#include "domain/guard/kept.h"

#define VALUE_MAX 256

static RESULT key_of(const struct row_keys *keys, const struct prefix *network, struct arena *arena, struct view *ret)
{
    char text[PREFIX_TEXT_SIZE];
    uint8_t key[STORE_KEY_MAX];
    struct writer w = writer_fixed(key, sizeof key);
    prefix_format(network, text);
    TRY(row_key_exact(keys, TABLE_NETWORK, view_str(text), &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static RESULT read_row(struct view plain, struct arena *arena, struct kept *ret)
{
    struct networks_row row;
    TRY(entity_decode(&networks_row_entity, plain, arena, &row));
    ret->since_ms = row.since_ms;
    ret->times = row.times;
    ret->reason = row.reason;
    return networks_row_rule(&row, &ret->rule);
}

RESULT kept_get(struct store *reader, const struct row_keys *keys, const struct prefix *network, struct arena *arena,
                struct kept *ret)
{
    AUTO_WRITER plain = writer_new(VALUE_MAX);
    struct store_row row;
    struct kept k = {0};
    struct view key;
    TRY(key_of(keys, network, arena, &key));
    TRY(store_get(reader, TABLE_NETWORK, key, arena, &row));
    TRY(row_open(keys, TABLE_NETWORK, &row, &plain, k.commitment));
    if (read_row(writer_view_of(&plain), arena, &k) != OK)
        return ERR_TAMPERED;
    k.version = row.version;
    *ret = k;
    return OK;
}

RESULT kept_put(const struct row_keys *keys, const struct kept *now, const struct kept *before, struct arena *arena,
                struct txn_change *ret)
{
    AUTO_WRITER value = writer_new(VALUE_MAX);
    char text[PREFIX_TEXT_SIZE];
    struct networks_row row = networks_row_of(&now->rule, text);
    struct txn_change c = ledger_put(TABLE_NETWORK, before->version, before->commitment);
    row.since_ms = now->since_ms;
    row.times = now->times;
    row.reason = now->reason;
    TRY(key_of(keys, &now->rule.network, arena, &c.key));
    TRY(entity_encode(&networks_row_entity, &row, &value));
    TRY(arena_copy(arena, writer_view_of(&value), &c.value));
    *ret = c;
    return OK;
}

RESULT kept_remove(const struct row_keys *keys, const struct kept *before, struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_NETWORK, before->version, before->commitment);
    TRY(key_of(keys, &before->rule.network, arena, &c.key));
    *ret = c;
    return OK;
}

bool kept_is_row(const struct row_keys *keys, const struct prefix *network, const uint8_t row[static 32])
{
    char text[PREFIX_TEXT_SIZE];
    uint8_t key[STORE_KEY_MAX], hash[32];
    struct writer w = writer_fixed(key, sizeof key);
    prefix_format(network, text);
    if (row_key_exact(keys, TABLE_NETWORK, view_str(text), &w) != OK)
        return false;
    row_hash(writer_view_of(&w), hash);
    return memcmp(hash, row, sizeof hash) == 0;
}

bool kept_is_over(const struct kept *k, uint64_t now_ms)
{
    uint64_t ends = k->rule.ends_ms;
    if (ends == 0 || now_ms < ends)
        return false;
    return k->rule.origin != NETWORKS_AUTOMATIC || k->since_ms > ends || now_ms - ends >= ends - k->since_ms;
}

struct loading {
    RESULT (*take)(void *context, const struct kept *k);
    void *context;
};

static RESULT take(void *context, const struct txn_change *row, struct arena *scratch)
{
    const struct loading *l = context;
    struct kept k = {.version = row->version};
    TRY(read_row(row->value, scratch, &k));
    return l->take(l->context, &k);
}

RESULT kept_load(struct store *reader, const struct row_keys *keys,
                 RESULT (*take_one)(void *context, const struct kept *k), void *context, size_t *ret_damaged,
                 struct problem *why)
{
    struct loading l = {take_one, context};
    const struct ledger_load load = {.keys = keys, .table = TABLE_NETWORK, .take = take, .context = &l};
    return ledger_load(reader, &load, ret_damaged, why);
}
