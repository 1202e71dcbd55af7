/* holdfast emergency …: break glass. */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/eyes.h"
#include "cli/fields_json.h"
#include "cli/output.h"

#define EMERGENCY "/api/v1/emergency"

/* What is sent to begin, and to ask: the same but for the request. */
static RESULT put_body(struct cli *c, bool asking, struct writer *w)
{
    json_open(w, '{');
    if (!args_has(&c->args, "request"))
        fields_json_number(w, &c->args, "for", "seconds");
    fields_json_text(w, &c->args, "reason", "reason");
    if (!asking)
        fields_json_text(w, &c->args, "request", "request");
    json_close(w, '}');
    return writer_done(w);
}

static RESULT ask(struct cli *c)
{
    AUTO_WRITER body = writer_new(8192);
    struct api_answer answer;
    struct view id;

    TRY(put_body(c, true, &body));
    TRY(api_call(c, "POST", EMERGENCY "/ask", writer_view_of(&body), &answer));
    TRY(fields_json_get(c, answer.body, "id", &id));
    return output_done(
        c, answer.body,
        cli_text(c,
                 "Not begun: an administrator who is somebody else has to approve it, within the hour:\n"
                 "  holdfast approval approve %s\nThen begin it:\n  holdfast emergency begin --request %s",
                 eyes_safe(c, id), eyes_safe(c, id)));
}

RESULT emergency_begin(struct cli *c)
{
    AUTO_WRITER body = writer_new(8192);
    struct api_answer answer;
    struct view until;
    enum err e;

    TRY(api_needs_reason(c));
    TRY(ask_confirm(c, "Touch every secret for a while? It is recorded as an emergency."));
    TRY(put_body(c, false, &body));
    e = api_call(c, "POST", EMERGENCY, writer_view_of(&body), &answer);
    if (e == ERR_APPROVAL_NEEDED && !args_has(&c->args, "request")) {
        c->why = (struct problem){0};
        c->title[0] = c->request_id[0] = '\0';
        return ask(c);
    }
    TRY(e);
    TRY(fields_json_get(c, answer.body, "until", &until));
    return output_done(
        c, answer.body,
        cli_text(c, "Begun, in this session. It ends at %s, or with 'holdfast emergency end'.", eyes_safe(c, until)));
}

RESULT emergency_end(struct cli *c)
{
    struct api_answer answer;

    TRY(api_call(c, "DELETE", EMERGENCY, (struct view){0}, &answer));
    return output_done(c, (struct view){0}, "Ended.");
}
