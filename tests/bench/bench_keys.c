/* key_verify_vs_limit: API keys verified a second (text and check digits, look-up, keyed hash, status, former
 * failures), in random order among 1,000,000 of them, in one thread, against the least that finds and checks one: a
 * look-up in a plain hash table, and one HMAC over the text. */
#include "bench.h"

#include "crypto/hash.h"
#include "crypto/secmem.h"
#include "domain/keys/keys.h"

#include <stdio.h>
#include <time.h>

#define NOW    1790000000000ull
#define KEYS   1000000u
#define TRIES  400000u /* in a round */
#define SLOTS  (1u << 21)
#define OWNERS 1000

struct text {
    char text[API_KEY_TEXT_SIZE];
    uint8_t len;
};

/* Open addressing; ids are random, so their first bytes are hash enough. */
struct slot {
    char id[API_KEY_ID_LEN];
    uint8_t code[32];
};

static struct text *texts;
static struct slot *slots;
static struct api_keys *table;
static struct row_keys *row_keys;
static struct hmac_key plain_key;
static uint32_t order[TRIES];

/* Of this thread alone, so that what else the machine does counts for neither. */
static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned slot_of(const char *id)
{
    uint64_t h;
    memcpy(&h, id + 4, sizeof h);
    return (unsigned)(h * UINT64_C(0x9e3779b97f4a7c15) >> 43);
}

static void code_of(const struct text *t, uint8_t out[static 32])
{
    const struct view text = VIEW(t->text, t->len);
    hmac_key_code(&plain_key, &text, 1, out);
}

static void put_plain(const struct text *t, const char *id)
{
    unsigned at = slot_of(id);
    while (slots[at].id[0])
        at = (at + 1) % SLOTS;
    memcpy(slots[at].id, id, API_KEY_ID_LEN);
    code_of(t, slots[at].code);
}

static void make_key(unsigned i, struct arena *arena)
{
    static struct view roles[] = {VIEW_STR("trader")};
    static struct view paths[] = {VIEW_STR("exchange/binance/main")};
    struct text *t = &texts[i];
    struct api_key_parts parts;
    struct txn_change c;
    char name[32], owner[16];
    (void)snprintf(name, sizeof name, "bot-%06u", i);
    (void)snprintf(owner, sizeof owner, "user%u", i % OWNERS);
    bench_must(api_key_make(random_system(), 3, t->text, &parts), "a key");
    t->len = (uint8_t)strlen(t->text);
    struct api_key k = {.id = view_str(parts.id),
                        .name = view_str(name),
                        .owner = view_str(owner),
                        .environment = 3,
                        .status = KEY_ACTIVE,
                        .usage = KEY_EXECUTE_ONLY,
                        .roles = {roles, 1},
                        .credentials = {paths, 1},
                        .pepper_epoch = 1,
                        .created_ms = NOW,
                        .term_ms = NOW,
                        .expires_ms = NOW + 86400000,
                        .per_hour = 1000,
                        .per_day = 10000,
                        .burst = 100};
    bench_must(api_key_verifier(row_keys, 1, parts.hash, k.verifier), "its verifier");
    bench_must(api_key_put(row_keys, &k, NULL, arena, &c), "its row");
    bench_must(api_keys_applied(table, &c), "the table");
    put_plain(t, parts.id);
}

static void make(struct arena *arena)
{
    AUTO(keyring_free) struct keyring *ring = NULL;
    uint8_t secret[32];
    bench_must(keyring_new(KEY_CLASS_STATE, &ring), "a ring");
    bench_must(keyring_rotate(ring, NOW, random_system()), "a ring");
    bench_must(row_keys_new(ring, AEAD_XAES_256_GCM, &row_keys), "keys of rows");
    bench_must(random_system()->fill(random_system(), secret, sizeof secret), "random bytes");
    hmac_key_init(&plain_key, VIEW_OF(secret));
    bench_must(api_keys_new(&table), "a table");
    texts = calloc(KEYS, sizeof *texts);
    slots = calloc(SLOTS, sizeof *slots);
    bench_must(texts && slots ? OK : ERR_NO_MEMORY, "memory");
    for (unsigned i = 0; i < KEYS; i++, arena_reset(arena))
        make_key(i, arena);
}

/* copied: with all that is known of the key, as a request needs it to be judged further. */
static double verified(struct arena *arena, bool copied)
{
    const struct network_source from = {.is_unix = true, .uid = 1000};
    struct api_key_found found;
    struct api_key_parts parts;
    double start = cpu_seconds();
    for (unsigned i = 0; i < TRIES; i++, arena_reset(arena)) {
        const struct text *t = &texts[order[i]];
        struct api_key_shown shown = {
            .text = VIEW(t->text, t->len), .parts = &parts, .from = &from, .now_ms = NOW + i / 1000};
        bench_must(api_keys_verify(table, row_keys, &shown, arena, copied ? &found : NULL), "a key");
    }
    return TRIES / (cpu_seconds() - start);
}

static double limit(void)
{
    double start = cpu_seconds();
    for (unsigned i = 0; i < TRIES; i++) {
        const struct text *t = &texts[order[i]];
        const char *id = t->text + 9; /* behind "hfk_live_" */
        uint8_t code[32];
        unsigned at = slot_of(id);
        while (memcmp(slots[at].id, id, API_KEY_ID_LEN) != 0)
            at = (at + 1) % SLOTS;
        code_of(t, code);
        bench_must(ct_eq(code, slots[at].code, sizeof code) ? OK : ERR_BAD_CREDENTIALS, "a code");
    }
    return TRIES / (cpu_seconds() - start);
}

static void shuffle(void)
{
    bench_must(random_system()->fill(random_system(), order, sizeof order), "random numbers");
    for (unsigned i = 0; i < TRIES; i++)
        order[i] %= KEYS;
}

/* Of this process, in MiB. */
static double memory(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    bench_must(f && fscanf(f, "%lu %lu", &pages, &resident) == 2 ? OK : ERR_IO, "/proc/self/statm");
    fclose(f);
    return (double)resident * 4096 / 1048576;
}

int main(void)
{
    double ours[BENCH_ROUNDS], least[BENCH_ROUNDS];
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER json = writer_new(1024);
    bool locked;
    bench_must(crypto_init(&locked), "crypto");
    bench_must(arena_new(16384, 1u << 20, &arena), "an arena");
    double start = bench_now();
    make(arena);
    fprintf(stderr, "%u keys made in %.1f s; with texts and plain table the process has %.0f MiB\n", KEYS,
            bench_now() - start, memory());
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        shuffle();
        ours[i] = verified(arena, false);
        least[i] = limit();
        fprintf(stderr, "round %zu: verified %.0f keys/s (%.0f with the key copied out), look-up and HMAC %.0f\n",
                i + 1, ours[i], verified(arena, true), least[i]);
    }
    api_keys_free(table);
    row_keys_free(row_keys);
    free(slots);
    free(texts);
    bench_result(&json, "key_verify_vs_limit", bench_median(ours, BENCH_ROUNDS), bench_median(least, BENCH_ROUNDS),
                 "keys/s");
    bench_print(&json);
    return 0;
}
