#include "feed_world.h"

#include "crypto/secmem.h"

#include <sys/socket.h>

struct world *world;

/* --- the rest of the front, as far as the feed knows it */

void life_hello(struct front *f)
{
    struct keeper_hello q = {.thread = 0};
    struct keeper_welcome w;

    world->hellos++;
    assert_int_equal(rig_call(world->keeper, PEER_FRONT, KEEPER_HELLO, &q, &w), OK);
    feed_from(f, w.log_size);
}

void life_refuse(struct front *f, enum life_refusal r, const char *sentence)
{
    assert_int_equal(r, REFUSE_MISMATCH);
    world->refused = true;
    (void)snprintf(world->sentence, sizeof world->sentence, "%s", sentence);
    feed_pause(f);
}

/* --- the keeper's desk */

static enum err forged(struct writer *out)
{
    static const uint8_t seed[32] = {9};
    struct checkpoint c = {.origin = "holdfast/0000000000000000/log/0", .size = world_keeper_size()};
    AUTO_WRITER note = writer_new(NOTE_MAX);
    struct keeper_note answer;

    TRY(note_sign(&c, seed, &note));
    answer.note = writer_view_of(&note);
    return entity_encode(&keeper_note_entity, &answer, out);
}

static enum err checkpoint(struct writer *out)
{
    world->notes++;
    if (world->refuse_note != OK)
        return world->refuse_note;
    return world->forge_note ? forged(out) : keeper_checkpoint_sign(world->keeper->keeper, out);
}

static enum err on_frame(void *context, struct channel *c, struct frame *f)
{
    struct problem why = {.code = OK};
    AUTO_WRITER out = writer_new(CHANNEL_FRAME_MAX), body = writer_new(CHANNEL_FRAME_MAX);
    enum err e;

    (void)context;
    world->appends += f->type == KEEPER_LOG_APPEND;
    e = f->type == KEEPER_CHECKPOINT ? checkpoint(&out)
                                     : keeper_handle(world->keeper->keeper, PEER_FRONT, f->type, f->body, &out, &why);
    if (world->deaf)
        return OK;
    if (e != OK)
        return channel_refuse(c, f->type, f->id, e, why.detail);
    writer_u16(&body, OK);
    writer_view(&body, writer_view_of(&out));
    TRY(writer_done(&body));
    return channel_send(c, f->type | CHANNEL_ANSWER, f->id, writer_view_of(&body), -1);
}

static void on_closed(void *context, struct channel *c)
{
    (void)context, (void)c;
}

static enum err on_event(void *context, struct channel *c, struct frame *f)
{
    (void)context, (void)c, (void)f;
    return OK;
}

void world_connect(void)
{
    int pair[2];
    struct loop *loop = world->front.threads[0].api.loop;
    const struct channel_handler desk = {.frame = on_frame, .closed = on_closed};
    const struct channel_handler events = {.frame = on_event, .closed = on_closed};

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(channel_new(loop, pair[0], &desk, &world->desk), OK);
    assert_int_equal(caller_new(loop, pair[1], &events, &world->front.threads[0].keeper.caller), OK);
}

/* As peers.c has it: outstanding calls end, and life_gone pauses the feed. */
void world_cut(void)
{
    struct caller *gone = world->front.threads[0].keeper.caller;

    channel_free(world->desk);
    world->desk = NULL;
    world->front.threads[0].keeper.caller = NULL;
    caller_free(gone);
    feed_pause(&world->front);
}

void world_revive(void)
{
    rig_restart(world->keeper);
    assert_int_equal(rig_unseal(world->keeper), OK);
    world->deaf = false;
    world_connect();
    life_hello(&world->front);
}

/* --- time */

static uint64_t wall(const struct clock *c)
{
    (void)c;
    return (uint64_t)((int64_t)clock_system()->wall_ms(clock_system()) + world->wall_shift_ms);
}

static uint64_t mono(const struct clock *c)
{
    (void)c;
    return clock_system()->mono_ms(clock_system()) + world->skipped_ms;
}

static const struct clock clock_of_world = {wall, mono, NULL};

void world_turn(void)
{
    assert_int_equal(loop_turn(world->front.threads[0].api.loop, 1), OK);
}

void world_skip(uint64_t ms)
{
    world->skipped_ms += ms;
    for (int i = 0; i < 20; i++)
        world_turn();
}

void world_until(bool (*condition)(void))
{
    for (int i = 0; i < 5000; i++) {
        if (condition())
            return;
        world_turn();
    }
    fail_msg("it did not come to that");
}

bool world_caught_up(void)
{
    return feed_caught_up(&world->front);
}

/* --- the ledger */

static void on_done(void *context, struct txn *t)
{
    (void)context;
    world->last = t->result;
    world->answers++;
}

static void submit(struct txn *t)
{
    struct ledger *l = world->front.shared.ledger;

    t->done = on_done;
    assert_int_equal(ledger_prepare(l, t), OK);
    assert_int_equal(ledger_submit(l, t, 1, world->front.threads[0].api.mailbox), OK);
}

static void await(unsigned answers)
{
    for (int i = 0; world->answers < answers; i++) {
        assert_true(i < 5000);
        world_turn();
    }
}

enum err world_submit(struct txn *t)
{
    unsigned before = world->answers;

    submit(t);
    await(before + 1);
    return world->last;
}

enum err world_record(void)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct record r = {.type = EVENT_SERVER_STARTED, .outcome = OUTCOME_DONE};
    struct txn t = {.records = &r, .record_count = 1};

    assert_int_equal(arena_new(8192, 1u << 20, &arena), OK);
    t.arena = arena;
    return world_submit(&t);
}

void world_records(size_t n)
{
    static struct record r = {.type = EVENT_SERVER_STARTED, .outcome = OUTCOME_DONE};
    struct txn *all = calloc(n, sizeof *all);
    unsigned before = world->answers;

    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct txn){.records = &r, .record_count = 1};
        assert_int_equal(arena_new(8192, 1u << 20, &all[i].arena), OK);
        submit(&all[i]);
    }
    await(before + (unsigned)n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(all[i].result, OK);
        arena_free(all[i].arena);
    }
    free(all);
}

void world_log_pending(void)
{
    for (;;) {
        AUTO(arena_free) struct arena *arena = NULL;
        const struct keeper_pending_from from = {0};
        struct keeper_pending list;
        struct authored_record authored;
        struct txn t = {.authored = &authored, .authored_count = 1};

        assert_int_equal(rig_call(world->keeper, PEER_FRONT, KEEPER_PENDING, &from, &list), OK);
        if (list.records.count == 0)
            return;
        assert_int_equal(arena_new(8192, 1u << 20, &arena), OK);
        t.arena = arena;
        for (size_t i = 0; i < list.records.count; i++) {
            const struct keeper_pending_record *r = (struct keeper_pending_record *)list.records.items + i;
            assert_int_equal(entity_decode(&authored_record_entity, r->authored, arena, &authored), OK);
            assert_int_equal(world_submit(&t), OK);
        }
        world_until(world_caught_up);
    }
}

uint64_t world_keeper_size(void)
{
    struct keeper_status st;

    assert_int_equal(rig_call(world->keeper, PEER_FRONT, KEEPER_STATUS, NULL, &st), OK);
    return st.log_size;
}

void world_same_root(void)
{
    struct keeper_hello q = {.thread = 0};
    struct keeper_welcome w;
    uint8_t root[32];

    assert_int_equal(rig_call(world->keeper, PEER_FRONT, KEEPER_HELLO, &q, &w), OK);
    assert_int_equal(w.log_size, ledger_size(world->front.shared.ledger));
    assert_int_equal(compare_root(world->front.threads[0].api.reader, w.log_size, root), OK);
    assert_memory_equal(root, w.frontier_root, sizeof root);
}

uint64_t world_stored_checkpoint(void)
{
    AUTO_WRITER note = writer_new(NOTE_MAX);
    struct checkpoint c;

    if (query_checkpoint(world->front.threads[0].api.reader, &note) != OK)
        return 0;
    assert_int_equal(note_open(writer_view_of(&note), world->front.shared.checkpoint_key, &c), OK);
    return c.size;
}

/* --- beginning and end */

static void open_ledger(const char *url)
{
    struct api_shared *s = &world->front.shared;
    struct keeper_hello q = {.thread = 0};
    struct keeper_welcome w;
    AUTO(keyring_free) struct keyring *ring = NULL;
    struct problem why = {.code = OK};

    assert_int_equal(rig_call(world->keeper, PEER_FRONT, KEEPER_HELLO, &q, &w), OK);
    memcpy(s->checkpoint_key, w.checkpoint_key, sizeof s->checkpoint_key);
    assert_int_equal(keyring_import(w.state_ring, &ring), OK);
    assert_int_equal(row_keys_new(ring, (enum aead_alg)w.cipher, &world->keys), OK);
    const struct ledger_config config = {
        .store_url = url, .keys = world->keys, .clock = &clock_of_world, .random = random_system()};
    if (ledger_open(&config, &s->ledger, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    assert_int_equal(ledger_reader(s->ledger, &world->front.threads[0].api.reader), OK);
}

void world_new(const char *url)
{
    struct front_thread *t;

    world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->keeper = rig_new();
    rig_init_passphrase(world->keeper);
    t = &world->front.threads[0];
    world->front.thread_count = 1;
    world->front.config.checkpoint_seconds = 1;
    world->front.shared.clock = &clock_of_world;
    assert_int_equal(loop_new(&clock_of_world, &t->api.loop), OK);
    assert_int_equal(mailbox_new(t->api.loop, &t->api.mailbox), OK);
    world_connect();
    open_ledger(url);
    assert_int_equal(feed_new(&world->front), OK);
}

void world_feed(void)
{
    assert_int_equal(feed_subscribe(&world->front), OK);
    life_hello(&world->front);
}

void world_free(void)
{
    struct front_thread *t = &world->front.threads[0];

    if (t->keeper.caller)
        world_cut();
    store_close(t->api.reader);
    ledger_close(world->front.shared.ledger);
    for (int i = 0; i < 5; i++)
        world_turn(); /* mail of the last commits */
    feed_free(world->front.feed);
    mailbox_free(t->api.mailbox);
    loop_free(t->api.loop);
    row_keys_free(world->keys);
    rig_free(world->keeper);
    free(world);
    world = NULL;
}
