/* Wycheproof's JSON web signatures, keys and encryption. None of their tokens is one of Holdfast's, whoever signed it:
 * all are refused. And where the key is of a kind that Holdfast signs with, its own reading of three parts in
 * base64url, with the algorithm that belongs to the key, takes what is valid and nothing else.
 *
 * Of the valid ones, one is refused: it has no payload, and a token without claims says nothing. Out of scope of the
 * second part: keys and algorithms that Holdfast has none of (HMAC, PS256, other curves and sizes), and rules on
 * foreign JWKs, which it never reads: its keys are its own. */
#include "../crypto/vectors.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "crypto/token_key.h"
#include "domain/tokens/tokens.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct view text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? view_str(text) : (struct view){0};
}

/* --- nothing of theirs is a token of ours */

static bool is_ours(const json_t *group, const json_t *test)
{
    struct arena *arena = NULL;
    struct view text = text_of(test, "jws").len ? text_of(test, "jws") : text_of(test, "jwe");
    struct jwt *t = (struct jwt *)(void *)vectors_room(sizeof *t);
    (void)group;
    assert_true(text.len > 0 || json_object_get(test, "jws") || json_object_get(test, "jwe"));
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    enum err e = jwt_parse(text, arena, t);
    arena_free(arena);
    if (e != OK)
        assert_int_equal(e, ERR_TOKEN_INVALID);
    return e == OK;
}

/* --- their signatures, read as ours are */

static bool part_get(struct view part, uint8_t *out, size_t max, size_t *ret_len)
{
    struct writer w = writer_fixed(out, max);
    if (part.len == 0 || base64url_get(part, &w) != OK)
        return false;
    *ret_len = w.len;
    return true;
}

static bool key_get(const json_t *key, struct token_public *ret)
{
    bool ec = view_is(text_of(key, "kty"), "EC");
    struct view first = text_of(key, ec ? "x" : "n"), second = text_of(key, "y");
    struct token_public out = {.alg = ec ? TOKEN_ES256 : TOKEN_RS256};
    size_t n = 0, m = 0;
    if (!part_get(first, out.bytes, sizeof out.bytes, &n))
        return false;
    if (ec && !part_get(second, out.bytes + n, sizeof out.bytes - n, &m))
        return false;
    out.len = (uint16_t)(n + m);
    *ret = out;
    return true;
}

static bool header_names(struct view part, struct view alg)
{
    uint8_t header[1024];
    size_t n = 0;
    if (!part_get(part, header, sizeof header, &n))
        return false;
    json_t *root = json_loadb((const char *)header, n, JSON_REJECT_DUPLICATES, NULL);
    bool same = root && view_eq(text_of(root, "alg"), alg) && !json_object_get(root, "crit");
    json_decref(root);
    return same;
}

static bool split(struct view text, struct view parts[static 3])
{
    size_t from = 0, count = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.')
            continue;
        if (count == 3)
            return false;
        parts[count++] = VIEW(text.ptr + from, i - from);
        from = i + 1;
    }
    return count == 3;
}

static bool verifies(const json_t *group, const json_t *test)
{
    const json_t *key = json_object_get(group, "public");
    struct view jws = text_of(test, "jws"), parts[3];
    uint8_t signature[1024], payload[8192];
    struct token_public public;
    size_t n = 0, m = 0;
    assert_true(key_get(key, &public));
    if (!split(jws, parts) || !header_names(parts[0], text_of(key, "alg")) ||
        !part_get(parts[1], payload, sizeof payload, &m) || !part_get(parts[2], signature, sizeof signature, &n))
        return false;
    return token_key_verify(&public, VIEW(jws.ptr, parts[0].len + 1 + parts[1].len), VIEW(signature, n)) == OK;
}

static bool is_for_signing(const json_t *key)
{
    struct view use = text_of(key, "use");
    return use.len == 0 || view_is(use, "sig");
}

static bool in_scope(const json_t *group)
{
    const json_t *key = json_object_get(group, "public");
    struct view alg = text_of(key, "alg"), n = text_of(key, "n");
    if (!key || !is_for_signing(key))
        return false;
    if (view_is(alg, "ES256"))
        return view_is(text_of(key, "crv"), "P-256") && view_is(text_of(key, "kty"), "EC");
    return view_is(alg, "RS256") && n.len == (2048 / 8 * 4 + 2) / 3 && view_is(text_of(key, "e"), "AQAB");
}

/* --- */

static void none_is_taken(void **state)
{
    static const char *const files[] = {"json_web_signature_test.json", "json_web_key_test.json",
                                        "json_web_crypto_test.json"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        vectors_each(files[i], is_ours, false);
}

static void signatures_are_told_apart(void **state)
{
    (void)state;
    vectors_run(&(struct vectors){"json_web_signature_test.json", verifies, in_scope, "emptyPayload"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_taken),
        cmocka_unit_test(signatures_are_told_apart),
    };
    if (crypto_init(NULL) != OK || crypto_pk_init() != OK)
        return 1;
    return cmocka_run_group_tests_name("wycheproof jws", tests, NULL, NULL);
}
