/* Messages of a front that says what it likes, as the warden takes them; in the kernel's place stands what checks that
 * nothing protected and nothing that overlaps is ever written. Input: operations of a type byte and, by it, a raw
 * message (u16 length, bytes), one block, a part of them, or some time. */
#include "warden/warden.h"

#include <stdlib.h>

#define STEPS_MAX 400

enum { OP_RAW = 5, OP_TIME = 6, OP_BLOCK = 7, OP_UNBLOCK = 8, OP_PART = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view allow[] = {VIEW_STR("10.0.0.0/8"), VIEW_STR("2001:db8:a::/48")},
                   proxies[] = {VIEW_STR("198.51.100.9")};
static const struct config_guard guard = {.networks.allow = {allow, ARRAY_LEN(allow)},
                                          .proxies = {proxies, ARRAY_LEN(proxies)}};
static uint64_t now;

static uint64_t mono(const struct clock *c)
{
    (void)c;
    return now;
}

static const struct clock clock_ = {.wall_ms = mono, .mono_ms = mono};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* --- in the kernel's place */

static bool touches(const struct prefix *p, const char *text)
{
    struct prefix other;
    must(prefix_parse(view_str(text), &other, NULL) == OK);
    return prefix_holds(p, &other.base) || prefix_holds(&other, &p->base);
}

static struct prefix check_element(enum sets_which set, const char *text)
{
    static const char *const never[] = {"10.0.0.0/8", "2001:db8:a::/48", "198.51.100.9", "127.0.0.0/8",
                                        "::1",        "fe80::/10"};
    char address[80];
    unsigned long long days = 0, seconds = 1;
    struct prefix p;
    int parts = sscanf(text, "%79[^, ] timeout %llud%llus", address, &days, &seconds);
    if (parts < 3 && sscanf(text, "%79[^, ] timeout %llus", address, &seconds) == 2)
        days = 0;
    must(parts >= 1 && days * 86400 + seconds >= 1 && days * 86400 + seconds <= WARDEN_SECONDS_MAX);
    must(prefix_parse(view_str(address), &p, NULL) == OK);
    if (set == SETS_SUBSCRIBERS6)
        p.bits = PREFIX_SUBSCRIBER6;
    must(sets_of(&p) == set && p.bits >= (prefix_is_ipv4(&p) ? 104 : 16));
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        must(!touches(&p, never[i]));
    return p;
}

static void check_elements(enum sets_which set, struct view text)
{
    AUTO_WRITER copy = writer_new(1u << 20);
    struct prefix before = {0};
    bool any = false;
    writer_view(&copy, text);
    writer_u8(&copy, 0);
    must(writer_done(&copy) == OK);
    for (const char *one = (const char *)copy.ptr; *one; one += strcspn(one, ","), one += strspn(one, ", ")) {
        struct prefix p = check_element(set, one);
        must(!any || set < SETS_NETWORKS4 || !prefix_holds(&before, &p.base));
        before = p;
        any = true;
    }
}

RESULT table_replace(struct table *t, const struct view elements[static SETS_COUNT], struct problem *why)
{
    (void)t, (void)why;
    for (enum sets_which set = 0; set < SETS_COUNT; set++)
        check_elements(set, elements[set]);
    return OK;
}

RESULT table_fill(struct table *t, enum sets_which set, struct view elements, struct problem *why)
{
    (void)t, (void)why;
    check_elements(set, elements);
    return OK;
}

RESULT table_add(struct table *t, enum sets_which set, struct view element, const char *address, struct problem *why)
{
    (void)t, (void)why;
    check_elements(set, element);
    must(strncmp(address, (const char *)element.ptr, strlen(address)) == 0);
    return OK;
}

RESULT table_take(struct table *t, enum sets_which set, const char *address, struct problem *why)
{
    (void)t, (void)why;
    check_elements(set, view_str(address));
    return ERR_NOT_FOUND;
}

/* --- the front */

static RESULT read_block(struct reader *r, struct warden_block *ret)
{
    TRY(reader_copy(r, ret->base, sizeof ret->base));
    TRY(reader_u8(r, &ret->bits));
    TRY(reader_u32(r, &ret->seconds));
    return OK;
}

static void say(struct warden *w, uint16_t type, struct view body)
{
    AUTO_WRITER answer = writer_new(1024);
    struct problem why;
    enum err e = warden_message(w, type, body, &answer, &why);
    must(e == OK || answer.len == 0);
}

static RESULT say_blocks(struct warden *w, struct reader *r, uint8_t op)
{
    struct warden_block blocks[32] = {0};
    struct warden_part part = {.blocks = {blocks, 1}};
    AUTO_WRITER body = writer_new(65536);
    uint8_t count = 1;
    if (op == OP_PART)
        TRY(reader_u8(r, &count));
    part.blocks.count = count % ARRAY_LEN(blocks);
    for (size_t i = 0; i < part.blocks.count; i++)
        TRY(read_block(r, &blocks[i]));
    if (op == OP_PART)
        TRY(entity_encode(&warden_part_entity, &part, &body));
    else
        TRY(entity_encode(&warden_block_entity, &blocks[0], &body));
    say(w, op == OP_PART ? WARDEN_RESTORE_PART : op == OP_BLOCK ? WARDEN_BLOCK : WARDEN_UNBLOCK, writer_view_of(&body));
    return OK;
}

static RESULT step(struct warden *w, struct reader *r)
{
    uint8_t op;
    uint16_t n;
    struct view body;
    TRY(reader_u8(r, &op));
    op %= 10;
    if (op < OP_RAW) {
        say(w, op, (struct view){0});
        return OK;
    }
    if (op >= OP_BLOCK)
        return say_blocks(w, r, op);
    TRY(reader_u16(r, &n));
    if (op == OP_TIME) {
        now += n * UINT64_C(100);
        return warden_tick(w, NULL);
    }
    TRY(reader_bytes(r, n < r->left ? n : r->left, &body));
    say(w, (uint16_t)(n % 7), body);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(warden_free) struct warden *w = NULL;
    struct reader r = reader_new(VIEW(data, size));
    now = 1000000;
    must(warden_new(&guard, &clock_, NULL, &w, NULL) == OK);
    for (int i = 0; i < STEPS_MAX && step(w, &r) != ERR_TRUNCATED; i++)
        continue;
    return 0;
}
