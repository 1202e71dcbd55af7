#include "store/backend.h"

static const struct store_backend *const backends[] = {&store_sqlite, &store_memory};

static const struct {
    const char *name, *rows;
} tables[TABLE_COUNT] = {
    [0] = {"?", "?"},
    [TABLE_META] = {"META", "the log's own state"},
    [TABLE_LOG] = {"LOG", "records"},
    [TABLE_TILE] = {"TILE", "Merkle tiles"},
    [TABLE_CHECKPOINT] = {"CHECKPOINT", "signed checkpoints"},
    [TABLE_SUBJECT] = {"SUBJECT", "keys of the record's subjects"},
    [TABLE_INDEX] = {"INDEX", "blind indexes"},
    [TABLE_SECRET] = {"SECRET", "metadata of secrets"},
    [TABLE_SECRET_VALUE] = {"SECRET_VALUE", "values of secrets"},
    [TABLE_CREDENTIAL] = {"CREDENTIAL", "signing credentials"},
    [TABLE_USER] = {"USER", "users"},
    [TABLE_SESSION] = {"SESSION", "sessions"},
    [TABLE_KEY] = {"KEY", "API keys"},
    [TABLE_ROLE] = {"ROLE", "roles"},
    [TABLE_GRANT] = {"GRANT", "grants of tokens"},
    [TABLE_REVOCATION] = {"REVOCATION", "revocations of tokens"},
    [TABLE_PASSKEY] = {"PASSKEY", "passkeys"},
    [TABLE_MAPPING] = {"MAPPING", "mappings of certificates and groups"},
    [TABLE_APPROVAL] = {"APPROVAL", "requests for approval"},
    [TABLE_USAGE] = {"USAGE", "counts of what API keys were used for"},
    [TABLE_NETWORK] = {"NETWORK", "networks"},
};

const char *store_table_name(uint16_t table)
{
    return tables[table < TABLE_COUNT ? table : 0].name;
}

const char *store_table_rows(uint16_t table)
{
    return tables[table < TABLE_COUNT ? table : 0].rows;
}

/* --- the url */

static RESULT option_vfs(struct store_place *place, struct view value)
{
    return view_to_str(value, place->vfs, sizeof(place->vfs));
}

static RESULT option_busy(struct store_place *place, struct view value)
{
    unsigned ms = 0;
    if (value.len == 0 || value.len > 6)
        return ERR_OUT_OF_RANGE;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return ERR_MALFORMED;
        ms = ms * 10 + (value.ptr[i] - '0');
    }
    place->busy_ms = ms;
    return OK;
}

static const struct option {
    const char *name; /* with the sign that ends it */
    RESULT (*set)(struct store_place *place, struct view value);
} options[] = {
    {"vfs=", option_vfs},
    {"busy=", option_busy},
};

static RESULT set_option(struct store_place *place, struct view text)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        size_t n = strlen(options[i].name);
        if (view_starts(text, options[i].name))
            return options[i].set(place, VIEW(text.ptr + n, text.len - n));
    }
    return ERR_BAD_VALUE;
}

static RESULT set_options(struct store_place *place, const char *text, struct problem *why)
{
    while (*text) {
        size_t n = strcspn(text, "&");
        if (set_option(place, VIEW(text, n)) != OK)
            return problem_set(why, ERR_BAD_CONFIG, "store",
                               "'%.*s' is no option of a store: vfs=name, busy=milliseconds", (int)(n < 80 ? n : 80),
                               text);
        text += n;
        text += *text == '&';
    }
    return OK;
}

static const struct store_backend *backend_for(const char *url, const char **ret_rest)
{
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        size_t n = strlen(backends[i]->scheme);
        if (strncmp(url, backends[i]->scheme, n) == 0 && url[n] == ':') {
            *ret_rest = url + n + 1;
            return backends[i];
        }
    }
    return NULL;
}

RESULT store_open(const char *url, struct store **ret, struct problem *why)
{
    struct store_place place = {.busy_ms = STORE_BUSY_MS};
    const char *rest = NULL;
    const struct store_backend *backend = backend_for(url, &rest);
    if (!backend)
        return problem_set(why, ERR_BAD_CONFIG, "store", "the store's address must be sqlite:/path/file.db or memory:");

    size_t n = strcspn(rest, "?");
    if (rest[n] == '?')
        TRY(set_options(&place, rest + n + 1, why));
    char *path = strndup(rest, n);
    if (!path)
        return problem_set(why, ERR_NO_MEMORY, "store", "not enough memory to open the store");
    place.path = path;
    enum err e = backend->open(&place, ret, why);
    free(path);
    return e;
}

RESULT store_share(struct store *s, bool read_only, struct store **ret)
{
    return s->backend->share(s, read_only, ret);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_rollback(s);
    s->backend->close(s);
}

/* --- failures */

static RESULT note(struct store *s, enum err e, const char *what)
{
    return problem_set(&s->last, e, "store", "%s", what);
}

void store_explain(const struct store *s, struct problem *ret)
{
    *ret = s->last;
}

static RESULT check_table(struct store *s, uint16_t table)
{
    return table >= 1 && table < TABLE_COUNT ? OK : note(s, ERR_OUT_OF_RANGE, "there is no such table");
}

static RESULT check_key(struct store *s, struct view key)
{
    return key.len <= STORE_KEY_MAX ? OK : note(s, ERR_TOO_LONG, "the key is longer than 255 bytes");
}

static RESULT check_change(struct store *s, const struct store_change *c)
{
    TRY(check_table(s, c->table));
    TRY(check_key(s, c->key));
    if (c->op == STORE_DELETE)
        return OK;
    if (c->value.len > STORE_VALUE_MAX)
        return note(s, ERR_TOO_LONG, "the value is longer than 1 MiB");
    if (c->version == 0 || c->version == STORE_ANY) /* both mean something else as an expectation */
        return note(s, ERR_OUT_OF_RANGE, "a row's version must be from 1 to 2^64 - 2");
    return OK;
}

/* --- reads */

RESULT store_get(struct store *s, uint16_t table, struct view key, struct arena *arena, struct store_row *ret)
{
    TRY(check_table(s, table));
    TRY(check_key(s, key));
    return s->backend->get(s, table, key, arena, ret);
}

RESULT store_range(struct store *s, uint16_t table, struct view from, struct view to, bool reverse, size_t limit,
                   bool (*visit)(void *context, const struct store_row *row), void *context)
{
    struct store_range_of of = {table, from, to, reverse, limit, visit, context};
    TRY(check_table(s, table));
    TRY(check_key(s, from));
    TRY(check_key(s, to));
    return limit == 0 ? OK : s->backend->range(s, &of);
}

void store_hold(struct store *s)
{
    if (s->read_only && s->backend->hold)
        s->backend->hold(s, true);
}

void store_release(struct store *s)
{
    if (s->read_only && s->backend->hold)
        s->backend->hold(s, false);
}

/* --- commits */

RESULT store_begin(struct store *s)
{
    if (s->read_only || s->phase != STORE_IDLE)
        return note(s, ERR_INTERNAL, "begin on a read-only connection, or twice");
    TRY(s->backend->begin(s));
    s->phase = STORE_BUILDING;
    return OK;
}

static RESULT check_changes(struct store *s, const struct store_change *changes, size_t count, size_t *ret_failed)
{
    for (size_t i = 0; i < count; i++) {
        enum err e = check_change(s, &changes[i]);
        if (e == OK)
            continue;
        if (ret_failed)
            *ret_failed = i;
        return e;
    }
    return OK;
}

RESULT store_apply(struct store *s, const struct store_change *changes, size_t count, size_t *ret_failed)
{
    if (s->phase == STORE_DOOMED)
        return s->doom;
    if (s->phase != STORE_BUILDING)
        return note(s, ERR_INTERNAL, "apply without begin");
    TRY(check_changes(s, changes, count, ret_failed));
    size_t failed = 0;
    enum err e = s->backend->apply(s, changes, count, &failed);
    if (e == OK)
        return OK;
    if (ret_failed)
        *ret_failed = failed;
    if (e == ERR_CONFLICT)
        return e;
    s->backend->rollback(s);
    s->phase = STORE_DOOMED;
    s->doom = e;
    return e;
}

RESULT store_commit(struct store *s)
{
    enum store_phase phase = s->phase;
    s->phase = STORE_IDLE;
    if (phase == STORE_DOOMED)
        return s->doom;
    if (phase != STORE_BUILDING)
        return note(s, ERR_INTERNAL, "commit without begin");
    return s->backend->commit(s);
}

void store_rollback(struct store *s)
{
    if (s->phase == STORE_BUILDING)
        s->backend->rollback(s);
    s->phase = STORE_IDLE;
}

RESULT store_maintain(struct store *s)
{
    if (s->read_only || s->phase != STORE_IDLE)
        return note(s, ERR_INTERNAL, "maintain on a read-only connection, or inside a commit");
    return s->backend->maintain(s);
}

uint64_t store_size(struct store *s)
{
    return s->backend->size(s);
}
