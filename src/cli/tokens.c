/* Access tokens and the keys that sign them. */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/keeper_link.h"
#include "cli/output.h"
#include "crypto/token_key.h"

/* --- operator tokens rotate */

static RESULT put_key(const struct keeper_token_key *k, struct writer *w)
{
    struct token_public pub = {.alg = k->alg, .len = (uint16_t)k->public_key.len};
    char kid[TOKEN_KID_LEN + 1], time[TIME_TEXT_SIZE];

    memcpy(pub.bytes, k->public_key.ptr, k->public_key.len);
    TRY(token_key_id(&pub, kid));
    json_item(w);
    json_open(w, '{');
    json_text(w, "kid", view_str(kid));
    json_text(w, "alg", view_str(token_alg_names[k->alg < TOKEN_ALG_COUNT ? k->alg : 0]));
    time_format(k->created_ms, time);
    json_text(w, "since", view_str(time));
    time_format(k->until_ms, time);
    json_text(w, "until", k->until_ms ? view_str(time) : VIEW_STR(""));
    json_close(w, '}');
    return OK;
}

RESULT tokens_rotate(struct cli *c)
{
    static const struct column columns[] = {{"kid", "KEY"}, {"alg", "ALG"}, {"since", "SINCE"}, {"until", "UNTIL"}};
    struct keeper_tokens_rotate q = {.drop = args_has(&c->args, "drop")};
    struct keeper_token_keys keys = {0};
    AUTO_WRITER body = writer_new(65536);

    TRY(keeper_link_ask(c, KEEPER_TOKENS_ROTATE, &q, &keys));
    json_open(&body, '{');
    json_name(&body, "keys");
    json_open(&body, '[');
    for (size_t i = 0; i < keys.keys.count; i++)
        TRY(put_key(&((const struct keeper_token_key *)keys.keys.items)[i], &body));
    json_close(&body, ']');
    json_close(&body, '}');
    TRY(writer_done(&body));
    return output_list(c, writer_view_of(&body), "keys", columns, ARRAY_LEN(columns), "There are no keys.");
}

/* --- token … */

#define TOKENS "/api/v1/tokens"

static const struct column made[] = {
    {"access_token", "Token"},
    {"expires", "Until"},
    {"id", "Id"},
    {"grant", "Grant"},
    {"refresh_token", "Refresh by"},
    {"refresh_expires", "Refresh until"},
};

RESULT tokens_create(struct cli *c)
{
    AUTO_WRITER body = writer_new(4096);
    struct api_answer answer;

    json_open(&body, '{');
    fields_json_text(&body, &c->args, "client", "client");
    fields_json_text(&body, &c->args, "audience", "audience");
    fields_json_number(&body, &c->args, "life", "seconds");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", TOKENS, writer_view_of(&body), &answer));
    return output_object(c, answer.body, made, ARRAY_LEN(made));
}

/* Without the session: what is shown says who. */
RESULT tokens_refresh(struct cli *c)
{
    AUTO(secret_free) struct secret *token = NULL;
    AUTO_WRITER body = writer_new(4096);
    struct api_answer answer;

    TRY(ask_secret(c, "refresh-file", "Refresh token", &token));
    json_open(&body, '{');
    json_text(&body, "refresh_token", secret_view(token));
    fields_json_text(&body, &c->args, "audience", "audience");
    fields_json_number(&body, &c->args, "life", "seconds");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call_open(c, "POST", TOKENS "/refresh", writer_view_of(&body), &answer));
    if (answer.status != 200)
        return api_problem(c, &answer);
    return output_object(c, answer.body, made, ARRAY_LEN(made));
}

RESULT tokens_list(struct cli *c)
{
    static const struct column columns[] = {
        {"grant", "GRANT"},   {"user", "USER"},           {"client", "CLIENT"},   {"source", "FROM"},
        {"created", "SINCE"}, {"refreshed", "REFRESHED"}, {"expires", "EXPIRES"}, {"current", "CURRENT"},
    };
    AUTO_WRITER address = writer_new(1024);
    struct api_answer answer;

    writer_str(&address, TOKENS);
    api_query(&address, "user", args_text(&c->args, "user"));
    api_query(&address, "all", args_has(&c->args, "all") ? "true" : NULL);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "tokens", columns, ARRAY_LEN(columns), "There are no refresh tokens.");
}

static RESULT put_ended(struct cli *c, struct writer *w)
{
    static const char *const names[] = {"id", "grant", "user", "key"};
    AUTO(secret_free) struct secret *token = NULL;
    char time[TIME_TEXT_SIZE];

    json_open(w, '{');
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        fields_json_text(w, &c->args, names[i], names[i]);
    if (args_has(&c->args, "issued-since")) {
        time_format(args_number(&c->args, "issued-since", 0), time);
        json_text(w, "issued_since", view_str(time));
    }
    if (args_has(&c->args, "ended-file")) {
        TRY(ask_secret(c, "ended-file", "Token", &token));
        json_text(w, "token", secret_view(token));
    }
    json_close(w, '}');
    return writer_done(w);
}

RESULT tokens_end_now(struct cli *c)
{
    AUTO_WRITER body = writer_new(8192);
    struct api_answer answer;

    if (args_has(&c->args, "issued-since"))
        TRY(ask_confirm(c, "End everybody's tokens? Who has none of them left signs in again."));
    TRY(put_ended(c, &body));
    TRY(api_call(c, "POST", TOKENS "/revoke", writer_view_of(&body), &answer));
    return output_done(c, answer.body, "Revoked.");
}

RESULT tokens_jwks(struct cli *c)
{
    struct api_answer answer;

    TRY(api_call_open(c, "GET", "/.well-known/jwks.json", (struct view){0}, &answer));
    if (answer.status != 200)
        return api_problem(c, &answer);
    output_json(c, answer.body);
    return OK;
}
