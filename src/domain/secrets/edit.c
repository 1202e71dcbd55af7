/* Changes of secrets: what becomes of metadata and versions, and the row changes that say so. */
#include "domain/secrets/inside.h"

#define META_MAX 65536

static RESULT put_meta(const struct secret_edit *by, const struct secret_found *s, struct secret_changes *ret)
{
    AUTO_WRITER w = writer_new(META_MAX);
    struct txn_change c = {.table = TABLE_SECRET, .expect = s->row_version, .version = s->row_version + 1};

    TRY(secret_key(by->keys, s->meta.path, by->arena, &c.key));
    TRY(entity_encode(&secret_entity, &s->meta, &w));
    TRY(arena_copy(by->arena, writer_view_of(&w), &c.value));
    memcpy(c.old_commitment, s->commitment, sizeof c.old_commitment);
    ret->items[ret->count++] = c;
    return OK;
}

static RESULT put_value(const struct secret_edit *by, const struct secret_meta *meta, struct view sealed,
                        struct secret_changes *ret)
{
    struct secret_sealed v = {.version = meta->current, .path = meta->path, .sealed = sealed};

    memcpy(v.id, meta->id, sizeof v.id);
    TRY(secret_value_put(by, &v, &ret->items[ret->count]));
    ret->count++;
    return OK;
}

static RESULT remove_value(const struct secret_edit *by, const struct secret_meta *meta, uint64_t version,
                           struct secret_changes *ret)
{
    TRY(secret_value_remove(by, meta, version, &ret->items[ret->count]));
    ret->count++;
    return OK;
}

/* A new first version; the list is copied, so that what was found stays as it was. */
static RESULT add_version(const struct secret_edit *by, struct secret_meta *meta)
{
    struct secret_version *v = arena_alloc(by->arena, (meta->versions.count + 1) * sizeof *v);

    if (!v)
        return ERR_NO_MEMORY;
    if (meta->versions.count)
        memcpy(v + 1, meta->versions.items, meta->versions.count * sizeof *v);
    v[0] = (struct secret_version){.number = secret_next_version(meta),
                                   .state = VERSION_CURRENT,
                                   .created_ms = by->now_ms,
                                   .created_by = by->actor};
    meta->current = v[0].number;
    meta->versions = (struct entity_list){v, meta->versions.count + 1};
    return OK;
}

uint64_t secret_next_version(const struct secret_meta *meta)
{
    const struct secret_version *v = meta->versions.items;

    return meta->versions.count ? v[0].number + 1 : 1;
}

RESULT secret_create(const struct secret_edit *by, struct secret_meta *meta, struct view sealed,
                     struct secret_changes *ret)
{
    struct secret_changes changes = {0};
    struct secret_found s = {.meta = *meta};

    s.meta.versions = (struct entity_list){0};
    s.meta.created_ms = s.meta.rotated_ms = by->now_ms;
    TRY(add_version(by, &s.meta));
    TRY(put_meta(by, &s, &changes));
    TRY(put_value(by, &s.meta, sealed, &changes));
    *meta = s.meta;
    *ret = changes;
    return OK;
}

/* The one before, if it was in use: readable for a while, then kept sealed. */
static void retire(struct secret_version *former, uint64_t now_ms, uint64_t grace_ms)
{
    if (former->state != VERSION_CURRENT)
        return;
    former->state = grace_ms ? VERSION_GRACE : VERSION_SEALED;
    former->grace_until_ms = grace_ms ? now_ms + grace_ms : 0;
}

static RESULT drop_oldest(const struct secret_edit *by, struct secret_meta *meta, struct secret_changes *ret)
{
    const struct secret_version *v = meta->versions.items;
    const struct secret_version *oldest;

    if (meta->versions.count <= SECRET_VERSIONS_MAX)
        return OK;
    oldest = &v[--meta->versions.count];
    return oldest->state == VERSION_DESTROYED ? OK : remove_value(by, meta, oldest->number, ret);
}

RESULT secret_rotate(const struct secret_edit *by, struct secret_found *s, struct view sealed, uint64_t grace_ms,
                     struct secret_changes *ret)
{
    struct secret_changes changes = {0};
    struct secret_found next = *s;
    struct secret_version *former;

    if (s->meta.revoked)
        return ERR_REVOKED;
    if (grace_ms > SECRET_GRACE_MAX_MS)
        return ERR_OUT_OF_RANGE;
    TRY(add_version(by, &next.meta));
    former = secret_version_find(&next.meta, s->meta.current);
    if (former)
        retire(former, by->now_ms, grace_ms);
    next.meta.rotated_ms = by->now_ms;
    TRY(drop_oldest(by, &next.meta, &changes));
    TRY(put_meta(by, &next, &changes));
    TRY(put_value(by, &next.meta, sealed, &changes));
    s->meta = next.meta;
    *ret = changes;
    return OK;
}

RESULT secret_revoke(const struct secret_edit *by, struct secret_found *s, struct secret_changes *ret)
{
    struct secret_changes changes = {0};
    struct secret_found next = *s;

    if (s->meta.revoked)
        return ERR_REVOKED;
    next.meta.revoked = true;
    next.meta.revoked_ms = by->now_ms;
    next.meta.retained_until_ms = by->now_ms + SECRET_RETENTION_MS;
    TRY(put_meta(by, &next, &changes));
    s->meta = next.meta;
    *ret = changes;
    return OK;
}

/* --- single versions */

/* What a version that was deleted would be by now had it not been. */
static uint8_t restored(const struct secret_meta *meta, const struct secret_version *v)
{
    if (v->number == meta->current)
        return VERSION_CURRENT;
    return v->grace_until_ms ? VERSION_GRACE : VERSION_SEALED;
}

static RESULT next_state(const struct secret_meta *meta, const struct secret_version *v,
                         enum secret_version_state wanted, uint8_t *ret)
{
    bool deleted = v->state == VERSION_DELETED;

    if (v->state == VERSION_DESTROYED || (wanted == VERSION_DELETED && deleted))
        return ERR_CONFLICT;
    if (wanted == VERSION_CURRENT && !deleted)
        return ERR_CONFLICT;
    *ret = wanted == VERSION_CURRENT ? restored(meta, v) : (uint8_t)wanted;
    return OK;
}

static RESULT copy_versions(const struct secret_edit *by, struct secret_meta *meta)
{
    size_t size = meta->versions.count * sizeof(struct secret_version);
    struct view copy;

    TRY(arena_copy(by->arena, VIEW(meta->versions.items, size), &copy));
    meta->versions.items = (void *)(uintptr_t)copy.ptr;
    return OK;
}

RESULT secret_set_version(const struct secret_edit *by, struct secret_found *s, uint64_t version,
                          enum secret_version_state state, struct secret_changes *ret)
{
    struct secret_changes changes = {0};
    struct secret_found next = *s;
    struct secret_version *v;

    if (state != VERSION_DELETED && state != VERSION_CURRENT && state != VERSION_DESTROYED)
        return ERR_BAD_VALUE;
    if (s->meta.revoked && state != VERSION_DESTROYED)
        return ERR_REVOKED;
    if (s->meta.versions.count)
        TRY(copy_versions(by, &next.meta));
    v = secret_version_find(&next.meta, version);
    if (!v)
        return ERR_NOT_FOUND;
    TRY(next_state(&next.meta, v, state, &v->state));
    TRY(put_meta(by, &next, &changes));
    if (state == VERSION_DESTROYED)
        TRY(remove_value(by, &next.meta, version, &changes));
    s->meta = next.meta;
    *ret = changes;
    return OK;
}

RESULT secret_update(const struct secret_edit *by, struct secret_found *s, struct secret_changes *ret)
{
    struct secret_changes changes = {0};

    if (s->meta.revoked)
        return ERR_REVOKED;
    TRY(put_meta(by, s, &changes));
    *ret = changes;
    return OK;
}
