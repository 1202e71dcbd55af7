#include "rest_case.h"

#include "base/clock.h"

char *rest_file(const char *path, size_t *ret_len)
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
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    (void)fclose(f);
    *ret_len = (size_t)size;
    return text;
}

struct venue *rest_venue(const char *name)
{
    char path[64];
    size_t len;
    snprintf(path, sizeof(path), "spec/venues/%s.yaml", name);
    char *yaml = rest_file(path, &len);
    struct venue *v = NULL;
    struct problem why = {0};
    if (venue_parse(path, VIEW(yaml, len), &v, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    free(yaml);
    return v;
}

const char *rest_text(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

size_t rest_lines(const char *name, void (*each)(const json_t *line))
{
    static const char *const files[] = {"tests/vectors/signing/vectors-sample.jsonl",
                                        "tests/vectors/signing/vectors-golden.jsonl"};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        size_t len;
        char *text = rest_file(files[i], &len);
        for (char *line = text, *end; *line; line = end + 1) {
            end = strchrnul(line, '\n');
            json_t *j = json_loadb(line, (size_t)(end - line), JSON_PRESERVE_ORDER, NULL);
            if (!j) /* some hold integers beyond 64 bits */
                j = json_loadb(line, (size_t)(end - line), JSON_PRESERVE_ORDER | JSON_DECODE_INT_AS_REAL, NULL);
            assert_non_null(j);
            if (strcmp(rest_text(j, "venue") ? rest_text(j, "venue") : "", name) == 0) {
                each(j);
                count++;
            }
            json_decref(j);
            if (!*end)
                break;
        }
        free(text);
    }
    return count;
}

struct sign_request rest_request(const char *method, const char *path, const char *query, const char *body)
{
    return (struct sign_request){
        .method = T(method), .path = T(path), .query = T(query), .body = T(body), .now_ms = 1795871514365};
}

enum err rest_verdict(const struct venue *v, const char *scheme, const struct sign_request *q, const char *policy,
                      struct policy_decision *ret)
{
    struct arena *arena = NULL;
    struct policy *p = NULL;
    struct problem why = {0};
    struct intents intents;
    struct policy_caller caller = {.bot = T("bot-a"), .source = T("192.0.2.1")};
    struct window_use windows[POLICY_WINDOWS_MAX] = {0};
    *ret = (struct policy_decision){0};
    assert_int_equal(arena_new(65536, 16 << 20, &arena), OK);
    size_t len = strlen(policy);
    char *file = policy[0] == '{' ? NULL : rest_file(policy, &len);
    if (policy_parse(VIEW(file ? file : policy, len), &p, &why) != OK)
        fail_msg("policy %s: %s", why.where, why.detail);
    enum err e = scheme_find(T(scheme))->judge(v, q, arena, &intents, &why);
    if (e == OK) {
        assert_int_equal(policy_judge(p, &intents, &caller, q->now_ms, false, windows, ret), OK);
        e = ret->code;
    } else {
        snprintf(ret->sentence, sizeof(ret->sentence), "%.60s: %.180s", why.where, why.detail);
    }
    free(file);
    policy_free(p);
    arena_free(arena);
    return e;
}
