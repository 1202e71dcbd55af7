#include "domain/identity/mappings.h"

#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/identity/tables.h"
#include "domain/keys/keys.h"

/* --- what can be matched */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Letters, digits, hyphens and dots; no wildcard: a certificate for *.desk names nobody in particular. */
static bool is_dns(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = lower(v.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '.' && c != '_')
            return false;
    }
    return v.len > 0 && v.len <= 253;
}

static bool is_uri(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] <= ' ' || v.ptr[i] > '~')
            return false;
    return v.len > 2 && v.len <= 1024 && memchr(v.ptr, ':', v.len);
}

static bool is_email(struct view v)
{
    const uint8_t *at = v.len ? memrchr(v.ptr, '@', v.len) : NULL;
    if (!at || at == v.ptr || v.len > USER_EMAIL_MAX || !text_printable(v))
        return false;
    return is_dns(VIEW(at + 1, v.len - 1 - (size_t)(at - v.ptr)));
}

static bool is_fingerprint(struct view v)
{
    size_t digits = 0;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = lower(v.ptr[i]);
        if (c == ':' && digits % 2 == 0)
            continue;
        if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        digits++;
    }
    return digits == 64;
}

/* Not root's. */
static bool is_group(struct view v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (!is_digit(v.ptr[i]) || i >= 10)
            return false;
        n = n * 10 + (uint64_t)(v.ptr[i] - '0');
    }
    return v.len > 0 && v.ptr[0] != '0' && n < UINT32_MAX;
}

enum kind { KIND_DNS, KIND_URI, KIND_EMAIL, KIND_FINGERPRINT, KIND_GROUP, KIND_COUNT };

static const struct {
    const char *prefix;
    bool (*valid)(struct view value);
} kinds[KIND_COUNT] = {
    [KIND_DNS] = {"dns:", is_dns},       [KIND_URI] = {"uri:", is_uri},
    [KIND_EMAIL] = {"email:", is_email}, [KIND_FINGERPRINT] = {"sha256:", is_fingerprint},
    [KIND_GROUP] = {"gid:", is_group},
};

static enum kind kind_of(struct view match, struct view *ret_value)
{
    for (size_t k = 0; k < KIND_COUNT; k++) {
        size_t n = strlen(kinds[k].prefix);
        *ret_value = view_starts(match, kinds[k].prefix) ? VIEW(match.ptr + n, match.len - n) : (struct view){0};
        if (ret_value->len && kinds[k].valid(*ret_value))
            return (enum kind)k;
    }
    return KIND_COUNT;
}

bool mapping_match_valid(struct view match)
{
    struct view value;
    return kind_of(match, &value) != KIND_COUNT;
}

bool mapping_of_group(struct view match)
{
    struct view value;
    return kind_of(match, &value) == KIND_GROUP;
}

bool mapping_identity_valid(struct view v)
{
    if (view_starts(v, "user:"))
        return user_name_valid(VIEW(v.ptr + 5, v.len - 5));
    return view_starts(v, "key:") && api_key_id_valid(VIEW(v.ptr + 4, v.len - 4));
}

RESULT mapping_match_normal(struct view match, struct arena *arena, struct view *ret)
{
    struct view value;
    enum kind k = kind_of(match, &value);
    const uint8_t *at = value.len ? memrchr(value.ptr, '@', value.len) : NULL;
    size_t from = k == KIND_URI || k == KIND_GROUP ? match.len : k == KIND_EMAIL && at ? (size_t)(at - match.ptr) : 0;
    uint8_t *out = arena_alloc(arena, match.len + 1);
    size_t n = 0, prefix = (size_t)(value.ptr - match.ptr);
    if (k == KIND_COUNT)
        return ERR_BAD_VALUE;
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < match.len; i++)
        if (k != KIND_FINGERPRINT || i < prefix || match.ptr[i] != ':')
            out[n++] = i < from ? match.ptr[i] : lower(match.ptr[i]);
    *ret = VIEW(out, n);
    return OK;
}

void mapping_id(struct view match, char out[static MAPPING_ID_LEN + 1])
{
    uint8_t hash[SHA256_SIZE];
    struct writer w = writer_fixed(out, MAPPING_ID_LEN);
    sha256(match, hash);
    hex_put(&w, VIEW(hash, MAPPING_ID_LEN / 2));
    out[MAPPING_ID_LEN] = '\0';
}

/* --- the entity */

static const struct field fields[] = {
    FIELD(1, struct mapping, match, TEXT, MAPPING_MATCH_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = mapping_match_valid, .rule = MAPPING_MATCH_RULE),
    FIELD(2, struct mapping, identity, TEXT, MAPPING_IDENTITY_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = mapping_identity_valid, .rule = MAPPING_IDENTITY_RULE),
    FIELD(3, struct mapping, comment, TEXT, MAPPING_COMMENT_MAX, .check = text_printable, .rule = "printable text"),
    FIELD(4, struct mapping, created_by, TEXT, 96, .flags = FIELD_READ_ONLY),
    FIELD(5, struct mapping, subject, FIXED, 16, .flags = FIELD_HIDDEN),
    FIELD(6, struct mapping, created_ms, TIME, 0, .flags = FIELD_READ_ONLY),
};
const struct entity mapping_entity = ENTITY("Mapping", 0x0509, 1, struct mapping, fields);

/* --- looking: by id */

size_t mappings_count(struct identity *i)
{
    return table_count(i->mappings);
}

RESULT mappings_by_id(struct identity *i, struct view id, struct arena *arena, struct mapping_found *ret)
{
    struct mapping_found f = {0};
    table_enter();
    const struct known *k = table_find(i->mappings, id);
    enum err e = k ? tables_copy(k, &mapping_entity, arena, &f.mapping) : ERR_NOT_FOUND;
    if (e == OK) {
        f.version = k->version;
        memcpy(f.commitment, k->commitment, sizeof f.commitment);
    }
    table_leave();
    TRY(e);
    *ret = f;
    return OK;
}

/* The id is short: somebody could look for two that share one. */
RESULT mappings_find(struct identity *i, struct view match, struct arena *arena, struct mapping_found *ret)
{
    char id[MAPPING_ID_LEN + 1];
    struct mapping_found f;
    mapping_id(match, id);
    TRY(mappings_by_id(i, view_str(id), arena, &f));
    if (!view_eq(f.mapping.match, match))
        return ERR_NOT_FOUND;
    *ret = f;
    return OK;
}

struct gathering {
    struct view after;
    char (*ids)[MAPPING_ID_LEN];
    size_t count, room;
};

static bool gather(void *context, void *value)
{
    struct gathering *g = context;
    struct view id = table_key(value);
    if (view_cmp(id, g->after) <= 0)
        return true;
    if (g->count == g->room)
        return false; /* added meanwhile */
    memcpy(g->ids[g->count++], id.ptr, MAPPING_ID_LEN);
    return true;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, MAPPING_ID_LEN);
}

static RESULT copy_page(struct identity *i, const struct gathering *g, size_t limit, struct arena *arena,
                        struct entity_list *ret)
{
    size_t n = g->count < limit ? g->count : limit, used = 0;
    struct mapping *out = arena_alloc(arena, (n + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t k = 0; k < n; k++) {
        struct mapping_found f;
        enum err e = mappings_by_id(i, VIEW_OF(g->ids[k]), arena, &f);
        if (e == OK)
            out[used++] = f.mapping;
        else if (e != ERR_NOT_FOUND) /* removed meanwhile */
            return e;
    }
    *ret = (struct entity_list){.items = out, .count = used};
    return OK;
}

RESULT mappings_page(struct identity *i, struct view after, size_t limit, struct arena *arena, struct entity_list *ret)
{
    struct gathering g = {.after = after, .room = table_count(i->mappings)};
    g.ids = calloc(g.room + 1, sizeof *g.ids);
    if (!g.ids)
        return ERR_NO_MEMORY;
    table_enter();
    table_visit(i->mappings, gather, &g);
    table_leave();
    qsort(g.ids, g.count, sizeof *g.ids, by_id);
    enum err e = copy_page(i, &g, limit, arena, ret);
    free(g.ids);
    return e;
}

/* --- changing */

static RESULT row_of(const struct row_keys *keys, struct view match, struct arena *arena, struct view *ret)
{
    char id[MAPPING_ID_LEN + 1];
    mapping_id(match, id);
    return tables_named(keys, TABLE_MAPPING, view_str(id), arena, ret);
}

RESULT mapping_put(const struct row_keys *keys, const struct mapping *mapping, struct arena *arena,
                   struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_MAPPING, .version = 1};
    TRY(row_of(keys, mapping->match, arena, &c.key));
    TRY(tables_encoded(&mapping_entity, mapping, arena, &c.value));
    *ret = c;
    return OK;
}

RESULT mapping_remove(const struct row_keys *keys, const struct mapping_found *before, struct arena *arena,
                      struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_MAPPING, before->version, before->commitment);
    TRY(row_of(keys, before->mapping.match, arena, &c.key));
    *ret = c;
    return OK;
}
