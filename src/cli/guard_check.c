/* holdfast guard check-request */
#include "base/json.h"
#include "base/text.h"
#include "cli/api.h"
#include "cli/output.h"
#include "ipc/file.h"

#include <string.h>

#define BODY_MAX 262144

/* "Name: value" */
static RESULT put_header(struct cli *c, struct writer *w, const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon || colon == text)
        return problem_set(&c->why, ERR_USAGE, "--header", "write it as 'Name: value'");
    json_item(w);
    json_open(w, '{');
    json_text(w, "name", VIEW(text, (size_t)(colon - text)));
    colon++;
    json_text(w, "value", view_str(colon + strspn(colon, " ")));
    json_close(w, '}');
    return OK;
}

static RESULT put_body(struct cli *c, struct writer *w, const char *path)
{
    AUTO_WRITER body = writer_new(BODY_MAX), text = writer_new(2 * BODY_MAX);
    if (!path)
        return OK;
    TRY(file_read(path, BODY_MAX, &body, &c->why));
    base64_put(&text, writer_view_of(&body));
    TRY(writer_done(&text));
    json_text(w, "body_base64", writer_view_of(&text));
    return OK;
}

/* What no rule was asked about has no score, and no hits. */
static RESULT show(struct cli *c, struct view body)
{
    static const struct column about[] = {{"verdict", "Verdict"},
                                          {"mode", "Rules"},
                                          {"score", "Score"},
                                          {"threshold", "Threshold"},
                                          {"longer", "Beyond the limit"}};
    static const struct column unasked[] = {{"verdict", "Verdict"}, {"detail", "Because"}, {"mode", "Rules"}};
    static const struct column hits[] = {{"rule", "RULE"},   {"class", "CLASS"},
                                         {"part", "PART"},   {"parameter", "PARAMETER"},
                                         {"score", "SCORE"}, {"only_counts", "ONLY COUNTS"}};
    AUTO(json_decref) json_t *finding = NULL;
    if (c->json) {
        output_json(c, body);
        return OK;
    }
    TRY(json_read(body, &finding, &c->why));
    const char *mode = json_string_value(json_object_get(finding, "mode"));
    bool off = mode && strcmp(mode, "off") == 0;
    if (!off && !json_object_get(finding, "detail")) {
        TRY(output_object(c, body, about, ARRAY_LEN(about)));
        return output_list(c, body, "hits", hits, ARRAY_LEN(hits), "No rule is hit.");
    }
    TRY(output_object(c, body, unasked, ARRAY_LEN(unasked)));
    cli_note(c, "%s", off ? "The rules are off (guard.patterns.mode): none of them was asked." : "No rule was asked.");
    return OK;
}

RESULT guard_check_request(struct cli *c)
{
    AUTO_WRITER body = writer_new(2u << 20);
    struct api_answer answer;
    size_t at = 0;
    json_open(&body, '{');
    json_text(&body, "target", view_str(c->args.arguments[0]));
    json_name(&body, "headers");
    json_open(&body, '[');
    for (const char *header; (header = args_next(&c->args, "header", &at));)
        TRY(put_header(c, &body, header));
    json_close(&body, ']');
    TRY(put_body(c, &body, args_text(&c->args, "body")));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", "/api/v1/guard/check-request", writer_view_of(&body), &answer));
    return show(c, answer.body);
}
