/* What is true of any secret: its entity, names, who may, and reading its rows. Changes are in edit.c, values' rows in
 * value.c. */
#include "domain/secrets/inside.h"

#include "base/fields.h"
#include "base/json.h"

#define COMPONENT_MAX  64
#define COMPONENTS_MAX 12
#define ENVIRONMENTS   7u
#define META_MAX       65536
#define LIST_STEP      256

const char *const secret_kind_names[] = {
    "none", "api_key", "private_key", "password", "certificate", "database_credentials", "encryption_key", NULL};
const char *const secret_environment_names[] = {"none", "development", "staging", "production", NULL};
const char *const secret_state_names[] = {"none", "current", "grace", "sealed", "deleted", "destroyed", NULL};

static const struct field version_fields[] = {
    FIELD_AS(1, struct secret_version, number, "version", U64, 0, .flags = FIELD_REQUIRED),
    FIELD(2, struct secret_version, state, ENUM, 0, .flags = FIELD_REQUIRED, .min = 1, .names = secret_state_names,
          .doc = "current, grace (readable until grace_until), sealed (kept for recovery), deleted, destroyed."),
    FIELD_AS(3, struct secret_version, created_ms, "created", TIME, 0, .flags = FIELD_REQUIRED),
    FIELD_AS(4, struct secret_version, grace_until_ms, "grace_until", TIME, 0),
    FIELD(5, struct secret_version, created_by, TEXT, 256, .flags = FIELD_REQUIRED),
};
const struct entity secret_version_entity = ENTITY("SecretVersion", 0x0541, 1, struct secret_version, version_fields);

static const struct field secret_fields[] = {
    FIELD(1, struct secret_meta, id, FIXED, 16, .flags = FIELD_REQUIRED),
    FIELD(2, struct secret_meta, path, TEXT, SECRET_PATH_MAX, .flags = FIELD_REQUIRED, .check = secret_path_valid,
          .rule = SECRET_PATH_RULE),
    FIELD(3, struct secret_meta, kind, ENUM, 0, .flags = FIELD_REQUIRED, .min = 1, .names = secret_kind_names),
    FIELD(4, struct secret_meta, description, TEXT, 1024),
    FIELD(5, struct secret_meta, owner, TEXT, 256),
    FIELD(6, struct secret_meta, environment, ENUM, 0, .flags = FIELD_REQUIRED, .min = 1,
          .names = secret_environment_names),
    FIELD(7, struct secret_meta, tags, TEXTS, 32),
    FIELD_AS(8, struct secret_meta, created_ms, "created", TIME, 0, .flags = FIELD_REQUIRED),
    FIELD_AS(9, struct secret_meta, rotated_ms, "rotated", TIME, 0, .doc = "When the current version was made."),
    FIELD(10, struct secret_meta, rotation_days, U32, 0, .doc = "Wanted days between rotations; 0 = no schedule."),
    FIELD_AS(11, struct secret_meta, current, "version", U64, 0, .flags = FIELD_REQUIRED,
             .doc = "The current version."),
    FIELD(12, struct secret_meta, revoked, BOOL, 0, .flags = FIELD_REQUIRED),
    FIELD_AS(13, struct secret_meta, revoked_ms, "revoked_at", TIME, 0),
    FIELD_AS(14, struct secret_meta, retained_until_ms, "retained_until", TIME, 0,
             .doc = "Until then an administrator can recover a revoked secret."),
    FIELD(15, struct secret_meta, versions, LIST, SECRET_VERSIONS_MAX, .nested = &secret_version_entity,
          .doc = "Newest first; the oldest is destroyed when there are more than 32."),
};
const struct entity secret_entity = ENTITY("Secret", 0x0542, 1, struct secret_meta, secret_fields);

/* --- names */

static bool component_valid(struct view c)
{
    if (c.len == 0 || c.len > COMPONENT_MAX || view_is(c, ".") || view_is(c, ".."))
        return false;
    for (size_t i = 0; i < c.len; i++) {
        uint8_t b = c.ptr[i];
        bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
        if (!letter && !(b >= '0' && b <= '9') && b != '.' && b != '_' && b != '-')
            return false;
    }
    return true;
}

bool secret_path_valid(struct view path)
{
    size_t start = 0, components = 0;

    if (path.len == 0 || path.len > SECRET_PATH_MAX)
        return false;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/')
            continue;
        if (!component_valid(VIEW(path.ptr + start, i - start)) || ++components > COMPONENTS_MAX)
            return false;
        start = i + 1;
    }
    return true;
}

/* --- who may */

static bool granted(const struct secret_access *access, uint8_t environment)
{
    return environment >= ENVIRONMENT_DEVELOPMENT && environment <= ENVIRONMENT_PRODUCTION &&
           (access->environments >> (environment - 1)) & 1u;
}

RESULT secret_may(const struct secret_access *access, uint8_t environment, enum access_level needed)
{
    return needed != ACCESS_NONE && access->level >= needed && granted(access, environment) ? OK : ERR_FORBIDDEN;
}

bool secret_may_list(const struct secret_access *access, uint8_t environment)
{
    if (environment == 0)
        return access->level >= ACCESS_READ && (access->environments & ENVIRONMENTS) == ENVIRONMENTS;
    return secret_may(access, environment, ACCESS_READ) == OK;
}

/* --- versions */

enum secret_version_state secret_state_at(const struct secret_version *v, uint64_t now_ms)
{
    return v->state == VERSION_GRACE && now_ms >= v->grace_until_ms ? VERSION_SEALED
                                                                    : (enum secret_version_state)v->state;
}

void secret_states_at(struct secret_meta *meta, uint64_t now_ms)
{
    struct secret_version *v = meta->versions.items;

    for (size_t i = 0; i < meta->versions.count; i++)
        v[i].state = (uint8_t)secret_state_at(&v[i], now_ms);
}

struct secret_version *secret_version_find(const struct secret_meta *meta, uint64_t number)
{
    struct secret_version *v = meta->versions.items;

    for (size_t i = 0; i < meta->versions.count; i++)
        if (v[i].number == number)
            return &v[i];
    return NULL;
}

/* --- values */

/* Both or neither: a name without its password, or the other way round, is of use to nobody. */
static RESULT check_database(const json_t *o, struct problem *why)
{
    static const char *const needed[] = {"username", "password"};

    if (!json_is_object(o))
        return problem_set(why, ERR_BAD_VALUE, "/value", "%s",
                           "database_credentials are one JSON object with username, password and what else belongs to "
                           "them");
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        const json_t *text = json_object_get(o, needed[i]);
        if (!json_is_string(text) || json_string_length(text) == 0)
            return problem_set(why, ERR_MISSING_FIELD, "/value", "the object has no text \"%s\"", needed[i]);
    }
    return OK;
}

RESULT secret_value_acceptable(uint8_t kind, struct view value, struct problem *why)
{
    json_t *o = NULL;
    enum err e;

    if (value.len == 0)
        return problem_set(why, ERR_TOO_SHORT, "/value", "%s", "a secret has at least one byte");
    if (kind != SECRET_DATABASE_CREDENTIALS)
        return OK;
    if (json_read(value, &o, NULL) != OK)
        return check_database(NULL, why);
    e = check_database(o, why);
    json_wipe(o); /* and releases it */
    return e;
}

/* --- rows */

RESULT secret_key(const struct row_keys *keys, struct view path, struct arena *arena, struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    TRY(row_key_path(keys, TABLE_SECRET, path, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* Texts of what is found live in arena. */
static RESULT open_row(const struct row_keys *keys, const struct store_row *row, struct arena *arena,
                       struct secret_found *ret)
{
    AUTO_WRITER plain = writer_new(META_MAX);
    struct secret_found found = {.row_version = row->version, .key = row->key};
    struct view kept;

    TRY(row_open(keys, TABLE_SECRET, row, &plain, found.commitment));
    TRY(arena_copy(arena, writer_view_of(&plain), &kept));
    TRY(entity_decode(&secret_entity, kept, arena, &found.meta));
    *ret = found;
    return OK;
}

RESULT secret_get(struct store *reader, const struct row_keys *keys, struct view path, struct arena *arena,
                  struct secret_found *ret)
{
    struct secret_found found;
    struct store_row row;
    struct view key;

    if (!secret_path_valid(path))
        return ERR_BAD_VALUE;
    TRY(secret_key(keys, path, arena, &key));
    TRY(store_get(reader, TABLE_SECRET, key, arena, &row));
    TRY(open_row(keys, &row, arena, &found));
    if (!view_eq(found.meta.path, path))
        return ERR_TAMPERED;
    *ret = found;
    return OK;
}

/* --- lists */

struct listing {
    const struct row_keys *keys;
    bool (*visit)(void *context, const struct secret_found *s);
    void *context;
    struct arena *scratch;
    uint8_t last[STORE_KEY_MAX + 1];
    size_t last_len, seen;
    bool stopped;
    enum err result;
};

static bool visit_row(void *context, const struct store_row *row)
{
    struct listing *l = context;
    struct secret_found found;

    arena_reset(l->scratch);
    memcpy(l->last, row->key.ptr, row->key.len);
    l->last_len = row->key.len;
    l->seen++;
    l->result = open_row(l->keys, row, l->scratch, &found);
    if (l->result == OK)
        l->stopped = !l->visit(l->context, &found);
    return l->result == OK && !l->stopped;
}

/* The first key that does not begin with these bytes; empty if there is none. */
static struct view beyond(struct view prefix, uint8_t out[static STORE_KEY_MAX])
{
    size_t n = prefix.len;

    memcpy(out, prefix.ptr, n);
    while (n > 0 && out[n - 1] == 0xff)
        n--;
    if (n > 0)
        out[n - 1]++;
    return VIEW(out, n);
}

/* Where to begin: at the prefix, behind it ("exchange/"), or behind the last one seen. */
static RESULT first_key(struct listing *l, const struct secret_range *range, struct writer *prefix, struct problem *why)
{
    struct view name = range->prefix;
    bool below = name.len && name.ptr[name.len - 1] == '/';
    struct view from;

    if (below)
        name.len--;
    if ((range->prefix.len && !secret_path_valid(name)) || row_key_path(l->keys, TABLE_SECRET, name, prefix) != OK)
        return problem_set(why, ERR_BAD_VALUE, "?prefix", "%s", SECRET_PATH_RULE);
    from = writer_view_of(prefix);
    if (range->after.len) {
        if (range->after.len >= STORE_KEY_MAX || range->after.len < from.len ||
            memcmp(range->after.ptr, from.ptr, from.len) != 0)
            return problem_set(why, ERR_BAD_VALUE, "?after", "%s",
                               "it must be the \"next\" of a listing with the same prefix");
        from = range->after;
    }
    memcpy(l->last, from.ptr, from.len);
    l->last_len = from.len;
    if (below || range->after.len)
        l->last[l->last_len++] = 0;
    return OK;
}

RESULT secret_list(struct store *reader, const struct row_keys *keys, const struct secret_range *range,
                   bool (*visit)(void *context, const struct secret_found *s), void *context, struct problem *why)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    struct listing l = {.keys = keys, .visit = visit, .context = context};
    uint8_t prefix[STORE_KEY_MAX], end[STORE_KEY_MAX];
    struct writer w = writer_fixed(prefix, sizeof prefix);
    struct view to;

    TRY(first_key(&l, range, &w, why));
    TRY(arena_new(4096, 1u << 20, &scratch));
    l.scratch = scratch;
    to = beyond(writer_view_of(&w), end);
    do {
        uint8_t from[STORE_KEY_MAX + 1];
        memcpy(from, l.last, l.last_len);
        struct view at = VIEW(from, l.last_len);
        l.seen = 0;
        TRY(store_range(reader, TABLE_SECRET, at, to, false, LIST_STEP, visit_row, &l));
        TRY(l.result);
        l.last[l.last_len++] = 0; /* behind the last one */
    } while (l.seen == LIST_STEP && !l.stopped);
    return OK;
}
