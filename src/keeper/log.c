/* The keeper's own view of the log: it appends what the front reports durable to its frontier, and signs only that. */
#include "keeper/core.h"

#include "ledger/note.h"

#define PENDING_AT_ONCE 16
#define PENDING_BYTES   (100u * 1024)

HANDLER(log_hello)
{
    struct keeper_welcome *w = answer;
    AUTO_WRITER ring = writer_new(8192);

    (void)request, (void)why;
    TRY(keyring_export(k->rings[RING_STATE], &ring));
    TRY(arena_copy(arena, writer_view_of(&ring), &w->state_ring));
    memcpy(w->installation, k->head.installation, sizeof w->installation);
    memcpy(w->import_key, k->import_public, 32);
    memcpy(w->checkpoint_key, k->checkpoint_public, 32);
    w->cipher = k->head.cipher;
    w->password_passes = k->head.password_passes;
    w->password_memory_kib = k->head.password_memory_kib;
    w->log_size = k->frontier.size;
    frontier_root(&k->frontier, w->frontier_root);
    return OK;
}

struct page {
    struct keeper_pending_record *records;
    size_t count, bytes;
};

static bool page_add(struct page *p, const struct waiting *w)
{
    size_t size = (size_t)w->authored_len + w->descriptor_len + w->sealed_len;

    if (p->count == PENDING_AT_ONCE || p->bytes + size > PENDING_BYTES)
        return false;
    p->bytes += size;
    p->records[p->count++] = (struct keeper_pending_record){
        .authored = VIEW(w->bytes, w->authored_len),
        .descriptor = VIEW(w->bytes + w->authored_len, w->descriptor_len),
        .sealed = VIEW(w->bytes + w->authored_len + w->descriptor_len, w->sealed_len)};
    return true;
}

/* What waits of one author after a sequence, in order; false when the page is full. */
static bool page_fill(const struct keeper *k, size_t author, uint64_t after, struct page *p)
{
    const struct author *a = &k->authors[author];

    for (size_t i = 0; i < k->kept_count; i++) {
        const struct kept *r = &k->kept[i];
        if (r->author == author && r->record.sequence > after && !page_add(p, &r->record))
            return false;
    }
    for (uint64_t s = a->low; s < a->chain.next_sequence; s++) {
        const struct waiting *w = &a->waiting[s % WAITING_MAX];
        if (s > after && w->sequence == s && !page_add(p, w))
            return false;
    }
    return true;
}

/* Asking from the start says that everything the front's store had has been fed. */
HANDLER(log_pending)
{
    const struct keeper_pending_from *q = request;
    struct keeper_pending *out = answer;
    struct page page = {.records = arena_alloc(arena, PENDING_AT_ONCE * sizeof *page.records)};
    bool more = true;

    (void)why;
    if (!page.records)
        return ERR_NO_MEMORY;
    if (q->author == 0)
        authors_close_former(k);
    for (size_t i = q->author > 1 ? 1 : 0; i < 2 && more; i++)
        more = page_fill(k, i, q->author == i + 1 ? q->sequence : 0, &page);
    out->records = (struct entity_list){page.records, page.count};
    return OK;
}

static RESULT append_one(struct keeper *k, struct view bytes)
{
    struct leaf leaf;
    uint8_t hash[32];

    TRY(leaf_decode(bytes, &leaf));
    TRY(authors_logged(k, &leaf, bytes));
    leaf_hash(bytes, hash);
    frontier_append(&k->frontier, hash);
    return OK;
}

/* Leaves before a bad one stay appended: they were durable too, and the answer tells how far it went. */
HANDLER(log_append)
{
    const struct keeper_log_append *q = request;
    struct keeper_log_size *out = answer;
    struct reader r = reader_new(q->leaves);

    (void)arena;
    if (q->first != k->frontier.size)
        return problem_set(why, ERR_LOG_MISMATCH, "first", "the keeper's log has %llu leaves",
                           (unsigned long long)k->frontier.size);
    while (r.left > 0) {
        uint16_t len;
        struct view bytes;
        TRY(reader_u16(&r, &len));
        TRY(reader_bytes(&r, len, &bytes));
        if (append_one(k, bytes) != OK)
            return problem_set(why, ERR_LOG_MISMATCH, "leaves", "leaf %llu is not what its author wrote",
                               (unsigned long long)k->frontier.size);
    }
    memcpy(k->live_rows, q->state, 32);
    out->size = k->frontier.size;
    authors_tell_room(k);
    return k->settled ? save_write(k) : OK; /* an approved change is in force, also after a crash */
}

void keeper_cut_take(const struct keeper *k, uint64_t least_size, struct keeper_cut *ret)
{
    *ret = (struct keeper_cut){.sequence = {k->authors[0].chain.next_sequence, k->authors[1].chain.next_sequence},
                               .size = least_size};
}

bool keeper_cut_covered(const struct keeper *k, const struct keeper_cut *cut)
{
    return k->kept_count == 0 && k->authors[0].low >= cut->sequence[0] && k->authors[1].low >= cut->sequence[1] &&
           k->frontier.size >= cut->size;
}

static RESULT origin_of(const struct keeper *k, char out[static NOTE_ORIGIN_MAX])
{
    struct writer w = writer_fixed(out, NOTE_ORIGIN_MAX - 1);

    log_origin_put(k->head.installation, &w);
    TRY(writer_done(&w));
    out[w.len] = '\0';
    return OK;
}

RESULT keeper_checkpoint_sign(struct keeper *k, struct writer *ret_answer)
{
    AUTO_WRITER note = writer_new(NOTE_MAX);
    struct checkpoint c = {.size = k->frontier.size,
                           .has_state = true,
                           .has_time = true,
                           .time_ms = k->config.clock->wall_ms(k->config.clock)};
    struct keeper_note out;

    if (k->state != STATE_UNSEALED)
        return ERR_SEALED;
    TRY(origin_of(k, c.origin));
    frontier_root(&k->frontier, c.root);
    memcpy(c.state, k->live_rows, 32);
    TRY(save_write(k)); /* before the signature leaves: a restarted keeper must not fork below it */
    TRY(note_sign(&c, keeper_seeds(k)->checkpoint, &note));
    out.note = writer_view_of(&note);
    return entity_encode(&keeper_note_entity, &out, ret_answer);
}
