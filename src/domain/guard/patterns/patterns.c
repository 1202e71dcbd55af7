/* The signatures, from files to a database. */
#include "domain/guard/patterns/selftest.h"

#define ARENA_MAX ((size_t)64 << 20)

size_t patterns_count(const struct patterns *p)
{
    return p->rule_count;
}

size_t patterns_files(const struct patterns *p, const struct patterns_file **ret)
{
    *ret = p->files;
    return p->file_count;
}

const struct rule *patterns_rule(const struct patterns *p, size_t i)
{
    return p->rules[i];
}

void patterns_free(struct patterns *p)
{
    if (!p)
        return;
    hs_free_database(p->database);
    arena_free(p->arena);
    free(p);
}

static enum err refuse_rule(struct problem *why, const struct rule *r, const char *detail)
{
    char where[sizeof why->where];
    (void)snprintf(where, sizeof where, "%s:%u:%u", r->file, (unsigned)r->line, (unsigned)r->column);
    return problem_set(why, ERR_BAD_CONFIG, where, "%s: %s", r->name, detail);
}

static enum err add_file(struct patterns *p, const struct patterns_file *file, struct problem *why)
{
    struct rules rules = {0};
    TRY(rule_file_parse(file->name, file->text, p->arena, &rules, why));
    for (size_t i = 0; i < rules.count; i++) {
        for (size_t j = 0; j < p->rule_count; j++)
            if (view_eq(p->rules[j]->id, rules.items[i].id))
                return refuse_rule(why, &rules.items[i], "there is another rule of this name");
        if (p->rule_count == PATTERNS_RULES_MAX)
            return problem_set(why, ERR_TOO_LONG, file->name, "there are more than %d rules", PATTERNS_RULES_MAX);
        p->rules[p->rule_count++] = &rules.items[i];
    }
    return OK;
}

static enum err compile(struct patterns *p, struct problem *why)
{
    const char **expressions = arena_alloc(p->arena, p->rule_count * sizeof *expressions);
    unsigned *flags = arena_alloc(p->arena, p->rule_count * sizeof *flags);
    unsigned *ids = arena_alloc(p->arena, p->rule_count * sizeof *ids);
    hs_compile_error_t *error = NULL;
    enum err e;
    if (!expressions || !flags || !ids)
        return ERR_NO_MEMORY;
    for (unsigned i = 0; i < p->rule_count; i++) {
        expressions[i] = p->rules[i]->compiled;
        flags[i] = HS_FLAG_MULTILINE;
        ids[i] = i;
    }
    if (hs_compile_multi(expressions, flags, ids, (unsigned)p->rule_count, HS_MODE_BLOCK, NULL, &p->database, &error) ==
        HS_SUCCESS)
        return OK;
    if (error && error->expression >= 0 && (size_t)error->expression < p->rule_count)
        e = refuse_rule(why, p->rules[error->expression], error->message);
    else
        e = ERR_NO_MEMORY;
    hs_free_compile_error(error);
    return e;
}

/* --- options */

static bool rule_is(const struct rule *r, struct view name)
{
    return name.len == 0 || view_eq(r->id, name) || view_is(name, patterns_class_names[r->class]);
}

/* More names than a message takes: the classes, and where the rules are. */
static void put_names(const struct patterns *p, struct writer *w)
{
    const char *file = p->files[0].name, *slash = strrchr(file, '/');
    writer_str(w, "classes are ");
    for (size_t i = 0; i < PATTERNS_CLASSES; i++)
        writer_printf(w, "%s%s", i ? ", " : "", patterns_class_names[i]);
    writer_printf(w, "; rules have their id: in %.*s", (int)(slash ? slash - file : 0), file);
    writer_str(w, slash ? "/*.yaml and in guard.patterns.further_dir" : "their files");
}

/* list: "rules" or "exclusions" */
static enum err check_name(const struct patterns *p, struct view name, const char *list, size_t row,
                           struct problem *why)
{
    char where[sizeof why->where], text[sizeof why->detail];
    struct writer names = writer_fixed(text, sizeof text - 1);
    for (size_t i = 0; i < p->rule_count; i++)
        if (rule_is(p->rules[i], name))
            return OK;
    put_names(p, &names);
    text[writer_done(&names) == OK ? names.len : 0] = '\0';
    (void)snprintf(where, sizeof where, "guard.patterns.%s[%zu].rule", list, row);
    return problem_set(why, ERR_BAD_CONFIG, where, "there is no rule and no class '%.*s'%s%s",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr, *text ? ": " : "", text);
}

static enum err set_modes(struct patterns *p, const struct patterns_options *o, struct problem *why)
{
    for (size_t i = 0; i < o->setting_count; i++) {
        if (o->settings[i].rule.len == 0)
            return problem_set(why, ERR_BAD_CONFIG, "", "a setting names no rule");
        TRY(check_name(p, o->settings[i].rule, "rules", o->settings[i].row, why));
        for (size_t j = 0; j < p->rule_count; j++)
            if (rule_is(p->rules[j], o->settings[i].rule))
                p->modes[j] = (uint8_t)o->settings[i].mode;
    }
    return OK;
}

static enum err set_exclusions(struct patterns *p, const struct patterns_options *o, struct problem *why)
{
    p->exclusions = arena_alloc(p->arena, o->exclusion_count * sizeof *p->exclusions + 1);
    if (!p->exclusions)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < o->exclusion_count; i++) {
        struct patterns_exclusion *x = &p->exclusions[i];
        TRY(check_name(p, o->exclusions[i].rule, "exclusions", i, why));
        TRY(arena_copy(p->arena, o->exclusions[i].endpoint, &x->endpoint));
        TRY(arena_copy(p->arena, o->exclusions[i].parameter, &x->parameter));
        TRY(arena_copy(p->arena, o->exclusions[i].rule, &x->rule));
    }
    p->exclusion_count = o->exclusion_count;
    return OK;
}

/* --- all of it */

/* Rules borrow from their files. */
static enum err copy_files(struct patterns *p, const struct patterns_file *files, size_t count)
{
    p->files = arena_alloc(p->arena, count * sizeof *p->files + 1);
    if (!p->files)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        p->files[i].name = arena_str(p->arena, view_str(files[i].name));
        if (!p->files[i].name)
            return ERR_NO_MEMORY;
        TRY(arena_copy(p->arena, files[i].text, &p->files[i].text));
    }
    p->file_count = count;
    return OK;
}

RESULT patterns_read(struct patterns *p, const struct patterns_file *files, size_t count,
                     const struct patterns_options *o, struct problem *why)
{
    static const struct patterns_options usual = {0};
    static _Atomic uint64_t generations;
    o = o ? o : &usual;
    p->generation = ++generations;
    TRY(arena_new(65536, ARENA_MAX, &p->arena));
    TRY(copy_files(p, files, count));
    p->rules = arena_alloc(p->arena, PATTERNS_RULES_MAX * sizeof(struct rule *));
    p->modes = arena_alloc(p->arena, PATTERNS_RULES_MAX);
    if (!p->rules || !p->modes)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(add_file(p, &p->files[i], why));
    if (p->rule_count == 0)
        return problem_set(why, ERR_BAD_CONFIG, "", "there are no rules against attack patterns");
    p->threshold = o->threshold ? o->threshold : PATTERNS_THRESHOLD;
    p->body_limit = o->body_limit ? o->body_limit : PATTERNS_BODY_LIMIT;
    p->pass_longer = o->pass_longer;
    TRY(set_modes(p, o, why));
    return set_exclusions(p, o, why);
}

enum err patterns_new(const struct patterns_file *files, size_t count, const struct patterns_options *options,
                      struct patterns **ret, struct problem *why)
{
    AUTO(patterns_free) struct patterns *p = NULL;
    if (hs_valid_platform() != HS_SUCCESS)
        return problem_set(why, ERR_UNAVAILABLE, "", "the processor lacks what the scanner needs (SSSE3)");
    p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
    TRY(patterns_read(p, files, count, options, why));
    TRY(compile(p, why));
    TRY(selftest_run(p, why));
    *ret = TAKE(p);
    return OK;
}
