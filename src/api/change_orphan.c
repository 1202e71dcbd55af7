/* Authored records whose request could not get them into the log (disk full, a lost race), and those that the keeper
 * says are pending. Thread 0 keeps them and tries again until they are logged: what was done must be in the record. */
#include "api/change_orphan.h"

#include "api/change_gate.h"
#include "api/credential_row.h"
#include "api/inside.h"

#define ARENA_MAX (4u << 20)

struct orphan {
    struct mail mail;
    struct orphan *next;
    struct api_thread *first; /* thread 0 */
    struct txn txn;           /* its arena is for one try */
    struct arena *texts;
    struct authored_record record;
    struct txn_change change;
    uint8_t author;
    uint64_t sequence;
    bool under_way;
};

const struct txn_change *orphan_change_of(const struct txn *t, const struct leaf *leaf)
{
    for (size_t i = 0; i < t->change_count; i++)
        for (size_t k = 0; k < leaf->change_count; k++) {
            const struct leaf_change *said = &leaf->changes[k];
            const struct txn_change *c = &t->changes[i];
            if (said->table == c->table && said->version == c->version &&
                memcmp(said->commitment, c->commitment, sizeof c->commitment) == 0)
                return c;
        }
    return NULL;
}

static void orphan_free(struct orphan *o)
{
    arena_free(o->txn.arena);
    arena_free(o->texts);
    free(o);
}

static void unlink_orphan(struct orphan *o)
{
    for (struct orphan **at = &o->first->inside->orphans; *at; at = &(*at)->next)
        if (*at == o) {
            *at = o->next;
            return;
        }
}

static void on_done(void *context, struct txn *txn)
{
    struct orphan *o = context;
    struct api_shared *s = o->first->shared;

    o->under_way = false;
    if (txn->result == ERR_CONFLICT && txn->change_count) {
        txn->change_count = 0; /* the row went on without it; what happened is recorded all the same */
        return;
    }
    if (change_noted(s, txn->result) != OK)
        return; /* again in a second */
    gate_logged(s->gate, o->author, o->sequence);
    unlink_orphan(o);
    orphan_free(o);
}

static void try_to_log(struct orphan *o)
{
    struct api_shared *s = o->first->shared;
    enum err e;

    arena_reset(o->txn.arena);
    o->txn.done = on_done;
    o->txn.context = o;
    o->txn.authored = &o->record;
    o->txn.authored_count = 1;
    o->txn.changes = &o->change;
    if (!s->ledger)
        return;
    e = ledger_prepare(s->ledger, &o->txn);
    if (e != OK) {
        /* No lack of room or memory: its author wrote what does not check. Nothing can be signed beyond it. */
        if (e != ERR_NO_MEMORY && e != ERR_BUSY)
            atomic_store(&s->health.tampered, true);
        return;
    }
    o->under_way = ledger_submit(s->ledger, &o->txn, 1, o->first->mailbox) == OK;
}

static void adopt(struct mail *m)
{
    struct orphan *o = (struct orphan *)(void *)((uint8_t *)m - offsetof(struct orphan, mail));
    struct api_inside *in = o->first->inside;

    o->next = in->orphans;
    in->orphans = o;
    try_to_log(o);
}

void orphans_retry(struct api_thread *t)
{
    for (struct orphan *o = t->inside->orphans, *next; o; o = next) {
        next = o->next;
        if (!o->under_way)
            try_to_log(o);
    }
}

void orphans_drop(struct api_thread *t)
{
    for (struct orphan *o = t->inside->orphans, *next; o; o = next) {
        next = o->next;
        orphan_free(o);
    }
    t->inside->orphans = NULL;
}

static RESULT orphan_new(struct api_shared *s, const struct authored_record *r, struct orphan **ret)
{
    struct orphan *o = calloc(1, sizeof *o);
    struct leaf leaf;
    enum err e = o ? arena_new(4096, ARENA_MAX, &o->txn.arena) : ERR_NO_MEMORY;

    if (e == OK)
        e = arena_new(4096, ARENA_MAX, &o->texts);
    if (e == OK)
        e = leaf_decode(r->leaf, &leaf);
    if (e == OK) {
        o->first = s->first;
        o->record = *r;
        o->author = leaf.author;
        o->sequence = leaf.sequence;
        o->mail.deliver = adopt;
        e = arena_copy(o->texts, r->leaf, &o->record.leaf);
    }
    if (e == OK)
        e = arena_copy(o->texts, r->who, &o->record.who);
    if (e == OK)
        e = arena_copy(o->texts, r->what, &o->record.what);
    if (e == OK) {
        *ret = o;
        return OK;
    }
    if (o)
        orphan_free(o);
    return e;
}

/* Only the change that the leaf itself speaks of goes along: whatever else the request wanted was not done. */
static RESULT take_change(struct orphan *o, const struct txn *from)
{
    struct leaf leaf;
    const struct txn_change *c;

    TRY(leaf_decode(o->record.leaf, &leaf));
    c = orphan_change_of(from, &leaf);
    if (!c)
        return OK;
    o->change = *c;
    TRY(arena_copy(o->texts, c->key, &o->change.key));
    TRY(arena_copy(o->texts, c->value, &o->change.value));
    o->txn.change_count = 1;
    return OK;
}

void orphan_of(struct api_thread *t, const struct authored_record *record, const struct txn *from, bool with_changes)
{
    struct orphan *o = NULL;
    struct leaf leaf;
    enum err e = orphan_new(t->shared, record, &o);

    if (e == OK && with_changes)
        e = take_change(o, from);
    if (e == OK) {
        mailbox_post(t->shared->first->mailbox, &o->mail, &o->mail);
        return;
    }
    if (o)
        orphan_free(o);
    /* No memory for it here; the keeper still has it. */
    if (leaf_decode(record->leaf, &leaf) == OK)
        gate_left(t->shared->gate, leaf.author, leaf.sequence);
    atomic_store(&t->shared->health.look_for_lost, true);
}

RESULT orphan_pending(struct api_thread *first, const struct keeper_pending_record *r)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct api_shared *s = first->shared;
    struct authored_record record;
    struct orphan *o = NULL;
    enum err e;

    TRY(arena_new(4096, ARENA_MAX, &arena));
    TRY(entity_decode(&authored_record_entity, r->authored, arena, &record));
    TRY(orphan_new(s, &record, &o));
    if (gate_claim(s->gate, o->author, o->sequence) != GATE_YOURS) {
        orphan_free(o);
        return OK;
    }
    if (r->descriptor.len) {
        struct row_keys *keys = atomic_load(&s->keys);
        e = credential_row_change(first->reader, keys, r->descriptor, r->sealed, o->texts, &o->change);
        o->txn.change_count = e == OK;
        if (e != OK && e != ERR_EXISTS) {
            gate_left(s->gate, o->author, o->sequence);
            orphan_free(o);
            return e;
        }
    }
    adopt(&o->mail);
    return OK;
}
