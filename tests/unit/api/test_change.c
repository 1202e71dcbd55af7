/* Changes and authored records: in the store and the log before the answer, each once, whatever goes wrong. */
#include "api_rig.h"

#include "vfs_powercut.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* --- routes: change a row; have the keeper seal and open a value */

static enum http_outcome put(struct http_request *req)
{
    struct api_change *c;
    struct txn_change row = {.table = TABLE_ROLE, .version = 1, .value = VIEW_STR("value")};
    const struct record_object what = {.resource = VIEW_STR("role:test")};
    uint8_t key[64];
    struct writer w = writer_fixed(key, sizeof key);

    if (api_change_new(req, &c) != OK ||
        row_key_exact(atomic_load(&api_of(req)->shared->keys), TABLE_ROLE, VIEW_STR("test"), &w) != OK ||
        arena_copy(req->arena, writer_view_of(&w), &row.key) != OK || api_change_put(c, &row) != OK ||
        api_change_record(c, EVENT_CONFIGURATION_CHANGED, OUTCOME_DONE, &what, (struct view){0}) != OK)
        return http_answer_error(req, ERR_INTERNAL);
    return api_change_submit(c);
}

static enum http_outcome unrecorded(struct http_request *req)
{
    struct api_change *c;

    return api_change_new(req, &c) == OK ? api_change_submit(c) : http_answer_error(req, ERR_NO_MEMORY);
}

struct opening {
    struct view value;
};

static enum http_outcome logged(struct api_change *c)
{
    const struct opening *o = c->context;

    if (c->txn.result != OK)
        return api_change_failed(c);
    writer_view(http_body(c->req), o->value);
    return http_answer_body(c->req, 200, "text/plain");
}

static enum http_outcome opened(struct http_request *req, void *context, enum err error, struct view entity,
                                const struct problem *why)
{
    struct opening *o = arena_alloc(req->arena, sizeof *o);
    struct keeper_opened out;
    struct api_change *c;

    (void)context;
    if (error != OK)
        return http_answer_problem(req, why);
    if (!o || entity_decode(&keeper_opened_entity, entity, req->arena, &out) != OK || api_change_new(req, &c) != OK ||
        arena_copy(req->arena, out.value, &o->value) != OK || api_change_authored(c, out.authored) != OK)
        return http_answer_error(req, ERR_INTERNAL);
    c->then = logged;
    c->context = o;
    return api_change_submit(c);
}

static enum http_outcome sealed(struct http_request *req, void *context, enum err error, struct view entity,
                                const struct problem *why)
{
    struct keeper_sealed out;
    struct keeper_secret_open q = {.version = 1, .path = VIEW_STR("a/b")};

    (void)context;
    if (error != OK)
        return http_answer_problem(req, why);
    if (entity_decode(&keeper_sealed_entity, entity, req->arena, &out) != OK ||
        arena_copy(req->arena, out.sealed, &q.sealed) != OK || api_who(req, (struct view){0}, &q.who) != OK)
        return http_answer_error(req, ERR_INTERNAL);
    return api_call_keeper(req, KEEPER_SECRET_OPEN, &keeper_secret_open_entity, &q, opened, NULL);
}

static enum http_outcome open_value(struct http_request *req)
{
    const struct keeper_secret_seal q = {.version = 1, .path = VIEW_STR("a/b"), .value = VIEW_STR("the value")};

    return api_call_keeper(req, KEEPER_SECRET_SEAL, &keeper_secret_seal_entity, &q, sealed, NULL);
}

static enum http_outcome signer_answered(struct http_request *req, void *context, enum err error, struct view entity,
                                         const struct problem *why)
{
    (void)context, (void)error, (void)entity;
    return http_answer_problem(req, why);
}

static enum http_outcome sign(struct http_request *req)
{
    const struct keeper_hello q = {0};

    return api_call_signer(req, 2, &keeper_hello_entity, &q, signer_answered, NULL);
}

static const struct route rows[] = {
    ROUTE(HTTP_GET, "/put", PERMISSION_PUBLIC, put, .name = "put"),
    ROUTE(HTTP_GET, "/unrecorded", PERMISSION_PUBLIC, unrecorded, .name = "unrecorded"),
    ROUTE(HTTP_GET, "/open", PERMISSION_PUBLIC, open_value, .name = "open"),
    ROUTE(HTTP_GET, "/sign", PERMISSION_PUBLIC, sign, .name = "sign", .tag = "sign"),
};
static const struct route_table routes = {rows, ARRAY_LEN(rows)};

static struct rig *rig;

static int set_up(void **state)
{
    rig = rig_set_up(state, &routes);
    return 0;
}

/* What the keeper has authored and not seen in the log: the records of its INIT, and those of the test. */
static size_t pending(bool take)
{
    AUTO_WRITER body = writer_new(64), answer = writer_new(CHANNEL_FRAME_MAX);
    AUTO(arena_free) struct arena *arena = NULL;
    const struct keeper_pending_from q = {0};
    struct keeper_pending list;
    struct problem why = {0};

    assert_int_equal(arena_new(16384, 1u << 20, &arena), OK);
    assert_int_equal(entity_encode(&keeper_pending_from_entity, &q, &body), OK);
    assert_int_equal(keeper_handle(rig->keeper, PEER_FRONT, KEEPER_PENDING, writer_view_of(&body), &answer, &why), OK);
    assert_int_equal(entity_decode(&keeper_pending_entity, writer_view_of(&answer), arena, &list), OK);
    for (size_t i = 0; i < list.records.count && take; i++)
        assert_int_equal(orphan_pending(&rig->thread, (struct keeper_pending_record *)list.records.items + i), OK);
    return list.records.count;
}

static void a_change_is_durable_when_it_is_answered(void **state)
{
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "GET", "/put", NULL, NULL, &r);
    assert_int_equal(r.status, 204);
    assert_int_equal(rig_records(rig, EVENT_CONFIGURATION_CHANGED), 1);
    rig_ask(rig, "GET", "/put", NULL, NULL, &r); /* the row is there now */
    assert_int_equal(r.status, 409);
    assert_int_equal(rig_records(rig, EVENT_CONFIGURATION_CHANGED), 1);
}

static void nothing_changes_without_a_record(void **state)
{
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "GET", "/unrecorded", NULL, NULL, &r);
    assert_int_equal(r.status, 500);
}

static void a_value_leaves_with_its_record(void **state)
{
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "GET", "/open", NULL, NULL, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.text, "the value"));
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 1);
    /* The keeper has not heard of it yet and lists it: it is not logged again. */
    assert_true(pending(true) >= 1);
    rig_turns(rig, 100);
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 1);
    assert_int_equal(rig_records(rig, EVENT_INSTALLATION_INITIALISED), 1);
    assert_int_equal(gate_under_way(rig->shared.gate), 0);
}

/* The client is gone and the request given up, but the keeper did release it: it is in the record. */
static void what_nobody_waits_for_is_logged(void **state)
{
    struct rig_reply r;
    int fd;

    (void)state;
    rig->keeper_silent = true;
    fd = rig_send(rig, "GET", "/open", NULL, NULL);
    assert_false(rig_receive(rig, fd, 100, &r));
    rig->keeper_silent = false;
    caller_free(TAKE(rig->thread.keeper)); /* the channel dies */
    assert_true(rig_receive(rig, fd, 1000, &r));
    assert_int_equal(r.status, 503);
    assert_true(atomic_load(&rig->shared.health.look_for_lost));
    assert_true(pending(true) >= 1);
    rig_turns(rig, 100);
    assert_int_equal(rig_records(rig, EVENT_INSTALLATION_INITIALISED), 1);
}

static void a_full_disk_answers_and_loses_nothing(void **state)
{
    struct rig_reply r;

    (void)state;
    (void)pending(true);
    rig_turns(rig, 50);
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    rig_ask(rig, "GET", "/open", NULL, NULL, &r);
    assert_int_equal(r.status, 507);
    assert_null(strstr(r.text, "the value"));
    assert_non_null(strstr(r.text, "no-space"));
    assert_int_equal(atomic_load(&rig->shared.health.log), API_LOG_FULL);
    rig_ask(rig, "GET", "/put", NULL, NULL, &r);
    assert_int_equal(r.status, 507);
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 0);
    assert_int_equal(gate_under_way(rig->shared.gate), 1);
    (void)powercut_fail_end(rig->disk);
    rig_turns(rig, 1500);
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 1);
    assert_int_equal(gate_under_way(rig->shared.gate), 0);
    assert_int_equal(atomic_load(&rig->shared.health.log), API_LOG_GOOD);
    (void)pending(true);
    rig_turns(rig, 50);
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 1);
    rig_ask(rig, "GET", "/put", NULL, NULL, &r);
    assert_int_equal(r.status, 204);
}

static void a_broken_disk_is_told_from_a_full_one(void **state)
{
    struct rig_reply r;

    (void)state;
    powercut_fail(rig->disk, 1, 1000000, SQLITE_IOERR);
    rig_ask(rig, "GET", "/put", NULL, NULL, &r);
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.text, "log-unwritable"));
    assert_int_equal(atomic_load(&rig->shared.health.log), API_LOG_UNWRITABLE);
    (void)powercut_fail_end(rig->disk);
    rig_ask(rig, "GET", "/put", NULL, NULL, &r);
    assert_int_equal(r.status, 204);
}

/* Two bring the same record: a request's answer, and the keeper's list before it. The request waits, then answers. */
static void a_record_that_another_is_logging_is_waited_for(void **state)
{
    struct rig_reply r;
    int fd;

    (void)state;
    (void)pending(true);
    rig_turns(rig, 50);
    rig_ask(rig, "GET", "/open", NULL, NULL, &r); /* to learn the keeper's numbers: this was number n */
    for (uint64_t s = 1; s < 20; s++) {
        if (gate_look(rig->shared.gate, AUTHOR_KEEPER, s) != GATE_YOURS)
            continue;
        assert_int_equal(gate_claim(rig->shared.gate, AUTHOR_KEEPER, s), GATE_YOURS); /* n + 1 is another's */
        fd = rig_send(rig, "GET", "/open", NULL, NULL);
        assert_false(rig_receive(rig, fd, 150, &r));
        gate_logged(rig->shared.gate, AUTHOR_KEEPER, s);
        assert_true(rig_receive(rig, fd, 500, &r));
        assert_int_equal(r.status, 200);
        assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 1); /* the other one's would be the second */
        return;
    }
    fail();
}

static void a_missing_signer_is_unavailable(void **state)
{
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "GET", "/sign", NULL, NULL, &r);
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.text, "/errors/unavailable"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_durable_when_it_is_answered, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(nothing_changes_without_a_record, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_value_leaves_with_its_record, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_logged, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_answers_and_loses_nothing, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_broken_disk_is_told_from_a_full_one, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_record_that_another_is_logging_is_waited_for, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_missing_signer_is_unavailable, set_up, rig_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
