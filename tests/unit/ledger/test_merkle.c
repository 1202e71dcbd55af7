#include "base/text.h"
#include "ledger/merkle.h"

#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PROOF_MAX 128

struct proof {
    uint8_t hashes[PROOF_MAX][32];
    size_t count;
};

/* Some roots in the vectors are short texts that only have to be equal or not: padded, they still are. */
static bool get_hash(const json_t *value, uint8_t out[static 32])
{
    struct writer w = writer_fixed(out, 32);
    memset(out, 0, 32);
    return base64_get(view_str(json_string_value(value)), &w) == OK && w.len > 0;
}

static bool get_proof(const json_t *array, struct proof *p)
{
    p->count = json_array_size(array);
    assert_true(p->count <= PROOF_MAX);
    for (size_t i = 0; i < p->count; i++)
        if (!get_hash(json_array_get(array, i), p->hashes[i]))
            return false;
    return true;
}

/* The text of the file that is being run: jansson takes no integer above 2^63, and the vectors go to 2^64. */
static char text[65536];

static uint64_t number(const json_t *j, const char *name)
{
    char quoted[64];
    assert_non_null(json_object_get(j, name));
    snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    const char *at = strstr(text, quoted);
    assert_non_null(at);
    return strtoull(at + strlen(quoted), NULL, 10);
}

static bool inclusion(const json_t *j, uint64_t index, uint64_t size)
{
    struct proof p;
    uint8_t leaf[32], root[32];
    return get_proof(json_object_get(j, "proof"), &p) && get_hash(json_object_get(j, "leafHash"), leaf) &&
           get_hash(json_object_get(j, "root"), root) &&
           merkle_check_inclusion(index, size, leaf, (const uint8_t(*)[32])p.hashes, p.count, root) == OK;
}

static bool consistency(const json_t *j, uint64_t size1, uint64_t size2)
{
    struct proof p;
    uint8_t root1[32], root2[32];
    return get_proof(json_object_get(j, "proof"), &p) && get_hash(json_object_get(j, "root1"), root1) &&
           get_hash(json_object_get(j, "root2"), root2) &&
           merkle_check_consistency(size1, size2, (const uint8_t(*)[32])p.hashes, p.count, root1, root2) == OK;
}

static bool whole_inclusion(const json_t *j)
{
    return inclusion(j, number(j, "leafIdx"), number(j, "treeSize"));
}

static bool whole_consistency(const json_t *j)
{
    return consistency(j, number(j, "size1"), number(j, "size2"));
}

/* "start is a multiple of the smallest power of two that is at least end - start" */
static bool subtree_valid(uint64_t start, uint64_t end)
{
    uint64_t ceil = 1;
    while (start < end && ceil < end - start && ceil < (uint64_t)1 << 63)
        ceil *= 2;
    return start < end && start % ceil == 0;
}

static bool subtree_inclusion(const json_t *j)
{
    uint64_t start = number(j, "start"), end = number(j, "end"), index = number(j, "leafIdx");
    return subtree_valid(start, end) && index >= start && inclusion(j, index - start, end - start);
}

static bool subtree_consistency(const json_t *j)
{
    return consistency(j, number(j, "end"), number(j, "size"));
}

static bool at_zero(const json_t *j)
{
    return number(j, "start") == 0 && number(j, "end") > 0;
}

struct kind {
    const char *folder;
    bool (*accepts)(const json_t *j);
    bool (*in_scope)(const json_t *j); /* NULL: all */
    unsigned at_least;
};

static unsigned run_file(const struct kind *k, const char *path)
{
    json_error_t why;
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    size_t n = fread(text, 1, sizeof(text) - 1, in);
    fclose(in);
    text[n] = '\0';
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    if (!j)
        fail_msg("%s: %s", path, why.text);
    bool skip = k->in_scope && !k->in_scope(j);
    bool wanted = !json_is_true(json_object_get(j, "wantErr"));
    if (!skip && k->accepts(j) != wanted)
        fail_msg("%s: %s", path, wanted ? "refused" : "accepted");
    json_decref(j);
    return skip ? 0 : 1;
}

static unsigned run_folder(const struct kind *k, const char *path)
{
    unsigned ran = 0;
    DIR *d = opendir(path);
    if (!d)
        fail_msg("%s is missing", path);
    for (struct dirent *e; (e = readdir(d));) {
        char below[1024];
        if (e->d_name[0] == '.')
            continue;
        assert_true(snprintf(below, sizeof(below), "%s/%s", path, e->d_name) < (int)sizeof(below));
        ran += e->d_type == DT_DIR ? run_folder(k, below) : run_file(k, below);
    }
    closedir(d);
    return ran;
}

static void test_vectors(void **state)
{
    static const struct kind kinds[] = {
        {"inclusion", whole_inclusion, NULL, 98},
        {"consistency", whole_consistency, NULL, 98},
        {"subtreeinclusion", subtree_inclusion, NULL, 204},
        {"subtreeconsistency", subtree_consistency, at_zero, 20},
    };
    const char *source = getenv("HOLDFAST_SOURCE");
    (void)state;
    assert_non_null(source);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char path[1024];
        assert_true(snprintf(path, sizeof(path), "%s/tests/vectors/merkle/%s", source, kinds[i].folder) <
                    (int)sizeof(path));
        assert_true(run_folder(&kinds[i], path) >= kinds[i].at_least);
    }
}

/* The definition of RFC 6962 §2.1, word for word, as what the frontier is held against. */
static void naive_root(const uint8_t (*leaves)[32], size_t n, uint8_t out[static 32])
{
    uint8_t left[32], right[32];
    size_t k = 1;
    if (n == 0) {
        sha256(VIEW(NULL, 0), out);
        return;
    }
    if (n == 1) {
        memcpy(out, leaves[0], 32);
        return;
    }
    while (2 * k < n)
        k *= 2;
    naive_root(leaves, k, left);
    naive_root(leaves + k, n - k, right);
    merkle_node(left, right, out);
}

static void test_frontier(void **state)
{
    static uint8_t leaves[300][32];
    struct frontier f = {0};
    (void)state;
    for (size_t n = 0; n < ARRAY_LEN(leaves); n++) {
        uint8_t root[32], expected[32], bytes[8 + 64 * 32];
        struct frontier again;
        struct writer w = writer_fixed(bytes, sizeof(bytes));
        frontier_root(&f, root);
        naive_root((const uint8_t(*)[32])leaves, n, expected);
        assert_memory_equal(root, expected, 32);
        assert_int_equal(frontier_encode(&f, &w), OK);
        assert_int_equal(frontier_decode(writer_view_of(&w), &again), OK);
        frontier_root(&again, root);
        assert_memory_equal(root, expected, 32);
        assert_int_equal(frontier_decode(VIEW(bytes, w.len - 1), &again), ERR_TRUNCATED);
        sha256(VIEW(&n, sizeof(n)), leaves[n]);
        frontier_append(&f, leaves[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_frontier),
    };
    return cmocka_run_group_tests_name("ledger merkle", tests, NULL, NULL);
}
