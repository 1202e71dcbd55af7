/* Administrators: whose Ed25519 keys approve changes (approvals.c), and the one-time tokens by which they first get a
 * password. */
#include "keeper/core.h"

#include "base/text.h"

#define ENROLMENT_LIFE_MS (24ull * 3600 * 1000)
#define TOKEN_BYTES       24
#define TOKEN_PREFIX      "hfe_"
#define TOKEN_WIDTH       33 /* base62 characters of 24 bytes */

static uint64_t now(const struct keeper *k)
{
    return k->config.clock->wall_ms(k->config.clock);
}

const char *admins_name_of(const struct keeper *k, const uint8_t key[static 32])
{
    for (size_t i = 0; i < k->people.admin_count; i++)
        if (ct_eq(k->people.admins[i].key, key, 32))
            return k->people.admins[i].name;
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct admin *)a)->name, ((const struct admin *)b)->name);
}

void admins_hash(const struct admin *admins, size_t count, uint8_t out[static 32])
{
    uint8_t bytes[ADMINISTRATORS_MAX * (4 + NAME_SIZE + 32)]; /* can't fail: nobody looks at a result */
    struct writer w = writer_fixed(bytes, sizeof bytes);

    for (size_t i = 0; i < count; i++) {
        writer_var(&w, view_str(admins[i].name));
        writer_bytes(&w, admins[i].key, 32);
    }
    sha256(writer_view_of(&w), out);
}

static struct enrolment *find_enrolment(struct keeper *k, struct view name)
{
    for (size_t i = 0; i < k->people.enrolment_count; i++)
        if (view_is(name, k->people.enrolments[i].name))
            return &k->people.enrolments[i];
    return NULL;
}

static void drop_enrolment(struct keeper *k, struct enrolment *e)
{
    *e = k->people.enrolments[--k->people.enrolment_count];
    wipe(&k->people.enrolments[k->people.enrolment_count], sizeof *e);
}

static void drop_expired(struct keeper *k)
{
    for (size_t i = k->people.enrolment_count; i > 0; i--)
        if (k->people.enrolments[i - 1].expiry_ms <= now(k))
            drop_enrolment(k, &k->people.enrolments[i - 1]);
}

RESULT admins_enrolment_token(struct keeper *k, const char *name, struct arena *arena, struct view *ret_token)
{
    uint8_t bytes[TOKEN_BYTES];
    char text[sizeof TOKEN_PREFIX + TOKEN_WIDTH] = TOKEN_PREFIX;
    struct enrolment *e;

    drop_expired(k);
    e = find_enrolment(k, view_str(name));
    if (!e && k->people.enrolment_count == ENROLMENTS_MAX)
        return ERR_LIMIT_REACHED;
    TRY(k->config.random->fill(k->config.random, bytes, sizeof bytes));
    TRY(base62_put(bytes, sizeof bytes, text + sizeof TOKEN_PREFIX - 1, TOKEN_WIDTH));
    wipe(bytes, sizeof bytes);
    if (!e)
        e = &k->people.enrolments[k->people.enrolment_count++];
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
    memcpy(c->admins, k->people.admins, sizeof c->admins);
    c->count = k->people.admin_count;
    sha256(name, c->object);
    admins_hash(k->people.admins, k->people.admin_count, c->previous);
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
        if (view_is(q->name, c->admins[i].name) || memcmp(q->key, c->admins[i].key, 32) == 0)
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

static struct approvals given_for(uint16_t event, const struct keeper_admin_change *q)
{
    struct approvals given = {&q->approval, &q->second};

    if (event == EVENT_ADMINISTRATORS_RECOVERED)
        given = (struct approvals){0};
    return given;
}

static RESULT change_approve(struct keeper *k, const struct change *c, enum approval_kind kind,
                             const struct keeper_admin_change *q)
{
    const struct approvals given = {&q->approval, &q->second};

    return approvals_use(k, &given, &(struct approved){kind, c->object, c->previous, c->next});
}

/* The record, then the change with it in one write of the anchor: both or neither. */
static RESULT change_save(struct keeper *k, const struct change *c, uint16_t event, const struct keeper_admin_change *q,
                          struct arena *arena)
{
    struct authoring record = {.type = event,
                               .outcome = OUTCOME_DONE,
                               .what.resource = VIEW_STR("administrators"),
                               .what.detail = q->name,
                               .approvals = given_for(event, q),
                               .anchored = true};
    struct view authored;
    enum err e;

    TRY(authors_write(k, &record, arena, &authored));
    memcpy(k->people.admins, c->admins, sizeof c->admins);
    k->people.admin_count = c->count;
    e = save_write(k);
    if (e != OK) {
        authors_withdraw(k);
        return e;
    }
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return OK;
}

/* On failure the former set, its tokens and its used approvals are put back whole. */
static enum err or_put_back(struct keeper *k, const struct people *before, enum err e)
{
    if (e != OK)
        k->people = *before;
    return e;
}

static RESULT add(struct keeper *k, const struct keeper_admin_change *q, const struct change *c, struct arena *arena,
                  struct view *ret_token)
{
    bool recovery = q->passphrase.len != 0 || q->shares.count != 0;
    uint16_t event = recovery ? EVENT_ADMINISTRATORS_RECOVERED : EVENT_ADMINISTRATOR_ADDED;
    char name[NAME_SIZE];

    TRY(view_to_str(q->name, name, sizeof name));
    if (!recovery)
        TRY(change_approve(k, c, APPROVE_ADMIN_ADD, q));
    if (recovery && q->replace_all)
        k->people.enrolment_count = 0; /* who lost his place keeps no way in */
    TRY(admins_enrolment_token(k, name, arena, ret_token));
    return change_save(k, c, event, q, arena);
}

HANDLER(admins_add)
{
    const struct keeper_admin_change *q = request;
    struct keeper_admin_changed *changed = answer;
    bool recovery = q->passphrase.len != 0 || q->shares.count != 0;
    struct people before = k->people;
    struct change c;
    enum err e;

    TRY(change_begin(k, q->name, &c));
    if (recovery)
        TRY(root_check_authority(k, q->passphrase, &q->shares));
    if (recovery && q->replace_all)
        c.count = 0;
    e = change_insert(&c, q);
    if (e == ERR_EXISTS)
        return problem_set(why, e, "name", "there is an administrator of this name, or with this key, already");
    TRY(e);
    change_end(&c);
    return or_put_back(k, &before, add(k, q, &c, arena, &changed->enrolment_token));
}

static RESULT remove_one(struct keeper *k, const struct keeper_admin_change *q, const struct change *c,
                         struct arena *arena)
{
    struct enrolment *unused = find_enrolment(k, q->name);

    TRY(change_approve(k, c, APPROVE_ADMIN_REMOVE, q));
    if (unused)
        drop_enrolment(k, unused);
    return change_save(k, c, EVENT_ADMINISTRATOR_REMOVED, q, arena);
}

HANDLER(admins_remove)
{
    const struct keeper_admin_change *q = request;
    struct people before = k->people;
    struct change c;

    (void)answer;
    TRY(change_begin(k, q->name, &c));
    TRY(change_delete(&c, q->name));
    if (c.count == 0)
        return problem_set(why, ERR_BAD_VALUE, "name",
                           "the last administrator can't be removed; add another one first");
    if (c.count == 1 && k->people.four_eyes)
        return problem_set(why, ERR_BAD_VALUE, "name",
                           "one administrator alone could not approve anything any more: turn four eyes off first, or "
                           "add another one");
    change_end(&c);
    return or_put_back(k, &before, remove_one(k, q, &c, arena));
}

HANDLER(admins_list)
{
    struct administrators *list = answer;
    struct administrator *out = arena_alloc(arena, (k->people.admin_count + 1) * sizeof *out);

    (void)request, (void)why;
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->people.admin_count; i++) {
        out[i].name = view_str(k->people.admins[i].name);
        memcpy(out[i].key, k->people.admins[i].key, 32);
    }
    list->list = (struct entity_list){out, k->people.admin_count};
    admins_hash(k->people.admins, k->people.admin_count, list->hash);
    return OK;
}

/* The front has the token checked, stores the user with the token's hash in his row, and then uses it up: a commit that
 * fails costs nobody his token, and one that was made lets nobody show it again, also if the front dies in between. */
HANDLER(admins_enrol)
{
    const struct keeper_enrol *q = request;
    struct keeper_sealed *out = answer;
    struct enrolment *e = find_enrolment(k, q->name);
    struct authoring record = {.type = EVENT_ENROLMENT_USED,
                               .outcome = OUTCOME_DONE,
                               .who = q->who,
                               .what.resource = VIEW_STR("enrolment"),
                               .what.detail = q->name,
                               .anchored = true};
    struct people before;
    uint8_t hash[32];
    enum err saved;

    (void)why;
    sha256(q->token, hash);
    if (!e || e->expiry_ms <= now(k) || !ct_eq(hash, e->token_hash, 32))
        return ERR_ENROLMENT_INVALID;
    if (q->only_check)
        return OK;
    TRY(authors_write(k, &record, arena, &out->authored));
    before = k->people;
    drop_enrolment(k, e);
    saved = save_write(k);
    if (saved == OK)
        return OK;
    authors_withdraw(k);
    return or_put_back(k, &before, saved);
}
