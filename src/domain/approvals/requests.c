#include "domain/approvals/requests.h"

#include "base/text.h"

#define PLAIN_MAX (REQUEST_WHAT_MAX + 32768)

/* --- what can be asked */

enum part { PART_NAME = 1, PART_WHAT = 2, PART_BOX = 4, PART_KEY = 8, PART_NUMBERS = 16, PART_PREVIOUS = 32 };

/* Which parts a kind has, and which of them it can do without. */
static const struct {
    uint8_t has, may_lack;
} parts_of[] = {
    [APPROVE_CREDENTIAL] = {PART_NAME | PART_WHAT | PART_BOX | PART_PREVIOUS, PART_BOX | PART_PREVIOUS},
    [APPROVE_RELEASE] = {PART_NAME | PART_WHAT, 0},
    [APPROVE_ADMIN_ADD] = {PART_NAME | PART_WHAT | PART_KEY, 0},
    [APPROVE_ADMIN_REMOVE] = {PART_NAME | PART_WHAT, 0},
    [APPROVE_FOUR_EYES] = {PART_NUMBERS, PART_NUMBERS},
    [APPROVE_ROTATE] = {PART_NUMBERS, 0},
    [APPROVE_EMERGENCY] = {PART_NAME | PART_NUMBERS | PART_PREVIOUS, 0},
};

static bool any(const uint8_t bytes[static 32])
{
    uint8_t all = 0;

    for (size_t i = 0; i < 32; i++)
        all |= bytes[i];
    return all != 0;
}

static uint8_t parts_in(const struct approval_request *r)
{
    return (uint8_t)((r->name.len ? PART_NAME : 0) | (r->what.len ? PART_WHAT : 0) | (r->box.len ? PART_BOX : 0) |
                     (any(r->key) ? PART_KEY : 0) | (r->from || r->to ? PART_NUMBERS : 0) |
                     (any(r->previous) ? PART_PREVIOUS : 0));
}

RESULT request_check(const struct approval_request *r, uint64_t now_ms, struct problem *why)
{
    uint8_t there = parts_in(r);

    if (r->kind == 0 || r->kind >= ARRAY_LEN(parts_of))
        return problem_set(why, ERR_BAD_VALUE, "/kind", "%s", "there is no such kind of change");
    if (there & ~parts_of[r->kind].has)
        return problem_set(why, ERR_BAD_VALUE, "", "%s", "a part was sent that this kind of change does not have");
    if ((there | parts_of[r->kind].may_lack) != parts_of[r->kind].has)
        return problem_set(why, ERR_MISSING_FIELD, "", "%s", "a part of this kind of change is missing");
    if (r->expiry_ms <= now_ms || r->expiry_ms > now_ms + REQUEST_LONGEST_MS)
        return problem_set(why, ERR_APPROVAL_EXPIRED, "/approval", "%s", "an approval lasts 24 hours at most");
    return OK;
}

RESULT request_resource(const struct approval_request *r, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(64);
    char id[ID_TEXT_SIZE];

    id_format((const struct id *)(const void *)r->id, id);
    writer_printf(&w, "approval:%s", id);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT request_detail(const struct approval_request *r, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(1024);

    writer_str(&w, r->kind < ARRAY_LEN(parts_of) ? approval_kind_names[r->kind] : "unknown");
    writer_str(&w, r->name.len ? " " : "");
    writer_view(&w, r->name);
    writer_str(&w, ", asked by ");
    writer_view(&w, r->asked_by);
    writer_str(&w, r->approved_by.len ? ", approved by " : "");
    writer_view(&w, r->approved_by);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* --- rows */

static RESULT key_of(const struct row_keys *keys, const uint8_t id[static 16], struct arena *arena, struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    TRY(row_key_exact(keys, TABLE_APPROVAL, VIEW(id, 16), &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT request_get(struct store *reader, const struct row_keys *keys, const uint8_t id[static 16], uint64_t now_ms,
                   struct arena *arena, struct request_found *ret)
{
    AUTO_WRITER plain = writer_new(PLAIN_MAX);
    struct request_found found = {0};
    struct store_row row;
    struct view key, kept;

    TRY(key_of(keys, id, arena, &key));
    TRY(store_get(reader, TABLE_APPROVAL, key, arena, &row));
    TRY(row_open(keys, TABLE_APPROVAL, &row, &plain, found.commitment));
    TRY(arena_copy(arena, writer_view_of(&plain), &kept));
    TRY(entity_decode(&approval_request_entity, kept, arena, &found.request));
    found.version = row.version;
    if (request_over(&found.request, now_ms))
        return ERR_NOT_FOUND;
    *ret = found;
    return OK;
}

struct walk {
    enum err (*visit)(void *context, const struct request_found *found);
    void *context;
};

static RESULT take(void *context, const struct txn_change *row, struct arena *scratch)
{
    const struct walk *w = context;
    struct request_found found = {.version = row->version};

    memcpy(found.commitment, row->commitment, sizeof found.commitment);
    TRY(entity_decode(&approval_request_entity, row->value, scratch, &found.request));
    return w->visit(w->context, &found);
}

RESULT request_each(struct store *reader, const struct row_keys *keys,
                    enum err (*visit)(void *context, const struct request_found *found), void *context)
{
    struct walk w = {visit, context};
    struct ledger_load load = {.keys = keys, .table = TABLE_APPROVAL, .take = take, .context = &w};
    struct problem why;
    size_t damaged;

    return ledger_load(reader, &load, &damaged, &why);
}

RESULT request_put(const struct row_keys *keys, const struct approval_request *r, const struct request_found *before,
                   struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_put(TABLE_APPROVAL, before ? before->version : 0, before ? before->commitment : NULL);
    AUTO_WRITER w = writer_new(PLAIN_MAX);

    TRY(key_of(keys, r->id, arena, &c.key));
    TRY(entity_encode(&approval_request_entity, r, &w));
    TRY(arena_copy(arena, writer_view_of(&w), &c.value));
    *ret = c;
    return OK;
}

RESULT request_remove(const struct row_keys *keys, const struct request_found *before, struct arena *arena,
                      struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_APPROVAL, before->version, before->commitment);

    TRY(key_of(keys, before->request.id, arena, &c.key));
    *ret = c;
    return OK;
}
