#include "base/json.h"
#include "crypto/hash.h"
#include "ledger/chain.h"
#include "ledger/merkle.h"
#include "ledger/query.h"
#include "ledger/scan.h"

#define FIELDS_MAX 16384
#define SLACK      1024 /* records that may be under way when a checkpoint is signed */

struct verify {
    enum err failed;
    struct problem first; /* what the failure was */
    char origin[NOTE_ORIGIN_MAX];
    uint8_t key[ED25519_PUBLIC_SIZE];
    bool pinned, has_head, has_earlier, earlier_seen;
    uint8_t earlier_note[NOTE_MAX];
    size_t earlier_len;
    struct checkpoint now, earlier;
    struct frontier frontier;
    struct chains *chains;
    struct verify_summary sum;
};

/* One line, taken apart. */
struct line {
    uint64_t index;
    uint8_t leaf[LEAF_MAX], hash[SHA256_SIZE], who_salt[LEAF_SALT_SIZE], what_salt[LEAF_SALT_SIZE];
    size_t leaf_len, hash_len, who_salt_len, what_salt_len;
    uint8_t who[FIELDS_MAX], what[FIELDS_MAX];
    struct view who_fields, what_fields;
    bool erased;
};

static RESULT fail(struct verify *v, enum err e, const char *where, const char *sentence)
{
    v->failed = e;
    return problem_set(&v->first, e, where, "%s", sentence);
}

static RESULT fail_record(struct verify *v, enum err e, uint64_t index, const char *sentence)
{
    char where[64];
    struct writer w = writer_fixed(where, sizeof(where) - 1);
    writer_printf(&w, "record %llu", (unsigned long long)index);
    where[w.len] = '\0';
    return fail(v, e, where, sentence);
}

/* --- checkpoints */

static RESULT open_earlier(struct verify *v)
{
    if (v->earlier_len == 0)
        return OK;
    if (note_open(VIEW(v->earlier_note, v->earlier_len), v->key, &v->earlier) != OK)
        return fail(v, ERR_BAD_CHECKPOINT, "earlier checkpoint",
                    "the earlier checkpoint is malformed or not signed by this log's key");
    if (strcmp(v->earlier.origin, v->origin) != 0)
        return fail(v, ERR_BAD_CHECKPOINT, "earlier checkpoint", "the earlier checkpoint belongs to another log");
    v->has_earlier = true;
    return OK;
}

/* Is what was read up to now what the earlier checkpoint was signed for? */
static RESULT compare_earlier(struct verify *v)
{
    uint8_t root[SHA256_SIZE];
    if (!v->has_earlier || v->frontier.size != v->earlier.size)
        return OK;
    frontier_root(&v->frontier, root);
    if (memcmp(root, v->earlier.root, sizeof(root)) != 0)
        return fail(v, ERR_LOG_MISMATCH, "earlier checkpoint",
                    "the log does not extend the earlier checkpoint: a record that it covers was altered or removed, "
                    "or the log was forked or put back");
    v->earlier_seen = true;
    return OK;
}

static RESULT begin(struct verify *v, struct view pinned_verifier, struct view earlier_checkpoint)
{
    if (earlier_checkpoint.len > NOTE_MAX)
        return fail(v, ERR_BAD_CHECKPOINT, "earlier checkpoint", "the earlier checkpoint is too long");
    if (earlier_checkpoint.len)
        memcpy(v->earlier_note, earlier_checkpoint.ptr, earlier_checkpoint.len);
    v->earlier_len = earlier_checkpoint.len;
    v->pinned = pinned_verifier.len > 0;
    if (v->pinned && note_verifier_get(pinned_verifier, v->origin, v->key) != OK)
        return fail(v, ERR_MALFORMED, "verifier",
                    "the verifier must read name+hash+key, as 'holdfast status' prints it");
    if (v->pinned)
        TRY(open_earlier(v));
    return chains_new(&v->chains);
}

RESULT verify_new(struct view pinned_verifier, struct view earlier_checkpoint, struct verify **ret, struct problem *why)
{
    struct verify *v = calloc(1, sizeof(*v));
    if (!v)
        return problem_set(why, ERR_NO_MEMORY, "", "not enough memory");
    enum err e = begin(v, pinned_verifier, earlier_checkpoint);
    if (e != OK) {
        if (why)
            *why = v->first;
        verify_free(v);
        return e;
    }
    *ret = v;
    return OK;
}

void verify_free(struct verify *v)
{
    if (!v)
        return;
    chains_free(v->chains);
    free(v);
}

/* --- the head */

static RESULT open_head(struct verify *v, struct view verifier, struct view checkpoint)
{
    char origin[NOTE_ORIGIN_MAX];
    uint8_t key[ED25519_PUBLIC_SIZE];
    if (note_verifier_get(verifier, origin, key) != OK)
        return fail(v, ERR_MALFORMED, "head", "the export's verifier is malformed");
    if (v->pinned && (strcmp(origin, v->origin) != 0 || memcmp(key, v->key, sizeof(key)) != 0))
        return fail(v, ERR_BAD_CHECKPOINT, "head", "the export is of another log than the pinned verifier's");
    memcpy(v->origin, origin, sizeof(v->origin));
    memcpy(v->key, key, sizeof(v->key));
    if (note_open(checkpoint, v->key, &v->now) != OK || strcmp(v->now.origin, v->origin) != 0)
        return fail(v, ERR_BAD_CHECKPOINT, "head",
                    "the export's checkpoint is malformed or not signed by this log's key");
    if (!v->pinned)
        TRY(open_earlier(v));
    if (v->has_earlier && v->earlier.size > v->now.size)
        return fail(v, ERR_LOG_MISMATCH, "head",
                    "the export is older than the earlier checkpoint: records were removed, or an old copy put back");
    v->has_head = true;
    return compare_earlier(v);
}

static struct view member(const json_t *json, const char *name)
{
    const json_t *text = json_object_get(json, name);
    return VIEW(json_string_value(text), json_string_length(text));
}

static RESULT take_head(struct verify *v, struct view line)
{
    json_t *json = NULL;
    if (json_read(line, &json, NULL) != OK)
        return fail(v, ERR_MALFORMED, "head", "the first line is not the head of an exported log");
    json_int_t version = json_integer_value(json_object_get(json, "holdfast_log"));
    enum err e = OK;
    if (version > 1)
        e = fail(v, ERR_TOO_NEW, "head", "the export was written by a newer Holdfast");
    else if (version != 1)
        e = fail(v, ERR_MALFORMED, "head", "the first line is not the head of an exported log");
    else
        e = open_head(v, member(json, "verifier"), member(json, "checkpoint"));
    json_decref(json);
    return e;
}

/* --- records */

static bool scan_who(struct scan *s, struct line *l)
{
    struct writer w = writer_fixed(l->who, sizeof(l->who));
    l->erased = SCAN(s, "null");
    if (!l->erased && !scan_entity(s, &request_context_entity, &w))
        return false;
    l->who_fields = writer_view_of(&w);
    return SCAN(s, ",\"who_salt\":\"") && scan_base64(s, l->who_salt, sizeof(l->who_salt), &l->who_salt_len) &&
           l->who_salt_len == (l->erased ? 0 : LEAF_SALT_SIZE);
}

static bool scan_what(struct scan *s, struct line *l)
{
    struct writer w = writer_fixed(l->what, sizeof(l->what));
    if (!scan_entity(s, &record_object_entity, &w))
        return false;
    l->what_fields = writer_view_of(&w);
    return SCAN(s, ",\"what_salt\":\"") && scan_base64(s, l->what_salt, sizeof(l->what_salt), &l->what_salt_len) &&
           l->what_salt_len == LEAF_SALT_SIZE;
}

static bool scan_line(struct view text, struct line *l)
{
    struct scan s = {text.ptr, text.ptr + text.len};
    return SCAN(&s, "{\"index\":") && scan_number(&s, &l->index) && SCAN(&s, ",\"leaf\":\"") &&
           scan_base64(&s, l->leaf, sizeof(l->leaf), &l->leaf_len) && SCAN(&s, ",\"hash\":\"") &&
           scan_base64(&s, l->hash, sizeof(l->hash), &l->hash_len) && l->hash_len == sizeof(l->hash) &&
           SCAN(&s, ",\"who\":") && scan_who(&s, l) && SCAN(&s, ",\"what\":") && scan_what(&s, l) && SCAN(&s, "}") &&
           s.p == s.end;
}

static bool commits(const uint8_t salt[static LEAF_SALT_SIZE], struct view fields, const uint8_t expected[static 32])
{
    const struct view parts[] = {VIEW(salt, LEAF_SALT_SIZE), fields};
    uint8_t h[SHA256_SIZE];
    sha256_list(parts, ARRAY_LEN(parts), h);
    return memcmp(h, expected, sizeof(h)) == 0;
}

static void count(struct verify *v, const struct line *l, const struct leaf *leaf)
{
    v->sum.records++;
    v->sum.erased += l->erased;
    if (v->sum.first_ms == 0 || leaf->time_ms < v->sum.first_ms)
        v->sum.first_ms = leaf->time_ms;
    if (leaf->time_ms > v->sum.last_ms)
        v->sum.last_ms = leaf->time_ms;
}

static RESULT check_record(struct verify *v, const struct line *l)
{
    uint64_t index = v->frontier.size;
    struct leaf leaf;
    uint8_t hash[SHA256_SIZE];
    struct view bytes = VIEW(l->leaf, l->leaf_len);
    if (l->index != index)
        return fail_record(v, ERR_LOG_MISMATCH, index,
                           "this record is missing here: it was removed, moved or another one was put in its place");
    if (leaf_decode(bytes, &leaf) != OK)
        return fail_record(v, ERR_LOG_MISMATCH, index, "the record's leaf was altered: it can't be read");
    leaf_hash(bytes, hash);
    if (memcmp(hash, l->hash, sizeof(hash)) != 0)
        return fail_record(v, ERR_LOG_MISMATCH, index, "the record's leaf was altered");
    if (!l->erased && !commits(l->who_salt, l->who_fields, leaf.who))
        return fail_record(v, ERR_LOG_MISMATCH, index, "who did it was altered: it does not match the record's leaf");
    if (!commits(l->what_salt, l->what_fields, leaf.what))
        return fail_record(v, ERR_LOG_MISMATCH, index,
                           "what was done was altered: it does not match the record's leaf");
    enum err e = chains_add(v->chains, &leaf, hash, index, l->what_fields);
    if (e != OK)
        return fail_record(v, e, index, "the record does not follow the one that its author wrote before it");
    frontier_append(&v->frontier, hash);
    count(v, l, &leaf);
    return compare_earlier(v);
}

static RESULT take_record(struct verify *v, struct view text)
{
    static _Thread_local struct line l; /* large, and every byte that is used is written first */
    if (v->frontier.size == v->now.size)
        return fail_record(v, ERR_LOG_MISMATCH, v->frontier.size,
                           "there are more records than the checkpoint covers: one was added or is there twice");
    if (!scan_line(text, &l))
        return fail_record(v, ERR_MALFORMED, v->frontier.size, "the line is not a record in the form of an export");
    return check_record(v, &l);
}

RESULT verify_line(struct verify *v, struct view line, struct problem *why)
{
    enum err e = v->failed;
    if (line.len && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (e == OK)
        e = v->has_head ? take_record(v, line) : take_head(v, line);
    if (e != OK && why)
        *why = v->first;
    return e;
}

/* --- the end */

static RESULT finish(struct verify *v)
{
    uint8_t root[SHA256_SIZE];
    if (v->failed)
        return v->failed;
    if (!v->has_head)
        return fail(v, ERR_TRUNCATED, "head", "the export is empty");
    if (v->frontier.size < v->now.size)
        return fail_record(v, ERR_LOG_MISMATCH, v->frontier.size, "this record and what follows was removed");
    frontier_root(&v->frontier, root);
    if (memcmp(root, v->now.root, sizeof(root)) != 0)
        return fail(v, ERR_LOG_MISMATCH, "checkpoint",
                    v->earlier_seen ? "the records do not hash to the checkpoint's root: one that came after the "
                                      "earlier checkpoint was replaced as a whole"
                                    : "the records do not hash to the checkpoint's root: one was replaced as a whole; "
                                      "an earlier checkpoint would narrow it down");
    uint64_t gap = chains_gap(v->chains, v->frontier.size, SLACK);
    if (gap != UINT64_MAX)
        return fail_record(v, ERR_LOG_MISMATCH, gap, "records that its author wrote before this one are missing");
    return OK;
}

RESULT verify_finish(struct verify *v, struct verify_summary *ret, struct problem *why)
{
    enum err e = finish(v);
    if (e != OK) {
        if (why)
            *why = v->first;
        return e;
    }
    v->sum.checkpoint_size = v->now.size;
    v->sum.extends_earlier = v->earlier_seen;
    v->sum.pinned = v->pinned;
    *ret = v->sum;
    return OK;
}
