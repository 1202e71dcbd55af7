#include "webauthn_case.h"

#include "base/text.h"

static const uint8_t handle[WEBAUTHN_HANDLE_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const int32_t all_algorithms[] = {WEBAUTHN_ES256, WEBAUTHN_ES384, WEBAUTHN_ES512,
                                         WEBAUTHN_EDDSA, WEBAUTHN_ED448, WEBAUTHN_RS256};

json_t *case_load(const char *file)
{
    const char *root = getenv("HOLDFAST_SOURCE");
    char path[1024];
    json_error_t why;
    if (!root)
        fail_msg("HOLDFAST_SOURCE is not set: run through meson test, or set it to the source directory");
    snprintf(path, sizeof path, "%s/tests/vectors/webauthn/%s", root, file);
    json_t *j = json_load_file(path, 0, &why);
    if (!j)
        fail_msg("%s: %s", path, why.text);
    return j;
}

struct view case_hex(struct arena *arena, const json_t *hex)
{
    const char *text = json_string_value(hex);
    assert_non_null(text);
    size_t n = strlen(text) / 2;
    uint8_t *p = arena_alloc(arena, n + 1);
    assert_non_null(p);
    assert_int_equal(hex_get(view_str(text), p, n), OK);
    return VIEW(p, n);
}

struct view case_bytes(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    if (!v)
        fail_msg("%s lacks \"%s\"", json_string_value(json_object_get(object, "name")), name);
    return case_hex(arena, v);
}

const char *case_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text)
        fail_msg("a case lacks \"%s\"", name);
    return text;
}

void case_plain(struct webauthn_case *c, struct view challenge, struct view root)
{
    *c = (struct webauthn_case){.origins = {VIEW_STR(CASE_ORIGIN)}, .anchors = {root}};
    memcpy(c->offered, all_algorithms, sizeof all_algorithms);
    c->policy = (struct webauthn_policy){.least = WEBAUTHN_UNATTESTED, .anchors = c->anchors, .anchor_count = 1};
    c->expect = (struct webauthn_ceremony){.challenge = challenge,
                                           .rp_id = VIEW_STR(CASE_RP_ID),
                                           .origins = c->origins,
                                           .origin_count = 1,
                                           .now_ms = CASE_NOW,
                                           .algorithms = c->offered,
                                           .algorithm_count = ARRAY_LEN(all_algorithms),
                                           .policy = &c->policy,
                                           .user_handle = VIEW_OF(handle)};
}

static size_t hex_list(struct arena *arena, const json_t *list, struct view *out)
{
    size_t n = json_array_size(list);
    assert_in_range(n, 0, CASE_LIST);
    for (size_t i = 0; i < n; i++)
        out[i] = case_hex(arena, json_array_get(list, i));
    return n;
}

static enum webauthn_attestation level(const char *name)
{
    static const char *const names[] = {"", "none", "self", "certified", "trusted"};
    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum webauthn_attestation)i;
    fail_msg("no level %s", name);
    return WEBAUTHN_TRUSTED;
}

static void expect_policy(struct webauthn_case *c, struct arena *arena, const json_t *expect)
{
    const json_t *least = json_object_get(expect, "least"), *models = json_object_get(expect, "aaguids"),
                 *anchors = json_object_get(expect, "anchors");
    struct view views[CASE_LIST];
    if (least)
        c->policy.least = level(json_string_value(least));
    if (anchors)
        c->policy.anchor_count = hex_list(arena, anchors, c->anchors);
    c->policy.aaguid_count = hex_list(arena, models, views);
    for (size_t i = 0; i < c->policy.aaguid_count; i++)
        memcpy(c->aaguids[i], views[i].ptr, WEBAUTHN_AAGUID_SIZE);
    c->policy.aaguids = (const uint8_t(*)[WEBAUTHN_AAGUID_SIZE])c->aaguids;
}

void case_expect(struct webauthn_case *c, struct arena *arena, const json_t *expect)
{
    const json_t *offered = json_object_get(expect, "offered"), *tops = json_object_get(expect, "top_origins"),
                 *user = json_object_get(expect, "user_handle");
    expect_policy(c, arena, expect);
    c->expect.framed = json_is_true(json_object_get(expect, "framed"));
    c->expect.user_verification = json_is_true(json_object_get(expect, "user_verification"));
    c->expect.allowed = c->allowed;
    c->expect.allowed_count = hex_list(arena, json_object_get(expect, "allowed"), c->allowed);
    if (user)
        c->expect.user_handle = case_hex(arena, user);
    c->expect.top_origins = c->top_origins;
    c->expect.top_origin_count = json_array_size(tops);
    for (size_t i = 0; i < json_array_size(tops); i++)
        c->top_origins[i] = view_str(json_string_value(json_array_get(tops, i)));
    for (size_t i = 0; i < json_array_size(offered); i++)
        c->offered[i] = (int32_t)json_integer_value(json_array_get(offered, i));
    if (offered)
        c->expect.algorithm_count = json_array_size(offered);
}
