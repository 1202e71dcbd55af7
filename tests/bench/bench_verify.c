/* audit_verify_vs_hash: records a second when an exported log is verified, against hashing the same bytes once. */
#include "bench.h"

#include "crypto/hash.h"
#include "ledger/merkle.h"
#include "ledger/query.h"

#define RECORDS 50000
#define SEED    ((uint8_t[32]){1, 2, 3})

static void add_record(uint64_t index, struct frontier *f, struct arena *arena, struct writer *w)
{
    struct leaf_chain chain = {.author = AUTHOR_FRONT};
    struct record r = {.type = EVENT_SECRET_READ,
                       .outcome = OUTCOME_DONE,
                       .who = {.actor = VIEW_STR("key:4fTq0aZ81kQmXw2s"),
                               .source = VIEW_STR("192.0.2.1"),
                               .user_agent = VIEW_STR("desk-bot/2.1"),
                               .reason = VIEW_STR("opening of the session"),
                               .request_id = VIEW_STR("00112233445566778899aabbccddeeff")},
                       .what = {.resource = VIEW_STR("secret:exchange/binance/main"), .detail = VIEW_STR("version 3")}};
    struct authored_record a;
    struct record_view v = {.index = index};
    uint8_t hash[32];

    bench_must(leaf_author(&chain, &r, NULL, 0, 1790000000000u + index, random_system(), arena, &a), "a leaf");
    leaf_hash(a.leaf, hash);
    frontier_append(f, hash);
    bench_must(leaf_decode(a.leaf, &v.leaf), "a leaf");
    v.leaf_bytes = a.leaf;
    v.who = r.who, v.what = r.what;
    v.who_bytes = a.who, v.what_bytes = a.what;
    memcpy(v.who_salt, a.who_salt, sizeof v.who_salt);
    memcpy(v.what_salt, a.what_salt, sizeof v.what_salt);
    bench_must(export_record(&v, w), "a line");
    writer_u8(w, '\n');
}

static void make_export(struct writer *verifier, struct writer *w)
{
    AUTO_WRITER records = writer_new(256u << 20), note = writer_new(NOTE_MAX);
    AUTO(arena_free) struct arena *arena = NULL;
    struct checkpoint c = {.origin = "holdfast/bench/log/0", .size = RECORDS};
    struct frontier f = {0};
    uint8_t key[32];

    bench_must(arena_new(65536, 1u << 20, &arena), "an arena");
    for (uint64_t i = 0; i < RECORDS; i++, arena_reset(arena))
        add_record(i, &f, arena, &records);
    frontier_root(&f, c.root);
    bench_must(note_sign(&c, SEED, &note), "a checkpoint");
    bench_must(ed25519_public(SEED, key), "a key");
    bench_must(note_verifier_put(c.origin, key, verifier), "a verifier");
    bench_must(export_head(writer_view_of(verifier), writer_view_of(&note), w), "the head");
    writer_u8(w, '\n');
    writer_view(w, writer_view_of(&records));
    bench_must(writer_done(w), "the export");
}

static double verify_round(struct view verifier, struct view text)
{
    struct verify *v;
    struct verify_summary summary;
    struct problem why = {0};
    double start = bench_now();

    bench_must(verify_new(verifier, (struct view){0}, &v, &why), why.detail);
    for (const uint8_t *at = text.ptr, *end = text.ptr + text.len; at < end;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        bench_must(verify_line(v, VIEW(at, newline - at), &why), why.detail);
        at = newline + 1;
    }
    bench_must(verify_finish(v, &summary, &why), why.detail);
    if (summary.records != RECORDS)
        bench_must(ERR_LOG_MISMATCH, "the number of records");
    verify_free(v);
    return RECORDS / (bench_now() - start);
}

static double hash_round(struct view text)
{
    uint8_t out[SHA256_SIZE];
    double start = bench_now();

    sha256(text, out);
    return RECORDS / (bench_now() - start);
}

int main(void)
{
    AUTO_WRITER verifier = writer_new(1024), text = writer_new(512u << 20), json = writer_new(1024);
    double verify[BENCH_ROUNDS], hash[BENCH_ROUNDS];
    bool locked;

    bench_must(crypto_init(&locked), "crypto");
    make_export(&verifier, &text);
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        verify[i] = verify_round(writer_view_of(&verifier), writer_view_of(&text));
        hash[i] = hash_round(writer_view_of(&text));
        fprintf(stderr, "round %zu: verified %.0f records/s, hashed %.0f records/s\n", i + 1, verify[i], hash[i]);
    }
    bench_result(&json, "audit_verify_vs_hash", bench_median(verify, BENCH_ROUNDS), bench_median(hash, BENCH_ROUNDS),
                 "records/s");
    bench_print(&json);
    return 0;
}
