#include "base/text.h"
#include "crypto/secmem.h"
#include "domain/webauthn/inside.h"

#define WHERE         "/response/clientDataJSON"
#define CHALLENGE_MAX 128 /* bytes: ours have 32 */

/* A member's text, or an error with no sentence when it is absent or no text. */
static RESULT text_of(const json_t *root, const char *name, struct view *ret)
{
    const json_t *v = json_object_get(root, name);
    if (!json_is_string(v))
        return v ? ERR_WRONG_TYPE : ERR_MISSING_FIELD;
    *ret = VIEW(json_string_value(v), json_string_length(v));
    return OK;
}

static bool listed(struct view v, const struct view *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_eq(v, list[i]))
            return true;
    return false;
}

static RESULT check_challenge(const json_t *root, const struct webauthn_ceremony *expect, struct problem *why)
{
    char text[CHALLENGE_MAX * 4 / 3 + 2];
    struct writer w = writer_fixed(text, sizeof text);
    struct view said = {0};
    base64url_put(&w, expect->challenge);
    TRY(writer_done(&w));
    /* §7.1 step 8, §7.2 step 11: "Verify that the value of C.challenge equals the base64url encoding of
     * pkOptions.challenge." An empty one would equal nothing that was ever given out. */
    if (text_of(root, "challenge", &said) != OK || w.len == 0 || !ct_eq_view(said, writer_view_of(&w)))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It answers another challenge.");
    return OK;
}

static RESULT check_frames(const json_t *root, const struct webauthn_ceremony *expect, struct problem *why)
{
    const json_t *crossed = json_object_get(root, "crossOrigin");
    struct view top = {0};
    if (crossed && !json_is_boolean(crossed))
        return problem_set(why, ERR_WRONG_TYPE, WHERE, "crossOrigin is true or false.");
    /* §7.1 step 10, §7.2 step 13: "If C.crossOrigin is present and set to true, verify that the Relying Party expects
     * …an iframe that is not same-origin with its ancestors." */
    if (json_is_true(crossed) && !expect->framed)
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It was made inside another site's page.");
    enum err e = text_of(root, "topOrigin", &top);
    if (e == ERR_MISSING_FIELD)
        return OK;
    /* §7.1 step 11, §7.2 step 14: "If C.topOrigin is present: … Verify that the value of C.topOrigin matches the origin
     * of a page that the Relying Party expects to be sub-framed within." */
    if (e || !expect->framed || !listed(top, expect->top_origins, expect->top_origin_count))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It was made inside another site's page.");
    return OK;
}

static RESULT check(const json_t *root, const char *type, const struct webauthn_ceremony *expect, struct problem *why)
{
    struct view said = {0};
    if (!json_is_object(root))
        return problem_set(why, ERR_WRONG_TYPE, WHERE, "Client data is an object.");
    /* §7.1 step 7: "Verify that the value of C.type is webauthn.create." §7.2 step 10: "…is the string webauthn.get."
     */
    if (text_of(root, "type", &said) != OK || !view_is(said, type))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It is the answer to something else than %s.", type);
    TRY(check_challenge(root, expect, why));
    /* §7.1 step 9, §7.2 step 12: "Verify that the value of C.origin is an origin expected by the Relying Party." */
    if (text_of(root, "origin", &said) != OK || !listed(said, expect->origins, expect->origin_count))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It was made on a page of another origin.");
    return check_frames(root, expect, why);
}

RESULT client_data_check(struct view json, const char *type, const struct webauthn_ceremony *expect,
                         struct problem *why)
{
    AUTO(json_decref) json_t *root = NULL;
    if (json.len > WEBAUTHN_CLIENT_DATA_MAX)
        return problem_set(why, ERR_TOO_LONG, WHERE, "Client data is longer than %d bytes.", WEBAUTHN_CLIENT_DATA_MAX);
    /* §7.1 step 5, §7.2 step 8: "…any leading byte order mark (BOM) MUST be stripped." */
    if (view_starts(json, "\xef\xbb\xbf"))
        json = VIEW(json.ptr + 3, json.len - 3);
    TRY(json_read(json, &root, why));
    return check(root, type, expect, why);
}
