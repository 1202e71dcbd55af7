#include "ledger/subject.h"

#include "crypto/secmem.h"

#include <pthread.h>

#define SLOTS     4096
#define BUCKETS   8192
#define NONE      UINT32_MAX
#define VALUE_MAX (SEALED_OVERHEAD + 4 + 16 + 32)

enum slot_state { SLOT_FREE, SLOT_PENDING, SLOT_BATCHED, SLOT_DURABLE };

struct slot {
    struct subject_ref ref;
    enum slot_state state;
    uint32_t next; /* in its bucket */
    uint8_t value[VALUE_MAX];
    size_t value_len;
    uint8_t commitment[32];
};

struct subjects {
    pthread_mutex_t lock;
    struct store *reader;
    struct arena *scratch;
    struct secret *keys; /* SLOTS × 32 */
    uint32_t hand;       /* where the search for a victim goes on */
    uint32_t batched[SLOTS];
    size_t batched_count;
    uint32_t buckets[BUCKETS];
    struct slot slots[SLOTS];
};

RESULT subjects_new(struct store *reader, struct subjects **ret)
{
    struct subjects *s = calloc(1, sizeof(*s));
    if (!s) {
        store_close(reader);
        return ERR_NO_MEMORY;
    }
    s->reader = reader;
    pthread_mutex_init(&s->lock, NULL);
    for (size_t i = 0; i < BUCKETS; i++)
        s->buckets[i] = NONE;
    enum err e = secret_new((size_t)SLOTS * 32, &s->keys);
    if (e == OK)
        e = arena_new(1024, 64u * 1024, &s->scratch);
    if (e != OK) {
        subjects_free(s);
        return e;
    }
    *ret = s;
    return OK;
}

void subjects_free(struct subjects *s)
{
    if (!s)
        return;
    store_close(s->reader);
    arena_free(s->scratch);
    secret_free(s->keys);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static uint32_t *bucket_of(struct subjects *s, const uint8_t key[static SUBJECT_KEY_SIZE])
{
    return &s->buckets[(key[2] | (unsigned)key[3] << 8) % BUCKETS]; /* the key is a keyed hash */
}

static struct slot *find(struct subjects *s, const uint8_t key[static SUBJECT_KEY_SIZE])
{
    for (uint32_t i = *bucket_of(s, key); i != NONE; i = s->slots[i].next)
        if (memcmp(s->slots[i].ref.key, key, SUBJECT_KEY_SIZE) == 0)
            return &s->slots[i];
    return NULL;
}

static uint8_t *key_of(struct subjects *s, const struct slot *slot)
{
    return secret_ptr(s->keys) + 32 * (size_t)(slot - s->slots);
}

static void drop(struct subjects *s, struct slot *slot)
{
    uint32_t index = (uint32_t)(slot - s->slots);
    uint32_t *at = bucket_of(s, slot->ref.key);
    while (*at != index)
        at = &s->slots[*at].next;
    *at = slot->next;
    wipe(key_of(s, slot), 32);
    slot->state = SLOT_FREE;
}

/* Those that are not durable yet must stay: nobody else has their keys. */
static struct slot *claim(struct subjects *s)
{
    for (size_t tries = 0; tries < SLOTS; tries++) {
        struct slot *slot = &s->slots[s->hand];
        s->hand = (s->hand + 1) % SLOTS;
        if (slot->state == SLOT_DURABLE)
            drop(s, slot);
        if (slot->state == SLOT_FREE)
            return slot;
    }
    return NULL;
}

static void link_slot(struct subjects *s, struct slot *slot, enum slot_state state)
{
    uint32_t *bucket = bucket_of(s, slot->ref.key);
    slot->next = *bucket;
    slot->state = state;
    *bucket = (uint32_t)(slot - s->slots);
}

/* The stored key, or ERR_NOT_FOUND. */
static RESULT open_stored(struct store *store, const struct row_keys *keys, struct arena *scratch,
                          struct subject_ref *ref, uint8_t ret_key[static 32])
{
    struct store_row row;
    uint8_t commitment[32];
    TRY(store_get(store, TABLE_SUBJECT, VIEW_OF(ref->key), scratch, &row));
    struct writer w = writer_fixed(ret_key, 32);
    if (row_open(keys, TABLE_SUBJECT, &row, &w, commitment) != OK || w.len != 32)
        return ERR_TAMPERED;
    ref->version = row.version;
    return OK;
}

static RESULT make(struct slot *slot, const struct row_keys *keys, const struct random *rng, uint64_t now_ms,
                   uint8_t key[static 32])
{
    struct writer w = writer_fixed(slot->value, sizeof(slot->value));
    /* Each making of a subject has a version of its own, so that an erased key that is put back is told apart. */
    slot->ref.version = now_ms ? now_ms : 1;
    TRY(rng->fill(rng, key, 32));
    TRY(row_seal(keys, TABLE_SUBJECT, VIEW_OF(slot->ref.key), slot->ref.version, VIEW(key, 32), rng, &w,
                 slot->commitment));
    slot->value_len = w.len;
    return OK;
}

static RESULT load(struct subjects *s, const struct row_keys *keys, const struct subject_ref *ref,
                   const struct random *rng, uint64_t now_ms, struct slot **ret)
{
    struct slot *slot = claim(s);
    if (!slot)
        return ERR_BUSY;
    slot->ref = *ref;
    enum slot_state state = SLOT_DURABLE;
    enum err e = open_stored(s->reader, keys, s->scratch, &slot->ref, key_of(s, slot));
    arena_reset(s->scratch);
    if (e == ERR_NOT_FOUND) {
        state = SLOT_PENDING;
        e = make(slot, keys, rng, now_ms, key_of(s, slot));
    }
    TRY(e);
    link_slot(s, slot, state);
    *ret = slot;
    return OK;
}

RESULT subjects_use(struct subjects *s, const struct row_keys *keys, struct subject_ref *ref,
                    const struct random *random, uint64_t now_ms, uint8_t ret_key[static 32])
{
    enum err e = OK;
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find(s, ref->key);
    if (!slot)
        e = load(s, keys, ref, random, now_ms, &slot);
    if (e == OK) {
        ref->version = slot->ref.version;
        memcpy(ret_key, key_of(s, slot), 32);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* --- committing */

/* Of exactly this making. */
static struct slot *find_ref(struct subjects *s, const struct subject_ref *ref)
{
    struct slot *slot = find(s, ref->key);
    return slot && slot->ref.version == ref->version ? slot : NULL;
}

bool subjects_pending(struct subjects *s, const struct subject_ref *ref, struct subject_put *ret)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find_ref(s, ref);
    bool pending = slot && slot->state == SLOT_PENDING;
    pthread_mutex_unlock(&s->lock);
    if (!pending)
        return false;
    ret->change = (struct store_change){.op = STORE_PUT,
                                        .table = TABLE_SUBJECT,
                                        .key = VIEW_OF(slot->ref.key),
                                        .expect = STORE_ANY,
                                        .version = slot->ref.version,
                                        .value = VIEW(slot->value, slot->value_len)};
    ret->commitment = slot->commitment;
    return true;
}

void subjects_batched(struct subjects *s, const struct subject_ref *ref)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find_ref(s, ref);
    if (slot && slot->state == SLOT_PENDING) {
        slot->state = SLOT_BATCHED;
        s->batched[s->batched_count++] = (uint32_t)(slot - s->slots);
    }
    pthread_mutex_unlock(&s->lock);
}

void subjects_settle(struct subjects *s, bool durable)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->batched_count; i++)
        s->slots[s->batched[i]].state = durable ? SLOT_DURABLE : SLOT_PENDING;
    s->batched_count = 0;
    pthread_mutex_unlock(&s->lock);
}

void subjects_forget(struct subjects *s, struct view key)
{
    if (key.len != SUBJECT_KEY_SIZE)
        return;
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find(s, key.ptr);
    if (slot)
        drop(s, slot);
    pthread_mutex_unlock(&s->lock);
}

/* --- reading */

RESULT subject_read(struct subject_reader *r, const struct subject_ref *ref, const uint8_t **ret)
{
    for (unsigned i = 0; i < r->used; i++) {
        if (r->slots[i].ref.version != ref->version || memcmp(r->slots[i].ref.key, ref->key, SUBJECT_KEY_SIZE) != 0)
            continue;
        *ret = r->slots[i].key;
        return r->slots[i].state;
    }
    unsigned at = r->next;
    struct subject_ref stored = *ref;
    enum err e = open_stored(r->store, r->keys, r->scratch, &stored, r->slots[at].key);
    arena_reset(r->scratch);
    if (e == OK && stored.version != ref->version)
        e = ERR_NOT_FOUND; /* erased, and made anew since */
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    r->slots[at].ref = *ref;
    r->slots[at].state = e;
    r->next = (at + 1) % SUBJECT_READER_SLOTS;
    if (r->used < SUBJECT_READER_SLOTS)
        r->used++;
    *ret = r->slots[at].key;
    return e;
}

void subject_reader_done(struct subject_reader *r)
{
    wipe(r->slots, sizeof(r->slots));
    arena_free(r->scratch);
    r->scratch = NULL;
    r->used = r->next = 0;
}
