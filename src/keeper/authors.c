/* Authored records: numbered, chained and tagged leaves of what keeper and signer did, kept until they are in the log.
 */
#include "keeper/core.h"

#define ROOM_STEP    512                              /* sequences by which the signer's room has to grow to be told */
#define KEPT_LARGEST (16384u)                         /* an authored record without a row */
#define RECORD_FRAME (4 + 5 * 6 + 2 * LEAF_SALT_SIZE) /* an encoded AuthoredRecord but for leaf, who and what */
#define RENEW_BEFORE 2048                             /* more than a signer can send before the keeper has read it */

static const char *const author_names[] = {"author:keeper", "author:signer"};

static struct waiting *slot_of(struct author *a, uint64_t sequence)
{
    return &a->waiting[sequence % WAITING_MAX];
}

static RESULT room(const struct author *a)
{
    return a->chain.next_sequence - a->low < WAITING_MAX ? OK : ERR_LOG_BEHIND;
}

/* Sequences are reserved in blocks, so that an authored record costs no sync of its own. */
static RESULT reserve(struct keeper *k, struct author *a)
{
    uint64_t before = a->mark;
    enum err e;

    if (a->chain.next_sequence + RENEW_BEFORE < a->mark)
        return OK;
    a->mark = a->chain.next_sequence + SEQUENCE_BLOCK;
    e = save_write(k);
    if (e != OK)
        a->mark = before;
    return a->chain.next_sequence < a->mark ? OK : e;
}

static RESULT keep(struct author *a, struct view authored, const struct authoring *with, uint64_t sequence,
                   const uint8_t hash[static 32])
{
    struct waiting *w = slot_of(a, sequence);
    struct view descriptor = with ? with->descriptor : (struct view){0};
    struct view sealed = with ? with->sealed : (struct view){0};
    uint8_t *bytes = malloc(authored.len + descriptor.len + sealed.len);

    if (!bytes)
        return ERR_NO_MEMORY;
    memcpy(bytes, authored.ptr, authored.len);
    if (descriptor.len)
        memcpy(bytes + authored.len, descriptor.ptr, descriptor.len);
    if (sealed.len)
        memcpy(bytes + authored.len + descriptor.len, sealed.ptr, sealed.len);
    *w = (struct waiting){.sequence = sequence,
                          .bytes = bytes,
                          .anchored = with && with->anchored,
                          .authored_len = (uint32_t)authored.len,
                          .descriptor_len = (uint32_t)descriptor.len,
                          .sealed_len = (uint32_t)sealed.len};
    memcpy(w->hash, hash, 32);
    if (with && with->credential) {
        memcpy(w->credential, with->credential->id, 16);
        w->version = with->credential->version;
    }
    a->waiting_count++;
    if (w->anchored) {
        a->anchored_count++;
        a->anchored_bytes += authored.len + descriptor.len + sealed.len;
    }
    return OK;
}

static void let_go(struct author *a, struct waiting *w)
{
    if (w->anchored) {
        a->anchored_count--;
        a->anchored_bytes -= (size_t)w->authored_len + w->descriptor_len + w->sealed_len;
    }
    free(w->bytes);
    *w = (struct waiting){0};
    a->waiting_count--;
}

/* The anchor has a bound, and part of it may be taken by records of former runs. */
static RESULT room_in_anchor(const struct keeper *k)
{
    const struct author *a = &k->authors[0];
    size_t count = a->anchored_count + k->kept_count, bytes = a->anchored_bytes;

    for (size_t i = 0; i < k->kept_count; i++) {
        const struct waiting *w = &k->kept[i].record;
        bytes += (size_t)w->authored_len + w->descriptor_len + w->sealed_len;
    }
    return count < KEPT_MAX - 1 && bytes + KEPT_LARGEST <= KEPT_BYTES_MAX ? OK : ERR_LOG_BEHIND;
}

static RESULT context_of(struct view who, struct arena *arena, struct request_context *ret)
{
    struct request_context c = {.actor = VIEW_STR("operator"), .source = VIEW_STR("operator")};

    if (who.len)
        TRY(entity_decode(&request_context_entity, who, arena, &c));
    c.proof = false; /* the front's word; only the signer checks proofs */
    *ret = c;
    return OK;
}

/* Who approved is the keeper's own knowledge; who asked is the front's word. */
static RESULT name_approver(const struct keeper *k, const struct authoring *a, struct arena *arena, struct view *detail)
{
    const struct approval *given[] = {a->approvals.first, a->approvals.second};
    const char *name, *before = detail->len ? ", approved by " : "approved by ";
    AUTO_WRITER w = writer_new(1024);

    if (!given[0] || given[0]->alg == 0)
        return OK;
    writer_view(&w, *detail);
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        name = given[i] && given[i]->alg ? admins_name_of(k, given[i]->key) : NULL;
        if (!name)
            continue;
        writer_printf(&w, "%s%s", before, name);
        before = " and ";
    }
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), detail);
}

static RESULT encode(const struct authored_record *r, struct arena *arena, struct view *ret)
{
    size_t most = r->leaf.len + r->who.len + r->what.len + RECORD_FRAME;
    void *memory = arena_alloc(arena, most);
    struct writer w = writer_fixed(memory, most);

    if (!memory)
        return ERR_NO_MEMORY;
    TRY(entity_encode(&authored_record_entity, r, &w));
    *ret = writer_view_of(&w);
    return OK;
}

RESULT authors_write(struct keeper *k, const struct authoring *a, struct arena *arena, struct view *ret_authored)
{
    struct author *self = &k->authors[0];
    struct leaf_chain chain = self->chain;
    struct record r = {.type = a->type, .outcome = a->outcome, .what = a->what};
    struct authored_record out = {0};
    struct view bytes;
    uint8_t hash[32];
    enum err e;

    TRY(room(self));
    if (a->anchored)
        TRY(room_in_anchor(k));
    TRY(reserve(k, self));
    TRY(context_of(a->who, arena, &r.who));
    TRY(name_approver(k, a, arena, &r.what.detail));
    e = leaf_author(&chain, &r, a->changes, a->change_count, k->config.clock->wall_ms(k->config.clock),
                    &k->salts.random, arena, &out);
    wipe(chain.key, sizeof chain.key);
    TRY(e);
    TRY(encode(&out, arena, &bytes));
    leaf_hash(out.leaf, hash);
    TRY(keep(self, bytes, a, self->chain.next_sequence, hash));
    memcpy(self->before, self->chain.previous, sizeof self->before);
    memcpy(self->chain.previous, chain.previous, sizeof chain.previous);
    self->chain.next_sequence = chain.next_sequence;
    *ret_authored = bytes;
    return OK;
}

void authors_withdraw(struct keeper *k)
{
    struct author *self = &k->authors[0];

    self->chain.next_sequence--;
    let_go(self, slot_of(self, self->chain.next_sequence));
    memcpy(self->chain.previous, self->before, sizeof self->before);
}

/* The signer is a peer like any other: its leaf must be the next of its chain, tagged, and open to its fields. */
static RESULT check_signed(const struct author *a, const struct authored_record *r, struct leaf *ret_leaf)
{
    TRY(leaf_decode(r->leaf, ret_leaf));
    if (ret_leaf->author != AUTHOR_SIGNER || ret_leaf->sequence != a->chain.next_sequence)
        return ERR_MALFORMED;
    if (!ct_eq(ret_leaf->previous, a->chain.previous, 32))
        return ERR_MALFORMED;
    TRY(leaf_check_tag(r->leaf, a->chain.key));
    return leaf_check_fields(r);
}

RESULT authors_take_signed(struct keeper *k, struct view authored)
{
    struct author *signer = &k->authors[1];
    AUTO(arena_free) struct arena *arena = NULL;
    struct authored_record r = {0};
    struct leaf leaf;
    uint8_t hash[32];

    TRY(room(signer));
    TRY(arena_new(4096, 64u * 1024, &arena));
    TRY(entity_decode(&authored_record_entity, authored, arena, &r));
    TRY(check_signed(signer, &r, &leaf));
    leaf_hash(r.leaf, hash);
    TRY(keep(signer, authored, NULL, leaf.sequence, hash));
    signer->chain.next_sequence++;
    memcpy(signer->chain.previous, hash, 32);
    if (reserve(k, signer) == OK)
        authors_tell_room(k);
    return OK; /* it is kept; without a reservation the signer gets no further room */
}

uint64_t authors_signer_limit(const struct keeper *k)
{
    const struct author *a = &k->authors[1];
    uint64_t most = a->low + WAITING_MAX;

    return most < a->mark ? most : a->mark;
}

void authors_tell_room(struct keeper *k)
{
    struct keeper_event_room room = {.limit = authors_signer_limit(k)};

    if (room.limit < k->room_told + ROOM_STEP)
        return;
    k->room_told = room.limit;
    k->config.event(k->config.context, PEER_SIGNER, KEEPER_EVENT_ROOM, &keeper_event_room_entity, &room);
}

static void mark_seen(struct author *a, uint64_t sequence)
{
    uint64_t bit = sequence - a->former_low;

    if (sequence >= a->former_low && sequence < a->former_end && bit < FORMER_MAX)
        a->former_seen[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* A record of a former run, which this run only knows by its tag. Each may come in once. */
static RESULT logged_former(struct author *a, const struct leaf *leaf, struct view leaf_bytes)
{
    uint64_t bit = leaf->sequence - a->former_low;

    if (a->former_closed || leaf->sequence < a->former_low || leaf->sequence >= a->former_end || bit >= FORMER_MAX)
        return ERR_LOG_MISMATCH;
    if (a->former_seen[bit / 8] & (1u << bit % 8))
        return ERR_LOG_MISMATCH;
    TRY(leaf_check_tag(leaf_bytes, a->chain.key));
    mark_seen(a, leaf->sequence);
    return OK;
}

static RESULT settle(struct keeper *k, const struct waiting *w, struct view leaf_bytes)
{
    uint8_t hash[32];

    leaf_hash(leaf_bytes, hash);
    if (!ct_eq(hash, w->hash, 32))
        return ERR_LOG_MISMATCH;
    if (w->version != 0)
        credentials_settle(k, w->credential, w->version);
    return OK;
}

/* A gap that nobody declared would look like removed records: only what is logged has declared one. */
static void declared(struct keeper *k, uint64_t sequence)
{
    for (size_t i = 0; i < 2; i++) {
        struct author *a = &k->authors[i];
        if (a->declaration != sequence || sequence == 0)
            continue;
        a->declaration = 0;
        if (a->former_closed)
            a->former_low = a->former_end;
    }
}

RESULT authors_logged(struct keeper *k, const struct leaf *leaf, struct view leaf_bytes)
{
    size_t which = leaf->author == AUTHOR_KEEPER ? 0 : 1;
    struct author *a = &k->authors[which];
    struct waiting *w;
    struct kept *kept;

    if (leaf->author == AUTHOR_FRONT)
        return OK;
    w = slot_of(a, leaf->sequence);
    kept = kept_find(k, which, leaf->sequence);
    if (kept) {
        TRY(settle(k, &kept->record, leaf_bytes));
        kept_drop(k, kept);
        mark_seen(a, leaf->sequence);
        return OK;
    }
    if (w->sequence != leaf->sequence || leaf->sequence == 0)
        return logged_former(a, leaf, leaf_bytes);
    TRY(settle(k, w, leaf_bytes));
    let_go(a, w);
    if (which == 0)
        declared(k, leaf->sequence);
    while (a->low < a->chain.next_sequence && slot_of(a, a->low)->sequence != a->low)
        a->low++;
    return OK;
}

static RESULT declare_restart(struct keeper *k, size_t which, struct arena *arena)
{
    struct author *a = &k->authors[which];
    char detail[96];
    struct view authored;
    struct authoring record = {.type = EVENT_AUTHOR_RESTARTED, .outcome = OUTCOME_DONE};
    struct writer w = writer_fixed(detail, sizeof detail);

    writer_printf(&w, "{\"next\":%llu,\"reserved_from\":%llu}", (unsigned long long)a->former_end,
                  (unsigned long long)a->former_low);
    record.what.resource = view_str(author_names[which]);
    record.what.detail = writer_view_of(&w);
    a->declaration = k->authors[0].chain.next_sequence;
    return authors_write(k, &record, arena, &authored);
}

/* After a start, what former runs had reserved counts as used: their records may still be in the store, unseen by the
 * last checkpoint. The jump is declared in the record. */
RESULT authors_start(struct keeper *k)
{
    AUTO(arena_free) struct arena *arena = NULL;

    TRY(arena_new(4096, 64u * 1024, &arena));
    for (size_t i = 0; i < 2; i++) {
        struct author *a = &k->authors[i];
        a->former_low = a->low;
        a->former_end = a->mark;
        a->former_closed = false;
        a->declaration = 0;
        a->chain.next_sequence = a->mark ? a->mark : 1;
        a->low = a->chain.next_sequence;
        a->mark = a->chain.next_sequence + SEQUENCE_BLOCK;
    }
    k->room_told = 0;
    TRY(save_write(k));
    for (size_t i = 0; i < 2; i++)
        if (k->authors[i].former_end > k->authors[i].former_low)
            TRY(declare_restart(k, i, arena));
    return OK;
}

void authors_close_former(struct keeper *k)
{
    for (size_t i = 0; i < 2; i++) {
        struct author *a = &k->authors[i];
        a->former_closed = true;
        if (a->declaration == 0)
            a->former_low = a->former_end;
    }
}

/* A signer that has not closed its books may have authored up to what was reserved. What can't be saved stays reserved,
 * and the next start declares it. */
void authors_stop(struct keeper *k)
{
    for (size_t i = 0; i < 2; i++) {
        struct author *a = &k->authors[i];
        if (i == 0 || !k->signer_open)
            a->mark = a->chain.next_sequence;
    }
    if (save_write_all(k) != OK)
        return;
}
