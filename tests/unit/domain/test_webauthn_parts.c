/* What passkeys are read with: CBOR and DER refuse what could be read in two ways, and what would exhaust us. */
#include "base/text.h"
#include "crypto/der.h"
#include "crypto/secmem.h"
#include "domain/webauthn/cbor_read.h"
#include "domain/webauthn/webauthn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEX_MAX 512

static struct view bytes_of(const char *hex)
{
    static uint8_t room[HEX_MAX];
    size_t n = strlen(hex) / 2;
    assert_in_range(n, 0, sizeof room);
    assert_int_equal(hex_get(view_str(hex), room, n), OK);
    return VIEW(room, n);
}

static enum err map_of(const char *hex)
{
    struct cbor_map m;
    return cbor_read_whole_map(bytes_of(hex), &m);
}

static void a_map_is_read(void **state)
{
    struct cbor_map m;
    struct cbor_value v = {0};
    (void)state;
    /* {1: 2, -2: h'0102', "a": [1, {2: 3}], "f": 1.5, 3: true} */
    assert_int_equal(cbor_read_whole_map(bytes_of("a5010221420102616182"
                                                  "01a102036166f93e0003f5"),
                                         &m),
                     OK);
    assert_int_equal(m.count, 5);
    assert_int_equal(cbor_read_numbered(&m, 1, CBOR_KIND_INTEGER, &v), OK);
    assert_int_equal(v.number, 2);
    assert_int_equal(cbor_read_numbered(&m, -2, CBOR_KIND_BYTES, &v), OK);
    assert_true(view_eq(v.bytes, VIEW_STR("\x01\x02")));
    assert_int_equal(cbor_read_named(&m, "a", CBOR_KIND_ARRAY, &v), OK);
    assert_true(v.count == 2 && v.bytes.len == 5);
    assert_int_equal(cbor_read_named(&m, "a", CBOR_KIND_MAP, &v), ERR_WRONG_TYPE);
    assert_int_equal(cbor_read_named(&m, "b", CBOR_KIND_MAP, &v), ERR_MISSING_FIELD);
    assert_int_equal(cbor_read_numbered(&m, 0x61, CBOR_KIND_MAP, &v), ERR_MISSING_FIELD);
}

static void every_cut_map_is_refused(void **state)
{
    static const char whole[] = "a5010221420102616182"
                                "01a102036166f93e0003f5";
    (void)state;
    for (size_t n = 0; n < strlen(whole) / 2; n++) {
        struct view v = bytes_of(whole);
        struct cbor_map m;
        assert_int_equal(cbor_read_whole_map(VIEW(v.ptr, n), &m), ERR_TRUNCATED);
    }
}

static void doubtful_maps_are_refused(void **state)
{
    static const struct {
        const char *hex;
        enum err want;
    } rows[] = {
        {"a0", OK},
        {"a000", ERR_MALFORMED},                 /* something behind it */
        {"80", ERR_MALFORMED},                   /* no map */
        {"bfff", ERR_MALFORMED},                 /* of no stated length */
        {"a1015f4101ff", ERR_MALFORMED},         /* a string of no stated length inside */
        {"a1019fff", ERR_MALFORMED},             /* an array likewise */
        {"a101c101", ERR_MALFORMED},             /* a tag */
        {"a101ff", ERR_MALFORMED},               /* an end of nothing */
        {"a1011c", ERR_MALFORMED},               /* a reserved head */
        {"a201010102", ERR_DUPLICATE_FIELD},     /* the same key twice */
        {"a20101180102", ERR_DUPLICATE_FIELD},   /* …written in another way */
        {"a2616101616102", ERR_DUPLICATE_FIELD}, /* …a text */
        {"a2010161310"
         "2",
         OK},                                      /* 1 and "1" are two */
        {"a1410101", ERR_MALFORMED},               /* keyed by bytes */
        {"a18001", ERR_MALFORMED},                 /* keyed by an array */
        {"a1011b8000000000000000", ERR_MALFORMED}, /* an integer beyond 63 bits */
        {"a1013b8000000000000000", ERR_MALFORMED},
        {"a1013b7fffffffffffffff", OK},
        {"bb7fffffffffffffff", ERR_TOO_LONG},        /* more entries than can be */
        {"b1", ERR_TOO_LONG},                        /* 17 entries */
        {"a1015b7fffffffffffffff00", ERR_TRUNCATED}, /* strings longer than the text */
        {"a1015bffffffffffffffff00", ERR_TRUNCATED},
        {"a1017bffffffffffffffff00", ERR_TRUNCATED},
        {"a1019bffffffffffffffff00", ERR_TRUNCATED}, /* arrays and maps likewise: no memory is asked for */
        {"a101bbffffffffffffffff0000", ERR_TRUNCATED},
        {"a1018181818181818101", OK},             /* eight deep, this value in all */
        {"a101818181818181818101", ERR_TOO_LONG}, /* nine */
        {"a101a101a101a101a101a101a101a101a101a101", ERR_TOO_LONG},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err e = map_of(rows[i].hex);
        if (e != rows[i].want)
            fail_msg("%s: %s, not %s", rows[i].hex, err_code(e), err_code(rows[i].want));
    }
}

static enum err element(const char *hex, struct der *ret)
{
    struct reader r = reader_new(bytes_of(hex));
    TRY(der_next(&r, ret));
    return reader_end(&r);
}

static void der_has_one_spelling(void **state)
{
    static const struct {
        const char *hex;
        enum err want;
    } rows[] = {
        {"0500", OK},
        {"050000", ERR_MALFORMED},
        {"05", ERR_TRUNCATED},
        {"0401", ERR_TRUNCATED},
        {"048000", ERR_MALFORMED},   /* indefinite */
        {"04810141", ERR_MALFORMED}, /* 1 in the long form */
        {"0482000141", ERR_MALFORMED},
        {"0484000000"
         "0141",
         ERR_MALFORMED},
        {"bf84580500", ERR_TRUNCATED},
        {"bf8458020500", OK},          /* [600] EXPLICIT NULL */
        {"bf80010100", ERR_MALFORMED}, /* a tag with leading zeros */
        {"bf1e00", ERR_MALFORMED},     /* [30] in the long form */
        {"bfffffffff7f00", ERR_MALFORMED},
    };
    struct der d = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (element(rows[i].hex, &d) != rows[i].want)
            fail_msg("%s: not %s", rows[i].hex, err_code(rows[i].want));
    assert_int_equal(element("bf8458020500", &d), OK);
    assert_true(d.kind == DER_CONTEXT && d.number == 600 && d.body.len == 2);
}

static void ecdsa_signatures_have_one_spelling(void **state)
{
    (void)state;
    assert_true(der_is_ecdsa(bytes_of("3006020101020102")));
    assert_true(der_is_ecdsa(bytes_of("300702020080020102")));
    assert_false(der_is_ecdsa(bytes_of("300602010102010200"))); /* something behind it */
    assert_false(der_is_ecdsa(bytes_of("3007020101020102"
                                       "00")));                 /* …inside it */
    assert_false(der_is_ecdsa(bytes_of("3006020181020102")));   /* negative */
    assert_false(der_is_ecdsa(bytes_of("300702020001020102"))); /* a zero byte too many */
    assert_false(der_is_ecdsa(bytes_of("30050200020102")));     /* empty */
    assert_false(der_is_ecdsa(bytes_of("3003020101")));         /* one number */
    assert_false(der_is_ecdsa(bytes_of("30810602"
                                       "0101020102")));
    assert_false(der_is_ecdsa(bytes_of("")));
}

static void numbers_fit_or_are_refused(void **state)
{
    uint32_t n = 0;
    (void)state;
    assert_int_equal(der_number(bytes_of("00ffffffff"), &n), OK);
    assert_int_equal(n, UINT32_MAX);
    assert_int_equal(der_number(bytes_of("0100000000"), &n), ERR_MALFORMED);
    assert_int_equal(der_number(bytes_of("ff"), &n), ERR_MALFORMED);
    assert_int_equal(der_number(bytes_of("0001"), &n), ERR_MALFORMED);
    assert_int_equal(der_number(bytes_of(""), &n), ERR_MALFORMED);
}

static const struct webauthn_credential sample = {
    .id = VIEW_STR("id"),
    .user = VIEW_STR("ada"),
    .user_handle = {1, 2, 3},
    .public_key = VIEW_STR("key"),
    .sign_count = 7,
    .aaguid = {9},
    .format = WEBAUTHN_FORMAT_TPM,
    .attestation = WEBAUTHN_TRUSTED,
    .user_verified = true,
    .backup_eligible = true,
    .created_ms = 1000,
    .last_used_ms = 2000,
    .name = VIEW_STR("blue key"),
};

static void a_stored_passkey_comes_back_as_it_was(void **state)
{
    struct view transports[] = {VIEW_STR("usb"), VIEW_STR("nfc")};
    struct webauthn_credential c = sample, back;
    struct arena *arena = NULL;
    AUTO_WRITER w = writer_new(4096);
    (void)state;
    c.transports = (struct text_list){transports, ARRAY_LEN(transports)};
    assert_int_equal(arena_new(4096, 1u << 16, &arena), OK);
    assert_int_equal(entity_encode(&webauthn_credential_entity, &c, &w), OK);
    assert_int_equal(entity_decode(&webauthn_credential_entity, writer_view_of(&w), arena, &back), OK);
    assert_true(view_eq(back.id, c.id) && view_eq(back.user, c.user) && view_eq(back.public_key, c.public_key));
    assert_memory_equal(back.user_handle, c.user_handle, sizeof c.user_handle);
    assert_memory_equal(back.aaguid, c.aaguid, sizeof c.aaguid);
    assert_true(back.sign_count == 7 && back.format == WEBAUTHN_FORMAT_TPM && back.attestation == WEBAUTHN_TRUSTED);
    assert_true(back.user_verified && back.backup_eligible && !back.backed_up);
    assert_true(back.created_ms == 1000 && back.last_used_ms == 2000 && back.transports.count == 2);
    transports[1] = VIEW_STR("telepathy");
    writer_reset(&w);
    assert_int_equal(entity_encode(&webauthn_credential_entity, &c, &w), ERR_BAD_VALUE);
    arena_free(arena);
}

/* What is shown of a passkey lets nobody be recognised elsewhere by it. */
static void keys_and_handles_are_not_shown(void **state)
{
    char text[2048];
    struct writer w = writer_fixed(text, sizeof text - 1);
    (void)state;
    entity_to_json(&webauthn_credential_entity, &sample, &w);
    assert_int_equal(writer_done(&w), OK);
    text[w.len] = '\0';
    assert_null(strstr(text, "public_key"));
    assert_null(strstr(text, "handle"));
    assert_non_null(strstr(text, "\"attestation\":\"trusted\""));
    assert_non_null(strstr(text, "\"backed_up\":false"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_read),
        cmocka_unit_test(every_cut_map_is_refused),
        cmocka_unit_test(doubtful_maps_are_refused),
        cmocka_unit_test(der_has_one_spelling),
        cmocka_unit_test(ecdsa_signatures_have_one_spelling),
        cmocka_unit_test(numbers_fit_or_are_refused),
        cmocka_unit_test(a_stored_passkey_comes_back_as_it_was),
        cmocka_unit_test(keys_and_handles_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
