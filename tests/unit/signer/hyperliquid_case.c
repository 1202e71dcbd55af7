#include "hyperliquid_case.h"

static char *read_file(const char *path, size_t *ret_len)
{
    const char *source = getenv("HOLDFAST_SOURCE");
    char full[1024];
    assert_non_null(source);
    assert_true(snprintf(full, sizeof(full), "%s/%s", source, path) < (int)sizeof(full));
    FILE *f = fopen(full, "rb");
    if (!f)
        fail_msg("%s can't be read", full);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    assert_true(size > 0);
    rewind(f);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    text[size] = '\0';
    (void)fclose(f);
    *ret_len = (size_t)size;
    return text;
}

const char *case_text(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void each_line(const char *path, void (*each)(const json_t *line))
{
    size_t len;
    char *text = read_file(path, &len), *next = text;
    while (*next) {
        char *end = strchr(next, '\n');
        size_t n = end ? (size_t)(end - next) : strlen(next);
        if (memmem(next, n, "\"scheme\":\"hl-", 13)) {
            json_t *line = json_loadb(next, n, 0, NULL);
            assert_non_null(line);
            each(line);
            json_decref(line);
        }
        next += end ? n + 1 : n;
    }
    free(text);
}

void case_each(void (*each)(const json_t *line))
{
    each_line("tests/vectors/signing/vectors-sample.jsonl", each);
    each_line("tests/vectors/signing/vectors-golden.jsonl", each);
}

struct venue *case_venue(void)
{
    size_t len;
    struct venue *venue = NULL;
    struct problem why = {0};
    char *text = read_file("spec/venues/hyperliquid.yaml", &len);
    if (venue_parse("hyperliquid.yaml", VIEW(text, len), &venue, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    free(text);
    return venue;
}

struct arena *case_arena(void)
{
    struct arena *arena = NULL;
    assert_int_equal(arena_new(65536, 4 << 20, &arena), OK);
    return arena;
}

struct signing_key *case_key(const char *hex)
{
    struct bundle bundle = {.secret = view_str(hex)};
    struct signing_key *key = NULL;
    assert_int_equal(scheme_hl_l1.key_new(&bundle, &key, NULL), OK);
    return key;
}

const struct scheme *case_scheme(const char *name)
{
    const struct scheme *all[] = {&scheme_hl_l1, &scheme_hl_user, &scheme_hl_multisig};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    fail_msg("no scheme %s", name);
    return NULL;
}

struct sign_request case_request(const char *action)
{
    return (struct sign_request){.params = view_str(action), .network = VIEW_STR("mainnet"), .nonce = CASE_NONCE};
}

enum err case_judge(const struct venue *venue, const char *scheme, const char *action, struct arena *arena,
                    struct intents *ret, struct problem *why)
{
    struct sign_request request = case_request(action);
    return case_scheme(scheme)->judge(venue, &request, arena, ret, why);
}
