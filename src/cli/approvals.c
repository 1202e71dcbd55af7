/* holdfast approval …: what waits for a second administrator. What is approved is shown whole, and made from the bytes
 * that are signed; the server's word is taken for nothing but which requests there are. */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/eyes.h"
#include "cli/fields_json.h"
#include "cli/grant.h"
#include "cli/output.h"
#include "cli/rule.h"
#include "crypto/hash.h"
#include "signer/policy.h"

#define APPROVALS "/api/v1/approvals"

static RESULT address_of(struct cli *c, const char *verb, const char **ret)
{
    *ret = api_path(c, APPROVALS "/", cli_text(c, "%s%s", c->args.arguments[0], verb));
    return *ret ? OK : ERR_NO_MEMORY;
}

static RESULT fetch(struct cli *c, struct approval_request *ret)
{
    struct api_answer answer;
    const char *address;

    TRY(address_of(c, "", &address));
    TRY(api_call(c, "GET", address, (struct view){0}, &answer));
    return entity_parse(&approval_request_entity, answer.body, c->arena, ret, &c->why);
}

RESULT approvals_list(struct cli *c)
{
    static const struct column columns[] = {
        {"id", "REQUEST"},  {"kind", "KIND"},       {"name", "OF"},       {"state", "STATE"},
        {"asked_by", "BY"}, {"expires", "EXPIRES"}, {"reason", "REASON"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", APPROVALS, (struct view){0}, &answer));
    return output_list(c, answer.body, "requests", columns, ARRAY_LEN(columns), "Nothing waits for an approval.");
}

/* --- showing */

static RESULT stale(struct cli *c)
{
    return cli_fail(c, ERR_APPROVAL_STALE, "previous",
                    "the credential was changed after this was asked: reject it, and let it be asked anew");
}

static RESULT show_credential(struct cli *c, const struct approval_request *r)
{
    AUTO(policy_free) struct policy *policy = NULL;
    struct credential_descriptor next;
    uint8_t box[SHA256_SIZE];
    struct grant g;

    if (entity_decode(&credential_descriptor_entity, r->what, c->arena, &next) != OK)
        return cli_fail(c, ERR_MALFORMED, "what", "the request holds no descriptor");
    TRY(grant_begin(c, arena_str(c->arena, r->name), &g));
    if (memcmp(g.previous, r->previous, 32) != 0)
        return stale(c);
    if (g.exists && memcmp(g.before.id, next.id, sizeof next.id) != 0)
        return cli_fail(c, ERR_EXISTS, "what", "another credential has this name");
    sha256(r->box, box);
    if (r->box.len ? memcmp(box, next.box_hash, 32) != 0
                   : !g.exists || memcmp(next.box_hash, g.before.box_hash, 32) != 0)
        return cli_fail(c, ERR_APPROVAL_INVALID, "box", "the request's key is not the one that its descriptor names");
    TRY(policy_parse(next.policy, &policy, &c->why));
    g.next = next;
    g.box = r->box;
    grant_show(c, &g);
    return OK;
}

static RESULT show_release(struct cli *c, const struct approval_request *r)
{
    struct grant g;

    TRY(grant_begin(c, arena_str(c->arena, r->name), &g));
    if (!g.exists || !view_eq(g.descriptor, r->what))
        return stale(c);
    cli_note(c, "You are about to approve that a frozen credential signs again, as it is in version %llu:",
             (unsigned long long)g.before.version);
    g.next = g.before;
    grant_show_parts(c, &g);
    return OK;
}

static RESULT show_administrators(struct cli *c, const struct approval_request *r)
{
    struct administrators set = {0};
    const struct administrator *list;
    AUTO_WRITER key = writer_new(80);

    TRY(entity_decode(&administrators_entity, r->what, c->arena, &set));
    list = set.list.items;
    hex_put(&key, VIEW_OF(r->key));
    TRY(writer_done(&key));
    if (r->kind == APPROVE_ADMIN_ADD)
        cli_note(c, "You are about to approve a new administrator:\n  + %s  %.*s", eyes_safe(c, r->name), (int)key.len,
                 (const char *)key.ptr);
    else
        cli_note(c, "You are about to take an administrator the right to approve:\n  - %s", eyes_safe(c, r->name));
    cli_note(c, "Administrators now:");
    for (size_t i = 0; i < set.list.count; i++)
        cli_note(c, "    %s", eyes_safe(c, list[i].name));
    return OK;
}

static RESULT show_rule(struct cli *c, const struct approval_request *r)
{
    cli_note(c, "You are about to approve what takes two administrators:\n- %s\n+ %s",
             eyes_rule_text(c, (uint8_t)r->from), eyes_rule_text(c, (uint8_t)r->to));
    return OK;
}

static RESULT show_rotation(struct cli *c, const struct approval_request *r)
{
    cli_note(c, "You are about to approve new data keys: epoch %u after epoch %u.", (unsigned)r->to, (unsigned)r->from);
    return OK;
}

static RESULT show_emergency(struct cli *c, const struct approval_request *r)
{
    cli_note(c, "You are about to approve that %s may touch every secret for %u minutes, in one session.",
             eyes_safe(c, r->name), (unsigned)r->to / 60);
    return OK;
}

/* Nobody but who asked can use it. */
static RESULT run_emergency(struct cli *c, const struct approval_request *r)
{
    return output_done(c, (struct view){0},
                       cli_text(c, "Approved. %s begins with: holdfast emergency begin --request %s",
                                eyes_safe(c, r->name), c->args.arguments[0]));
}

static const struct {
    enum err (*show)(struct cli *c, const struct approval_request *r);
    enum err (*run)(struct cli *c, const struct approval_request *r);
} kinds[] = {
    [APPROVE_CREDENTIAL] = {show_credential, grant_run},
    [APPROVE_RELEASE] = {show_release, grant_run},
    [APPROVE_ADMIN_ADD] = {show_administrators, administrators_run},
    [APPROVE_ADMIN_REMOVE] = {show_administrators, administrators_run},
    [APPROVE_FOUR_EYES] = {show_rule, rule_run},
    [APPROVE_ROTATE] = {show_rotation, rule_rotate},
    [APPROVE_EMERGENCY] = {show_emergency, run_emergency},
};

/* Everything that the signature will cover, and a look whether the first one covers the same. */
static RESULT show(struct cli *c, const struct approval_request *r)
{
    struct profile *p;

    TRY(grant_pinned(c, &p));
    TRY(eyes_check_first(c, p->installation, r));
    TRY(kinds[r->kind].show(c, r));
    cli_note(c, "Asked by %s%s%s", eyes_safe(c, r->asked_by), r->reason.len ? ": " : ".", eyes_safe(c, r->reason));
    return OK;
}

RESULT approvals_show(struct cli *c)
{
    static const struct column columns[] = {
        {"id", "Request"},      {"kind", "Kind"},         {"name", "Of"},
        {"state", "State"},     {"asked_by", "Asked by"}, {"asked", "Asked"},
        {"expires", "Expires"}, {"reason", "Reason"},     {"approved_by", "Approved by"},
    };
    struct approval_request r = {0};
    struct api_answer answer;
    const char *address;

    TRY(address_of(c, "", &address));
    TRY(api_call(c, "GET", address, (struct view){0}, &answer));
    TRY(arena_copy(c->arena, answer.body, &answer.body));
    TRY(entity_parse(&approval_request_entity, answer.body, c->arena, &r, &c->why));
    TRY(output_object(c, answer.body, columns, ARRAY_LEN(columns)));
    return show(c, &r);
}

/* --- approving */

static RESULT close_request(struct cli *c)
{
    struct api_answer answer;
    const char *address;

    TRY(address_of(c, "/close", &address));
    return api_call(c, "POST", address, VIEW_STR("{}"), &answer);
}

static bool past_the_api(uint8_t kind)
{
    return kind != APPROVE_CREDENTIAL && kind != APPROVE_RELEASE && kind != APPROVE_EMERGENCY;
}

static RESULT run(struct cli *c, const struct approval_request *r)
{
    enum err e;

    if (r->kind >= ARRAY_LEN(kinds) || !kinds[r->kind].run)
        return cli_fail(c, ERR_TOO_NEW, "kind", "this program does not know this kind of change");
    e = kinds[r->kind].run(c, r);
    if (past_the_api(r->kind) && (err_exit(e) == err_exit(ERR_UNAVAILABLE) || e == ERR_FORBIDDEN)) {
        c->why = (struct problem){0};
        return output_done(
            c, (struct view){0},
            cli_text(c,
                     "Approved by both, and not in force: it goes past the API. On the server's host, as "
                     "the server's user:\n  holdfast approval run %s",
                     c->args.arguments[0]));
    }
    TRY(e);
    return r->kind == APPROVE_EMERGENCY ? OK : close_request(c);
}

static RESULT sign_second(struct cli *c, struct approval_request *r)
{
    struct approver_change change;
    struct approver key = {0};
    struct profile *p;

    TRY(grant_pinned(c, &p));
    TRY(approver_load(c, &key));
    if (memcmp(key.public_key, r->approval.key, 32) == 0)
        return cli_fail(c, ERR_SAME_ADMINISTRATOR, "", "%s", "");
    TRY(ask_confirm(c, "Approve this?"));
    TRY(eyes_signed(c, r, &change));
    change.installation = p->installation;
    change.expiry_ms = r->approval.alg ? r->approval.expiry_ms : r->expiry_ms; /* exactly what the first one signed */
    return approver_approve(c, &change, &r->second);
}

static RESULT send_second(struct cli *c, const struct approval_request *r)
{
    AUTO_WRITER body = writer_new(4096);
    struct api_answer answer;
    const char *address;

    TRY(address_of(c, "/approve", &address));
    json_open(&body, '{');
    json_name(&body, "approval");
    entity_to_json(&approval_entity, &r->second, &body);
    json_close(&body, '}');
    TRY(writer_done(&body));
    return api_call(c, "POST", address, writer_view_of(&body), &answer);
}

RESULT approvals_approve(struct cli *c)
{
    struct approval_request r = {0};

    TRY(fetch(c, &r));
    if (r.state != REQUEST_WAITING)
        return cli_fail(c, ERR_CONFLICT, "state", "it was approved already: holdfast approval run %s",
                        c->args.arguments[0]);
    TRY(show(c, &r));
    TRY(sign_second(c, &r));
    TRY(send_second(c, &r));
    return run(c, &r);
}

RESULT approvals_run(struct cli *c)
{
    struct approval_request r = {0};

    TRY(fetch(c, &r));
    if (r.state != REQUEST_APPROVED)
        return cli_fail(c, ERR_SECOND_APPROVAL_NEEDED, "", "%s", "");
    return run(c, &r);
}

RESULT approvals_reject(struct cli *c)
{
    AUTO_WRITER body = writer_new(8192);
    struct api_answer answer;
    const char *address;

    TRY(address_of(c, "/reject", &address));
    json_open(&body, '{');
    fields_json_text(&body, &c->args, "reason", "reason");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", address, writer_view_of(&body), &answer));
    return output_done(c, (struct view){0}, "Rejected.");
}
