/* key_verify_vs_limit: API keys verified a second (text and check digits, look-up, keyed hash, status, former
 * failures), in random order among 1,000,000 of them, in one thread, against the least that finds and checks one: a
 * look-up in a plain hash table, and one HMAC over the text. */
#include "bench.h"
#include "key_table.h"

#include "crypto/hash.h"
#include "crypto/secmem.h"

#include <stdio.h>

#define KEYS  1000000u
#define TRIES 400000u /* in a round */
#define SLOTS (1u << 21)

/* Open addressing; ids are random, so their first bytes are hash enough. */
struct slot {
    char id[API_KEY_ID_LEN];
    uint8_t code[32];
};

static struct key_table table;
static struct slot *slots;
static struct hmac_key plain_key;
static uint32_t order[TRIES];

static unsigned slot_of(const char *id)
{
    uint64_t h;
    memcpy(&h, id + 4, sizeof h);
    return (unsigned)(h * UINT64_C(0x9e3779b97f4a7c15) >> 43);
}

static void code_of(const struct key_text *t, uint8_t out[static 32])
{
    const struct view text = VIEW(t->text, t->len);
    hmac_key_code(&plain_key, &text, 1, out);
}

static void put_plain(const struct key_text *t, const char *id)
{
    unsigned at = slot_of(id);
    while (slots[at].id[0])
        at = (at + 1) % SLOTS;
    memcpy(slots[at].id, id, API_KEY_ID_LEN);
    code_of(t, slots[at].code);
}

static void make(struct arena *arena)
{
    uint8_t secret[32];
    key_table_init(&table);
    bench_must(random_system()->fill(random_system(), secret, sizeof secret), "random bytes");
    hmac_key_init(&plain_key, VIEW_OF(secret));
    slots = calloc(SLOTS, sizeof *slots);
    bench_must(slots ? OK : ERR_NO_MEMORY, "memory");
    key_table_grow(&table, KEYS, arena);
    for (unsigned i = 0; i < KEYS; i++)
        put_plain(&table.texts[i], key_table_id(&table, i));
}

/* copied: with all that is known of the key, as a request needs it to be judged further. */
static double verified(struct arena *arena, bool copied)
{
    const struct network_source from = {.is_unix = true, .uid = 1000};
    struct api_key_found found;
    struct api_key_parts parts;
    double start = bench_cpu();
    for (unsigned i = 0; i < TRIES; i++, arena_reset(arena)) {
        const struct key_text *t = &table.texts[order[i]];
        struct api_key_shown shown = {
            .text = VIEW(t->text, t->len), .parts = &parts, .from = &from, .now_ms = KEY_TABLE_NOW + i / 1000};
        bench_must(api_keys_verify(table.keys, table.row_keys, &shown, arena, copied ? &found : NULL), "a key");
    }
    return TRIES / (bench_cpu() - start);
}

static double limit(void)
{
    double start = bench_cpu();
    for (unsigned i = 0; i < TRIES; i++) {
        const struct key_text *t = &table.texts[order[i]];
        const char *id = key_table_id(&table, order[i]);
        uint8_t code[32];
        unsigned at = slot_of(id);
        while (memcmp(slots[at].id, id, API_KEY_ID_LEN) != 0)
            at = (at + 1) % SLOTS;
        code_of(t, code);
        bench_must(ct_eq(code, slots[at].code, sizeof code) ? OK : ERR_BAD_CREDENTIALS, "a code");
    }
    return TRIES / (bench_cpu() - start);
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
    key_table_done(&table);
    free(slots);
    bench_result(&json, "key_verify_vs_limit", bench_median(ours, BENCH_ROUNDS), bench_median(least, BENCH_ROUNDS),
                 "keys/s");
    bench_print(&json);
    return 0;
}
