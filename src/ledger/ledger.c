#include "ledger/inside.h"

#include <errno.h>

#define BATCH_DEFAULT  1024
#define QUEUE_BATCHES  16
#define LEAF_BYTES_MAX ((size_t)64 << 20)
#define MAINTAIN_MS    1000

struct row_keys *ledger_keys(struct ledger *l)
{
    pthread_mutex_lock(&l->keys_lock);
    struct row_keys *k = row_keys_ref(l->keys);
    pthread_mutex_unlock(&l->keys_lock);
    return k;
}

void ledger_set_keys(struct ledger *l, struct row_keys *keys)
{
    struct row_keys *mine = row_keys_ref(keys);
    pthread_mutex_lock(&l->keys_lock);
    struct row_keys *old = l->keys;
    l->keys = mine;
    pthread_mutex_unlock(&l->keys_lock);
    row_keys_free(old);
}

RESULT ledger_reader(struct ledger *l, struct store **ret)
{
    return store_share(l->writer, true, ret);
}

RESULT ledger_subscribe(struct ledger *l, void (*fn)(void *context, const struct ledger_batch *b), void *context)
{
    pthread_mutex_lock(&l->write_lock);
    bool full = l->subscriber_count == SUBSCRIBERS_MAX;
    if (!full)
        l->subscribers[l->subscriber_count++] = (struct subscriber){fn, context};
    pthread_mutex_unlock(&l->write_lock);
    return full ? ERR_LIMIT_REACHED : OK;
}

uint64_t ledger_size(struct ledger *l)
{
    return l->size;
}

uint64_t ledger_indexed(struct ledger *l)
{
    return l->indexed;
}

void ledger_get_stats(struct ledger *l, struct ledger_stats *ret)
{
    ret->commits = l->stat_commits;
    ret->transactions = l->stat_transactions;
    ret->records = l->stat_records;
    ret->largest_batch = l->stat_largest;
}

RESULT ledger_erasure(struct store *reader, const struct row_keys *keys, struct view actor, struct arena *arena,
                      struct txn_change *ret)
{
    uint8_t name[SUBJECT_KEY_SIZE], plain[32];
    struct store_row row;
    struct txn_change c = {.table = TABLE_SUBJECT, .remove = true};
    struct writer w = writer_fixed(plain, sizeof(plain));
    TRY(subject_name(keys, SIDE_WHO, actor, name));
    TRY(store_get(reader, TABLE_SUBJECT, VIEW_OF(name), arena, &row));
    enum err e = row_open(keys, TABLE_SUBJECT, &row, &w, c.old_commitment);
    wipe(plain, sizeof(plain));
    TRY(e);
    c.key = row.key;
    c.expect = row.version;
    *ret = c;
    return OK;
}

/* A mutex alone goes to whoever asks first after it is given back, which is the thread that just had it. */
void write_lock_take(struct ledger *l)
{
    pthread_mutex_lock(&l->write_next);
    pthread_mutex_lock(&l->write_lock);
    pthread_mutex_unlock(&l->write_next);
}

/* --- background */

void background_sleep(struct ledger *l, unsigned ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&l->idle_lock);
    while (!l->stopping && pthread_cond_timedwait(&l->idle_wake, &l->idle_lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&l->idle_lock);
}

/* Until the index and the check may begin. */
void background_wait(struct ledger *l)
{
    pthread_mutex_lock(&l->idle_lock);
    while (!l->background_wanted && !l->stopping)
        pthread_cond_wait(&l->idle_wake, &l->idle_lock);
    pthread_mutex_unlock(&l->idle_lock);
}

void ledger_begin_background(struct ledger *l)
{
    pthread_mutex_lock(&l->idle_lock);
    l->background_wanted = true;
    pthread_cond_broadcast(&l->idle_wake);
    pthread_mutex_unlock(&l->idle_lock);
}

/* The store's own housekeeping is slow at times, so it has a thread and a connection. */
static void *maintain_thread(void *ledger)
{
    struct ledger *l = ledger;
    AUTO(store_close) struct store *mine = NULL;
    uint64_t seen = 0;
    while (!l->stopping) {
        background_sleep(l, MAINTAIN_MS);
        uint64_t commits = l->stat_commits;
        if (commits == seen || (!mine && store_share(l->writer, false, &mine) != OK))
            continue;
        if (store_maintain(mine) == OK) /* else again, a second later */
            seen = commits;
    }
    return NULL;
}

/* --- opening */

static bool stop_at_first(void *context, const struct store_row *row)
{
    bool *found = context;
    (void)row;
    *found = true;
    return false;
}

/* No state: then there may be no log and no live row either. */
static RESULT open_fresh(struct ledger *l, struct problem *why)
{
    for (unsigned table = 1; table < TABLE_COUNT; table++) {
        bool found = false;
        if (table == TABLE_META)
            continue;
        TRY(store_range(l->writer, (uint16_t)table, VIEW(NULL, 0), VIEW(NULL, 0), false, 1, stop_at_first, &found));
        if (found)
            return problem_set(why, ERR_TAMPERED, "log",
                               "the log's state row is missing although there are rows: it was deleted");
    }
    return OK;
}

static RESULT open_state(struct ledger *l, struct problem *why)
{
    struct log_state state;
    enum err e = state_get(l->keys, l->writer, &state);
    if (e == ERR_NOT_FOUND)
        return open_fresh(l, why);
    if (e == ERR_TAMPERED)
        return problem_set(why, e, "log",
                           "the log's state row does not open: it was altered, or these keys belong to "
                           "another installation");
    if (e == ERR_TOO_NEW)
        return problem_set(why, e, "log", "the log was written by a newer Holdfast");
    TRY(e);
    TRY(check_tail(l->writer, &state, &l->tree, why));
    l->rows = state.rows;
    l->commits = state.commits;
    l->size = state.frontier.size;
    return OK;
}

static RESULT open_parts(struct ledger *l, struct problem *why)
{
    struct store *reader = NULL;
    struct index_state index;
    TRY(store_open(l->config.store_url, &l->writer, why));
    TRY(open_state(l, why));
    TRY(store_share(l->writer, true, &reader));
    TRY(subjects_new(reader, &l->subjects));
    TRY(subject_name(l->keys, SIDE_WHAT, VIEW(NULL, 0), l->system_subject));
    enum err e = index_get(l->keys, l->writer, &index);
    if (e == ERR_TAMPERED || (e == OK && index.position > l->size))
        l->reindex = true; /* derived, so it is made anew */
    else if (e != OK)
        return e;
    else
        l->indexed = index.position;
    return OK;
}

static void init_locks(struct ledger *l)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->keys_lock, NULL);
    pthread_mutex_init(&l->queue_lock, NULL);
    pthread_cond_init(&l->queue_wake, NULL);
    pthread_mutex_init(&l->write_lock, NULL);
    pthread_mutex_init(&l->write_next, NULL);
    pthread_mutex_init(&l->index_lock, NULL);
    pthread_mutex_init(&l->idle_lock, NULL);
    pthread_cond_init(&l->idle_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static RESULT start_threads(struct ledger *l)
{
    static void *(*const bodies[THREAD_COUNT])(void *) = {
        [THREAD_COMMIT] = commit_thread,
        [THREAD_INDEX] = index_thread,
        [THREAD_MAINTAIN] = maintain_thread,
        [THREAD_CHECK] = check_thread,
    };
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        if (i == THREAD_CHECK && !l->config.tampering)
            continue;
        if (pthread_create(&l->threads[i], NULL, bodies[i], l) != 0)
            return ERR_NO_MEMORY;
        l->runs[i] = true;
    }
    return OK;
}

RESULT ledger_open(const struct ledger_config *config, struct ledger **ret, struct problem *why)
{
    struct ledger *l = calloc(1, sizeof(*l));
    if (!l)
        return problem_set(why, ERR_NO_MEMORY, "ledger", "not enough memory to open the ledger");
    if (why)
        *why = (struct problem){0};
    l->config = *config;
    if (l->config.batch_max == 0)
        l->config.batch_max = BATCH_DEFAULT;
    l->queue_max = l->config.batch_max * QUEUE_BATCHES;
    init_locks(l);
    l->background_wanted = !config->background_later;
    l->keys = row_keys_ref(config->keys);
    l->note = writer_new(NOTE_MAX);
    l->leaf_bytes = writer_new(LEAF_BYTES_MAX);
    l->leaf_lengths = writer_new(LEAF_BYTES_MAX);
    enum err e = open_parts(l, why);
    if (e == OK)
        e = start_threads(l);
    if (e != OK) {
        ledger_close(l);
        return why && why->code == OK ? problem_set(why, e, "ledger", "%s", err_sentence(e)) : e;
    }
    *ret = l;
    return OK;
}

static void stop_all(struct ledger *l)
{
    pthread_mutex_lock(&l->queue_lock);
    l->stop = true;
    pthread_cond_signal(&l->queue_wake);
    pthread_mutex_unlock(&l->queue_lock);
    /* What was submitted is finished before anything else ends. */
    if (l->runs[THREAD_COMMIT])
        pthread_join(l->threads[THREAD_COMMIT], NULL);
    pthread_mutex_lock(&l->idle_lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->idle_wake);
    pthread_mutex_unlock(&l->idle_lock);
    for (size_t i = THREAD_COMMIT + 1; i < THREAD_COUNT; i++)
        if (l->runs[i])
            pthread_join(l->threads[i], NULL);
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    stop_all(l);
    subjects_free(l->subjects);
    store_close(l->writer);
    row_keys_free(l->keys);
    writer_free(&l->note);
    writer_free(&l->leaf_bytes);
    writer_free(&l->leaf_lengths);
    pthread_mutex_destroy(&l->keys_lock);
    pthread_mutex_destroy(&l->queue_lock);
    pthread_cond_destroy(&l->queue_wake);
    pthread_mutex_destroy(&l->write_lock);
    pthread_mutex_destroy(&l->write_next);
    pthread_mutex_destroy(&l->index_lock);
    pthread_mutex_destroy(&l->idle_lock);
    pthread_cond_destroy(&l->idle_wake);
    free(l);
}
