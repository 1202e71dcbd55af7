/* Freezing needs nobody's leave, and releasing an administrator's. What is frozen is in the anchor. */
#include "keeper/core.h"

#include "base/text.h"

/* Whoever approves sees either version while a change is on its way. */
static RESULT use_release(struct keeper *k, const struct credential *c, const struct keeper_credential_freeze *q)
{
    const struct approvals given = {&q->approval, &q->second};
    uint8_t object[32];
    enum err e;

    if (q->frozen)
        return OK; /* stopping needs nobody's leave */
    sha256(VIEW_OF(c->id), object);
    e = approvals_use(k, &given, &(struct approved){APPROVE_RELEASE, object, c->hash, c->hash});
    if (e == ERR_APPROVAL_INVALID && c->pending_version != 0)
        e = approvals_use(k, &given, &(struct approved){APPROVE_RELEASE, object, c->pending_hash, c->pending_hash});
    return e;
}

static RESULT freeze_save(struct keeper *k, struct credential *c, const struct keeper_credential_freeze *q)
{
    TRY(use_release(k, c, q));
    if (c->frozen == q->frozen)
        return q->frozen ? OK : save_write(k); /* the approval is used up all the same */
    c->frozen = q->frozen;
    return save_write(k);
}

/* The record names the path, where the front gives the descriptor that an administrator approved: only that one is
 * believed, and freezing never waits for it. */
static RESULT put_resource(const struct credential *c, struct view descriptor, struct arena *arena, struct writer *w)
{
    struct credential_descriptor d;
    char id[ID_TEXT_SIZE];
    uint8_t hash[32];

    sha256(descriptor, hash);
    bool known = ct_eq(hash, c->hash, 32) || (c->pending_version != 0 && ct_eq(hash, c->pending_hash, 32));
    if (known && entity_decode(&credential_descriptor_entity, descriptor, arena, &d) == OK) {
        writer_str(w, "credential:");
        writer_view(w, d.path);
    } else {
        id_format((const struct id *)(const void *)c->id, id);
        writer_printf(w, "credential-id:%s", id);
    }
    return writer_done(w);
}

HANDLER(freeze_set)
{
    const struct keeper_credential_freeze *q = request;
    struct keeper_sealed *out = answer;
    struct credential *c = credentials_find(k, q->id), before;
    AUTO_WRITER resource = writer_new(1024);
    struct authoring record = {.type = q->frozen ? EVENT_CREDENTIAL_FROZEN : EVENT_CREDENTIAL_RELEASED,
                               .outcome = OUTCOME_DONE,
                               .who = q->who};
    struct people people;
    enum err e;

    (void)why;
    if (!c)
        return ERR_NOT_FOUND;
    if (!q->frozen)
        record.approvals = (struct approvals){&q->approval, &q->second};
    before = *c;
    people = k->people;
    TRY(put_resource(c, q->descriptor, arena, &resource));
    record.what.resource = writer_view_of(&resource);
    record.anchored = c->frozen != q->frozen;
    TRY(authors_write(k, &record, arena, &out->authored));
    e = freeze_save(k, c, q);
    if (e != OK) {
        *c = before;
        k->people = people; /* the approval may have taken the place of one that had expired */
        authors_withdraw(k);
        return e;
    }
    credentials_tell_signer(k, c);
    return OK;
}

/* --- by the operator, past a front that may be somebody else's */

/* All that are not frozen yet go to the front of ret; a path may have two where a hostile front hid the first from the
 * administrator who approved the second. */
static size_t find_named(struct keeper *k, const struct keeper_operator_freeze *q, struct credential **ret,
                         size_t *ret_free)
{
    uint8_t hash[32];
    size_t n = 0, free_count = 0;

    sha256(q->path, hash);
    for (size_t i = 0; i < k->credential_count; i++) {
        struct credential *c = &k->credentials[i];
        bool named = q->path.len ? memcmp(c->path_hash, hash, 32) == 0 : memcmp(c->id, q->id, 16) == 0;
        if (!named)
            continue;
        n++;
        if (!c->frozen)
            ret[free_count++] = c;
    }
    *ret_free = free_count;
    return n;
}

static RESULT author_operator_freeze(struct keeper *k, const struct keeper_operator_freeze *q, bool anchored,
                                     struct arena *arena)
{
    struct authoring record = {.type = EVENT_CREDENTIAL_FROZEN, .outcome = OUTCOME_DONE, .anchored = anchored};
    AUTO_WRITER resource = writer_new(1024);
    char id[ID_TEXT_SIZE];
    struct view authored;

    if (q->path.len) {
        writer_str(&resource, "credential:");
        writer_view(&resource, q->path);
    } else {
        id_format((const struct id *)(const void *)q->id, id);
        writer_printf(&resource, "credential-id:%s", id);
    }
    TRY(writer_done(&resource));
    record.what.resource = writer_view_of(&resource);
    return authors_write(k, &record, arena, &authored);
}

HANDLER(freeze_operator)
{
    const struct keeper_operator_freeze *q = request;
    struct credential **named = arena_alloc(arena, (k->credential_count + 1) * sizeof *named);
    size_t count;
    enum err e;

    (void)answer, (void)why;
    if (!named)
        return ERR_NO_MEMORY;
    if (find_named(k, q, named, &count) == 0)
        return ERR_NOT_FOUND;
    TRY(author_operator_freeze(k, q, count > 0, arena));
    for (size_t i = 0; i < count; i++)
        named[i]->frozen = true;
    e = count > 0 ? save_write(k) : OK;
    if (e != OK) {
        for (size_t i = 0; i < count; i++)
            named[i]->frozen = false;
        authors_withdraw(k);
        return e;
    }
    for (size_t i = 0; i < count; i++)
        credentials_tell_signer(k, named[i]);
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return OK;
}

/* --- what is frozen */

HANDLER(freeze_state)
{
    const struct keeper_credential_of *q = request;
    struct keeper_credential_state *out = answer;
    const struct credential *c = credentials_find(k, q->id);

    (void)arena, (void)why;
    if (!c)
        return ERR_NOT_FOUND;
    out->frozen = c->frozen;
    return OK;
}

HANDLER(freeze_list)
{
    struct keeper_frozen *out = answer;
    uint8_t *ids = arena_alloc(arena, (k->credential_count + 1) * 16);
    size_t n = 0;

    (void)request, (void)why;
    if (!ids)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->credential_count; i++)
        if (k->credentials[i].frozen)
            memcpy(ids + 16 * n++, k->credentials[i].id, 16);
    out->ids = VIEW(ids, 16 * n);
    return OK;
}
