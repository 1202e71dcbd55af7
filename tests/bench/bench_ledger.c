/* ledger_vs_sqlite_each, ledger_vs_sqlite_batch: durable transactions a second with 128 concurrent clients, each of one
 * new row and its record, against plain SQLite writing rows of the same number and bytes: one commit each, and in
 * batches of the size that the ledger showed. */
#include "bench.h"

#include "ledger/ledger.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <threads.h>
#include <unistd.h>

#define CLIENTS 128
#define THREADS 2
#define SECONDS 2.0
#define VALUE   200

static const char *const pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                                   "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=FAST; PRAGMA cell_size_check=ON;"
                                   "PRAGMA mmap_size=0; PRAGMA cache_size=-8192;";

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char file[4200];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        unlink(file);
    }
}

/* --- the ledger */

struct front {
    struct ledger *ledger;
    struct row_keys *keys;
    struct loop *loop;
    struct mailbox *box;
    struct client *clients;
    struct txn *first, *last;
    size_t collected;
    double until;
    uint64_t done;
    size_t under_way;
    unsigned number;
};

struct client {
    struct front *front;
    struct txn txn;
    struct arena *arena;
    uint64_t made;
    unsigned number;
};

static void collect(struct client *c);

static void answered(void *context, struct txn *t)
{
    struct client *c = context;

    bench_must(t->result, "a transaction");
    c->front->done++;
    c->front->under_way--;
    arena_reset(c->arena);
    if (bench_now() < c->front->until)
        collect(c);
    else if (c->front->under_way == 0)
        loop_stop(c->front->loop);
}

static void collect(struct client *c)
{
    struct front *f = c->front;
    struct txn_change *change = arena_alloc(c->arena, sizeof *change);
    struct record *record = arena_alloc(c->arena, sizeof *record);
    uint8_t *value = arena_alloc(c->arena, VALUE), *key = arena_alloc(c->arena, STORE_KEY_MAX);
    struct writer w = writer_fixed(key, STORE_KEY_MAX);
    char name[64];

    snprintf(name, sizeof name, "row-%u-%u-%llu", f->number, c->number, (unsigned long long)c->made++);
    bench_must(row_key_exact(f->keys, TABLE_SECRET, view_str(name), &w), "a key");
    *change = (struct txn_change){
        .table = TABLE_SECRET, .key = writer_view_of(&w), .version = 1, .value = VIEW(value, VALUE)};
    *record = (struct record){.type = EVENT_SECRET_STORED,
                              .outcome = OUTCOME_DONE,
                              .who = {.actor = VIEW_STR("user:alice"),
                                      .source = VIEW_STR("192.0.2.1"),
                                      .user_agent = VIEW_STR("bench/1"),
                                      .reason = VIEW_STR("measuring")},
                              .what = {.resource = VIEW_STR("secret:exchange/binance/main")}};
    c->txn = (struct txn){.arena = c->arena,
                          .changes = change,
                          .change_count = 1,
                          .records = record,
                          .record_count = 1,
                          .done = answered,
                          .context = c};
    bench_must(ledger_prepare(f->ledger, &c->txn), "prepare");
    if (f->last)
        f->last->mail.next = &c->txn.mail;
    else
        f->first = &c->txn;
    f->last = &c->txn;
    f->collected++;
    f->under_way++;
}

/* What one turn collected is handed over at once, as a front thread does. */
static void hand_over(void *context)
{
    struct front *f = context;

    if (f->collected == 0)
        return;
    bench_must(ledger_submit(f->ledger, f->first, f->collected, f->box), "submit");
    f->first = f->last = NULL;
    f->collected = 0;
}

static int front_run(void *context)
{
    struct front *f = context;

    bench_must(loop_new(clock_system(), &f->loop), "a loop");
    bench_must(mailbox_new(f->loop, &f->box), "a mailbox");
    bench_must(loop_each_turn(f->loop, hand_over, f), "a loop");
    f->clients = calloc(CLIENTS / THREADS, sizeof *f->clients);
    f->until = bench_now() + SECONDS;
    for (unsigned i = 0; i < CLIENTS / THREADS; i++) {
        f->clients[i] = (struct client){.front = f, .number = i};
        bench_must(arena_new(8192, 65536, &f->clients[i].arena), "an arena");
        collect(&f->clients[i]);
    }
    hand_over(f);
    bench_must(loop_run(f->loop), "the loop");
    for (unsigned i = 0; i < CLIENTS / THREADS; i++)
        arena_free(f->clients[i].arena);
    free(f->clients);
    mailbox_free(f->box);
    loop_free(f->loop);
    return 0;
}

struct shape {
    double batch, rows_per_txn, bytes_per_row;
};

static double ledger_round(const char *path, struct row_keys *keys, struct shape *shape)
{
    char url[4200];
    struct ledger_config config = {
        .store_url = url, .keys = keys, .clock = clock_system(), .random = random_system(), .origin = "bench"};
    struct problem why = {0};
    struct front fronts[THREADS] = {0};
    struct ledger_stats stats;
    struct ledger *ledger;
    thrd_t threads[THREADS];
    uint64_t done = 0;
    double start, end;

    remove_files(path);
    snprintf(url, sizeof url, "sqlite:%s", path);
    bench_must(ledger_open(&config, &ledger, &why), why.detail);
    start = bench_now();
    for (unsigned i = 0; i < THREADS; i++) {
        fronts[i] = (struct front){.ledger = ledger, .keys = keys, .number = i};
        thrd_create(&threads[i], front_run, &fronts[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        thrd_join(threads[i], NULL);
        done += fronts[i].done;
    }
    end = bench_now();
    ledger_get_stats(ledger, &stats);
    shape->batch = (double)stats.transactions / (double)stats.commits;
    ledger_close(ledger);
    return (double)done / (end - start);
}

/* --- plain SQLite */

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "bench: %s: %s\n", text, sqlite3_errmsg(db));
        exit(1);
    }
}

static double number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *s;
    double v = 0;

    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        v = sqlite3_column_double(s, 0);
    sqlite3_finalize(s);
    return v;
}

/* Rows and bytes that the ledger wrote for each transaction, but for its derived index, which is built behind. */
static void measure(const char *path, struct shape *shape)
{
    char text[256];
    double rows = 0, bytes = 0, transactions;
    sqlite3 *db;

    sqlite3_open(path, &db);
    for (int table = 1; table < TABLE_COUNT; table++) {
        if (table == TABLE_INDEX)
            continue;
        snprintf(text, sizeof text, "SELECT count(*) FROM t%d", table);
        rows += number(db, text);
        snprintf(text, sizeof text, "SELECT sum(length(key)+length(value)) FROM t%d", table);
        bytes += number(db, text);
    }
    snprintf(text, sizeof text, "SELECT count(*) FROM t%d", TABLE_SECRET);
    transactions = number(db, text);
    sqlite3_close(db);
    shape->rows_per_txn = rows / transactions;
    shape->bytes_per_row = bytes / rows;
}

static double sqlite_round(const char *path, const struct shape *shape, size_t batch)
{
    sqlite3 *db;
    sqlite3_stmt *insert;
    uint64_t transactions = 0, rows = 0;
    size_t bytes = (size_t)(shape->bytes_per_row + 0.5);
    uint8_t *row = calloc(1, bytes);
    double start;

    remove_files(path);
    sqlite3_open(path, &db);
    sql(db, pragmas);
    sql(db, "CREATE TABLE t (row BLOB NOT NULL) STRICT");
    sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?)", -1, &insert, NULL);
    start = bench_now();
    while (bench_now() - start < SECONDS) {
        sql(db, "BEGIN IMMEDIATE");
        transactions += batch;
        for (; (double)rows < (double)transactions * shape->rows_per_txn; rows++) {
            bench_must(random_system()->fill(random_system(), row, bytes < 32 ? bytes : 32), "random");
            sqlite3_bind_blob(insert, 1, row, (int)bytes, SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE)
                bench_must(ERR_IO, "insert");
            sqlite3_reset(insert);
        }
        sql(db, "COMMIT");
    }
    start = bench_now() - start;
    sqlite3_finalize(insert);
    sqlite3_close(db);
    free(row);
    remove_files(path);
    return (double)transactions / start;
}

static struct row_keys *make_keys(void)
{
    struct keyring *ring;
    struct row_keys *keys;

    bench_must(keyring_new(KEY_CLASS_STATE, &ring), "a ring");
    bench_must(keyring_rotate(ring, 1, random_system()), "a ring");
    bench_must(row_keys_new(ring, AEAD_XAES_256_GCM, &keys), "keys");
    keyring_free(ring);
    return keys;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    double ledger[BENCH_ROUNDS], each[BENCH_ROUNDS], batch[BENCH_ROUNDS];
    AUTO_WRITER json = writer_new(4096);
    struct shape shape;
    struct row_keys *keys;
    char path[4096];
    bool locked;

    bench_must(crypto_init(&locked), "crypto");
    bench_disk(dir);
    keys = make_keys();
    snprintf(path, sizeof path, "%s/bench-ledger.db", dir);
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        ledger[i] = ledger_round(path, keys, &shape);
        measure(path, &shape);
        each[i] = sqlite_round(path, &shape, 1);
        batch[i] = sqlite_round(path, &shape, (size_t)(shape.batch + 0.5));
        fprintf(stderr,
                "round %zu: ledger %.0f/s in batches of %.1f (%.2f rows of %.0f bytes each), sqlite each %.0f/s, batch "
                "%.0f/s\n",
                i + 1, ledger[i], shape.batch, shape.rows_per_txn, shape.bytes_per_row, each[i], batch[i]);
    }
    row_keys_free(keys);
    bench_result(&json, "ledger_vs_sqlite_each", bench_median(ledger, BENCH_ROUNDS), bench_median(each, BENCH_ROUNDS),
                 "transactions/s");
    bench_result(&json, "ledger_vs_sqlite_batch", bench_median(ledger, BENCH_ROUNDS), bench_median(batch, BENCH_ROUNDS),
                 "transactions/s");
    bench_print(&json);
    return 0;
}
