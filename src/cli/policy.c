/* holdfast policy check */
#include "cli/policy.h"

#include "base/text.h"
#include "cli/ask.h"
#include "cli/output.h"
#include "ipc/config_advice.h"
#include "ipc/file.h"
#include "signer/policy.h"
#include "supervisor/supervisor.h"

#include <unistd.h>

#define TEXT_MAX    (1u << 20)
#define PROGRAM_MAX 4096

RESULT policy_text(struct cli *c, const char *file, struct view *ret)
{
    AUTO_WRITER text = writer_new(TEXT_MAX);
    AUTO(secret_free) struct secret *input = NULL;

    if (strcmp(file, "-") == 0) {
        TRY(ask_contents(c, file, TEXT_MAX, &input));
        return arena_copy(c->arena, secret_view(input), ret);
    }
    TRY(file_read(file, TEXT_MAX, &text, &c->why));
    return arena_copy(c->arena, writer_view_of(&text), ret);
}

RESULT policy_config(struct cli *c, const char *file, struct view text, struct config *ret)
{
    return config_parse(text, file, c->arena, ret, &c->why);
}

static RESULT find_program(char ret[static PROGRAM_MAX], struct problem *why)
{
    ssize_t n = readlink("/proc/self/exe", ret, PROGRAM_MAX - 1);

    if (n <= 0)
        return problem_set(why, ERR_IO, "/proc", "/proc must be mounted");
    ret[n] = '\0';
    return OK;
}

RESULT policy_rules(const struct config *config, struct writer *ret, struct problem *why)
{
    char program[PROGRAM_MAX];

    *ret = (struct writer){0};
    if (config->guard.patterns.mode == CONFIG_PATTERNS_OFF)
        return OK;
    TRY(find_program(program, why));
    return files_patterns(config, program, ret, why);
}

/* --- what a file holds: the name of one setting is enough */

static bool has_setting(const struct yaml_node *root)
{
    for (size_t i = 0; i < config_entity.count; i++)
        if (yaml_get(root, config_entity.fields[i].name))
            return true;
    return false;
}

static bool is_signing_policy(struct cli *c, struct view text)
{
    const struct yaml_node *root = NULL;
    size_t i = 0;

    while (i < text.len && text.ptr[i] <= ' ')
        i++;
    if (i == text.len || text.ptr[i] != '{')
        return false;
    return config_read(text, "", c->arena, &root, NULL) != OK || !has_setting(root);
}

/* --- saying it */

struct checked {
    struct cli *c;
    const char *file, *kind;
    bool is_config;
    struct writer json;
    size_t endpoints, count[2];            /* by enum config_weight */
    char hash[2 * CONFIG_POLICY_HASH + 1]; /* of the guard's policy; "" of a signing policy */
};

static const char *const weights[] = {"note", "warning"};

static void on_advice(void *context, enum config_weight weight, const struct problem *why)
{
    struct checked *k = context;

    k->count[weight]++;
    json_item(&k->json);
    json_open(&k->json, '{');
    json_text(&k->json, "where", view_str(why->where));
    json_text(&k->json, "weight", view_str(weights[weight]));
    json_text(&k->json, "text", view_str(why->detail));
    json_close(&k->json, '}');
    if (!k->c->json)
        (void)fprintf(k->c->out, "%s: %s: %s\n", why->where, weights[weight], why->detail);
}

static RESULT tell(struct checked *k)
{
    struct cli *c = k->c;
    AUTO_WRITER w = writer_new(2 * TEXT_MAX);

    if (!c->json && *k->hash)
        (void)fprintf(c->out, "%s: guard policy sha256:%s\n", k->file, k->hash);
    if (!c->json && k->is_config)
        (void)fprintf(c->out, "%s: %s: right (endpoints %zu, warnings %zu, notes %zu)\n", k->file, k->kind,
                      k->endpoints, k->count[CONFIG_WARNING], k->count[CONFIG_NOTE]);
    else if (!c->json)
        (void)fprintf(c->out, "%s: %s: right\n", k->file, k->kind);
    if (!c->json)
        return OK;
    TRY(writer_done(&k->json));
    json_open(&w, '{');
    json_text(&w, "file", view_str(k->file));
    json_text(&w, "kind", view_str(k->kind));
    if (*k->hash)
        json_text(&w, "policy", view_str(k->hash));
    json_name(&w, "advice");
    writer_view(&w, writer_view_of(&k->json));
    json_close(&w, '}');
    TRY(writer_done(&w));
    output_json(c, writer_view_of(&w));
    return OK;
}

/* The hash is as the record and the status name it. */
static RESULT check_rules(struct checked *k, const struct config *config)
{
    char program[PROGRAM_MAX];
    uint8_t hash[CONFIG_POLICY_HASH];
    struct writer hex = writer_fixed(k->hash, sizeof k->hash - 1);

    TRY(find_program(program, &k->c->why));
    TRY(compile_check(config, program, hash, &k->c->why));
    hex_put(&hex, VIEW_OF(hash));
    return OK;
}

static RESULT check_config(struct checked *k, struct view text)
{
    const struct yaml_node *root = NULL;
    struct config config;

    TRY(policy_config(k->c, k->file, text, &config));
    if (config_read(text, k->file, k->c->arena, &root, NULL) == OK)
        config_guard_advise(&config.guard, root, on_advice, k);
    k->endpoints = config.guard.endpoints.count;
    return check_rules(k, &config);
}

static RESULT check_signing(struct checked *k, struct view text)
{
    AUTO(policy_free) struct policy *policy = NULL;

    k->kind = "signing policy";
    k->is_config = false;
    while (text.len && text.ptr[text.len - 1] <= ' ')
        text.len--;
    return policy_parse(text, &policy, &k->c->why);
}

static RESULT check(struct checked *k, struct view text)
{
    json_open(&k->json, '[');
    if (is_signing_policy(k->c, text))
        TRY(check_signing(k, text));
    else
        TRY(check_config(k, text));
    json_close(&k->json, ']');
    return tell(k);
}

RESULT policy_check(struct cli *c)
{
    struct checked k = {
        .c = c, .file = c->args.arguments[0], .kind = "configuration", .is_config = true, .json = writer_new(TEXT_MAX)};
    struct view text;
    enum err e = policy_text(c, k.file, &text);

    if (e == OK)
        e = check(&k, text);
    writer_free(&k.json);
    if (args_has(&c->args, "strict") && k.count[CONFIG_WARNING])
        c->exit_code = err_exit(ERR_BAD_CONFIG);
    return e;
}
