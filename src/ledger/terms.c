#include "ledger/terms.h"

#include "crypto/secmem.h"
#include "ledger/subject.h"

RESULT term_of_text(const struct row_keys *k, const char *index, struct view text, struct term *ret)
{
    struct writer w = writer_fixed(ret->b, sizeof(ret->b));
    return row_key_term(k, index, text, &w);
}

RESULT term_of_number(const struct row_keys *k, const char *index, uint64_t n, struct term *ret)
{
    uint8_t bytes[8];
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    writer_u64(&w, n);
    return term_of_text(k, index, VIEW_OF(bytes), ret);
}

void term_key(const struct term *t, uint64_t position, uint8_t out[static TERM_KEY_SIZE])
{
    struct writer w = writer_fixed(out, TERM_KEY_SIZE);
    writer_bytes(&w, t->b, sizeof(t->b));
    writer_u64(&w, ~position);
}

uint64_t term_position(struct view key)
{
    struct reader r = reader_new(key);
    struct view term = {0};
    uint64_t n = 0;
    if (reader_bytes(&r, TERM_SIZE, &term) != OK || reader_u64(&r, &n) != OK)
        return 0;
    return ~n;
}

/* --- records */

static RESULT open_sides(struct subject_reader *subjects, const struct log_row *log, const uint8_t bound[static 32],
                         struct arena *arena, struct authored_record *ret, bool ret_gone[static SIDE_COUNT])
{
    struct view parts[SIDE_COUNT][2] = {{{NULL, 0}}};
    for (enum side s = SIDE_WHO; s < SIDE_COUNT; s++) {
        const uint8_t *key = NULL;
        enum err e = subject_read(subjects, &log->part[s].subject, &key);
        ret_gone[s] = e == ERR_NOT_FOUND;
        if (ret_gone[s])
            continue;
        TRY(e);
        TRY(logrow_open(&log->part[s], key, bound, s, arena, parts[s]));
    }
    ret->who = parts[SIDE_WHO][1];
    ret->what = parts[SIDE_WHAT][1];
    if (!ret_gone[SIDE_WHO])
        memcpy(ret->who_salt, parts[SIDE_WHO][0].ptr, LEAF_SALT_SIZE);
    if (!ret_gone[SIDE_WHAT])
        memcpy(ret->what_salt, parts[SIDE_WHAT][0].ptr, LEAF_SALT_SIZE);
    return OK;
}

static RESULT matches(const uint8_t salt[static LEAF_SALT_SIZE], struct view fields, const uint8_t expected[static 32])
{
    const struct view parts[] = {VIEW(salt, LEAF_SALT_SIZE), fields};
    uint8_t h[SHA256_SIZE];
    sha256_list(parts, ARRAY_LEN(parts), h);
    return ct_eq(h, expected, sizeof(h)) ? OK : ERR_TAMPERED;
}

static RESULT fill_view(const struct authored_record *a, struct arena *arena, struct record_view *v)
{
    v->who_bytes = a->who;
    v->what_bytes = a->what;
    memcpy(v->who_salt, a->who_salt, LEAF_SALT_SIZE);
    memcpy(v->what_salt, a->what_salt, LEAF_SALT_SIZE);
    if (!v->erased) {
        TRY(matches(a->who_salt, a->who, v->leaf.who));
        TRY(entity_decode(&request_context_entity, a->who, arena, &v->who));
    }
    TRY(matches(a->what_salt, a->what, v->leaf.what));
    return entity_decode(&record_object_entity, a->what, arena, &v->what);
}

RESULT record_open(struct subject_reader *subjects, const struct store_row *row, struct arena *arena,
                   struct record_view *ret)
{
    struct log_row log;
    struct record_view v = {.index = log_index(row->key)};
    struct authored_record a = {0};
    bool gone[SIDE_COUNT];
    uint8_t bound[32];
    struct view bytes = {0};
    TRY(arena_copy(arena, row->value, &bytes));
    TRY(logrow_decode(bytes, &log));
    if (leaf_decode(log.leaf, &v.leaf) != OK)
        return ERR_TAMPERED;
    v.leaf_bytes = log.leaf;
    logrow_bound(&log, bound);
    TRY(open_sides(subjects, &log, bound, arena, &a, gone));
    if (gone[SIDE_WHAT]) /* only people are erased */
        return ERR_TAMPERED;
    v.erased = gone[SIDE_WHO];
    enum err e = fill_view(&a, arena, &v);
    if (e != OK && e != ERR_NO_MEMORY && e != ERR_TOO_NEW)
        return ERR_TAMPERED;
    TRY(e);
    *ret = v;
    return OK;
}
