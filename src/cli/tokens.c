/* Access tokens and the keys that sign them. */
#include "base/text.h"
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
