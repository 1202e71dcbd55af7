/* What the anchor remembers of authored records: those whose change it holds, and which of a run's are logged. */
#include "keeper/core.h"

static bool put(const struct waiting *w, size_t author, struct durable_kept *out, size_t *bytes)
{
    size_t size = (size_t)w->authored_len + w->descriptor_len + w->sealed_len;

    if (*bytes + size > KEPT_BYTES_MAX)
        return false;
    *bytes += size;
    *out = (struct durable_kept){.author = author == 0 ? AUTHOR_KEEPER : AUTHOR_SIGNER,
                                 .sequence = w->sequence,
                                 .authored = VIEW(w->bytes, w->authored_len),
                                 .descriptor = VIEW(w->bytes + w->authored_len, w->descriptor_len),
                                 .sealed = VIEW(w->bytes + w->authored_len + w->descriptor_len, w->sealed_len),
                                 .version = w->version};
    memcpy(out->credential, w->credential, sizeof out->credential);
    return true;
}

/* First what has to be kept, then, with all, the rest as far as it fits. */
RESULT kept_fill(const struct keeper *k, bool all, struct arena *arena, struct durable *d)
{
    struct durable_kept *out = arena_alloc(arena, KEPT_MAX * sizeof *out);
    size_t count = 0, bytes = 0;

    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->kept_count && count < KEPT_MAX; i++)
        count += put(&k->kept[i].record, k->kept[i].author, &out[count], &bytes);
    for (int anchored = 1; anchored >= (all ? 0 : 1); anchored--)
        for (size_t i = 0; i < 2; i++) {
            const struct author *a = &k->authors[i];
            if (anchored && a->anchored_count == 0)
                continue;
            for (uint64_t s = a->low; s < a->chain.next_sequence && count < KEPT_MAX; s++) {
                const struct waiting *w = &a->waiting[s % WAITING_MAX];
                if (w->sequence == s && w->anchored == (anchored == 1))
                    count += put(w, i, &out[count], &bytes);
            }
        }
    d->kept = (struct entity_list){out, count};
    return OK;
}

static RESULT take_one(const struct durable_kept *in, struct arena *arena, struct kept *out)
{
    struct authored_record r = {0};
    struct waiting *w = &out->record;

    if (in->author != AUTHOR_KEEPER && in->author != AUTHOR_SIGNER)
        return ERR_TAMPERED;
    TRY(entity_decode(&authored_record_entity, in->authored, arena, &r));
    out->author = in->author == AUTHOR_KEEPER ? 0 : 1;
    *w = (struct waiting){.sequence = in->sequence,
                          .authored_len = (uint32_t)in->authored.len,
                          .descriptor_len = (uint32_t)in->descriptor.len,
                          .sealed_len = (uint32_t)in->sealed.len,
                          .anchored = true,
                          .version = in->version};
    memcpy(w->credential, in->credential, sizeof w->credential);
    leaf_hash(r.leaf, w->hash);
    w->bytes = malloc(in->authored.len + in->descriptor.len + in->sealed.len + 1);
    if (!w->bytes)
        return ERR_NO_MEMORY;
    memcpy(w->bytes, in->authored.ptr, in->authored.len);
    if (in->descriptor.len)
        memcpy(w->bytes + in->authored.len, in->descriptor.ptr, in->descriptor.len);
    if (in->sealed.len)
        memcpy(w->bytes + in->authored.len + in->descriptor.len, in->sealed.ptr, in->sealed.len);
    return OK;
}

static int in_order(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;

    if (a->author != b->author)
        return a->author < b->author ? -1 : 1;
    return a->record.sequence < b->record.sequence ? -1 : a->record.sequence > b->record.sequence;
}

RESULT kept_take(struct keeper *k, const struct durable *d)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const struct durable_kept *in = d->kept.items;

    if (d->kept.count == 0)
        return OK;
    TRY(arena_new(4096, 1u << 20, &arena));
    k->kept = calloc(d->kept.count, sizeof *k->kept);
    if (!k->kept)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < d->kept.count; i++) {
        TRY(take_one(&in[i], arena, &k->kept[i]));
        k->kept_count++;
    }
    qsort(k->kept, k->kept_count, sizeof *k->kept, in_order);
    return OK;
}

struct kept *kept_find(struct keeper *k, size_t author, uint64_t sequence)
{
    for (size_t i = 0; i < k->kept_count; i++)
        if (k->kept[i].author == author && k->kept[i].record.sequence == sequence)
            return &k->kept[i];
    return NULL;
}

void kept_drop(struct keeper *k, struct kept *r)
{
    size_t at = (size_t)(r - k->kept);

    free(r->record.bytes);
    k->kept_count--;
    memmove(&k->kept[at], &k->kept[at + 1], (k->kept_count - at) * sizeof *k->kept);
}

void kept_forget(struct keeper *k)
{
    while (k->kept_count > 0)
        kept_drop(k, &k->kept[k->kept_count - 1]);
    free(k->kept);
    k->kept = NULL;
}

/* Of this run: everything that no longer waits. */
static bool logged(const struct author *a, uint64_t s)
{
    return s < a->low || a->waiting[s % WAITING_MAX].sequence != s;
}

RESULT kept_fill_seen(const struct author *a, struct arena *arena, struct view *ret)
{
    bool former = a->former_end > a->former_low;
    uint64_t base = former ? a->former_low : a->low;
    uint64_t end = a->chain.next_sequence - base < FORMER_MAX ? a->chain.next_sequence : base + FORMER_MAX;
    uint8_t *bits = arena_alloc(arena, SEEN_BYTES_MAX);
    size_t len = SEEN_BYTES_MAX;

    if (!bits)
        return ERR_NO_MEMORY;
    if (former)
        memcpy(bits, a->former_seen, SEEN_BYTES_MAX);
    for (uint64_t s = former ? a->former_end : base; s < end; s++)
        if (logged(a, s))
            bits[(s - base) / 8] |= (uint8_t)(1u << (s - base) % 8);
    while (len > 0 && bits[len - 1] == 0)
        len--;
    *ret = VIEW(bits, len);
    return OK;
}
