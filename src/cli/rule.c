/* holdfast operator four-eyes, operator rotate. */
#include "cli/rule.h"

#include "cli/ask.h"
#include "cli/eyes.h"
#include "cli/keeper_link.h"
#include "cli/output.h"

/* --- data keys */

RESULT rule_rotate(struct cli *c, const struct approval_request *r)
{
    struct keeper_rotate q = {.approval = r->approval, .second = r->second};
    struct keeper_status s = {0};

    TRY(keeper_link_ask(c, KEEPER_ROTATE, &q, &s));
    TRY(operator_show(c, &s));
    cli_note(c, "New values are sealed under the new data key; the older ones are rewrapped in the background.");
    return OK;
}

RESULT operator_rotate(struct cli *c)
{
    struct approval_request r = {.kind = APPROVE_ROTATE};
    struct keeper_status s = {0};

    TRY(administrators_status(c, &s));
    if (!eyes_in(s.four_eyes, APPROVE_ROTATE))
        return rule_rotate(c, &r);
    r.from = s.epoch;
    r.to = s.epoch + 1;
    TRY(eyes_approve(c, s.installation, &r, true));
    return eyes_ask(c, &r);
}

/* --- the rule */

RESULT rule_run(struct cli *c, const struct approval_request *r)
{
    struct keeper_four_eyes q = {.rule = (uint8_t)r->to, .approval = r->approval, .second = r->second};

    TRY(keeper_link_ask(c, KEEPER_FOUR_EYES, &q, NULL));
    return output_done(c, (struct view){0},
                       cli_text(c, "Two administrators are needed for: %s.", eyes_rule_text(c, q.rule)));
}

static uint8_t bit_of(const char *name)
{
    for (size_t i = 0; four_eyes_names[i]; i++)
        if (strcmp(name, four_eyes_names[i]) == 0)
            return (uint8_t)(1u << i);
    return 0;
}

static RESULT named(struct cli *c, uint8_t *ret)
{
    const char *name;
    uint8_t rule = 0;
    size_t at = 0;

    while ((name = args_next(&c->args, "for", &at)) != NULL) {
        if (!bit_of(name))
            return cli_fail(c, ERR_USAGE, "--for", "there are: %s", eyes_rule_text(c, FOUR_EYES_ALL));
        rule |= bit_of(name);
    }
    *ret = rule ? rule | FOUR_EYES_ADMINISTRATORS : FOUR_EYES_ALL;
    return OK;
}

static RESULT show_rule(struct cli *c, uint8_t rule)
{
    AUTO_WRITER w = writer_new(1024);

    json_open(&w, '{');
    json_text(&w, "four_eyes", view_str(eyes_rule_text(c, rule)));
    json_close(&w, '}');
    TRY(writer_done(&w));
    return output_object(c, writer_view_of(&w), (const struct column[]){{"four_eyes", "Two administrators for"}}, 1);
}

RESULT operator_four_eyes(struct cli *c)
{
    struct approval_request r = {.kind = APPROVE_FOUR_EYES};
    const char *word = c->args.arguments[0];
    struct keeper_status s = {0};
    uint8_t rule = 0;

    TRY(administrators_status(c, &s));
    if (s.state != STATE_UNSEALED)
        return cli_fail(c, ERR_SEALED, "", "%s", "");
    if (!word)
        return show_rule(c, s.four_eyes);
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        return cli_fail(c, ERR_USAGE, word, "say 'on' or 'off', or nothing to see what holds");
    if (strcmp(word, "on") == 0)
        TRY(named(c, &rule));
    if (rule == s.four_eyes)
        return cli_fail(c, ERR_CONFLICT, word, "that is the rule already");
    if (rule && s.administrators < 2)
        return cli_fail(c, ERR_BAD_VALUE, word, "there is one administrator only: add another one first");
    r.from = s.four_eyes;
    r.to = rule;
    TRY(ask_confirm(c, cli_text(c, "Two administrators for %s, as of now for %s: approve this?",
                                eyes_rule_text(c, rule), eyes_rule_text(c, s.four_eyes))));
    TRY(eyes_approve(c, s.installation, &r, true));
    return eyes_ask(c, &r);
}
