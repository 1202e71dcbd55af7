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
    w->log_size = k->frontier.size;
    frontier_root(&k->frontier, w->frontier_root);
    return OK;
}

static void pending_fill(const struct waiting *w, struct keeper_pending_record *r)
{
    r->authored = VIEW(w->bytes, w->authored_len);
    r->descriptor = VIEW(w->bytes + w->authored_len, w->descriptor_len);
    r->sealed = VIEW(w->bytes + w->authored_len + w->descriptor_len, w->sealed_len);
}

static size_t waiting_size(const struct waiting *w)
{
    return (size_t)w->authored_len + w->descriptor_len + w->sealed_len;
}

/* Asking from the start says that everything the front's store had has been fed. */
HANDLER(log_pending)
{
    const struct keeper_pending_from *q = request;
    struct keeper_pending *out = answer;
    struct keeper_pending_record *records = arena_alloc(arena, PENDING_AT_ONCE * sizeof *records);
    size_t count = 0, bytes = 0;

    (void)why;
    if (!records)
        return ERR_NO_MEMORY;
    if (q->author == 0)
        authors_close_former(k);
    for (size_t i = q->author > 1 ? 1 : 0; i < 2; i++) {
        const struct author *a = &k->authors[i];
        uint64_t from = q->author == i + 1 && q->sequence >= a->low ? q->sequence + 1 : a->low;
        for (uint64_t s = from; s < a->chain.next_sequence && count < PENDING_AT_ONCE; s++) {
            const struct waiting *w = &a->waiting[s % WAITING_MAX];
            if (w->sequence != s)
                continue;
            if (bytes + waiting_size(w) > PENDING_BYTES)
                goto full;
            bytes += waiting_size(w);
            pending_fill(w, &records[count++]);
        }
    }
full:
    out->records = (struct entity_list){records, count};
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
    return k->settled ? save_write(k) : OK; /* an approved change is in force, also after a crash */
}

void keeper_cut_take(const struct keeper *k, uint64_t least_size, struct keeper_cut *ret)
{
    *ret = (struct keeper_cut){.sequence = {k->authors[0].chain.next_sequence, k->authors[1].chain.next_sequence},
                               .size = least_size};
}

bool keeper_cut_covered(const struct keeper *k, const struct keeper_cut *cut)
{
    return k->authors[0].low >= cut->sequence[0] && k->authors[1].low >= cut->sequence[1] &&
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
