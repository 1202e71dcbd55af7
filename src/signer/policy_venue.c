/* A policy held against the venue that it is for: an endpoint that no request can have is a mistake in writing. */
#include "signer/policy_model.h"
#include "signer/scheme.h"
#include "signer/venue_model.h"

static RESULT check_action(const struct policy_doc *d, size_t row, const struct scheme *s, struct problem *why)
{
    char where[32];

    if (s->acts(d->endpoints.items[row]))
        return OK;
    snprintf(where, sizeof where, "/endpoints/%zu", row);
    return problem_set(why, ERR_CONTRADICTORY_POLICY, where, "the venue has no such action, so it can never match");
}

static RESULT check_endpoint(const struct policy_doc *d, size_t row, const struct venue *v, struct problem *why)
{
    struct view pattern = d->endpoints.items[row];
    char where[32];
    bool known = false;

    for (size_t i = 0; i < v->decl.endpoints.count; i++) {
        const struct venue_endpoint *e = venue_endpoint_at(v, i);
        if (!policy_glob(pattern, e->call))
            continue;
        if (d->class_mask >> e->class & 1)
            return OK;
        known = true;
    }
    snprintf(where, sizeof where, "/endpoints/%zu", row);
    return problem_set(why, ERR_CONTRADICTORY_POLICY, where, "%s",
                       known ? "no class of this endpoint is in /classes, so it can never match"
                             : "the venue declares no such endpoint, so it can never match");
}

RESULT policy_check_endpoints(const struct policy *p, const struct venue *v, const struct scheme *scheme,
                              struct problem *why)
{
    for (size_t i = 0; i < p->doc.endpoints.count; i++)
        TRY(scheme->acts ? check_action(&p->doc, i, scheme, why) : check_endpoint(&p->doc, i, v, why));
    return OK;
}
