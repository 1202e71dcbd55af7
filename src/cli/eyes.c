#include "cli/eyes.h"

#include "base/text.h"
#include "cli/api.h"
#include "cli/fields_json.h"
#include "cli/output.h"
#include "crypto/hash.h"

#define CLOCKS_APART_MS (5ull * 60 * 1000)

RESULT eyes_wanted(struct cli *c, enum approval_kind kind, bool *ret)
{
    AUTO(json_decref) json_t *root = NULL;
    struct api_answer answer;
    const json_t *name;
    size_t i;

    *ret = false;
    TRY(api_call(c, "GET", "/api/v1/approvals", (struct view){0}, &answer));
    TRY(json_read(answer.body, &root, &c->why));
    json_array_foreach(json_object_get(root, "four_eyes"), i, name)
    {
        const char *text = json_string_value(name);
        for (size_t bit = 0; text && four_eyes_names[bit]; bit++)
            *ret |= strcmp(text, four_eyes_names[bit]) == 0 && (four_eyes_bit(kind) & 1u << bit);
    }
    return OK;
}

const char *eyes_rule_text(struct cli *c, uint8_t rule)
{
    const char *text = "";

    for (size_t i = 0; text && four_eyes_names[i]; i++)
        if (rule & 1u << i)
            text = cli_text(c, "%s%s%s", text, *text ? ", " : "", four_eyes_names[i]);
    return text && *text ? text : "nothing";
}

const char *eyes_safe(struct cli *c, struct view text)
{
    AUTO_WRITER clean = writer_new(8192);
    const char *kept;

    text_put_safe(&clean, text);
    kept = writer_done(&clean) == OK ? arena_str(c->arena, writer_view_of(&clean)) : NULL;
    return kept ? kept : "?";
}

/* --- what is signed */

static RESULT sign_credential(struct cli *c, const struct approval_request *r, struct approver_change *s)
{
    struct credential_descriptor d;

    if (entity_decode(&credential_descriptor_entity, r->what, c->arena, &d) != OK || !view_eq(d.path, r->name))
        return cli_fail(c, ERR_MALFORMED, "what", "the request holds no descriptor of this credential");
    sha256(r->what, s->next);
    memcpy(s->previous, r->kind == APPROVE_RELEASE ? s->next : r->previous, 32);
    return arena_copy(c->arena, VIEW_OF(d.id), &s->object_name);
}

static RESULT sign_administrators(struct cli *c, const struct approval_request *r, struct approver_change *s)
{
    s->object_name = r->name;
    return administrators_hashes(c, r, s->previous, s->next);
}

static RESULT sign_rule(struct cli *c, const struct approval_request *r, struct approver_change *s)
{
    (void)c;
    s->object_name = VIEW_STR(FOUR_EYES_OBJECT);
    four_eyes_hash((uint8_t)r->from, s->previous);
    four_eyes_hash((uint8_t)r->to, s->next);
    return OK;
}

static RESULT sign_rotation(struct cli *c, const struct approval_request *r, struct approver_change *s)
{
    (void)c;
    s->object_name = VIEW_STR(ROTATE_OBJECT);
    epoch_hash(r->from, s->previous);
    epoch_hash(r->to, s->next);
    return OK;
}

/* How long and why is what is approved; the keeper's record will say the same. */
static RESULT sign_emergency(struct cli *c, const struct approval_request *r, struct approver_change *s)
{
    (void)c;
    s->object_name = r->name;
    memcpy(s->previous, r->previous, sizeof s->previous);
    emergency_hash(r->to, r->reason, s->next);
    return OK;
}

static enum err (*const signs[])(struct cli *c, const struct approval_request *r, struct approver_change *s) = {
    [APPROVE_CREDENTIAL] = sign_credential,    [APPROVE_RELEASE] = sign_credential,
    [APPROVE_ADMIN_ADD] = sign_administrators, [APPROVE_ADMIN_REMOVE] = sign_administrators,
    [APPROVE_FOUR_EYES] = sign_rule,           [APPROVE_ROTATE] = sign_rotation,
    [APPROVE_EMERGENCY] = sign_emergency,
};

RESULT eyes_signed(struct cli *c, const struct approval_request *r, struct approver_change *ret)
{
    if (r->kind >= ARRAY_LEN(signs) || !signs[r->kind])
        return cli_fail(c, ERR_TOO_NEW, "kind", "this program does not know this kind of change");
    *ret = (struct approver_change){.kind = (enum approval_kind)r->kind};
    return signs[r->kind](c, r, ret);
}

RESULT eyes_approve(struct cli *c, const uint8_t installation[static 32], struct approval_request *r, bool two)
{
    struct approver_change change = {0};

    TRY(eyes_signed(c, r, &change));
    change.installation = installation;
    change.expiry_ms = c->clock->wall_ms(c->clock) + (two ? REQUEST_LONGEST_MS - CLOCKS_APART_MS : APPROVER_LIFE_MS);
    return approver_approve(c, &change, &r->approval);
}

RESULT eyes_check_first(struct cli *c, const uint8_t installation[static 32], const struct approval_request *r)
{
    AUTO_WRITER message = writer_new(512);
    struct approver_change s = {0};
    uint8_t object[SHA256_SIZE];

    TRY(eyes_signed(c, r, &s));
    if (r->kind == APPROVE_EMERGENCY)
        return OK; /* who asks has no key: the other one's approval is all there is */
    sha256(s.object_name, object);
    approval_message(installation, s.kind, object, s.previous, s.next, r->approval.expiry_ms, &message);
    TRY(writer_done(&message));
    if (r->approval.alg != APPROVAL_ED25519 ||
        ed25519_verify(r->approval.key, writer_view_of(&message), VIEW_OF(r->approval.signature)) != OK)
        return cli_fail(c, ERR_APPROVAL_INVALID, "approval", "what is shown here is not what the first one approved");
    return OK;
}

/* --- asking */

RESULT eyes_ask(struct cli *c, const struct approval_request *r)
{
    AUTO_WRITER body = writer_new(131072);
    struct approval_request ask = *r;
    struct api_answer answer;
    struct view id;
    const char *reason = args_text(&c->args, "reason");

    ask.reason = view_str(reason ? reason : "");
    entity_to_json(&approval_ask_entity, &ask, &body);
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", "/api/v1/approvals", writer_view_of(&body), &answer));
    TRY(fields_json_get(c, answer.body, "id", &id));
    return output_done(c, answer.body,
                       cli_text(c,
                                "Approved by you, and not in force: this takes a second administrator, within 24 "
                                "hours:\n  holdfast approval approve %s",
                                eyes_safe(c, id)));
}
