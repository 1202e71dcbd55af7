#include "ledger/logrow.h"

#include "crypto/secmem.h"

#define LOGROW_VERSION 1

void log_key(uint64_t index, uint8_t out[static LOG_KEY_SIZE])
{
    struct writer w = writer_fixed(out, LOG_KEY_SIZE);
    writer_u64(&w, index);
}

uint64_t log_index(struct view key)
{
    struct reader r = reader_new(key);
    uint64_t index = UINT64_MAX;
    return reader_u64(&r, &index) == OK && r.left == 0 ? index : UINT64_MAX;
}

static void put_part(const struct log_part *p, struct writer *w)
{
    writer_bytes(w, p->subject.key, sizeof(p->subject.key));
    writer_u64(w, p->subject.version);
    writer_u8(w, p->alg);
    writer_bytes(w, p->nonce, sizeof(p->nonce));
    writer_var(w, p->sealed);
}

static void put_links(const struct log_row *row, struct writer *w)
{
    writer_u8(w, row->link_count);
    for (size_t i = 0; i < row->link_count; i++) {
        writer_u8(w, row->links[i].change);
        writer_bytes(w, row->links[i].row, sizeof(row->links[i].row));
    }
}

void logrow_encode(const struct log_row *row, struct writer *w)
{
    writer_u8(w, LOGROW_VERSION);
    writer_u16(w, (uint16_t)row->leaf.len);
    writer_view(w, row->leaf);
    for (size_t i = 0; i < SIDE_COUNT; i++)
        put_part(&row->part[i], w);
    put_links(row, w);
}

static RESULT get_part(struct reader *r, struct log_part *p)
{
    TRY(reader_copy(r, p->subject.key, sizeof(p->subject.key)));
    TRY(reader_u64(r, &p->subject.version));
    TRY(reader_u8(r, &p->alg));
    TRY(reader_copy(r, p->nonce, sizeof(p->nonce)));
    return reader_var(r, STORE_VALUE_MAX, &p->sealed);
}

static RESULT get_links(struct reader *r, struct log_row *row)
{
    TRY(reader_u8(r, &row->link_count));
    if (row->link_count > LEAF_CHANGES_MAX)
        return ERR_TAMPERED;
    for (size_t i = 0; i < row->link_count; i++) {
        TRY(reader_u8(r, &row->links[i].change));
        TRY(reader_copy(r, row->links[i].row, sizeof(row->links[i].row)));
    }
    return reader_end(r);
}

static RESULT get_row(struct reader *r, struct log_row *row)
{
    uint8_t version = 0;
    uint16_t len = 0;
    TRY(reader_u8(r, &version));
    if (version != LOGROW_VERSION)
        return ERR_TAMPERED;
    TRY(reader_u16(r, &len));
    TRY(reader_bytes(r, len, &row->leaf));
    for (size_t i = 0; i < SIDE_COUNT; i++)
        TRY(get_part(r, &row->part[i]));
    return get_links(r, row);
}

RESULT logrow_decode(struct view value, struct log_row *ret)
{
    struct reader r = reader_new(value);
    struct log_row row = {0};
    if (get_row(&r, &row) != OK)
        return ERR_TAMPERED;
    *ret = row;
    return OK;
}

/* --- sealing */

#define AAD_SIZE   33
#define LINKS_SIZE (1 + LEAF_CHANGES_MAX * 33)

void logrow_bound(const struct log_row *row, uint8_t out[static 32])
{
    uint8_t links[LINKS_SIZE];
    struct writer w = writer_fixed(links, sizeof(links));
    leaf_hash(row->leaf, out);
    if (row->link_count == 0)
        return;
    put_links(row, &w);
    const struct view parts[] = {VIEW(out, 32), writer_view_of(&w)};
    sha256_list(parts, ARRAY_LEN(parts), out);
}

static void aad_of(const uint8_t bound[static 32], enum side side, uint8_t out[static AAD_SIZE])
{
    memcpy(out, bound, 32);
    out[32] = (uint8_t)side;
}

RESULT logrow_seal(struct log_part *p, const uint8_t key[static 32], const uint8_t bound[static 32], enum side side,
                   const struct view salt_and_fields[2], struct arena *arena)
{
    uint8_t aad[AAD_SIZE];
    size_t n = salt_and_fields[0].len + salt_and_fields[1].len;
    uint8_t *text = arena_alloc(arena, n), *out = arena_alloc(arena, n + AEAD_TAG_SIZE);
    if (!text || !out)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(text, n);
    writer_view(&w, salt_and_fields[0]);
    writer_view(&w, salt_and_fields[1]);
    aad_of(bound, side, aad);
    TRY(aead_seal((enum aead_alg)p->alg, key, p->nonce, VIEW_OF(aad), VIEW(text, n), out));
    p->sealed = VIEW(out, n + AEAD_TAG_SIZE);
    return OK;
}

RESULT logrow_open(const struct log_part *p, const uint8_t key[static 32], const uint8_t bound[static 32],
                   enum side side, struct arena *arena, struct view ret_salt_and_fields[2])
{
    uint8_t aad[AAD_SIZE];
    if (p->sealed.len < AEAD_TAG_SIZE + LEAF_SALT_SIZE)
        return ERR_TAMPERED;
    size_t n = p->sealed.len - AEAD_TAG_SIZE;
    uint8_t *out = arena_alloc(arena, n);
    if (!out)
        return ERR_NO_MEMORY;
    aad_of(bound, side, aad);
    if (aead_open((enum aead_alg)p->alg, key, p->nonce, VIEW_OF(aad), p->sealed, out) != OK)
        return ERR_TAMPERED;
    ret_salt_and_fields[0] = VIEW(out, LEAF_SALT_SIZE);
    ret_salt_and_fields[1] = VIEW(out + LEAF_SALT_SIZE, n - LEAF_SALT_SIZE);
    return OK;
}

RESULT subject_name(const struct row_keys *k, enum side side, struct view actor,
                    uint8_t ret_key[static SUBJECT_KEY_SIZE])
{
    /* The first byte keeps an actor from ever naming the installation's own subject. */
    AUTO_WRITER name = writer_new(1024);
    struct writer key = writer_fixed(ret_key, SUBJECT_KEY_SIZE);
    writer_u8(&name, (uint8_t)side);
    writer_view(&name, side == SIDE_WHO ? actor : VIEW_STR("system"));
    TRY(writer_done(&name));
    return row_key_exact(k, TABLE_SUBJECT, writer_view_of(&name), &key);
}
