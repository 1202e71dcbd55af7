/* The committing thread: one durable commit for everything that waits. */
#include "ledger/inside.h"

#define BOXES_MAX 64

/* What one turn of the thread works on. */
struct batch {
    struct mail *first;
    size_t count, applied, records;
    size_t subscribers; /* who subscribed before this commit: only for them are its leaves kept */
    uint64_t first_index;
    struct row_keys *keys;
    uint8_t note[NOTE_MAX];
    size_t note_len; /* 0 = no checkpoint to be stored */
    uint64_t note_size;
    uint8_t state[32];
    struct subject_put puts[RECORDS_MAX * SIDE_COUNT]; /* of the transaction at hand; here, since it is large */
};

static struct txn *txn_of(struct mail *m)
{
    return (struct txn *)(void *)((uint8_t *)m - offsetof(struct txn, mail));
}

static void deliver(struct mail *m)
{
    struct txn *t = txn_of(m);
    t->done(t->context, t);
}

/* --- the queue */

RESULT ledger_submit(struct ledger *l, struct txn *first, size_t count, struct mailbox *box)
{
    struct mail *last = NULL, *m = &first->mail;
    for (size_t i = 0; i < count; i++, m = m->next) {
        struct txn *t = txn_of(m);
        if (!t->prepared)
            return ERR_INTERNAL;
        ((struct prepared *)t->prepared)->box = box;
        m->deliver = deliver;
        last = m;
    }
    if (!last)
        return OK;
    pthread_mutex_lock(&l->queue_lock);
    bool full = l->queue_count + count > l->queue_max || l->stop;
    if (!full) {
        last->next = NULL;
        *(l->queue_last ? &l->queue_last->next : &l->queue_first) = &first->mail;
        l->queue_last = last;
        l->queue_count += count;
    }
    pthread_mutex_unlock(&l->queue_lock);
    if (!full)
        pthread_cond_signal(&l->queue_wake); /* without the lock, which the woken thread wants at once */
    return full ? ERR_BUSY : OK;
}

RESULT ledger_put_checkpoint(struct ledger *l, struct view note)
{
    uint64_t size = 0;
    if (note.len > NOTE_MAX)
        return ERR_BAD_CHECKPOINT;
    TRY(note_size(note, &size));
    pthread_mutex_lock(&l->queue_lock);
    if (l->note.len == 0 || size >= l->note_size) { /* an older one has lost its use */
        writer_reset(&l->note);
        writer_view(&l->note, note);
        l->note_size = size;
        pthread_cond_signal(&l->queue_wake);
    }
    pthread_mutex_unlock(&l->queue_lock);
    return OK;
}

static void take_txns(struct ledger *l, struct batch *b)
{
    struct mail *last = NULL;
    b->first = l->queue_first;
    for (struct mail *m = l->queue_first; m && b->count < l->config.batch_max; m = m->next) {
        last = m;
        b->count++;
    }
    if (!last)
        return;
    l->queue_first = last->next;
    if (!l->queue_first)
        l->queue_last = NULL;
    last->next = NULL;
    l->queue_count -= b->count;
}

/* False when the ledger closes and nothing is left to do. */
static bool take(struct ledger *l, struct batch *b)
{
    pthread_mutex_lock(&l->queue_lock);
    while (!l->queue_first && l->note.len == 0 && !l->stop)
        pthread_cond_wait(&l->queue_wake, &l->queue_lock);
    bool more = l->queue_first || l->note.len > 0;
    take_txns(l, b);
    b->note_len = l->note.len;
    b->note_size = l->note_size;
    if (b->note_len)
        memcpy(b->note, l->note.ptr, b->note_len);
    pthread_mutex_unlock(&l->queue_lock);
    return more;
}

/* Stored, or given up because the ledger closes. */
static void note_settled(struct ledger *l, const struct batch *b)
{
    pthread_mutex_lock(&l->queue_lock);
    if (l->note.len == b->note_len && b->note_len && memcmp(l->note.ptr, b->note, b->note_len) == 0)
        writer_reset(&l->note);
    pthread_mutex_unlock(&l->queue_lock);
}

/* --- one transaction */

/* Rows of subjects that are new, each once. */
static size_t add_subjects(struct ledger *l, struct prepared *p, struct subject_put *puts)
{
    size_t n = 0, at = p->row_count + p->record_count;
    for (size_t i = 0; i < p->record_count * SIDE_COUNT; i++) {
        struct subject_put put;
        if (!subjects_pending(l->subjects, &p->records[i / SIDE_COUNT].subjects[i % SIDE_COUNT], &put))
            continue;
        bool again = false;
        for (size_t k = 0; k < n; k++)
            again |= puts[k].commitment == put.commitment;
        if (again)
            continue;
        p->changes[at + n] = put.change;
        puts[n++] = put;
    }
    return n;
}

static void count_subjects(struct ledger *l, const struct batch *b, const struct subject_put *puts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct store_change *c = &puts[i].change;
        row_set_add(b->keys, &l->rows, c->table, c->key, c->version, puts[i].commitment);
        walk_subject(l, b->keys, &puts[i]);
    }
}

static RESULT append_leaves(struct ledger *l, const struct batch *b, struct prepared *p)
{
    for (size_t i = 0; i < p->record_count; i++) {
        const struct prepared_record *r = &p->records[i];
        TRY(tree_append(&l->tree, r->hash, tile_put, l->writer));
        if (b->subscribers == 0)
            continue;
        writer_view(&l->leaf_bytes, r->leaf);
        writer_u16(&l->leaf_lengths, (uint16_t)r->leaf.len);
    }
    return OK;
}

/* Errors that are this transaction's own are its result; others end the commit. */
static RESULT apply(struct ledger *l, struct batch *b, struct txn *t)
{
    struct prepared *p = t->prepared;
    uint64_t index = l->tree.frontier.size;
    size_t failed = 0;
    for (size_t i = 0; i < p->record_count; i++)
        log_key(index + i, p->records[i].key);
    size_t subjects = add_subjects(l, p, b->puts);
    enum err e = store_apply(l->writer, p->changes, p->row_count + p->record_count + subjects, &failed);
    if (e == ERR_CONFLICT || e == ERR_TOO_LONG || e == ERR_OUT_OF_RANGE) {
        t->result = e;
        t->conflict = failed;
        return OK;
    }
    TRY(e);
    multiset_merge(&l->rows, &p->delta);
    count_subjects(l, b, b->puts, subjects);
    for (size_t i = 0; i < t->change_count; i++)
        walk_change(l, b->keys, &t->changes[i]);
    for (size_t i = 0; i < p->record_count * SIDE_COUNT && subjects; i++)
        subjects_batched(l->subjects, &p->records[i / SIDE_COUNT].subjects[i % SIDE_COUNT]);
    t->first_index = index;
    t->result = OK;
    b->applied++;
    b->records += p->record_count;
    return append_leaves(l, b, p);
}

/* --- the commit */

RESULT commit_state(struct ledger *l, struct log_state *ret)
{
    ret->frontier = l->tree.frontier;
    ret->rows = l->rows;
    ret->commits = l->commits;
    for (unsigned i = 0; i < tile_partial(l->tree.frontier.size, 0); i++)
        memcpy(ret->stubs[i], l->tree.edge[0][i], STUB_SIZE);
    return OK;
}

static RESULT put_state(struct ledger *l, struct batch *b)
{
    struct log_state state;
    uint8_t key[META_KEY_SIZE], value[8192];
    struct writer w = writer_fixed(value, sizeof(value));
    TRY(commit_state(l, &state));
    state.commits = l->commits + 1;
    TRY(state_key(b->keys, key));
    TRY(state_put(b->keys, &state, l->config.random, &w, VIEW_OF(key)));
    const struct store_change c = {.op = STORE_PUT,
                                   .table = TABLE_META,
                                   .key = VIEW_OF(key),
                                   .expect = l->commits, /* nobody else writes this log */
                                   .version = l->commits + 1,
                                   .value = writer_view_of(&w)};
    return store_apply(l->writer, &c, 1, NULL);
}

static RESULT put_note(struct ledger *l, const struct batch *b)
{
    uint8_t key[LOG_KEY_SIZE];
    log_key(b->note_size, key);
    const struct store_change c = {.op = STORE_PUT,
                                   .table = TABLE_CHECKPOINT,
                                   .key = VIEW_OF(key),
                                   .expect = STORE_ANY,
                                   .version = 1,
                                   .value = VIEW(b->note, b->note_len)};
    return b->note_len ? store_apply(l->writer, &c, 1, NULL) : OK;
}

static RESULT build(struct ledger *l, struct batch *b)
{
    TRY(store_begin(l->writer));
    for (struct mail *m = b->first; m; m = m->next)
        TRY(apply(l, b, txn_of(m)));
    if (b->applied)
        TRY(put_state(l, b));
    TRY(put_note(l, b));
    if (b->applied == 0 && b->note_len == 0) {
        store_rollback(l->writer);
        return OK;
    }
    return store_commit(l->writer);
}

static void fail_all(struct batch *b, enum err e)
{
    for (struct mail *m = b->first; m; m = m->next)
        txn_of(m)->result = e == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_LOG_UNWRITABLE;
}

/* The live rows that an erasure removed from the store must not live on in memory. */
static void forget_erased(struct ledger *l, const struct batch *b)
{
    for (struct mail *m = b->first; m; m = m->next) {
        const struct txn *t = txn_of(m);
        for (size_t i = 0; t->result == OK && i < t->change_count; i++)
            if (t->changes[i].table == TABLE_SUBJECT && t->changes[i].remove)
                subjects_forget(l->subjects, t->changes[i].key);
    }
}

static void count_up(struct ledger *l, const struct batch *b)
{
    l->commits += b->applied > 0;
    l->stat_commits++;
    l->stat_transactions += b->applied;
    l->stat_records += b->records;
    if (b->applied > l->stat_largest)
        l->stat_largest = (uint32_t)b->applied;
    l->size = l->tree.frontier.size;
}

/* Everything under the write lock. On failure memory is as it was before. */
static RESULT commit(struct ledger *l, struct batch *b)
{
    write_lock_take(l);
    struct multiset walked = l->walk.sum;
    tree_copy(&l->tree_before, &l->tree);
    l->rows_before = l->rows;
    b->first_index = l->tree.frontier.size;
    b->subscribers = l->subscriber_count;
    enum err e = build(l, b);
    subjects_settle(l->subjects, e == OK);
    if (e == OK) {
        count_up(l, b);
        forget_erased(l, b);
        row_set_digest(b->keys, &l->rows, b->state);
    } else {
        store_rollback(l->writer);
        tree_copy(&l->tree, &l->tree_before);
        l->rows = l->rows_before;
        l->walk.sum = walked;
    }
    pthread_mutex_unlock(&l->write_lock);
    return e;
}

RESULT commit_aside(struct ledger *l, const struct store_change *changes, size_t count)
{
    write_lock_take(l);
    enum err e = store_begin(l->writer);
    if (e == OK)
        e = store_apply(l->writer, changes, count, NULL);
    if (e == OK)
        e = store_commit(l->writer);
    else
        store_rollback(l->writer);
    pthread_mutex_unlock(&l->write_lock);
    return e;
}

RESULT ledger_put_counts(struct ledger *l, const struct store_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].table != TABLE_USAGE)
            return ERR_BAD_VALUE;
    return commit_aside(l, changes, count);
}

/* --- answers */

struct outgoing {
    struct mailbox *box;
    struct mail *first, *last;
};

static struct outgoing *outgoing_for(struct outgoing *boxes, size_t *count, struct mailbox *box)
{
    for (size_t i = 0; i < *count; i++)
        if (boxes[i].box == box)
            return &boxes[i];
    if (*count == BOXES_MAX) { /* more threads than expected: the oldest chain goes out early */
        mailbox_post(boxes[0].box, boxes[0].first, boxes[0].last);
        boxes[0] = boxes[--*count];
    }
    boxes[*count] = (struct outgoing){.box = box};
    return &boxes[(*count)++];
}

/* One chain for each mailbox. A transaction may be gone as soon as it was posted. */
static void answer(struct batch *b)
{
    struct outgoing boxes[BOXES_MAX];
    size_t count = 0;
    for (struct mail *m = b->first, *next; m; m = next) {
        next = m->next;
        const struct prepared *p = txn_of(m)->prepared;
        struct outgoing *out = outgoing_for(boxes, &count, p->box);
        *(out->last ? &out->last->next : &out->first) = m;
        out->last = m;
        m->next = NULL;
    }
    for (size_t i = 0; i < count; i++)
        mailbox_post(boxes[i].box, boxes[i].first, boxes[i].last);
}

static void tell_subscribers(struct ledger *l, const struct batch *b)
{
    if (b->records == 0 || b->subscribers == 0)
        return;
    struct view *leaves = calloc(b->records, sizeof(*leaves));
    if (!leaves || writer_done(&l->leaf_bytes) != OK || writer_done(&l->leaf_lengths) != OK) {
        free(leaves); /* they see the gap in first_index and read the rest from the store */
        return;
    }
    const uint8_t *at = l->leaf_bytes.ptr;
    struct reader lengths = reader_new(writer_view_of(&l->leaf_lengths));
    for (size_t i = 0; i < b->records; i++) {
        uint16_t n = 0;
        if (reader_u16(&lengths, &n) != OK)
            break;
        leaves[i] = VIEW(at, n);
        at += n;
    }
    struct ledger_batch told = {.first_index = b->first_index, .count = b->records, .leaves = leaves};
    memcpy(told.state, b->state, sizeof(told.state));
    for (size_t i = 0; i < b->subscribers; i++)
        l->subscribers[i].fn(l->subscribers[i].context, &told);
    free(leaves);
}

void *commit_thread(void *ledger)
{
    struct ledger *l = ledger;
    for (;;) {
        struct batch b = {0};
        if (!take(l, &b))
            return NULL;
        b.keys = ledger_keys(l);
        writer_reset(&l->leaf_bytes);
        writer_reset(&l->leaf_lengths);
        enum err e = commit(l, &b);
        row_keys_free(b.keys);
        if (e != OK)
            fail_all(&b, e);
        if (e == OK || l->stop)
            note_settled(l, &b);
        bool idle = !b.first;
        answer(&b);
        if (e == OK)
            tell_subscribers(l, &b);
        else if (idle)
            background_sleep(l, 200); /* only a checkpoint waits: it is tried again */
    }
}
