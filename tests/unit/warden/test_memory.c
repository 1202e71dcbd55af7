/* Without memory: half of what was to be restored never comes into force, and nothing leaks. */
#include "warden/warden.h"

#include "../failing_alloc.h"
#include "test.h"

#include <stdlib.h>

#define BLOCKS 6u

static size_t written; /* elements, by the last table_replace */

/* In the kernel's place: what is written is counted. */
RESULT table_replace(struct table *t, const struct view elements[static SETS_COUNT], struct problem *why)
{
    (void)t, (void)why;
    written = 0;
    for (size_t i = 0; i < SETS_COUNT; i++)
        for (size_t k = 0; k < elements[i].len; k++)
            written += k == 0 || elements[i].ptr[k] == ',';
    return OK;
}

RESULT table_fill(struct table *t, enum sets_which set, struct view elements, struct problem *why)
{
    (void)t, (void)set, (void)elements, (void)why;
    return OK;
}

RESULT table_add(struct table *t, enum sets_which set, struct view element, const char *address, struct problem *why)
{
    (void)t, (void)set, (void)element, (void)address, (void)why;
    return OK;
}

RESULT table_take(struct table *t, enum sets_which set, const char *address, struct problem *why)
{
    (void)t, (void)set, (void)address, (void)why;
    return OK;
}

static struct view allow[] = {VIEW_STR("10.0.0.0/8")};
static const struct config_guard guard = {.networks.allow = {allow, 1}};

static void no_warden_without_memory(void **state)
{
    bool failed = true;
    (void)state;
    for (size_t nth = 1; failed; nth++) {
        struct warden *w = NULL;
        failing_alloc_begin(nth, FAILING_ONE);
        enum err e = warden_new(&guard, clock_system(), NULL, &w, NULL);
        failed = failing_alloc_end() > 0;
        assert_int_equal(e, failed ? ERR_NO_MEMORY : OK);
        assert_true((w == NULL) == failed);
        warden_free(w);
    }
}

static void put_part(struct writer *body)
{
    static const char *const texts[BLOCKS] = {"192.0.2.1",     "192.0.2.2",       "2001:db8::1",
                                              "2001:db8::/64", "198.51.100.0/24", "2001:db8:1::/48"};
    struct warden_block blocks[BLOCKS];
    const struct warden_part part = {.blocks = {blocks, BLOCKS}};
    for (size_t i = 0; i < BLOCKS; i++) {
        struct prefix p = network(texts[i]);
        blocks[i] = (struct warden_block){.bits = p.bits};
        memcpy(blocks[i].base, p.base.b, sizeof blocks[i].base);
    }
    assert_int_equal(entity_encode(&warden_part_entity, &part, body), OK);
}

static void no_half_of_a_restore(void **state)
{
    AUTO_WRITER body = writer_new(65536);
    bool failed = true;
    (void)state;
    put_part(&body);
    for (size_t nth = 1; failed; nth++) {
        AUTO(warden_free) struct warden *w = NULL;
        AUTO_WRITER answer = writer_new(1024);
        written = 0;
        assert_int_equal(warden_new(&guard, clock_system(), NULL, &w, NULL), OK);
        failing_alloc_begin(nth, FAILING_ONE);
        (void)!warden_message(w, WARDEN_RESTORE_BEGIN, (struct view){0}, &answer, NULL);
        enum err part = warden_message(w, WARDEN_RESTORE_PART, writer_view_of(&body), &answer, NULL);
        enum err end = warden_message(w, WARDEN_RESTORE_END, (struct view){0}, &answer, NULL);
        failed = failing_alloc_end() > 0;
        assert_true(written == 0 || written == BLOCKS);
        assert_true(end != OK || (part == OK && written == BLOCKS));
        assert_true(failed || end == OK);
        assert_true(nth < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_warden_without_memory),
        cmocka_unit_test(no_half_of_a_restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
