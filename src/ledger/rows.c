#include "ledger/rows.h"

#include "crypto/hash.h"

#include <stdatomic.h>

#define SALT_SIZE      16
#define TENANT         0
#define BLIND_SIZE     16
#define COMPONENTS_MAX 12
#define COMPONENT_MAX  64
#define TERM_TABLE     0 /* no table has this number: index terms can't collide with row keys */
#define CONTEXT_MAX    (2 + 4 + STORE_KEY_MAX + 8)

/* Lives in guarded memory. */
struct derived {
    struct hmac_key blind, set, tag;
    uint8_t set_bytes[32]; /* what `set` was made of */
    struct {
        struct hmac_key key;
        bool there;
    } peppers[KEYRING_MAX_EPOCHS]; /* of the newest epochs, each at its number modulo their count */
};

struct row_keys {
    atomic_uint owners;
    struct keyring *ring;
    struct secret *derived; /* struct derived */
    enum aead_alg alg;
};

static const struct derived *derived_of(const struct row_keys *k)
{
    return (const struct derived *)(const void *)secret_view(k->derived).ptr;
}

/* --- the keys */

static RESULT copy_ring(const struct keyring *ring, struct keyring **ret)
{
    AUTO_WRITER w = writer_new(8192);
    TRY(keyring_export(ring, &w));
    return keyring_import(writer_view_of(&w), ret);
}

static RESULT prepare_key(const struct keyring *ring, uint32_t epoch, enum key_purpose purpose, struct hmac_key *ret)
{
    uint8_t key[32];
    TRY(keyring_subkey(ring, epoch, purpose, key));
    hmac_key_init(ret, VIEW_OF(key));
    wipe(key, sizeof(key));
    return OK;
}

/* Asked for with each request, and deriving one takes longer than all else about a key. */
static RESULT prepare_peppers(const struct keyring *ring, struct derived *d)
{
    uint32_t newest = keyring_epoch(ring);
    for (uint32_t e = newest; e > 0 && newest - e < KEYRING_MAX_EPOCHS; e--) {
        enum err got = prepare_key(ring, e, PURPOSE_PEPPER, &d->peppers[e % KEYRING_MAX_EPOCHS].key);
        if (got != OK && got != ERR_NOT_FOUND) /* it was retired */
            return got;
        d->peppers[e % KEYRING_MAX_EPOCHS].there = got == OK;
    }
    return OK;
}

static RESULT fill_keys(struct row_keys *k, const struct keyring *state)
{
    TRY(copy_ring(state, &k->ring));
    TRY(secret_new(sizeof(struct derived), &k->derived));
    struct derived *d = (struct derived *)(void *)secret_ptr(k->derived);
    TRY(prepare_key(k->ring, 1, PURPOSE_BLIND, &d->blind));
    TRY(prepare_key(k->ring, 1, PURPOSE_SET, &d->set));
    TRY(prepare_key(k->ring, 1, PURPOSE_TAG, &d->tag));
    TRY(prepare_peppers(k->ring, d));
    return keyring_subkey(k->ring, 1, PURPOSE_SET, d->set_bytes);
}

RESULT row_keys_new(const struct keyring *state, enum aead_alg alg, struct row_keys **ret)
{
    if (keyring_class(state) != KEY_CLASS_STATE)
        return ERR_BAD_VALUE;
    AUTO(row_keys_free) struct row_keys *k = calloc(1, sizeof(*k));
    if (!k)
        return ERR_NO_MEMORY;
    atomic_init(&k->owners, 1);
    k->alg = alg;
    TRY(fill_keys(k, state));
    *ret = TAKE(k);
    return OK;
}

struct row_keys *row_keys_ref(struct row_keys *k)
{
    atomic_fetch_add_explicit(&k->owners, 1, memory_order_relaxed);
    return k;
}

void row_keys_free(struct row_keys *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->owners, 1, memory_order_acq_rel) != 1)
        return;
    keyring_free(k->ring);
    secret_free(k->derived);
    free(k);
}

const struct keyring *row_keys_ring(const struct row_keys *k)
{
    return k->ring;
}

RESULT row_keys_pepper(const struct row_keys *k, uint32_t epoch, struct view text, uint8_t out[static 32])
{
    const struct derived *d = derived_of(k);
    uint32_t newest = keyring_epoch(k->ring);
    bool kept = epoch > 0 && epoch <= newest && newest - epoch < KEYRING_MAX_EPOCHS;
    if (kept && d->peppers[epoch % KEYRING_MAX_EPOCHS].there) {
        hmac_key_code(&d->peppers[epoch % KEYRING_MAX_EPOCHS].key, &text, 1, out);
        return OK;
    }
    struct hmac_key key; /* older, with newer ones retired */
    TRY(prepare_key(k->ring, epoch, PURPOSE_PEPPER, &key));
    hmac_key_code(&key, &text, 1, out);
    wipe(&key, sizeof(key));
    return OK;
}

enum aead_alg row_keys_alg(const struct row_keys *k)
{
    return k->alg;
}

/* --- names */

struct blind_of {
    uint16_t table;
    struct view parent, name;
};

static void blind(const struct row_keys *k, struct blind_of of, uint8_t out[static BLIND_SIZE])
{
    uint8_t table[2], mac[SHA256_SIZE];
    struct writer w = writer_fixed(table, sizeof(table));
    writer_u16(&w, of.table);
    const struct view parts[] = {VIEW_OF(table), of.parent, of.name};
    hmac_key_code(&derived_of(k)->blind, parts, ARRAY_LEN(parts), mac);
    memcpy(out, mac, BLIND_SIZE);
}

RESULT row_key_exact(const struct row_keys *k, uint16_t table, struct view name, struct writer *w)
{
    uint8_t id[BLIND_SIZE];
    blind(k, (struct blind_of){.table = table, .name = name}, id);
    writer_u16(w, TENANT);
    writer_bytes(w, id, sizeof(id));
    return writer_done(w);
}

static bool component_valid(struct view c)
{
    if (c.len == 0 || c.len > COMPONENT_MAX)
        return false;
    for (size_t i = 0; i < c.len; i++) {
        uint8_t b = c.ptr[i];
        bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
        if (!letter && !(b >= '0' && b <= '9') && b != '.' && b != '_' && b != '-')
            return false;
    }
    return true;
}

/* Cuts the first component off; false when it is not one. *rest keeps ptr NULL after the last. */
static bool take_component(struct view *rest, struct view *ret)
{
    const uint8_t *slash = memchr(rest->ptr, '/', rest->len);
    size_t n = slash ? (size_t)(slash - rest->ptr) : rest->len;
    *ret = VIEW(rest->ptr, n);
    *rest = slash ? VIEW(slash + 1, rest->len - n - 1) : VIEW(NULL, 0);
    return component_valid(*ret);
}

RESULT row_key_path(const struct row_keys *k, uint16_t table, struct view path, struct writer *w)
{
    uint8_t key[2 + COMPONENTS_MAX * BLIND_SIZE] = {TENANT, TENANT};
    size_t len = 2;
    struct view rest = path.len ? path : VIEW(NULL, 0);
    while (rest.ptr) {
        struct view name = {0};
        if (len == sizeof(key))
            return ERR_TOO_LONG;
        if (rest.len == 0 || !take_component(&rest, &name))
            return ERR_BAD_VALUE;
        blind(k, (struct blind_of){table, VIEW(key + 2, len - 2), name}, key + len);
        len += BLIND_SIZE;
    }
    writer_bytes(w, key, len);
    return writer_done(w);
}

RESULT row_key_term(const struct row_keys *k, const char *index, struct view term, struct writer *w)
{
    uint8_t id[BLIND_SIZE], name[64];
    struct writer n = writer_fixed(name, sizeof(name));
    writer_var(&n, view_str(index));
    TRY(writer_done(&n));
    blind(k, (struct blind_of){TERM_TABLE, writer_view_of(&n), term}, id);
    writer_bytes(w, id, sizeof(id));
    return writer_done(w);
}

/* --- values */

/* Table, key and version: bound into the seal, part of the commitment and of the multiset's element. */
struct place {
    uint8_t bytes[CONTEXT_MAX];
    size_t len;
};

static RESULT place_of(uint16_t table, struct view key, uint64_t version, struct place *ret)
{
    struct writer w = writer_fixed(ret->bytes, sizeof(ret->bytes));
    writer_u16(&w, table);
    writer_var(&w, key);
    writer_u64(&w, version);
    ret->len = w.len;
    return writer_done(&w);
}

static enum key_purpose purpose_of(uint16_t table)
{
    return table == TABLE_SUBJECT ? PURPOSE_RECORD : PURPOSE_ROW;
}

static void commit_to(struct view salt, const struct place *p, struct view plain, uint8_t out[static 32])
{
    const struct view parts[] = {salt, VIEW(p->bytes, p->len), plain};
    sha256_list(parts, ARRAY_LEN(parts), out);
}

static RESULT seal_with(const struct row_keys *k, uint16_t table, const struct place *p, struct view inner,
                        const struct random *rng, struct writer *w)
{
    return keyring_seal(k->ring, k->alg, purpose_of(table), VIEW(p->bytes, p->len), inner, rng, w);
}

RESULT row_seal(const struct row_keys *k, uint16_t table, struct view key, uint64_t version, struct view plain,
                const struct random *random, struct writer *w, uint8_t ret_commitment[static 32])
{
    uint8_t salt[SALT_SIZE];
    struct place p;
    TRY(place_of(table, key, version, &p));
    TRY(random->fill(random, salt, sizeof(salt)));
    AUTO_WRITER inner = writer_new(STORE_VALUE_MAX);
    writer_u32(&inner, (uint32_t)plain.len);
    writer_bytes(&inner, salt, sizeof(salt));
    writer_view(&inner, plain);
    TRY(writer_done(&inner));
    TRY(seal_with(k, table, &p, writer_view_of(&inner), random, w));
    commit_to(VIEW_OF(salt), &p, plain, ret_commitment);
    return OK;
}

/* Opens into inner, and gives views of its parts. */
static RESULT open_inner(const struct row_keys *k, uint16_t table, const struct store_row *row, struct place *p,
                         struct writer *inner)
{
    if (place_of(table, row->key, row->version, p) != OK)
        return ERR_TAMPERED;
    return keyring_open(k->ring, purpose_of(table), VIEW(p->bytes, p->len), row->value, inner);
}

RESULT row_open(const struct row_keys *k, uint16_t table, const struct store_row *row, struct writer *ret_plain,
                uint8_t ret_commitment[static 32])
{
    struct place p;
    struct view salt = {0}, plain = {0};
    uint32_t len = 0;
    AUTO_WRITER inner = writer_new(STORE_VALUE_MAX);
    TRY(open_inner(k, table, row, &p, &inner));
    struct reader r = reader_new(writer_view_of(&inner));
    if (reader_u32(&r, &len) != OK || reader_bytes(&r, SALT_SIZE, &salt) != OK || len != r.left ||
        reader_bytes(&r, len, &plain) != OK)
        return ERR_TAMPERED;
    writer_view(ret_plain, plain);
    TRY(writer_done(ret_plain));
    commit_to(salt, &p, plain, ret_commitment);
    return OK;
}

RESULT row_rewrap(const struct row_keys *k, uint16_t table, const struct store_row *row, const struct random *random,
                  struct writer *w)
{
    struct place p;
    AUTO_WRITER inner = writer_new(STORE_VALUE_MAX);
    TRY(open_inner(k, table, row, &p, &inner));
    return seal_with(k, table, &p, writer_view_of(&inner), random, w);
}

bool row_is_state(const struct store_row *row)
{
    /* u8 alg, u8 class, u16 purpose: crypto/keyring.h */
    const uint8_t *b = row->value.ptr;
    return row->value.len >= SEALED_OVERHEAD && b[1] == KEY_CLASS_STATE && b[2] == 0 &&
           (b[3] == PURPOSE_ROW || b[3] == PURPOSE_RECORD);
}

RESULT row_tag(const struct row_keys *k, uint16_t table, const struct store_row *row, uint8_t out[static 32])
{
    struct place p;
    TRY(place_of(table, row->key, row->version, &p));
    const struct view parts[] = {VIEW(p.bytes, p.len), row->value};
    hmac_key_code(&derived_of(k)->tag, parts, ARRAY_LEN(parts), out);
    return OK;
}

void row_hash(struct view key, uint8_t out[static 32])
{
    sha256(key, out);
}

bool row_is_live(uint16_t table)
{
    return table != TABLE_META && table != TABLE_LOG && table != TABLE_TILE && table != TABLE_CHECKPOINT &&
           table != TABLE_INDEX && table != TABLE_USAGE;
}

bool row_may_be_raw(uint16_t table)
{
    return table == TABLE_SECRET_VALUE || table == TABLE_CREDENTIAL;
}

/* --- the multiset of live rows */

typedef void (*set_fn)(struct multiset *m, const struct hmac_key *key, struct view element);

static void set_change(const struct row_keys *k, set_fn fn, struct multiset *m, const struct place *p,
                       const uint8_t commitment[static 32])
{
    uint8_t element[CONTEXT_MAX + 32];
    memcpy(element, p->bytes, p->len);
    memcpy(element + p->len, commitment, 32);
    fn(m, &derived_of(k)->set, VIEW(element, p->len + 32));
}

void row_set_add(const struct row_keys *k, struct multiset *m, uint16_t table, struct view key, uint64_t version,
                 const uint8_t commitment[static 32])
{
    struct place p;
    if (place_of(table, key, version, &p) == OK)
        set_change(k, multiset_add, m, &p, commitment);
}

void row_set_remove(const struct row_keys *k, struct multiset *m, uint16_t table, struct view key, uint64_t version,
                    const uint8_t commitment[static 32])
{
    struct place p;
    if (place_of(table, key, version, &p) == OK)
        set_change(k, multiset_remove, m, &p, commitment);
}

void row_set_digest(const struct row_keys *k, const struct multiset *m, uint8_t out[static 32])
{
    multiset_digest(m, derived_of(k)->set_bytes, out);
}
