#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"

#define HEX_ID 32

static bool is_client(struct view v)
{
    return text_printable(v);
}

static bool is_hex_id(struct view v)
{
    uint8_t id[HEX_ID / 2];

    return hex_get(v, id, sizeof id) == OK;
}

static bool is_place(struct view v)
{
    uint8_t place[GRANT_PLACE_HEX / 2];

    return hex_get(v, place, sizeof place) == OK;
}

static const struct field request_fields[] = {
    FIELD(1, struct token_request, audience, TEXT, TOKEN_AUDIENCE_MAX, .check = is_client, .rule = "printable text",
          .doc = "For whom; left out: for Holdfast itself. Holdfast takes no token for another."),
    FIELD(2, struct token_request, client, TEXT, TOKEN_CLIENT_MAX, .check = is_client, .rule = "printable text",
          .doc = "The program that asks, as lists of tokens show it."),
    FIELD(3, struct token_request, seconds, U32, 86400, .doc = "How long it lives; the configured longest at most."),
};
const struct entity token_request_entity = ENTITY("TokenRequest", 0x0750, 1, struct token_request, request_fields);

static const struct field refresh_fields[] = {
    FIELD(1, struct refresh_request, refresh_token, TEXT, 128, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1),
    FIELD(2, struct refresh_request, audience, TEXT, TOKEN_AUDIENCE_MAX, .check = is_client, .rule = "printable text"),
    FIELD(3, struct refresh_request, seconds, U32, 86400),
};
const struct entity refresh_request_entity = ENTITY("TokenRefresh", 0x0751, 1, struct refresh_request, refresh_fields);

static const struct field answer_fields[] = {
    FIELD(1, struct token_answer, access_token, TEXT, TOKEN_TEXT_MAX, .doc = "Send it as Authorization: Bearer."),
    FIELD(2, struct token_answer, token_type, TEXT, 16),
    FIELD(3, struct token_answer, expires_in, U32, 0, .doc = "Seconds."),
    FIELD(4, struct token_answer, expires, TIME, 0),
    FIELD(5, struct token_answer, id, TEXT, HEX_ID, .doc = "Claim jti."),
    FIELD(6, struct token_answer, grant, TEXT, HEX_ID, .doc = "Claim sid; missing for an API key's token."),
    FIELD(7, struct token_answer, refresh_token, TEXT, 128, .doc = "Good once; an API key needs none."),
    FIELD(8, struct token_answer, refresh_expires, TIME, 0, .doc = "When refreshing ends at the latest."),
};
const struct entity token_answer_entity = ENTITY("Token", 0x0752, 1, struct token_answer, answer_fields);

static const struct field revoke_fields[] = {
    FIELD(1, struct revoke_request, token, TEXT, TOKEN_TEXT_MAX, .flags = FIELD_WRITE_ONLY,
          .doc = "An access or refresh token, with the grant that it came from."),
    FIELD(2, struct revoke_request, id, TEXT, HEX_ID, .check = is_hex_id, .rule = "32 hex digits",
          .doc = "A token's id (jti)."),
    FIELD(3, struct revoke_request, grant, TEXT, HEX_ID, .check = is_hex_id, .rule = "32 hex digits",
          .doc = "A grant (sid), with all tokens that came from it."),
    FIELD(4, struct revoke_request, user, TEXT, USER_NAME_MAX, .check = user_name_valid, .rule = USER_NAME_RULE,
          .doc = "All tokens and grants that this user has now."),
    FIELD(5, struct revoke_request, key, TEXT, API_KEY_ID_LEN, .check = api_key_id_valid, .rule = "a key's id",
          .doc = "All tokens that this API key has now."),
    FIELD(6, struct revoke_request, issued_since, TIME, 0,
          .doc = "All tokens issued from then to now, and every grant; needs system:config."),
};
const struct entity revoke_request_entity = ENTITY("TokenRevoke", 0x0753, 1, struct revoke_request, revoke_fields);

static const struct field view_fields[] = {
    FIELD(1, struct grant_view, grant, TEXT, HEX_ID),
    FIELD(2, struct grant_view, user, TEXT, USER_NAME_MAX),
    FIELD(3, struct grant_view, client, TEXT, TOKEN_CLIENT_MAX),
    FIELD(4, struct grant_view, source, TEXT, 64),
    FIELD(5, struct grant_view, user_agent, TEXT, SESSION_AGENT_MAX),
    FIELD(6, struct grant_view, created, TIME, 0),
    FIELD(7, struct grant_view, refreshed, TIME, 0),
    FIELD(8, struct grant_view, expires, TIME, 0),
    FIELD(9, struct grant_view, current, BOOL, 0, .doc = "The one that this request came with."),
};
const struct entity grant_view_entity = ENTITY("GrantView", 0x0754, 1, struct grant_view, view_fields);

static const struct field query_fields[] = {
    FIELD(1, struct grants_query, user, TEXT, USER_NAME_MAX, .doc = "Another user's; needs users:manage."),
    FIELD(2, struct grants_query, all, BOOL, 0, .doc = "Everybody's; needs users:manage."),
    FIELD(3, struct grants_query, after, TEXT, GRANT_PLACE_HEX, .check = is_place, .rule = "48 hex digits",
          .doc = "What next of the page before said."),
    FIELD(4, struct grants_query, limit, U32, GRANTS_PAGE_MAX, .doc = "At most so many; 100 if left out."),
};
const struct entity grants_query_entity = ENTITY("GrantQuery", 0x0755, 1, struct grants_query, query_fields);

static const struct field page_fields[] = {
    FIELD(1, struct grants_page, tokens, LIST, GRANTS_PAGE_MAX, .flags = FIELD_PRINT_ZERO,
          .nested = &grant_view_entity),
    FIELD(2, struct grants_page, next, TEXT, GRANT_PLACE_HEX,
          .doc = "Send it as after for the next page; missing at the end."),
};
const struct entity grants_page_entity = ENTITY("GrantPage", 0x0756, 1, struct grants_page, page_fields);
