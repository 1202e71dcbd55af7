#include "domain/guard/geo.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <maxminddb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  UINT64_C(1790000000000)
#define YEAR UINT64_C(31557600000)

static const char *const with_countries[] = {
    "GeoIP2-City-Test",       "GeoIP2-City-Shield-Test",          "GeoIP2-Country-Test", "GeoIP2-Country-Shield-Test",
    "GeoIP2-Enterprise-Test", "GeoIP2-Precision-Enterprise-Test", "GeoLite2-City-Test",  "GeoLite2-Country-Test"};

static void path_of(char out[static 600], const char *name)
{
    const char *root = getenv("HOLDFAST_SOURCE");
    assert_non_null(root);
    (void)snprintf(out, 600, "%s/tests/vectors/geoip/%s", root, name);
}

/* Exactly as large as the file, so that ASan sees a read beyond it. */
static uint8_t *read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    struct stat s;
    if (!f || fstat(fileno(f), &s) != 0)
        fail_msg("%s is missing", path);
    uint8_t *bytes = malloc((size_t)s.st_size);
    assert_non_null(bytes);
    *ret_len = fread(bytes, 1, (size_t)s.st_size, f);
    assert_int_equal(*ret_len, s.st_size);
    fclose(f);
    return bytes;
}

static uint8_t *read_vector(const char *name, size_t *ret_len)
{
    char path[600];
    path_of(path, name);
    return read_file(path, ret_len);
}

static struct address address_of(const char *text)
{
    struct address a = {{0}};
    assert_int_equal(address_parse(view_str(text), &a), OK);
    return a;
}

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

static struct geo *loaded(const char *name)
{
    size_t len;
    uint8_t *bytes = read_vector(name, &len);
    struct geo *g = NULL;
    struct problem why = {0};
    assert_int_equal(geo_new(&g), OK);
    if (geo_load(g, bytes, len, NOW, &why) != OK)
        fail_msg("%s: %s", name, why.detail);
    return g;
}

static struct geo_rule rule_of(const char *countries, bool only)
{
    struct geo_rule r = {.only = only};
    for (; *countries; countries += 2)
        assert_int_equal(geo_countries_add(&r.countries, VIEW(countries, 2)), OK);
    return r;
}

static struct geo_answer judge(struct geo *g, const struct geo_rule *r, const char *address)
{
    struct address a = address_of(address);
    struct geo_answer answer;
    geo_judge(g, r, &a, NOW, &answer);
    return answer;
}

static void test_countries_are_let_in_or_not(void **state)
{
    (void)state;
    AUTO(geo_free) struct geo *g = loaded("test-data/GeoIP2-Country-Test.mmdb");
    const struct geo_rule but = rule_of("SEJP", false), only = rule_of("GB", true);
    struct geo_answer a = judge(g, &but, "89.160.20.112");
    assert_string_equal(a.country, "SE");
    assert_true(!a.let_in && a.reason == GEO_LISTED);
    assert_true(!judge(g, &but, "2001:218::1").let_in);
    assert_true(judge(g, &but, "2.125.160.216").let_in && judge(g, &only, "2.125.160.216").let_in);
    assert_true(judge(g, &but, "::ffff:2.125.160.216").let_in);
    assert_true(!judge(g, &only, "89.160.20.112").let_in);
    a = judge(g, &but, "127.0.0.1");
    assert_true(a.let_in && a.reason == GEO_UNKNOWN && a.country[0] == '\0');
    assert_false(judge(g, &only, "127.0.0.1").let_in);
    struct geo_countries c = {{0}};
    assert_int_equal(geo_countries_add(&c, VIEW_STR("de")), ERR_MALFORMED);
    assert_int_equal(geo_countries_add(&c, VIEW_STR("DEU")), ERR_MALFORMED);
}

/* What can't be relied on decides nothing but what the rule says of that case. */
static void test_without_a_database_the_rule_decides(void **state)
{
    (void)state;
    AUTO(geo_free) struct geo *none = NULL;
    AUTO(geo_free) struct geo *g = loaded("test-data/GeoIP2-Country-Test.mmdb");
    struct geo_rule r = rule_of("SE", false);
    struct geo_status s;
    assert_int_equal(geo_new(&none), OK);
    assert_true(judge(none, &r, "89.160.20.112").let_in && judge(none, &r, "89.160.20.112").reason == GEO_NONE);
    r.closed = true;
    assert_false(judge(none, &r, "2.125.160.216").let_in);
    geo_status(g, &s);
    assert_true(s.loaded && s.built_ms < NOW && s.loaded_ms == NOW);
    assert_string_equal(s.type, "GeoIP2-Country");
    r.max_age_ms = NOW - s.built_ms;
    assert_true(judge(g, &r, "2.125.160.216").let_in);
    r.max_age_ms--;
    assert_true(!judge(g, &r, "2.125.160.216").let_in && judge(g, &r, "2.125.160.216").reason == GEO_OLD);
    r.closed = false;
    assert_true(judge(g, &r, "89.160.20.112").let_in);
}

/* --- beside libmaxminddb */

static uint64_t dice_state = 3;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((dice_state >> 33) % below);
}

/* Down the tree at random, rather where something is. */
static struct address dice_address(const MMDB_s *m)
{
    struct address a;
    uint32_t node = 0;
    for (size_t i = 0; i < 16; i++)
        a.b[i] = (uint8_t)dice(256);
    for (unsigned bit = 0; bit < 128; bit++) {
        MMDB_search_node_s n;
        if (MMDB_read_node(m, node, &n) != MMDB_SUCCESS)
            break;
        bool right = dice(2);
        if ((right ? n.right_record_type : n.left_record_type) == MMDB_RECORD_TYPE_EMPTY && dice(20))
            right = !right;
        a.b[bit / 8] = (uint8_t)((a.b[bit / 8] & ~(0x80u >> bit % 8)) | (right ? 0x80u >> bit % 8 : 0));
        if ((right ? n.right_record_type : n.left_record_type) != MMDB_RECORD_TYPE_SEARCH_NODE)
            break;
        node = (uint32_t)(right ? n.right_record : n.left_record);
    }
    /* IPv4 is below ::/96 there. */
    static const uint8_t zero[12] = {0};
    if (memcmp(a.b, zero, sizeof zero) == 0)
        a.b[10] = a.b[11] = 0xff;
    return a;
}

static bool librarys_country(const MMDB_s *m, const struct address *a, char out[static MMDB_COUNTRY_SIZE])
{
    static const char *const path[] = {"country", "iso_code", NULL};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    MMDB_entry_data_s d;
    int e = 0;
    bool four = address_is_ipv4(a);
    memcpy(&in4.sin_addr, a->b + 12, 4);
    memcpy(&six.sin6_addr, a->b, 16);
    MMDB_lookup_result_s r = MMDB_lookup_sockaddr(
        m, four ? (const struct sockaddr *)&in4 : (const struct sockaddr *)&six, &e);
    assert_int_equal(e, MMDB_SUCCESS);
    if (!r.found_entry || MMDB_aget_value(&r.entry, &d, path) != MMDB_SUCCESS || !d.has_data)
        return false;
    assert_true(d.type == MMDB_DATA_TYPE_UTF8_STRING && d.data_size == 2);
    memcpy(out, d.utf8_string, 2);
    out[2] = '\0';
    return true;
}

static void test_it_reads_what_the_library_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(with_countries); i++) {
        char name[100], path[600];
        MMDB_s m;
        struct mmdb db;
        size_t len, found = 0;
        (void)snprintf(name, sizeof name, "test-data/%s.mmdb", with_countries[i]);
        path_of(path, name);
        uint8_t *bytes = read_vector(name, &len);
        assert_int_equal(MMDB_open(path, MMDB_MODE_MMAP, &m), MMDB_SUCCESS);
        assert_int_equal(mmdb_open(VIEW(bytes, len), &db, NULL), OK);
        assert_int_equal(db.built_ms, m.metadata.build_epoch * 1000);
        for (int k = 0; k < 20000; k++) {
            char ours[MMDB_COUNTRY_SIZE] = "", theirs[MMDB_COUNTRY_SIZE] = "";
            struct address a = dice_address(&m);
            enum err e = mmdb_country(&db, &a, ours);
            assert_int_equal(e, librarys_country(&m, &a, theirs) ? OK : ERR_NOT_FOUND);
            assert_string_equal(ours, theirs);
            found += e == OK;
        }
        if (found < 500)
            fail_msg("%s: only %zu of 20000", name, found);
        MMDB_close(&m);
        mmdb_close(&db);
        free(bytes);
    }
}

/* --- broken ones */

static void look_around(const struct mmdb *db)
{
    struct address a;
    char country[MMDB_COUNTRY_SIZE];
    for (int k = 0; k < 300; k++) {
        for (size_t i = 0; i < 16; i++)
            a.b[i] = (uint8_t)(k < 100 && i < 10 ? 0 : k < 100 && i < 12 ? 0xff : dice(256));
        (void)!mmdb_country(db, &a, country);
    }
}

/* Whether it opens. What opens must be safe to look into. */
static bool survives(struct view file)
{
    struct mmdb db;
    struct problem why = {0};
    if (mmdb_open(file, &db, &why) != OK) {
        assert_true(why.detail[0] != '\0');
        return false;
    }
    look_around(&db);
    mmdb_close(&db);
    return true;
}

static size_t try_folder(const char *folder, size_t *opened)
{
    char path[600], file[900];
    path_of(path, folder);
    DIR *d = opendir(path);
    size_t count = 0, len;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!strstr(e->d_name, ".mmdb"))
            continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        uint8_t *bytes = read_file(file, &len);
        *opened += survives(VIEW(bytes, len));
        free(bytes);
        count++;
    }
    closedir(d);
    return count;
}

static void test_broken_databases_are_refused(void **state)
{
    (void)state;
    size_t opened = 0, all = try_folder("bad-data/libmaxminddb", &opened) +
                             try_folder("bad-data/maxminddb-golang", &opened) +
                             try_folder("bad-data/maxminddb-python", &opened);
    assert_int_equal(all, 21);
    assert_int_equal(opened, 0);
    all = try_folder("test-data", &opened);
    assert_true(all >= 40);
    assert_in_range(opened, ARRAY_LEN(with_countries), 14); /* those with countries, and no others */
}

static void test_cut_and_bent_databases_do_no_harm(void **state)
{
    size_t len;
    (void)state;
    uint8_t *bytes = read_vector("test-data/GeoIP2-Country-Test.mmdb", &len);
    for (size_t n = 0; n < len; n += n < 50 || n > len - 300 ? 1 : 97) {
        uint8_t *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, bytes, n);
        assert_false(survives(VIEW(cut, n)));
        free(cut);
    }
    for (int i = 0; i < 4000; i++) {
        size_t at = dice(3) ? dice((uint32_t)len) : len - 1 - dice(400);
        uint8_t before = bytes[at];
        bytes[at] = (uint8_t)dice(256);
        (void)survives(VIEW(bytes, len));
        bytes[at] = before;
    }
    assert_true(survives(VIEW(bytes, len)));
    free(bytes);
}

/* A few million values in each other: they must not be followed on the stack, nor for long. */
static void put_text(struct writer *w, const char *text)
{
    writer_u8(w, (uint8_t)(2u << 5 | strlen(text)));
    writer_str(w, text);
}

static void put_number(struct writer *w, const char *key, uint8_t type, uint32_t n)
{
    put_text(w, key);
    writer_u8(w, (uint8_t)(type > 7 ? 4 : type << 5 | 4));
    if (type > 7)
        writer_u8(w, (uint8_t)(type - 7));
    writer_u32(w, n);
}

static void put_nested(struct writer *w, size_t depth)
{
    writer_u8(w, 7u << 5 | 2); /* a map of two */
    put_text(w, "a");
    for (size_t i = 0; i < depth; i++) {
        writer_u8(w, 7u << 5 | 1);
        put_text(w, "a");
    }
    put_text(w, "x");
    put_text(w, "country");
    put_text(w, "DE");
}

static void put_meta(struct writer *w, size_t depth, uint32_t record_size)
{
    writer_str(w, "\xab\xcd\xefMaxMind.com");
    writer_u8(w, (uint8_t)(7u << 5 | (depth ? 6 : 5)));
    if (depth) {
        put_text(w, "z");
        put_nested(w, depth);
    }
    put_number(w, "node_count", 6, 1);
    put_number(w, "record_size", 6, record_size);
    put_number(w, "ip_version", 6, 4);
    put_number(w, "binary_format_major_version", 6, 2);
    put_number(w, "build_epoch", 9, 1700000000);
}

static bool nested(size_t depth, size_t meta_depth)
{
    AUTO_WRITER w = writer_new(64u << 20);
    writer_bytes(&w, "\0\0\x11\0\0\x11", 6); /* one node, both ways to the first value */
    writer_bytes(&w, (const uint8_t[16]){0}, 16);
    put_nested(&w, depth);
    put_meta(&w, meta_depth, 24);
    assert_int_equal(writer_done(&w), OK);
    return survives(writer_view_of(&w));
}

static void test_nested_values_do_no_harm(void **state)
{
    (void)state;
    assert_true(nested(3, 0));
    assert_true(nested(900, 0));
    assert_false(nested(3000000, 0));
    assert_true(nested(3, 3));
    assert_false(nested(3, 40000));
}

/* A file of more than 16 MB, whose records of 28 bits need all of them: both halves, and the byte that they share. */
static void assert_far(bool left_is_far)
{
    const uint32_t near = 17, far = near + (1u << 24);
    uint32_t left = left_is_far ? far : near, right = left_is_far ? near : far;
    struct address low = address_of("1.2.3.4"), high = address_of("200.1.2.3");
    char country[MMDB_COUNTRY_SIZE];
    struct mmdb db;
    AUTO_WRITER w = writer_new(64u << 20);
    writer_u8(&w, (uint8_t)(left >> 16));
    writer_u16(&w, (uint16_t)left);
    writer_u8(&w, (uint8_t)(left >> 24 << 4 | right >> 24));
    writer_u8(&w, (uint8_t)(right >> 16));
    writer_u16(&w, (uint16_t)right);
    writer_bytes(&w, (const uint8_t[16]){0}, 16);
    size_t data = w.len;
    put_nested(&w, 1);
    while (w.len < data + (1u << 24))
        writer_u8(&w, 0);
    writer_u8(&w, 7u << 5 | 1);
    put_text(&w, "country");
    put_text(&w, "FR");
    put_meta(&w, 0, 28);
    assert_int_equal(mmdb_open(writer_view_of(&w), &db, NULL), OK);
    assert_int_equal(mmdb_country(&db, &low, country), OK);
    assert_string_equal(country, left_is_far ? "FR" : "DE");
    assert_int_equal(mmdb_country(&db, &high, country), OK);
    assert_string_equal(country, left_is_far ? "DE" : "FR");
    mmdb_close(&db);
}

static void test_large_files_are_read_whole(void **state)
{
    (void)state;
    assert_far(true);
    assert_far(false);
}

/* --- another file */

static void test_a_damaged_file_leaves_the_old_one_in_force(void **state)
{
    static const struct {
        const char *name;
        enum err error;
    } bad[] = {{"test-data/MaxMind-DB-test-broken-pointers-24.mmdb", ERR_MALFORMED},
               {"test-data/GeoLite2-ASN-Test.mmdb", ERR_BAD_VALUE}};
    (void)state;
    AUTO(geo_free) struct geo *g = loaded("test-data/GeoLite2-City-Test.mmdb");
    const struct geo_rule r = rule_of("SE", false);
    struct geo_status s;
    size_t len;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct problem why = {0};
        uint8_t *bytes = read_vector(bad[i].name, &len);
        assert_int_equal(geo_load(g, bytes, len, NOW + 1, &why), bad[i].error);
        assert_true(why.detail[0] != '\0');
    }
    geo_status(g, &s);
    assert_string_equal(s.type, "GeoLite2-City");
    assert_int_equal(s.loaded_ms, NOW);
    assert_false(judge(g, &r, "89.160.20.112").let_in);
}

struct shared {
    struct geo *g;
    atomic_bool done;
    _Atomic unsigned wrong;
};

static void *asker(void *context)
{
    struct shared *s = context;
    const struct geo_rule r = rule_of("SE", false);
    struct geo_status status;
    while (!atomic_load(&s->done)) {
        if (judge(s->g, &r, "89.160.20.112").let_in || !judge(s->g, &r, "2.125.160.216").let_in)
            atomic_fetch_add(&s->wrong, 1);
        geo_status(s->g, &status);
    }
    return NULL;
}

static void test_another_file_keeps_nobody_waiting(void **state)
{
    (void)state;
    struct shared s = {.g = loaded("test-data/GeoIP2-Country-Test.mmdb")};
    pthread_t threads[2];
    size_t len[2];
    uint8_t *bytes[2] = {read_vector("test-data/GeoLite2-City-Test.mmdb", &len[0]),
                         read_vector("test-data/GeoIP2-Country-Test.mmdb", &len[1])};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, asker, &s), 0);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(geo_load(s.g, copy_of(bytes[i % 2], len[i % 2]), len[i % 2], NOW, NULL), OK);
    atomic_store(&s.done, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        free(bytes[i]);
    }
    assert_int_equal(atomic_load(&s.wrong), 0);
    geo_free(s.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_countries_are_let_in_or_not),
        cmocka_unit_test(test_without_a_database_the_rule_decides),
        cmocka_unit_test(test_it_reads_what_the_library_reads),
        cmocka_unit_test(test_broken_databases_are_refused),
        cmocka_unit_test(test_cut_and_bent_databases_do_no_harm),
        cmocka_unit_test(test_nested_values_do_no_harm),
        cmocka_unit_test(test_large_files_are_read_whole),
        cmocka_unit_test(test_a_damaged_file_leaves_the_old_one_in_force),
        cmocka_unit_test(test_another_file_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
