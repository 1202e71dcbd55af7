/* Emergency access: somebody takes rights that his roles do not give him, for a while. The front gives them to him; the
 * keeper makes the record, which says who, for how long and why, and counts the approval where the rule wants one. */
#include "keeper/core.h"

/* What is approved is what the record will say. */
static RESULT check_request(const struct keeper_emergency *q, struct arena *arena, struct view *ret_reason,
                            struct problem *why)
{
    struct request_context c;

    TRY(entity_decode(&request_context_entity, q->who, arena, &c));
    if (q->name.len == 0 || q->name.len >= NAME_SIZE)
        return problem_set(why, ERR_BAD_VALUE, "name", "a name of 1 to %d bytes", NAME_SIZE - 1);
    if (q->seconds < EMERGENCY_LEAST_S || q->seconds > EMERGENCY_MOST_S)
        return problem_set(why, ERR_OUT_OF_RANGE, "seconds", "%d to %d", EMERGENCY_LEAST_S, EMERGENCY_MOST_S);
    *ret_reason = c.reason;
    for (size_t i = 0; i < c.reason.len; i++)
        if (c.reason.ptr[i] > ' ')
            return OK;
    return ERR_REASON_NEEDED;
}

static RESULT use_approval(struct keeper *k, const struct keeper_emergency *q, struct view reason, struct problem *why)
{
    const struct approvals given = {&q->approval, NULL};
    const char *by = admins_name_of(k, q->approval.key);
    uint8_t object[32], next[32];

    if (q->approval.alg == 0)
        return k->people.four_eyes & FOUR_EYES_EMERGENCY ? ERR_APPROVAL_NEEDED : OK;
    if (by && view_is(q->name, by))
        return problem_set(why, ERR_SAME_ADMINISTRATOR, "approval", "nobody approves his own emergency access");
    sha256(q->name, object);
    emergency_hash(q->seconds, reason, next);
    return approvals_use(k, &given, &(struct approved){APPROVE_EMERGENCY, object, q->nonce, next});
}

static RESULT author(struct keeper *k, const struct keeper_emergency *q, struct arena *arena, struct view *ret)
{
    AUTO_WRITER resource = writer_new(128);
    AUTO_WRITER detail = writer_new(64);
    struct authoring record = {.type = EVENT_EMERGENCY_ACCESS,
                               .outcome = OUTCOME_DONE,
                               .who = q->who,
                               .approvals.first = &q->approval,
                               .anchored = q->approval.alg != 0};

    writer_str(&resource, "user:");
    writer_view(&resource, q->name);
    writer_printf(&detail, "for %u seconds", (unsigned)q->seconds);
    TRY(writer_done(&resource));
    TRY(writer_done(&detail));
    record.what.resource = writer_view_of(&resource);
    record.what.detail = writer_view_of(&detail);
    return authors_write(k, &record, arena, ret);
}

HANDLER(emergency_begin)
{
    const struct keeper_emergency *q = request;
    struct keeper_sealed *out = answer;
    struct people before = k->people;
    struct view reason = {0};
    enum err e;

    TRY(check_request(q, arena, &reason, why));
    TRY(author(k, q, arena, &out->authored));
    e = use_approval(k, q, reason, why);
    if (e == OK && q->approval.alg != 0)
        e = save_write(k);
    if (e != OK) {
        k->people = before;
        authors_withdraw(k);
    }
    return e;
}
