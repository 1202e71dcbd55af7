/* Approvals: administrators' signatures over exactly one change, two of them where the rule of four eyes names it. The
 * keeper reads no policies, so it can't say which change of one lowers it: every change of a credential counts but the
 * one that revokes it. */
#include "keeper/core.h"

#define APPROVAL_LONGEST_MS (24ull * 3600 * 1000)

static uint64_t now(const struct keeper *k)
{
    return k->config.clock->wall_ms(k->config.clock);
}

/* The rule itself always takes two: to have it, and to be rid of it. Of emergency access, who asks is the one and has
 * no key of an administrator; the other's is all that is signed. */
bool approvals_takes_two(const struct keeper *k, enum approval_kind kind)
{
    if (kind == APPROVE_EMERGENCY)
        return false;
    return kind == APPROVE_FOUR_EYES || (four_eyes_bit(kind) & k->people.four_eyes) != 0;
}

static bool is_given(const struct approval *a)
{
    return a && a->alg != 0;
}

/* id: what makes this approval itself, whoever sends it and however it is encoded. */
static RESULT verify(const struct keeper *k, const struct approval *a, const struct approved *what,
                     uint8_t ret_id[static 32])
{
    AUTO_WRITER message = writer_new(512);
    uint64_t t = now(k);

    if (!is_given(a))
        return ERR_APPROVAL_NEEDED;
    if (a->alg != APPROVAL_ED25519)
        return ERR_APPROVAL_INVALID;
    if (!admins_name_of(k, a->key))
        return ERR_NOT_ADMINISTRATOR;
    if (a->expiry_ms <= t || a->expiry_ms > t + APPROVAL_LONGEST_MS)
        return ERR_APPROVAL_EXPIRED;
    approval_message(k->head.installation, what->kind, what->object, what->previous, what->next, a->expiry_ms,
                     &message);
    TRY(writer_done(&message));
    if (ed25519_verify(a->key, writer_view_of(&message), VIEW_OF(a->signature)) != OK)
        return ERR_APPROVAL_INVALID;
    writer_bytes(&message, a->key, 32);
    TRY(writer_done(&message));
    sha256(writer_view_of(&message), ret_id);
    return OK;
}

/* A second one that nobody asked for is looked at as well, since the record names it. *ret_count: how many there are.
 */
static RESULT verify_all(const struct keeper *k, const struct approvals *given, const struct approved *what,
                         uint8_t ids[static 2][32], size_t *ret_count)
{
    TRY(verify(k, given->first, what, ids[0]));
    *ret_count = 1;
    if (!is_given(given->second))
        return approvals_takes_two(k, what->kind) ? ERR_SECOND_APPROVAL_NEEDED : OK;
    if (memcmp(given->first->key, given->second->key, 32) == 0)
        return ERR_SAME_ADMINISTRATOR; /* no two administrators have the same key */
    TRY(verify(k, given->second, what, ids[1]));
    *ret_count = 2;
    return OK;
}

RESULT approvals_check(const struct keeper *k, const struct approvals *given, const struct approved *what)
{
    uint8_t ids[2][32];
    size_t count;

    return verify_all(k, given, what, ids, &count);
}

/* Expired ones stay as long as there is room, so that a clock set back does not revive them. */
static struct used_approval *place_for_used(struct people *p, uint64_t t)
{
    struct used_approval *oldest = &p->used[0];

    if (p->used_count < USED_MAX)
        return &p->used[p->used_count++];
    for (size_t i = 1; i < p->used_count; i++)
        if (p->used[i].expiry_ms < oldest->expiry_ms)
            oldest = &p->used[i];
    return oldest->expiry_ms <= t ? oldest : NULL;
}

static RESULT use(struct keeper *k, const struct approval *a, const uint8_t id[static 32])
{
    struct used_approval *place = place_for_used(&k->people, now(k));

    if (!place)
        return ERR_LIMIT_REACHED;
    memcpy(place->id, id, sizeof place->id);
    place->expiry_ms = a->expiry_ms;
    return OK;
}

RESULT approvals_use(struct keeper *k, const struct approvals *given, const struct approved *what)
{
    uint8_t ids[2][32];
    size_t count;

    TRY(verify_all(k, given, what, ids, &count));
    for (size_t i = 0; i < k->people.used_count; i++)
        for (size_t n = 0; n < count; n++)
            if (memcmp(k->people.used[i].id, ids[n], 32) == 0)
                return ERR_APPROVAL_STALE;
    TRY(use(k, given->first, ids[0]));
    return count == 2 ? use(k, given->second, ids[1]) : OK;
}

/* --- the rule */

static RESULT check_rule(const struct keeper *k, uint8_t rule, struct problem *why)
{
    if (rule & ~(unsigned)FOUR_EYES_ALL)
        return problem_set(why, ERR_BAD_VALUE, "rule", "this program does not know all of it");
    if (rule && !(rule & FOUR_EYES_ADMINISTRATORS))
        return problem_set(why, ERR_BAD_VALUE, "rule",
                           "administrators belong to it: one of them could add a key of his own, and be two");
    if (rule == k->people.four_eyes)
        return problem_set(why, ERR_CONFLICT, "rule", "that is the rule already");
    if (rule && k->people.admin_count < 2)
        return problem_set(why, ERR_BAD_VALUE, "rule", "there is one administrator only: add another one first");
    return OK;
}

static RESULT put_rule(uint8_t rule, struct writer *w)
{
    writer_str(w, rule ? "" : "off");
    for (size_t i = 0; four_eyes_names[i]; i++)
        if (rule & 1u << i)
            writer_printf(w, "%s%s", w->len ? " " : "", four_eyes_names[i]);
    return writer_done(w);
}

static RESULT rule_record(struct keeper *k, const struct keeper_four_eyes *q, struct arena *arena)
{
    AUTO_WRITER detail = writer_new(256);
    struct authoring record = {.type = EVENT_FOUR_EYES_CHANGED,
                               .outcome = OUTCOME_DONE,
                               .what.resource = VIEW_STR(FOUR_EYES_OBJECT),
                               .approvals = {&q->approval, &q->second},
                               .anchored = true};
    struct view authored;

    TRY(put_rule(q->rule, &detail));
    record.what.detail = writer_view_of(&detail);
    return authors_write(k, &record, arena, &authored);
}

HANDLER(approvals_rule)
{
    const struct keeper_four_eyes *q = request;
    const struct approvals given = {&q->approval, &q->second};
    uint8_t object[32], previous[32], next[32];
    struct people before = k->people;
    enum err e;

    (void)answer;
    TRY(check_rule(k, q->rule, why));
    sha256(VIEW_STR(FOUR_EYES_OBJECT), object);
    four_eyes_hash(k->people.four_eyes, previous);
    four_eyes_hash(q->rule, next);
    TRY(approvals_check(k, &given, &(struct approved){APPROVE_FOUR_EYES, object, previous, next}));
    TRY(rule_record(k, q, arena));
    e = approvals_use(k, &given, &(struct approved){APPROVE_FOUR_EYES, object, previous, next});
    k->people.four_eyes = q->rule;
    if (e == OK)
        e = save_write(k);
    if (e != OK) {
        k->people = before;
        authors_withdraw(k);
        return e;
    }
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return OK;
}
