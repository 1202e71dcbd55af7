#include "api/audit_entity.h"

#include "base/fields.h"

/* Schema numbers 0x0670 to 0x067f. */

static const char *const outcome_names[] = {"none", "done", "refused", "failed", NULL};
static const char *const author_names[] = {"none", "front", "keeper", "signer", NULL};

static const struct field record_fields[] = {
    FIELD(1, struct audit_record, index, U64, 0, .flags = FIELD_REQUIRED, .doc = "Its place in the log."),
    FIELD_AS(2, struct audit_record, time_ms, "time", TIME, 0, .flags = FIELD_REQUIRED),
    FIELD(3, struct audit_record, type, TEXT, 64, .flags = FIELD_REQUIRED, .doc = "SECRET_READ and the like."),
    FIELD(4, struct audit_record, severity, ENUM, 0, .flags = FIELD_REQUIRED, .names = severity_names),
    FIELD(5, struct audit_record, outcome, ENUM, 0, .flags = FIELD_REQUIRED, .names = outcome_names),
    FIELD(6, struct audit_record, author, ENUM, 0, .flags = FIELD_REQUIRED, .names = author_names,
          .doc = "The process that wrote it; keeper and signer do so themselves."),
    FIELD(7, struct audit_record, who, ENTITY, 0, .nested = &request_context_entity, .doc = "Absent once erased."),
    FIELD(8, struct audit_record, what, ENTITY, 0, .nested = &record_object_entity),
    FIELD(9, struct audit_record, erased, BOOL, 0, .doc = "Who it was has been erased."),
    FIELD(10, struct audit_record, leaf, BYTES, LEAF_MAX, .doc = "Of a single record: its leaf of the Merkle log."),
    FIELD(11, struct audit_record, hash, FIXED, 32, .doc = "Of a single record: RFC 6962 hash of the leaf."),
};
const struct entity audit_record_entity = ENTITY("AuditRecord", 0x0670, 1, struct audit_record, record_fields);

static const struct field query_fields[] = {
    FIELD(1, struct audit_query, type, TEXT, 64, .doc = "SECRET_READ and the like."),
    FIELD(2, struct audit_query, actor, TEXT, 256, .doc = "Exactly: user:alice, key:<id>, unix:1000."),
    FIELD(3, struct audit_query, resource, TEXT, 512, .doc = "Exactly: secret:db/main, credential:exchange/main."),
    FIELD(4, struct audit_query, severity, ENUM, 0, .names = severity_names, .doc = "This one and above."),
    FIELD_AS(5, struct audit_query, from_ms, "from", TIME, 0, .doc = "Not before."),
    FIELD_AS(6, struct audit_query, to_ms, "to", TIME, 0, .doc = "Before."),
    FIELD(7, struct audit_query, before, U64, 0, .doc = "Only records below this index: the next of the page before."),
    FIELD(8, struct audit_query, limit, U16, AUDIT_LIMIT_MAX, .doc = "100 if not given."),
};
const struct entity audit_query_entity = ENTITY("AuditQuery", 0x0671, 1, struct audit_query, query_fields);

static const struct field page_fields[] = {
    FIELD(1, struct audit_page, records, LIST, AUDIT_LIMIT_MAX, .flags = FIELD_REQUIRED, .nested = &audit_record_entity,
          .doc = "Newest first."),
    FIELD(2, struct audit_page, next, U64, 0, .doc = "Give it as before for the next page; absent at the end."),
};
const struct entity audit_page_entity = ENTITY("AuditPage", 0x0672, 1, struct audit_page, page_fields);

static const struct field tail_query_fields[] = {
    FIELD(1, struct audit_tail_query, after, U64, 0, .doc = "The next of the answer before; absent: the newest ones."),
    FIELD(2, struct audit_tail_query, limit, U16, AUDIT_LIMIT_MAX, .doc = "20 if not given."),
};
const struct entity audit_tail_query_entity = ENTITY("AuditTailQuery", 0x0673, 1, struct audit_tail_query,
                                                     tail_query_fields);

static const struct field tail_fields[] = {
    FIELD(1, struct audit_tail, records, LIST, AUDIT_LIMIT_MAX, .flags = FIELD_REQUIRED, .nested = &audit_record_entity,
          .doc = "In the order of the log."),
    FIELD(2, struct audit_tail, next, U64, 0, .flags = FIELD_REQUIRED, .doc = "Give it as after to go on."),
};
const struct entity audit_tail_entity = ENTITY("AuditTail", 0x0674, 1, struct audit_tail, tail_fields);

static const struct field export_query_fields[] = {
    FIELD(1, struct audit_export_query, from, U64, 0, .doc = "First index: the X-Holdfast-Next of the answer before."),
    FIELD(2, struct audit_export_query, to, U64, 0,
          .doc = "End, not included: the X-Holdfast-Size of the first answer. Absent: the newest checkpoint's size."),
    FIELD(3, struct audit_export_query, limit, U16, AUDIT_LIMIT_MAX, .doc = "500 records if not given."),
};
const struct entity audit_export_query_entity = ENTITY("AuditExportQuery", 0x0675, 1, struct audit_export_query,
                                                       export_query_fields);

static const struct field verifier_fields[] = {
    FIELD(1, struct audit_verifier, origin, TEXT, NOTE_ORIGIN_MAX, .flags = FIELD_REQUIRED),
    FIELD(2, struct audit_verifier, verifier, TEXT, 256, .flags = FIELD_REQUIRED,
          .doc = "C2SP signed-note verifier key: pin it, and checkpoints prove themselves."),
    FIELD(3, struct audit_verifier, checkpoint_key, FIXED, 32, .flags = FIELD_REQUIRED),
    FIELD(4, struct audit_verifier, installation, FIXED, 32, .flags = FIELD_REQUIRED),
};
const struct entity audit_verifier_entity = ENTITY("AuditVerifier", 0x0676, 1, struct audit_verifier, verifier_fields);

void audit_record_fill(const struct record_view *r, struct audit_record *ret)
{
    const char *name = event_name(r->leaf.type);

    *ret = (struct audit_record){.index = r->index,
                                 .time_ms = r->leaf.time_ms,
                                 .type = name ? view_str(name) : VIEW_STR("UNKNOWN"),
                                 .severity = r->leaf.severity,
                                 .outcome = r->leaf.outcome,
                                 .author = r->leaf.author,
                                 .who = r->who,
                                 .what = r->what,
                                 .erased = r->erased};
}

RESULT audit_filter(const struct audit_query *q, struct record_filter *ret, struct problem *why)
{
    struct record_filter f = {.least_severity = q->severity,
                              .actor = q->actor,
                              .resource = q->resource,
                              .from_ms = q->from_ms,
                              .to_ms = q->to_ms,
                              .before = q->before,
                              .limit = q->limit};

    if (q->type.len && event_find(q->type, &f.type) != OK)
        return problem_set(why, ERR_BAD_VALUE, "?type", "%s",
                           "there is no such type of event; types are written like SECRET_READ");
    *ret = f;
    return OK;
}

/* --- tiles */

/* Decimal digits, exactly n of them, or any number without a leading zero where n is 0. */
static RESULT take_digits(struct view *rest, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < rest->len && (n == 0 || i < n) && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(rest->ptr[i] - '0'), &v))
            return ERR_MALFORMED;
    if (i == 0 || (n && i != n) || (n == 0 && i > 1 && rest->ptr[0] == '0'))
        return ERR_MALFORMED;
    *rest = VIEW(rest->ptr + i, rest->len - i);
    *ret = v;
    return OK;
}

static bool take(struct view *rest, const char *text)
{
    size_t n = strlen(text);

    if (!view_starts(*rest, text))
        return false;
    *rest = VIEW(rest->ptr + n, rest->len - n);
    return true;
}

/* "x001/x234/067": groups of three digits, all but the last behind an x. */
static RESULT take_index(struct view *rest, uint64_t *ret)
{
    uint64_t v = 0, group;

    for (bool first = true;; first = false) {
        bool more = take(rest, "x");
        TRY(take_digits(rest, 3, &group));
        if (more && first && group == 0)
            return ERR_MALFORMED; /* a shorter spelling says the same */
        if (__builtin_mul_overflow(v, 1000, &v) || __builtin_add_overflow(v, group, &v))
            return ERR_MALFORMED;
        if (!more)
            break;
        if (!take(rest, "/"))
            return ERR_MALFORMED;
    }
    *ret = v;
    return OK;
}

RESULT audit_tile_parse(struct view path, struct audit_tile *ret)
{
    struct audit_tile t = {.width = 256};
    uint64_t level = 0, width = 256;

    t.entries = take(&path, "entries");
    if (!t.entries)
        TRY(take_digits(&path, 0, &level));
    if (level > 63 || !take(&path, "/"))
        return ERR_MALFORMED;
    TRY(take_index(&path, &t.index));
    if (path.len) {
        if (!take(&path, ".p/"))
            return ERR_MALFORMED;
        TRY(take_digits(&path, 0, &width));
        if (path.len || width == 0 || width > 255)
            return ERR_MALFORMED;
    }
    t.level = (uint8_t)level;
    t.width = (uint16_t)width;
    *ret = t;
    return OK;
}
