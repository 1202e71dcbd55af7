#include "ledger/leaf.h"

#include "base/fields.h"
#include "crypto/secmem.h"

#define LEAF_VERSION  1
#define LEAF_SUBJECTS 2
#define LEAF_PREFIX   0x00
#define TAG_OFFSET    54 /* of the author tag in the bytes */
#define FIELDS_MAX    16384

static const struct field authored_fields[] = {
    FIELD(1, struct authored_record, leaf, BYTES, LEAF_MAX),
    FIELD(2, struct authored_record, who, BYTES, FIELDS_MAX),
    FIELD(3, struct authored_record, what, BYTES, FIELDS_MAX),
    FIELD(4, struct authored_record, who_salt, FIXED, LEAF_SALT_SIZE),
    FIELD(5, struct authored_record, what_salt, FIXED, LEAF_SALT_SIZE),
};
const struct entity authored_record_entity = ENTITY("AuthoredRecord", 0x0403, 1, struct authored_record,
                                                    authored_fields);

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return any == 0;
}

/* What holds for every leaf, written or read. */
static RESULT check(const struct leaf *l)
{
    if (l->author < AUTHOR_FRONT || l->author > AUTHOR_SIGNER || l->change_count > LEAF_CHANGES_MAX)
        return ERR_MALFORMED;
    if (l->severity < SEVERITY_LOW || l->severity > SEVERITY_CRITICAL)
        return ERR_MALFORMED;
    if (l->outcome < OUTCOME_DONE || l->outcome > OUTCOME_FAILED || l->type == 0)
        return ERR_MALFORMED;
    bool chained = l->sequence != 0;
    if (chained != (l->author != AUTHOR_FRONT))
        return ERR_MALFORMED;
    if (!chained && !(all_zero(l->previous, sizeof(l->previous)) && all_zero(l->tag, sizeof(l->tag))))
        return ERR_MALFORMED;
    return OK;
}

RESULT leaf_encode(const struct leaf *l, struct writer *w)
{
    TRY(check(l));
    writer_u8(w, LEAF_VERSION);
    writer_u8(w, l->author);
    writer_u16(w, l->type);
    writer_u8(w, l->severity);
    writer_u8(w, l->outcome);
    writer_u64(w, l->time_ms);
    writer_u64(w, l->sequence);
    writer_bytes(w, l->previous, sizeof(l->previous));
    writer_bytes(w, l->tag, sizeof(l->tag));
    writer_u8(w, l->change_count);
    for (size_t i = 0; i < l->change_count; i++) {
        const struct leaf_change *c = &l->changes[i];
        writer_u16(w, c->table);
        writer_bytes(w, c->row, sizeof(c->row));
        writer_u64(w, c->version);
        writer_bytes(w, c->commitment, sizeof(c->commitment));
    }
    writer_u8(w, LEAF_SUBJECTS);
    writer_bytes(w, l->who, sizeof(l->who));
    writer_bytes(w, l->what, sizeof(l->what));
    return writer_done(w);
}

static RESULT decode_header(struct reader *r, struct leaf *l)
{
    uint8_t version = 0;
    TRY(reader_u8(r, &version));
    if (version > LEAF_VERSION)
        return ERR_TOO_NEW;
    if (version != LEAF_VERSION)
        return ERR_MALFORMED;
    TRY(reader_u8(r, &l->author));
    TRY(reader_u16(r, &l->type));
    TRY(reader_u8(r, &l->severity));
    TRY(reader_u8(r, &l->outcome));
    TRY(reader_u64(r, &l->time_ms));
    TRY(reader_u64(r, &l->sequence));
    TRY(reader_copy(r, l->previous, sizeof(l->previous)));
    TRY(reader_copy(r, l->tag, sizeof(l->tag)));
    return reader_u8(r, &l->change_count);
}

static RESULT decode_change(struct reader *r, struct leaf_change *c)
{
    TRY(reader_u16(r, &c->table));
    TRY(reader_copy(r, c->row, sizeof(c->row)));
    TRY(reader_u64(r, &c->version));
    return reader_copy(r, c->commitment, sizeof(c->commitment));
}

RESULT leaf_decode(struct view bytes, struct leaf *ret)
{
    struct reader r = reader_new(bytes);
    struct leaf l = {0};
    uint8_t subjects = 0;
    TRY(decode_header(&r, &l));
    TRY(check(&l));
    for (size_t i = 0; i < l.change_count; i++)
        TRY(decode_change(&r, &l.changes[i]));
    TRY(reader_u8(&r, &subjects));
    if (subjects != LEAF_SUBJECTS)
        return ERR_MALFORMED;
    TRY(reader_copy(&r, l.who, sizeof(l.who)));
    TRY(reader_copy(&r, l.what, sizeof(l.what)));
    TRY(reader_end(&r));
    *ret = l;
    return OK;
}

void leaf_hash(struct view leaf_bytes, uint8_t out[static 32])
{
    static const uint8_t prefix[1] = {LEAF_PREFIX};
    const struct view parts[] = {VIEW_OF(prefix), leaf_bytes};
    sha256_list(parts, ARRAY_LEN(parts), out);
}

static void commit_to(const uint8_t salt[static LEAF_SALT_SIZE], struct view fields, uint8_t out[static 32])
{
    const struct view parts[] = {VIEW(salt, LEAF_SALT_SIZE), fields};
    sha256_list(parts, ARRAY_LEN(parts), out);
}

/* The tag of encoded bytes, whatever tag they carry now. */
static void make_tag(struct view leaf_bytes, const uint8_t key[static 32], uint8_t out[static LEAF_TAG_SIZE])
{
    static const uint8_t none[LEAF_TAG_SIZE];
    const size_t after = TAG_OFFSET + LEAF_TAG_SIZE;
    const struct view parts[] = {VIEW(leaf_bytes.ptr, TAG_OFFSET), VIEW_OF(none),
                                 VIEW(leaf_bytes.ptr + after, leaf_bytes.len - after)};
    uint8_t mac[SHA256_SIZE];
    hmac_sha256_list(VIEW(key, 32), parts, ARRAY_LEN(parts), mac);
    memcpy(out, mac, LEAF_TAG_SIZE);
    wipe(mac, sizeof(mac));
}

RESULT leaf_check_tag(struct view leaf_bytes, const uint8_t key[static 32])
{
    if (leaf_bytes.len < TAG_OFFSET + LEAF_TAG_SIZE)
        return ERR_BAD_SIGNATURE;
    uint8_t tag[LEAF_TAG_SIZE];
    make_tag(leaf_bytes, key, tag);
    return ct_eq(tag, leaf_bytes.ptr + TAG_OFFSET, sizeof(tag)) ? OK : ERR_BAD_SIGNATURE;
}

RESULT leaf_check_fields(const struct authored_record *a)
{
    struct leaf l;
    uint8_t who[SHA256_SIZE], what[SHA256_SIZE];
    if (leaf_decode(a->leaf, &l) != OK)
        return ERR_TAMPERED;
    commit_to(a->who_salt, a->who, who);
    commit_to(a->what_salt, a->what, what);
    return ct_eq(who, l.who, sizeof(who)) && ct_eq(what, l.what, sizeof(what)) ? OK : ERR_TAMPERED;
}

static RESULT canonical(const struct entity *e, const void *object, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(FIELDS_MAX);
    TRY(entity_encode(e, object, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static RESULT fill_changes(struct leaf *l, const struct leaf_change *changes, size_t count)
{
    if (count > LEAF_CHANGES_MAX)
        return ERR_TOO_LONG;
    for (size_t i = 0; i < count; i++)
        l->changes[i] = changes[i];
    l->change_count = (uint8_t)count;
    return OK;
}

static RESULT fields_of(const struct record *r, const struct random *rng, struct arena *arena, struct leaf *l,
                        struct authored_record *out)
{
    uint8_t salts[2 * LEAF_SALT_SIZE];
    TRY(canonical(&request_context_entity, &r->who, arena, &out->who));
    TRY(canonical(&record_object_entity, &r->what, arena, &out->what));
    TRY(rng->fill(rng, salts, sizeof(salts)));
    memcpy(out->who_salt, salts, LEAF_SALT_SIZE);
    memcpy(out->what_salt, salts + LEAF_SALT_SIZE, LEAF_SALT_SIZE);
    commit_to(out->who_salt, out->who, l->who);
    commit_to(out->what_salt, out->what, l->what);
    return OK;
}

RESULT leaf_author(struct leaf_chain *chain, const struct record *r, const struct leaf_change *changes,
                   size_t change_count, uint64_t now_ms, const struct random *random, struct arena *arena,
                   struct authored_record *ret)
{
    struct leaf l = {.author = chain->author,
                     .type = r->type,
                     .severity = (uint8_t)event_severity(r->type),
                     .outcome = r->outcome,
                     .time_ms = now_ms};
    struct authored_record out = {0};
    bool chained = chain->author != AUTHOR_FRONT;
    if (chained) {
        l.sequence = chain->next_sequence;
        memcpy(l.previous, chain->previous, sizeof(l.previous));
    }
    TRY(fill_changes(&l, changes, change_count));
    TRY(fields_of(r, random, arena, &l, &out));

    uint8_t bytes[LEAF_MAX];
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    TRY(leaf_encode(&l, &w));
    if (chained)
        make_tag(writer_view_of(&w), chain->key, bytes + TAG_OFFSET);
    TRY(arena_copy(arena, writer_view_of(&w), &out.leaf));
    if (chained) {
        leaf_hash(out.leaf, chain->previous);
        chain->next_sequence++;
    }
    *ret = out;
    return OK;
}
