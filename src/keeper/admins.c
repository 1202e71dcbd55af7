/* Administrators: Ed25519 keys that approve changes, and the one-time tokens by which they first get a password. */
#include "keeper/core.h"

#include "base/text.h"

#define APPROVAL_LONGEST_MS (24ull * 3600 * 1000)
#define ENROLMENT_LIFE_MS   (24ull * 3600 * 1000)
#define TOKEN_BYTES         24
#define TOKEN_PREFIX        "hfe_"
#define TOKEN_WIDTH         33 /* base62 characters of 24 bytes */

static uint64_t now(const struct keeper *k)
{
    return k->config.clock->wall_ms(k->config.clock);
}

static const struct admin *find_key(const struct keeper *k, const uint8_t key[static 32])
{
    for (size_t i = 0; i < k->admin_count; i++)
        if (ct_eq(k->admins[i].key, key, 32))
            return &k->admins[i];
    return NULL;
}

RESULT admins_check_approval(const struct keeper *k, const struct approval *a, enum approval_kind kind,
                             const uint8_t object[static 32], const uint8_t previous[static 32],
                             const uint8_t next[static 32])
{
    AUTO_WRITER message = writer_new(512);
    uint64_t t = now(k);

    if (a->alg == 0)
        return ERR_APPROVAL_NEEDED;
    if (a->alg != APPROVAL_ED25519)
        return ERR_APPROVAL_INVALID;
    if (!find_key(k, a->key))
        return ERR_NOT_ADMINISTRATOR;
    if (a->expiry_ms <= t || a->expiry_ms > t + APPROVAL_LONGEST_MS)
        return ERR_APPROVAL_EXPIRED;
    approval_message(k->head.installation, kind, object, previous, next, a->expiry_ms, &message);
    TRY(writer_done(&message));
    return ed25519_verify(a->key, writer_view_of(&message), VIEW_OF(a->signature)) == OK ? OK : ERR_APPROVAL_INVALID;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct admin *)a)->name, ((const struct admin *)b)->name);
}

void admins_hash(const struct admin *admins, size_t count, uint8_t out[static 32])
{
    AUTO_WRITER w = writer_new(ADMINISTRATORS_MAX * 128);

    for (size_t i = 0; i < count; i++) {
        writer_var(&w, view_str(admins[i].name));
        writer_bytes(&w, admins[i].key, 32);
    }
    sha256(writer_view_of(&w), out);
}

static struct enrolment *find_enrolment(struct keeper *k, struct view name)
{
    for (size_t i = 0; i < k->enrolment_count; i++)
        if (view_is(name, k->enrolments[i].name))
            return &k->enrolments[i];
    return NULL;
}

static void drop_enrolment(struct keeper *k, struct enrolment *e)
{
    *e = k->enrolments[--k->enrolment_count];
    wipe(&k->enrolments[k->enrolment_count], sizeof *e);
}

static void drop_expired(struct keeper *k)
{
    for (size_t i = k->enrolment_count; i > 0; i--)
        if (k->enrolments[i - 1].expiry_ms <= now(k))
            drop_enrolment(k, &k->enrolments[i - 1]);
}

RESULT admins_enrolment_token(struct keeper *k, const char *name, struct arena *arena, struct view *ret_token)
{
    uint8_t bytes[TOKEN_BYTES];
    char text[sizeof TOKEN_PREFIX + TOKEN_WIDTH] = TOKEN_PREFIX;
    struct enrolment *e;

    drop_expired(k);
    e = find_enrolment(k, view_str(name));
    if (!e && k->enrolment_count == ENROLMENTS_MAX)
        return ERR_LIMIT_REACHED;
    TRY(k->config.random->fill(k->config.random, bytes, sizeof bytes));
    TRY(base62_put(bytes, sizeof bytes, text + sizeof TOKEN_PREFIX - 1, TOKEN_WIDTH));
    wipe(bytes, sizeof bytes);
    if (!e)
        e = &k->enrolments[k->enrolment_count++];
    TRY(view_to_str(view_str(name), e->name, NAME_SIZE));
    sha256(VIEW(text, sizeof text - 1), e->token_hash);
    e->expiry_ms = now(k) + ENROLMENT_LIFE_MS;
    return arena_copy(arena, VIEW(text, sizeof text - 1), ret_token);
}

/* --- changes of the set */

struct change {
    struct admin admins[ADMINISTRATORS_MAX]; /* the set afterwards, by name */
    size_t count;
    uint8_t object[32], previous[32], next[32];
};

static RESULT change_begin(const struct keeper *k, struct view name, struct change *c)
{
    if (name.len == 0 || name.len >= NAME_SIZE)
        return ERR_BAD_VALUE;
    memcpy(c->admins, k->admins, sizeof c->admins);
    c->count = k->admin_count;
    sha256(name, c->object);
    admins_hash(k->admins, k->admin_count, c->previous);
    return OK;
}

static void change_end(struct change *c)
{
    qsort(c->admins, c->count, sizeof c->admins[0], by_name);
    admins_hash(c->admins, c->count, c->next);
}

static RESULT change_insert(struct change *c, const struct keeper_admin_change *q)
{
    for (size_t i = 0; i < c->count; i++)
        if (view_is(q->name, c->admins[i].name))
            return ERR_EXISTS;
    if (c->count == ADMINISTRATORS_MAX)
        return ERR_LIMIT_REACHED;
    TRY(view_to_str(q->name, c->admins[c->count].name, NAME_SIZE));
    memcpy(c->admins[c->count].key, q->key, 32);
    c->count++;
    return OK;
}

static RESULT change_delete(struct change *c, struct view name)
{
    for (size_t i = 0; i < c->count; i++)
        if (view_is(name, c->admins[i].name)) {
            memmove(&c->admins[i], &c->admins[i + 1], (c->count - i - 1) * sizeof c->admins[0]);
            c->count--;
            return OK;
        }
    return ERR_NOT_FOUND;
}

/* In force when it is in the anchor; if that can't be written, nothing has changed. */
static RESULT change_save(struct keeper *k, const struct change *c, uint16_t event, struct view name,
                          struct arena *arena)
{
    struct admin before[ADMINISTRATORS_MAX];
    size_t before_count = k->admin_count;
    struct authoring record = {.type = event, .outcome = OUTCOME_DONE, .what.detail = name};
    struct view authored;
    enum err e;

    TRY(authors_room(k));
    memcpy(before, k->admins, sizeof before);
    memcpy(k->admins, c->admins, sizeof before);
    k->admin_count = c->count;
    e = save_write(k);
    if (e != OK) {
        memcpy(k->admins, before, sizeof before);
        k->admin_count = before_count;
        return e;
    }
    record.what.resource = VIEW_STR("administrators");
    TRY(authors_write(k, &record, arena, &authored));
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return OK;
}

HANDLER(admins_add)
{
    const struct keeper_admin_change *q = request;
    struct keeper_admin_changed *changed = answer;
    bool recovery = q->passphrase.len != 0 || q->shares.count != 0;
    uint16_t event = recovery ? EVENT_ADMINISTRATORS_RECOVERED : EVENT_ADMINISTRATOR_ADDED;
    char name[NAME_SIZE];
    struct change c;

    TRY(change_begin(k, q->name, &c));
    TRY(view_to_str(q->name, name, sizeof name));
    if (recovery)
        TRY(seal_check_authority(k, q->passphrase, &q->shares));
    if (recovery && q->replace_all)
        c.count = 0;
    if (change_insert(&c, q) != OK)
        return problem_set(why, ERR_EXISTS, "name", "there is an administrator '%s' already, or there are %d", name,
                           ADMINISTRATORS_MAX);
    change_end(&c);
    if (!recovery)
        TRY(admins_check_approval(k, &q->approval, APPROVE_ADMIN_ADD, c.object, c.previous, c.next));
    TRY(admins_enrolment_token(k, name, arena, &changed->enrolment_token));
    return change_save(k, &c, event, q->name, arena);
}

HANDLER(admins_remove)
{
    const struct keeper_admin_change *q = request;
    struct change c;

    (void)answer;
    TRY(change_begin(k, q->name, &c));
    TRY(change_delete(&c, q->name));
    if (c.count == 0)
        return problem_set(why, ERR_BAD_VALUE, "name",
                           "the last administrator can't be removed; add another one first");
    change_end(&c);
    TRY(admins_check_approval(k, &q->approval, APPROVE_ADMIN_REMOVE, c.object, c.previous, c.next));
    return change_save(k, &c, EVENT_ADMINISTRATOR_REMOVED, q->name, arena);
}

HANDLER(admins_list)
{
    struct administrators *list = answer;
    struct administrator *out = arena_alloc(arena, (k->admin_count + 1) * sizeof *out);

    (void)request, (void)why;
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->admin_count; i++) {
        out[i].name = view_str(k->admins[i].name);
        memcpy(out[i].key, k->admins[i].key, 32);
    }
    list->list = (struct entity_list){out, k->admin_count};
    admins_hash(k->admins, k->admin_count, list->hash);
    return OK;
}

/* A token is used up when it is shown right once, whatever the front then does with it. */
HANDLER(admins_enrol)
{
    const struct keeper_enrol *q = request;
    struct keeper_sealed *out = answer;
    struct enrolment *e, kept;
    struct authoring record = {
        .type = EVENT_ENROLMENT_USED, .outcome = OUTCOME_DONE, .who = q->who, .what.detail = q->name};
    uint8_t hash[32];
    enum err saved;

    (void)why;
    TRY(authors_room(k));
    drop_expired(k);
    sha256(q->token, hash);
    e = find_enrolment(k, q->name);
    if (!e || !ct_eq(hash, e->token_hash, 32))
        return ERR_ENROLMENT_INVALID;
    kept = *e;
    drop_enrolment(k, e);
    saved = save_write(k);
    if (saved != OK) {
        k->enrolments[k->enrolment_count++] = kept;
        return saved;
    }
    record.what.resource = VIEW_STR("enrolment");
    return authors_write(k, &record, arena, &out->authored);
}
