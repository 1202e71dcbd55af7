#include "crypto/keyring.h"

#include "crypto/hash.h"

#define EXPORT_VERSION 1
#define HEADER_SIZE    8
#define ALG_COUNT      (AEAD_XCHACHA20_POLY1305 + 1)

/* Subkeys are derived once, when the epoch comes into the ring: each seal needs one. */
struct epoch {
    uint32_t no;
    uint64_t created_ms;
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t subkeys[PURPOSE_COUNT - PURPOSE_ROW][ALG_COUNT][AEAD_KEY_SIZE];
};

/* Lives inside the guarded allocation that `memory` owns. */
struct keyring {
    struct secret *memory;
    enum key_class class;
    size_t count;
    struct epoch epochs[KEYRING_MAX_EPOCHS]; /* numbers rising; the last is the newest */
};

static bool class_known(unsigned class)
{
    return class >= KEY_CLASS_STATE && class < KEY_CLASS_COUNT;
}

RESULT keyring_new(enum key_class class, struct keyring **ret)
{
    if (!class_known(class))
        return ERR_BAD_VALUE;
    struct secret *memory = NULL;
    size_t size = (sizeof(struct keyring) + 15) / 16 * 16; /* whole blocks, so that the struct is aligned */
    TRY(secret_new(size, &memory));
    struct keyring *k = (struct keyring *)(void *)secret_ptr(memory);
    k->memory = memory;
    k->class = class;
    *ret = k;
    return OK;
}

void keyring_free(struct keyring *k)
{
    if (k)
        secret_free(k->memory);
}

static const struct epoch *epoch_find(const struct keyring *k, uint32_t no)
{
    for (size_t i = k->count; i-- > 0;)
        if (k->epochs[i].no == no)
            return &k->epochs[i];
    return NULL;
}

static RESULT derive_one(enum key_class class, struct epoch *e, unsigned purpose, uint8_t alg)
{
    uint8_t info[32];
    struct writer w = writer_fixed(info, sizeof(info));
    writer_str(&w, "holdfast/subkey/1");
    writer_u8(&w, (uint8_t) class);
    writer_u16(&w, (uint16_t)purpose);
    writer_u8(&w, alg);
    return hkdf_sha256(VIEW(NULL, 0), VIEW_OF(e->key), writer_view_of(&w), e->subkeys[purpose - PURPOSE_ROW][alg],
                       AEAD_KEY_SIZE);
}

static RESULT derive(enum key_class class, struct epoch *e)
{
    for (unsigned purpose = PURPOSE_ROW; purpose < PURPOSE_COUNT; purpose++)
        for (unsigned alg = 0; alg < ALG_COUNT; alg++)
            TRY(derive_one(class, e, purpose, (uint8_t)alg));
    return OK;
}

RESULT keyring_rotate(struct keyring *k, uint64_t now_ms, const struct random *random)
{
    uint32_t newest = keyring_epoch(k);
    if (k->count == KEYRING_MAX_EPOCHS || newest == UINT32_MAX)
        return ERR_LIMIT_REACHED;
    struct epoch *e = &k->epochs[k->count];
    enum err failed = random->fill(random, e->key, sizeof(e->key));
    if (failed == OK)
        failed = derive(k->class, e);
    if (failed) {
        wipe(e, sizeof(*e));
        return failed;
    }
    e->no = newest + 1;
    e->created_ms = now_ms;
    k->count++;
    return OK;
}

RESULT keyring_retire(struct keyring *k, uint32_t epoch)
{
    const struct epoch *found = epoch_find(k, epoch);
    if (!found)
        return ERR_NOT_FOUND;
    if (epoch == keyring_epoch(k) || (epoch == 1 && k->class == KEY_CLASS_STATE))
        return ERR_OUT_OF_RANGE;
    size_t at = (size_t)(found - k->epochs);
    k->count--;
    memmove(&k->epochs[at], &k->epochs[at + 1], (k->count - at) * sizeof(*found));
    wipe(&k->epochs[k->count], sizeof(*found));
    return OK;
}

uint32_t keyring_epoch(const struct keyring *k)
{
    return k->count ? k->epochs[k->count - 1].no : 0;
}

RESULT keyring_created(const struct keyring *k, uint32_t epoch, uint64_t *ret_ms)
{
    const struct epoch *e = epoch_find(k, epoch);
    if (!e)
        return ERR_NOT_FOUND;
    *ret_ms = e->created_ms;
    return OK;
}

enum key_class keyring_class(const struct keyring *k)
{
    return k->class;
}

RESULT keyring_export(const struct keyring *k, struct writer *w)
{
    writer_u8(w, EXPORT_VERSION);
    writer_u8(w, (uint8_t)k->class);
    writer_u8(w, (uint8_t)k->count);
    for (size_t i = 0; i < k->count; i++) {
        writer_u32(w, k->epochs[i].no);
        writer_u64(w, k->epochs[i].created_ms);
        writer_bytes(w, k->epochs[i].key, sizeof(k->epochs[i].key));
    }
    return writer_done(w);
}

static RESULT import_epochs(struct reader *r, size_t count, struct keyring *k)
{
    while (k->count < count) {
        struct epoch *e = &k->epochs[k->count];
        TRY(reader_u32(r, &e->no));
        TRY(reader_u64(r, &e->created_ms));
        TRY(reader_copy(r, e->key, sizeof(e->key)));
        if (e->no <= keyring_epoch(k)) /* also keeps 0 out */
            return ERR_MALFORMED;
        TRY(derive(k->class, e));
        k->count++;
    }
    return reader_end(r);
}

RESULT keyring_import(struct view bytes, struct keyring **ret)
{
    struct reader r = reader_new(bytes);
    uint8_t version = 0, class = 0, count = 0;
    TRY(reader_u8(&r, &version));
    if (version > EXPORT_VERSION)
        return ERR_TOO_NEW;
    TRY(reader_u8(&r, &class));
    TRY(reader_u8(&r, &count));
    if (version == 0 || !class_known(class) || count > KEYRING_MAX_EPOCHS)
        return ERR_MALFORMED;
    AUTO(keyring_free) struct keyring *k = NULL;
    TRY(keyring_new((enum key_class) class, &k));
    TRY(import_epochs(&r, count, k));
    *ret = TAKE(k);
    return OK;
}

/* alg is 0 for what callers derive themselves: no caller ever holds a key that also seals, and no key serves two
 * algorithms. */
static RESULT subkey(const struct keyring *k, uint32_t epoch, enum key_purpose purpose, uint8_t alg,
                     uint8_t out[static AEAD_KEY_SIZE])
{
    if (purpose < PURPOSE_ROW || purpose >= PURPOSE_COUNT || alg >= ALG_COUNT)
        return ERR_BAD_VALUE;
    const struct epoch *e = epoch_find(k, epoch);
    if (!e)
        return ERR_NOT_FOUND;
    memcpy(out, e->subkeys[purpose - PURPOSE_ROW][alg], AEAD_KEY_SIZE);
    return OK;
}

RESULT keyring_subkey(const struct keyring *k, uint32_t epoch, enum key_purpose purpose, uint8_t out[static 32])
{
    return subkey(k, epoch, purpose, 0, out);
}

/* Associated data: the header, the context's length, the context. */
struct aad {
    uint8_t bytes[HEADER_SIZE + 4 + KEYRING_MAX_CONTEXT];
    size_t len;
};

static void aad_build(struct view header, struct view context, struct aad *a)
{
    struct writer w = writer_fixed(a->bytes, sizeof(a->bytes));
    writer_view(&w, header);
    writer_var(&w, context);
    a->len = w.len;
}

/* Appends room for n bytes and tells where it is. */
static RESULT room(struct writer *w, size_t n, uint8_t **ret)
{
    static const uint8_t zeros[256];
    size_t start = w->len;
    for (size_t left = n, part; left > 0; left -= part) {
        part = left < sizeof(zeros) ? left : sizeof(zeros);
        writer_bytes(w, zeros, part);
    }
    TRY(writer_done(w));
    *ret = n > 0 ? w->ptr + start : w->ptr;
    return OK;
}

static RESULT seal_into(const struct keyring *k, enum aead_alg alg, enum key_purpose purpose, struct view context,
                        struct view text, const struct random *random, struct writer *w)
{
    uint32_t epoch = keyring_epoch(k);
    uint8_t head[HEADER_SIZE + AEAD_NONCE_SIZE], key[AEAD_KEY_SIZE];
    struct writer h = writer_fixed(head, HEADER_SIZE);
    writer_u8(&h, (uint8_t)alg);
    writer_u8(&h, (uint8_t)k->class);
    writer_u16(&h, (uint16_t)purpose);
    writer_u32(&h, epoch);
    TRY(random->fill(random, head + HEADER_SIZE, AEAD_NONCE_SIZE));

    uint8_t *out = NULL;
    writer_bytes(w, head, sizeof(head));
    TRY(room(w, text.len + AEAD_TAG_SIZE, &out));
    struct aad aad;
    aad_build(VIEW(head, HEADER_SIZE), context, &aad);
    TRY(subkey(k, epoch, purpose, (uint8_t)alg, key));
    enum err e = aead_seal(alg, key, head + HEADER_SIZE, VIEW(aad.bytes, aad.len), text, out);
    wipe(key, sizeof(key));
    return e;
}

RESULT keyring_seal(const struct keyring *k, enum aead_alg alg, enum key_purpose purpose, struct view context,
                    struct view text, const struct random *random, struct writer *w)
{
    if (context.len > KEYRING_MAX_CONTEXT || text.len > SIZE_MAX - SEALED_OVERHEAD)
        return ERR_TOO_LONG;
    size_t before = w->len;
    enum err e = seal_into(k, alg, purpose, context, text, random, w);
    if (e != OK)
        w->len = before;
    return e;
}

struct sealed_header {
    uint8_t alg, class;
    uint16_t purpose;
    uint32_t epoch;
};

static RESULT sealed_read(struct view sealed, struct sealed_header *ret)
{
    if (sealed.len < SEALED_OVERHEAD)
        return ERR_TAMPERED;
    struct reader r = reader_new(sealed);
    TRY(reader_u8(&r, &ret->alg));
    TRY(reader_u8(&r, &ret->class));
    TRY(reader_u16(&r, &ret->purpose));
    TRY(reader_u32(&r, &ret->epoch));
    return OK;
}

RESULT sealed_epoch(struct view sealed, uint32_t *ret)
{
    struct sealed_header h = {0};
    TRY(sealed_read(sealed, &h));
    *ret = h.epoch;
    return OK;
}

RESULT keyring_open(const struct keyring *k, enum key_purpose purpose, struct view context, struct view sealed,
                    struct writer *w)
{
    struct sealed_header h = {0};
    uint8_t key[AEAD_KEY_SIZE];
    TRY(sealed_read(sealed, &h));
    if (h.class != k->class || h.purpose != purpose || context.len > KEYRING_MAX_CONTEXT)
        return ERR_TAMPERED;
    size_t before = w->len;
    uint8_t *out = NULL;
    TRY(room(w, sealed.len - SEALED_OVERHEAD, &out));
    /* An epoch or algorithm that is not there can only come from changed bytes. */
    if (subkey(k, h.epoch, purpose, h.alg, key) != OK) {
        w->len = before;
        return ERR_TAMPERED;
    }
    struct aad aad;
    aad_build(VIEW(sealed.ptr, HEADER_SIZE), context, &aad);
    const size_t skip = HEADER_SIZE + AEAD_NONCE_SIZE;
    enum err e = aead_open((enum aead_alg)h.alg, key, sealed.ptr + HEADER_SIZE, VIEW(aad.bytes, aad.len),
                           VIEW(sealed.ptr + skip, sealed.len - skip), out);
    wipe(key, sizeof(key));
    if (e != OK)
        w->len = before;
    return e;
}
