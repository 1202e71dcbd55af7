/* The record (AUD): searched, followed, exported, and as tiles and checkpoints for those who verify it elsewhere.
 * Reading the record leaves none of its own, so that it can be read while none can be written. */
#include "api/audit_entity.h"
#include "api/context.h"
#include "api/routes.h"

#include "base/json.h"

#define TAIL_DEFAULT   20
#define EXPORT_DEFAULT 500
#define EXPORT_BYTES   ((size_t)8 << 20)
#define FULL_TILE_AGE  "private, max-age=31536000, immutable"

static const struct row_keys *keys_of(const struct http_request *req)
{
    return atomic_load(&api_of(req)->shared->keys);
}

static enum http_outcome failed(struct http_request *req, enum err e, struct problem *why)
{
    if (why->code == OK)
        why->code = e;
    return http_answer_problem(req, why);
}

static enum http_outcome refuse(struct http_request *req, enum err e, const char *where, const char *detail)
{
    struct problem why = {0};

    (void)!problem_set(&why, e, where, "%s", detail);
    return http_answer_problem(req, &why);
}

/* --- search: written as it is found */

static bool put_record(void *context, const struct record_view *r)
{
    struct writer *w = context;
    struct audit_record a;

    audit_record_fill(r, &a);
    json_item(w);
    entity_to_json(&audit_record_entity, &a, w);
    return true;
}

static void open_records(struct writer *w)
{
    json_open(w, '{');
    json_name(w, "records");
    json_open(w, '[');
}

static enum http_outcome audit_search(struct http_request *req)
{
    struct writer *w = http_body(req);
    struct record_filter filter;
    struct audit_query q = {0};
    struct problem why = {0};
    uint64_t next = 0;
    enum err e = http_request_query(req, &q, &why);

    if (e == OK)
        e = audit_filter(&q, &filter, &why);
    if (e != OK)
        return failed(req, e, &why);
    open_records(w);
    e = query_search(api_of(req)->reader, keys_of(req), &filter, put_record, w, &next, &why);
    if (e != OK)
        return failed(req, e, &why);
    json_close(w, ']');
    if (next)
        json_u64(w, "next", next);
    json_close(w, '}');
    return http_answer_json(req, 200);
}

/* --- one record */

static bool decimal_of(struct view text, uint64_t *ret)
{
    uint64_t v = 0;

    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(text.ptr[i] - '0'), &v))
            return false;
    *ret = v;
    return true;
}

static enum http_outcome audit_show(struct http_request *req)
{
    struct view text = {0};
    struct record_view r;
    struct audit_record a;
    uint64_t index = 0;
    enum err e;

    if (!http_param(req, "index", &text) || !decimal_of(text, &index))
        return refuse(req, ERR_BAD_VALUE, "index", "a record is named by its index, a number");
    e = query_record(api_of(req)->reader, keys_of(req), index, req->arena, &r);
    if (e == ERR_TAMPERED) {
        struct problem why = {0};
        (void)!problem_set(&why, e, "index", "record %llu was altered, replaced or removed", (unsigned long long)index);
        return http_answer_problem(req, &why);
    }
    if (e != OK)
        return http_answer_error(req, e);
    audit_record_fill(&r, &a);
    a.leaf = r.leaf_bytes;
    leaf_hash(r.leaf_bytes, a.hash);
    return http_answer_entity(req, 200, &audit_record_entity, &a);
}

/* --- in the order of the log */

struct walk {
    struct http_request *req;
    uint64_t from, to; /* to is not included */
    uint64_t end;      /* of the export that this is a piece of */
    size_t bytes_max;  /* 0 = any */
    void (*put)(struct writer *w, const struct record_view *r);
};

/* ret_end: where it stopped, the end or a bound. */
static RESULT walk(const struct walk *k, uint64_t *ret_end, struct problem *why)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    struct writer *w = http_body(k->req);
    uint64_t i = k->from;

    TRY(arena_new(65536, 1u << 20, &scratch));
    for (; i < k->to && (k->bytes_max == 0 || w->len < k->bytes_max); i++) {
        struct record_view r;
        arena_reset(scratch);
        enum err e = query_record(api_of(k->req)->reader, keys_of(k->req), i, scratch, &r);
        if (e == ERR_TAMPERED || e == ERR_NOT_FOUND)
            return problem_set(why, ERR_TAMPERED, "", "record %llu was altered, replaced or removed",
                               (unsigned long long)i);
        TRY(e);
        k->put(w, &r);
    }
    *ret_end = i;
    return OK;
}

static void put_item(struct writer *w, const struct record_view *r)
{
    (void)put_record(w, r);
}

static enum http_outcome audit_tail(struct http_request *req)
{
    uint64_t size = ledger_size(api_of(req)->shared->ledger), end = 0;
    struct writer *w = http_body(req);
    struct audit_tail_query q = {0};
    struct problem why = {0};
    struct view given;
    bool goes_on = http_query(req, "after", &given);
    enum err e = http_request_query(req, &q, &why);

    if (e != OK)
        return failed(req, e, &why);
    uint64_t limit = q.limit ? q.limit : TAIL_DEFAULT;
    uint64_t from = goes_on ? q.after + 1 : size > limit ? size - limit : 0;
    struct walk k = {.req = req, .from = from, .to = from + limit < size ? from + limit : size, .put = put_item};
    open_records(w);
    e = walk(&k, &end, &why);
    if (e != OK)
        return failed(req, e, &why);
    json_close(w, ']');
    json_u64(w, "next", end > 0 ? end - 1 : 0);
    json_close(w, '}');
    return http_answer_json(req, 200);
}

/* --- export */

static void put_line(struct writer *w, const struct record_view *r)
{
    (void)!export_record(r, w); /* a failed writer stays failed */
    writer_u8(w, '\n');
}

static RESULT origin_and_verifier(const struct http_request *req, struct writer *origin, struct writer *verifier)
{
    const struct api_shared *s = api_of(req)->shared;

    log_origin_put(s->installation, origin);
    writer_u8(origin, '\0');
    TRY(writer_done(origin));
    return note_verifier_put((const char *)writer_view_of(origin).ptr, s->checkpoint_key, verifier);
}

/* What the export is an export of: the newest checkpoint. */
static RESULT put_head(struct http_request *req, struct view checkpoint)
{
    AUTO_WRITER origin = writer_new(NOTE_ORIGIN_MAX), verifier = writer_new(NOTE_MAX);
    struct writer *w = http_body(req);

    TRY(origin_and_verifier(req, &origin, &verifier));
    TRY(export_head(writer_view_of(&verifier), checkpoint, w));
    writer_u8(w, '\n');
    return OK;
}

static RESULT number_header(struct http_request *req, const char *name, uint64_t v)
{
    char text[24];
    struct writer w = writer_fixed(text, sizeof text - 1);

    writer_printf(&w, "%llu", (unsigned long long)v);
    text[w.len] = '\0';
    return http_answer_header(req, name, text);
}

/* Up to which record: as asked, but never beyond the log. */
static RESULT bounds(struct http_request *req, const struct audit_export_query *q, struct walk *k, struct problem *why)
{
    uint64_t size = ledger_size(api_of(req)->shared->ledger), limit = q->limit ? q->limit : EXPORT_DEFAULT;
    AUTO_WRITER note = writer_new(NOTE_MAX);
    uint64_t end = q->to;
    enum err e = q->to ? OK : query_checkpoint(api_of(req)->reader, &note);

    if (e == ERR_NOT_FOUND)
        return problem_set(why, ERR_NOT_FOUND, "", "%s", "there is no checkpoint yet; it takes about a second");
    TRY(e);
    if (!q->to)
        TRY(note_size(writer_view_of(&note), &end));
    if (end > size || q->from > end)
        return problem_set(why, ERR_OUT_OF_RANGE, end > size ? "?to" : "?from", "the log has %llu records",
                           (unsigned long long)size);
    if (q->from == 0 && q->to == 0)
        TRY(put_head(req, writer_view_of(&note)));
    k->from = q->from;
    k->end = end;
    k->to = end - q->from < limit ? end : q->from + limit;
    return number_header(req, "X-Holdfast-Size", end);
}

static enum http_outcome audit_export(struct http_request *req)
{
    struct walk k = {.req = req, .bytes_max = EXPORT_BYTES, .put = put_line};
    struct audit_export_query q = {0};
    struct problem why = {0};
    uint64_t end = 0;
    enum err e = http_request_query(req, &q, &why);

    if (e == OK)
        e = bounds(req, &q, &k, &why);
    if (e == OK)
        e = walk(&k, &end, &why);
    if (e == OK && end < k.end)
        e = number_header(req, "X-Holdfast-Next", end);
    return e == OK ? http_answer_body(req, 200, "application/x-ndjson") : failed(req, e, &why);
}

/* --- for those who verify: C2SP tlog-tiles below /api/v1/audit */

static enum http_outcome audit_checkpoint(struct http_request *req)
{
    enum err e = query_checkpoint(api_of(req)->reader, http_body(req));

    if (e == ERR_NOT_FOUND)
        return refuse(req, e, "", "there is no checkpoint yet; it takes about a second");
    return e == OK ? http_answer_body(req, 200, "text/plain; charset=utf-8") : http_answer_error(req, e);
}

static enum http_outcome audit_tile(struct http_request *req)
{
    struct store *reader = api_of(req)->reader;
    struct writer *w = http_body(req);
    struct audit_tile t;
    struct view path = {0};
    enum err e;

    if (!http_param(req, "tile", &path) || audit_tile_parse(path, &t) != OK)
        return refuse(req, ERR_NOT_FOUND, "tile", "tiles are named <level>/<index>[.p/<width>], see C2SP tlog-tiles");
    e = t.entries ? query_tile_entries(reader, t.index, t.width, w) : query_tile(reader, t.level, t.index, t.width, w);
    if (e == OK && t.width == 256)
        e = http_answer_header(req, "Cache-Control", FULL_TILE_AGE);
    return e == OK ? http_answer_body(req, 200, "application/octet-stream") : http_answer_error(req, e);
}

static enum http_outcome audit_verifier(struct http_request *req)
{
    AUTO_WRITER origin = writer_new(NOTE_ORIGIN_MAX), verifier = writer_new(NOTE_MAX);
    const struct api_shared *s = api_of(req)->shared;
    struct audit_verifier v = {0};
    enum err e = origin_and_verifier(req, &origin, &verifier);

    if (e != OK)
        return http_answer_error(req, e);
    v.origin = view_str((const char *)writer_view_of(&origin).ptr);
    v.verifier = writer_view_of(&verifier);
    memcpy(v.checkpoint_key, s->checkpoint_key, sizeof v.checkpoint_key);
    memcpy(v.installation, s->installation, sizeof v.installation);
    return http_answer_entity(req, 200, &audit_verifier_entity, &v);
}

/* --- the addresses */

#define AUDIT_ROW(address, handler, ...)                                                                               \
    ROUTE(HTTP_GET, "/api/v1/audit/" address, PERMISSION_AUDIT_VIEW, handler, .tag = "audit", .ways = WAYS_ALL,        \
          .durability = DURABLE_NONE, __VA_ARGS__)

static const struct route rows[] = {
    AUDIT_ROW("records", audit_search, .name = "audit-search",
              .summary = "Search the record by type, actor, resource, severity and time, newest first.",
              .query = &audit_query_entity, .response = &audit_page_entity),
    AUDIT_ROW("records/{index}", audit_show, .name = "audit-show",
              .summary = "One record with its leaf, checked against its Merkle tile.",
              .response = &audit_record_entity),
    AUDIT_ROW("tail", audit_tail, .name = "audit-tail",
              .summary = "The newest records in the order of the log, or those after one.",
              .query = &audit_tail_query_entity, .response = &audit_tail_entity),
    AUDIT_ROW("export", audit_export, .name = "audit-export",
              .summary = "The log as JSON lines up to the newest checkpoint, in pieces: go on at X-Holdfast-Next while "
                         "there is one, with to = X-Holdfast-Size.",
              .query = &audit_export_query_entity, .media = "application/x-ndjson"),
    AUDIT_ROW("checkpoint", audit_checkpoint, .name = "audit-checkpoint",
              .summary = "The newest signed checkpoint (C2SP tlog-checkpoint).", .media = "text/plain"),
    AUDIT_ROW("tile/{tile...}", audit_tile, .name = "audit-tile",
              .summary = "A Merkle tile or an entry bundle (C2SP tlog-tiles).", .media = "application/octet-stream"),
    AUDIT_ROW("verifier", audit_verifier, .name = "audit-verifier",
              .summary = "The key that checkpoints are verified with.", .response = &audit_verifier_entity),
};
const struct route_table audit_routes = {rows, ARRAY_LEN(rows)};
