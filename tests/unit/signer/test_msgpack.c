/* JSON as MessagePack, and EIP-712, against published values. */
#include "base/text.h"
#include "signer/eip712.h"
#include "signer/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void packs_to(const char *json, const char *hex)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    AUTO_WRITER packed = writer_new(1 << 20), text = writer_new(1 << 21);
    assert_non_null(value);
    assert_int_equal(msgpack_put_json(value, &packed), OK);
    assert_true(packed.len <= MSGPACK_ROOM(strlen(json)));
    hex_put(&text, writer_view_of(&packed));
    assert_true(view_is(writer_view_of(&text), hex));
    json_decref(value);
}

/* Forms from the MessagePack specification; the limits between them are where packers differ. */
static void every_value_has_its_shortest_form(void **state)
{
    (void)state;
    packs_to("null", "c0");
    packs_to("true", "c3");
    packs_to("false", "c2");
    packs_to("0", "00");
    packs_to("127", "7f");
    packs_to("128", "cc80");
    packs_to("255", "ccff");
    packs_to("256", "cd0100");
    packs_to("65535", "cdffff");
    packs_to("65536", "ce00010000");
    packs_to("4294967295", "ceffffffff");
    packs_to("4294967296", "cf0000000100000000");
    packs_to("9007199254740991", "cf001fffffffffffff");
    packs_to("-1", "ff");
    packs_to("-32", "e0");
    packs_to("-33", "d0df");
    packs_to("-128", "d080");
    packs_to("-129", "d1ff7f");
    packs_to("-32768", "d18000");
    packs_to("-32769", "d2ffff7fff");
    packs_to("-2147483648", "d280000000");
    packs_to("-2147483649", "d3ffffffff7fffffff");
    packs_to("\"\"", "a0");
    packs_to("\"0123456789012345678901234567890\"", "bf30313233343536373839303132333435363738393031323334353637383930");
    packs_to("\"01234567890123456789012345678901\"",
             "d9203031323334353637383930313233343536373839303132333435363738393031");
    packs_to("\"\\u00e9\"", "a2c3a9");
    packs_to("[]", "90");
    packs_to("[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14]", "9f000102030405060708090a0b0c0d0e");
    packs_to("[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]", "dc0010000102030405060708090a0b0c0d0e0f");
    packs_to("{\"b\":1,\"a\":{}}", "82a16201a16180"); /* the order of the text, not of the names */
}

static void texts_of_256_and_of_64_kib_change_their_header(void **state)
{
    static const struct {
        size_t len;
        const char *header;
    } cases[] = {{255, "d9ff"}, {256, "da0100"}, {65535, "daffff"}, {65536, "db00010000"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *json = malloc(cases[i].len + 3), *want = malloc(2 * cases[i].len + 16);
        memset(json, 'a', cases[i].len + 2);
        json[0] = json[cases[i].len + 1] = '"';
        json[cases[i].len + 2] = '\0';
        size_t n = (size_t)snprintf(want, 16, "%s", cases[i].header);
        for (size_t k = 0; k < cases[i].len; k++)
            memcpy(want + n + 2 * k, "61", 2);
        want[n + 2 * cases[i].len] = '\0';
        packs_to(json, want);
        free(json);
        free(want);
    }
}

static void refused(const char *json, enum err code)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    AUTO_WRITER w = writer_new(1024);
    assert_non_null(value);
    assert_int_equal(msgpack_put_json(value, &w), code);
    json_decref(value);
}

static void numbers_that_clients_pack_differently_are_refused(void **state)
{
    (void)state;
    refused("1.0", ERR_WRONG_TYPE);
    refused("[{\"a\":1e3}]", ERR_WRONG_TYPE);
    refused("9007199254740992", ERR_OUT_OF_RANGE);
    refused("-9007199254740992", ERR_OUT_OF_RANGE);
}

static void a_full_writer_is_noticed(void **state)
{
    json_t *value = json_loads("[\"abcdefgh\",1]", 0, NULL);
    uint8_t memory[8];
    struct writer w = writer_fixed(memory, sizeof(memory));
    (void)state;
    assert_int_equal(msgpack_put_json(value, &w), ERR_TOO_LONG);
    json_decref(value);
}

static void is_hex(const uint8_t got[32], const char *hex)
{
    uint8_t want[32];
    assert_int_equal(hex_get(view_str(hex), want, 32), OK);
    assert_memory_equal(got, want, 32);
}

/* The example of the EIP itself: Mail(Person from,Person to,string contents). */
static void the_example_of_eip_712_holds(void **state)
{
    static const char person[] = "Person(string name,address wallet)";
    static const char mail[] = "Mail(Person from,Person to,string contents)Person(string name,address wallet)";
    static const char *const people[][2] = {{"Cow", "CD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
                                            {"Bob", "bBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"}};
    uint8_t hash[2][32], address[20];
    struct eip712 s;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(hex_get(view_str(people[i][1]), address, 20), OK);
        eip712_begin(&s, view_str(person));
        eip712_bytes(&s, view_str(people[i][0]));
        eip712_address(&s, address);
        eip712_hash(&s, hash[i]);
    }
    is_hex(hash[0], "fc71e5fa27ff56c350aa531bc129ebdf613b772b6604664f5d8dbe21b85eb0c8");
    eip712_begin(&s, view_str(mail));
    eip712_word(&s, hash[0]);
    eip712_word(&s, hash[1]);
    eip712_bytes(&s, VIEW_STR("Hello, Bob!"));
    eip712_hash(&s, hash[0]);
    is_hex(hash[0], "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_its_shortest_form),
        cmocka_unit_test(texts_of_256_and_of_64_kib_change_their_header),
        cmocka_unit_test(numbers_that_clients_pack_differently_are_refused),
        cmocka_unit_test(a_full_writer_is_noticed),
        cmocka_unit_test(the_example_of_eip_712_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
