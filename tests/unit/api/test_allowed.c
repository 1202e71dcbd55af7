/* What was allowed is recorded together, every request of it, and nothing of it is lost while the disk is full. */
#include "api/allowed.h"

#include "api_rig.h"
#include "vfs_powercut.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define ASKED 12

static enum http_outcome good(struct http_request *req, void *context)
{
    (void)context;
    return http_answer_empty(req, 204);
}

static enum http_outcome allow(struct http_request *req, bool behind)
{
    const struct allowed_ask ask = {
        .req = req, .what = {.resource = req->path, .detail = VIEW_STR("mev:view")}, .behind = behind, .then = good};

    return allowed_record(&ask);
}

static enum http_outcome durable(struct http_request *req)
{
    return allow(req, false);
}

static enum http_outcome behind(struct http_request *req)
{
    return allow(req, true);
}

static const struct route rows[] = {
    ROUTE(HTTP_GET, "/durable/{x}", PERMISSION_PUBLIC, durable, .name = "durable"),
    ROUTE(HTTP_GET, "/behind/{x}", PERMISSION_PUBLIC, behind, .name = "behind"),
};
static const struct route_table routes = {rows, ARRAY_LEN(rows)};

static struct rig *rig;

static int set_up(void **state)
{
    rig = rig_set_up(state, &routes);
    return 0;
}

/* --- what the log has */

struct logged {
    size_t records, requests, together; /* together: the most in one record */
    char text[65536];                   /* all ids, and details */
};

static void add(struct logged *l, const struct record_view *v)
{
    char detail[4097];
    const char *count;
    unsigned n = 1;

    assert_int_equal(view_to_str(v->what.detail, detail, sizeof detail), OK);
    count = strstr(detail, "\"count\":");
    if (count)
        assert_int_equal(sscanf(count, "\"count\":%u", &n), 1);
    else
        assert_string_equal(detail, "mev:view");
    l->records++;
    l->requests += n;
    l->together = n > l->together ? n : l->together;
    size_t at = strlen(l->text);
    (void)snprintf(l->text + at, sizeof l->text - at, "%.*s %s\n", (int)v->who.request_id.len,
                   (const char *)v->who.request_id.ptr, detail);
}

static void read_log(struct logged *ret)
{
    AUTO(arena_free) struct arena *arena = NULL;

    *ret = (struct logged){0};
    (void)rig_records_all(rig); /* and what is behind is there */
    assert_int_equal(arena_new(16384, 1u << 20, &arena), OK);
    for (uint64_t i = 0; i < ledger_size(rig->shared.ledger); i++) {
        struct record_view v;
        arena_reset(arena);
        assert_int_equal(query_record(rig->thread.reader, atomic_load(&rig->shared.keys), i, arena, &v), OK);
        if (v.leaf.type == EVENT_REQUEST_ALLOWED)
            add(ret, &v);
    }
}

/* Its id, as the answer says it, is in the log. */
static void is_recorded(const struct logged *l, const struct rig_reply *r)
{
    const char *id = strstr(r->text, "X-Request-Id: ");
    char text[33];

    assert_non_null(id);
    assert_int_equal(sscanf(id, "X-Request-Id: %32s", text), 1);
    assert_non_null(strstr(l->text, text));
}

static struct rig_reply replies[200];

static void ask_at_once(const char *path, size_t count)
{
    int fds[ARRAY_LEN(replies)];

    for (size_t i = 0; i < count; i++)
        fds[i] = rig_send(rig, "GET", path, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        assert_true(rig_receive(rig, fds[i], 3000, &replies[i]));
}

/* --- */

static void one_alone_is_a_record_like_any_other(void **state)
{
    static struct logged l;
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "GET", "/durable/a", NULL, NULL, &r);
    assert_int_equal(r.status, 204);
    read_log(&l);
    assert_int_equal(l.records, 1);
    assert_null(strstr(l.text, "count"));
    is_recorded(&l, &r);
}

static void together(const char *path)
{
    static struct logged l;

    ask_at_once(path, ASKED);
    read_log(&l);
    assert_int_equal(l.requests, ASKED);
    assert_true(l.records < ASKED);
    for (size_t i = 0; i < ASKED; i++) {
        assert_int_equal(replies[i].status, 204);
        is_recorded(&l, &replies[i]);
    }
}

static void requests_of_one_turn_share_a_record_that_names_each(void **state)
{
    (void)state;
    together("/durable/a");
}

static void so_do_those_whose_record_is_behind(void **state)
{
    (void)state;
    together("/behind/a");
}

static void more_than_fit_begin_another(void **state)
{
    static struct logged l;
    size_t count = ALLOWED_TOGETHER + 20;

    (void)state;
    ask_at_once("/behind/a", count);
    read_log(&l);
    assert_int_equal(l.requests, count);
    assert_in_range(l.together, 1, ALLOWED_TOGETHER);
    for (size_t i = 0; i < count; i++)
        is_recorded(&l, &replies[i]);
}

static void of_other_things_there_are_other_records(void **state)
{
    static struct logged l;
    int fds[40];
    struct rig_reply r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) { /* more than are open at once */
        char path[32];
        (void)snprintf(path, sizeof path, "/behind/%zu", i);
        fds[i] = rig_send(rig, "GET", path, NULL, NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        assert_true(rig_receive(rig, fds[i], 3000, &r));
    read_log(&l);
    assert_int_equal(l.records, ARRAY_LEN(fds));
    assert_int_equal(l.together, 1);
}

static void without_its_record_nothing_is_allowed(void **state)
{
    static struct logged l;

    (void)state;
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    ask_at_once("/durable/a", ASKED);
    for (size_t i = 0; i < ASKED; i++)
        assert_int_equal(replies[i].status, 507);
    (void)powercut_fail_end(rig->disk);
    read_log(&l);
    assert_int_equal(l.records, 0);
}

/* Answered already: so it is written when that is possible again, and until then nothing else is. */
static void what_was_answered_is_written_once_there_is_room(void **state)
{
    static struct logged l;
    struct rig_reply r;

    (void)state;
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    ask_at_once("/behind/a", ASKED);
    for (size_t i = 0; i < ASKED; i++)
        assert_int_equal(replies[i].status, 204);
    rig_turns(rig, 100);
    rig_ask(rig, "GET", "/behind/b", NULL, NULL, &r);
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.text, "Retry-After: 1"));
    (void)powercut_fail_end(rig->disk);
    rig_turns(rig, 1500);
    read_log(&l);
    assert_int_equal(l.requests, ASKED);
    rig_ask(rig, "GET", "/behind/b", NULL, NULL, &r);
    assert_int_equal(r.status, 204);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_alone_is_a_record_like_any_other),
        TEST(requests_of_one_turn_share_a_record_that_names_each),
        TEST(so_do_those_whose_record_is_behind),
        TEST(more_than_fit_begin_another),
        TEST(of_other_things_there_are_other_records),
        TEST(without_its_record_nothing_is_allowed),
        TEST(what_was_answered_is_written_once_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
