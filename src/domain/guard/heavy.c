#include "domain/guard/heavy.h"

#include "base/sip.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WAYS  8
#define SETS  (HEAVY_PLACES / WAYS)
#define WORDS ((HEAVY_NAME_MAX + 1) / sizeof(uint64_t))

/* Everything is atomic since readers look while it changes; what they took half of, they take again: `turn` is odd
 * while the set changes, and another one afterwards. */
struct set {
    _Atomic uint32_t turn;
    _Atomic uint64_t tag[WAYS];                 /* hash of the key */
    _Atomic uint32_t count[WAYS], before[WAYS]; /* of this half and of the one before it */
    _Atomic uint32_t error[WAYS];
    _Atomic uint64_t name[WAYS][WORDS];
};

struct heavy {
    struct sip_seed seed;
    uint64_t half_ms; /* when this half began; monotonic */
    struct set set[SETS];
};

#define GET(member)        atomic_load_explicit(&(member), memory_order_relaxed)
#define SET(member, value) atomic_store_explicit(&(member), (value), memory_order_relaxed)

RESULT heavy_new(const struct random *random, struct heavy **ret)
{
    AUTO(heavy_free) struct heavy *h = calloc(1, sizeof *h);
    if (!h)
        return ERR_NO_MEMORY;
    TRY(random->fill(random, &h->seed, sizeof h->seed));
    *ret = TAKE(h);
    return OK;
}

void heavy_free(struct heavy *h)
{
    free(h);
}

/* --- counting */

static void begin_turn(struct set *s)
{
    SET(s->turn, GET(s->turn) + 1);
    atomic_thread_fence(memory_order_release);
}

static void end_turn(struct set *s)
{
    atomic_store_explicit(&s->turn, GET(s->turn) + 1, memory_order_release);
}

static uint64_t total_of(const struct set *s, size_t way)
{
    return (uint64_t)GET(s->count[way]) + GET(s->before[way]);
}

static void new_half(struct heavy *h, uint64_t now_ms)
{
    bool one = now_ms - h->half_ms < 2 * (uint64_t)HEAVY_HALF_MS;
    for (size_t i = 0; i < SETS; i++) {
        struct set *s = &h->set[i];
        begin_turn(s);
        for (size_t way = 0; way < WAYS; way++) {
            SET(s->before[way], one ? GET(s->count[way]) : 0);
            SET(s->count[way], 0);
        }
        end_turn(s);
    }
    h->half_ms = now_ms;
}

/* Instead of the one that came least often, and with its count: it may have been here before. */
static void settle(struct set *s, size_t way, uint64_t tag, const struct heavy_name *name)
{
    char text[HEAVY_NAME_MAX + 1] = "";
    uint64_t words[WORDS], least = total_of(s, way);
    name->write(name->key, text);
    memcpy(words, text, sizeof words);
    begin_turn(s);
    SET(s->tag[way], tag);
    SET(s->before[way], 0);
    SET(s->count[way], (uint32_t)(least < UINT32_MAX ? least + 1 : least));
    SET(s->error[way], (uint32_t)(least < UINT32_MAX ? least : UINT32_MAX));
    for (size_t i = 0; i < WORDS; i++)
        SET(s->name[way][i], words[i]);
    end_turn(s);
}

void heavy_count(struct heavy *h, const struct heavy_name *name, uint64_t now_ms)
{
    uint64_t tag = sip_hash(&h->seed, name->key) | 1; /* 0: nobody's place */
    struct set *s = &h->set[tag >> 32 & (SETS - 1)];
    size_t least = 0;
    if (now_ms - h->half_ms >= HEAVY_HALF_MS)
        new_half(h, now_ms);
    for (size_t way = 0; way < WAYS; way++) {
        if (GET(s->tag[way]) == tag) {
            uint32_t count = GET(s->count[way]);
            SET(s->count[way], count + (count < UINT32_MAX));
            return;
        }
        if (total_of(s, way) < total_of(s, least))
            least = way;
    }
    settle(s, least, tag, name);
}

/* --- reading */

static size_t read_set(const struct set *s, struct heavy_seen *ret)
{
    uint64_t words[WORDS];
    size_t n = 0;
    for (size_t way = 0; way < WAYS; way++) {
        struct heavy_seen *seen = &ret[n];
        seen->count = total_of(s, way);
        seen->error = GET(s->error[way]);
        for (size_t i = 0; i < WORDS; i++)
            words[i] = GET(s->name[way][i]);
        memcpy(seen->name, words, sizeof seen->name);
        seen->name[HEAVY_NAME_MAX] = '\0';
        seen->error = seen->error < seen->count ? seen->error : 0; /* of a time that counts no more */
        n += seen->count > 0;
    }
    return n;
}

size_t heavy_read(const struct heavy *h, struct heavy_seen ret[static HEAVY_PLACES])
{
    size_t n = 0;
    for (size_t i = 0; i < SETS; i++) {
        const struct set *s = &h->set[i];
        uint32_t turn;
        size_t found;
        do {
            turn = atomic_load_explicit(&s->turn, memory_order_acquire);
            found = read_set(s, &ret[n]);
            atomic_thread_fence(memory_order_acquire);
        } while ((turn & 1) || GET(s->turn) != turn);
        n += found;
    }
    return n;
}
