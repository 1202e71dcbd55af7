/* holdfast policy diff: two policies as JSON, which the entity's table makes of either, compared member by member. Rows
 * are told apart by what they are about, so their order means nothing; what no words are known for is shown as it is.
 */
#include "base/text.h"
#include "cli/api.h"
#include "cli/output.h"
#include "cli/policy.h"
#include "crypto/hash.h"

#include <stdarg.h>

#define WORDS_MAX (4u << 20)
#define VALUE_MAX 200 /* bytes of a value that is shown as it is */

struct comparison {
    struct cli *c;
    struct writer json; /* the changes, a list of texts */
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void say(struct comparison *d, const char *format, ...)
{
    char line[2048];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(line, sizeof line, format, list);
    va_end(list);
    d->count++;
    json_item(&d->json);
    json_put_text(&d->json, view_str(line));
    if (d->c->json)
        return;
    AUTO_WRITER clean = writer_new(4 * sizeof line);
    text_put_safe(&clean, view_str(line));
    (void)fprintf(d->c->out, "%.*s\n", (int)clean.len, clean.ptr ? (const char *)clean.ptr : "");
}

/* "" for what is no text: the server may answer anything. */
static const char *text_in(const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? text : "";
}

static const char *text_of(const json_t *object, const char *member)
{
    return text_in(json_object_get(object, member));
}

/* --- endpoints: a row is told by its path and one of its methods */

static const char any[] = "*";

static bool takes(const json_t *row, const char *method)
{
    const json_t *methods = json_object_get(row, "methods");
    size_t i;
    json_t *m;

    if (json_array_size(methods) == 0)
        return true;
    json_array_foreach(methods, i, m) if (strcmp(text_in(m), method) == 0) return true;
    return false;
}

/* Exactly the row that says this; NULL if none does. */
static const json_t *find_row(const json_t *rows, const char *path, const char *method)
{
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        bool whole = json_array_size(json_object_get(row, "methods")) == 0;
        if (strcmp(text_of(row, "path"), path) == 0 && whole == (method == any) && takes(row, method))
            return row;
    }
    return NULL;
}

static bool covers(const char *row, const char *path)
{
    size_t n = strlen(row);

    if (strcmp(row, "/") == 0)
        return true;
    return strncmp(row, path, n) == 0 && (path[n] == 0 || path[n] == '/');
}

/* What a request of this method would come to: the longest path decides, about the method as well. */
static const char *decided(struct cli *c, const json_t *rows, const char *path, const char *method)
{
    const char *longest = NULL;
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *p = text_of(row, "path");
        if (covers(p, path) && (!longest || strlen(p) > strlen(longest)))
            longest = p;
    }
    json_array_foreach(rows, i, row) if (longest && strcmp(text_of(row, "path"), longest) == 0 &&
                                         takes(row, method)) return cli_text(c, "%s decides: %s", longest,
                                                                             text_of(row, "permission"));
    return longest && method == any ? cli_text(c, "the rows of %s decide", longest) : "refused";
}

static int strength(const char *permission)
{
    if (strcmp(permission, "public") == 0)
        return 0;
    return strcmp(permission, "authenticated") == 0 ? 1 : 2;
}

static const char *direction(double before, double after)
{
    if (after > before)
        return "raised";
    return after < before ? "lowered" : "changed";
}

/* --- rates */

static const char *rate_text(struct cli *c, const json_t *r)
{
    const json_t *burst = json_object_get(r, "burst");

    if (!json_is_object(r))
        return "none";
    const char *text = cli_text(c, "%lld in %lld s", (long long)json_integer_value(json_object_get(r, "requests")),
                                (long long)json_integer_value(json_object_get(r, "seconds")));
    return burst && text ? cli_text(c, "%s, %lld at once", text, (long long)json_integer_value(burst)) : text;
}

static double rate_of(const json_t *r)
{
    double seconds = (double)json_integer_value(json_object_get(r, "seconds"));

    return json_is_object(r) && seconds > 0 ? (double)json_integer_value(json_object_get(r, "requests")) / seconds
                                            : 1e18;
}

static void compare_rates(struct comparison *d, const char *what, const json_t *before, const json_t *after)
{
    if (json_equal(before, after) || (!before && !after))
        return;
    say(d, "%s: rate %s from %s to %s", what, direction(rate_of(before), rate_of(after)), rate_text(d->c, before),
        rate_text(d->c, after));
}

/* --- what has no words of its own */

static const char *value_text(struct cli *c, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const char *kept = text ? cli_text(c, strlen(text) > VALUE_MAX ? "%.*s…" : "%.*s", VALUE_MAX, text) : "nothing";

    free(text);
    return kept ? kept : "?";
}

static bool is_text_list(const json_t *v)
{
    return json_is_array(v) && (json_array_size(v) == 0 || json_is_string(json_array_get(v, 0)));
}

static const struct {
    const char *name, *added, *removed;
} lists[] = {
    {"guard.proxies", "may ask for verdicts now", "may ask for verdicts no longer"},
    {"guard.networks.allow", "is let in now", "is let in no longer"},
    {"guard.networks.block", "is kept out now", "is kept out no longer"},
    {"guard.trusted", "is trusted now", "is trusted no longer"},
    {"guard.countries.allow", "is let in now", "is let in no longer"},
    {"guard.countries.block", "is kept out now", "is kept out no longer"},
};

static bool has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (strcmp(text_in(item), text) == 0) return true;
    return false;
}

static void say_missing(struct comparison *d, const char *name, const json_t *from, const json_t *in, bool added)
{
    const char *words = added ? "added" : "removed";
    size_t i;
    json_t *item;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        if (strcmp(lists[k].name, name) == 0)
            words = added ? lists[k].added : lists[k].removed;
    json_array_foreach(from, i, item) if (!has_text(in, text_in(item))) say(d, "%s: %s %s", name, text_in(item), words);
}

static void compare(struct comparison *d, const char *name, const json_t *before, const json_t *after);

static void compare_members(struct comparison *d, const char *name, const json_t *before, const json_t *after)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)before, key, value)
        compare(d, cli_text(d->c, "%s.%s", name, key), value, json_object_get(after, key));
    json_object_foreach((json_t *)(uintptr_t)after, key, value) if (!json_object_get(before, key))
        compare(d, cli_text(d->c, "%s.%s", name, key), NULL, value);
}

/* The rest of two rows, but for what was said of them. */
static void compare_rest(struct comparison *d, const char *what, const json_t *before, const json_t *after,
                         const char *const *said)
{
    AUTO(json_decref) json_t *a = json_copy((json_t *)(uintptr_t)before);
    AUTO(json_decref) json_t *b = json_copy((json_t *)(uintptr_t)after);

    for (; *said; said++) {
        (void)json_object_del(a, *said);
        (void)json_object_del(b, *said);
    }
    compare_members(d, what, a, b);
}

/* --- lists of rows */

static void compare_endpoint(struct comparison *d, const char *what, const json_t *before, const json_t *after)
{
    static const char *const said[] = {"path", "methods", "permission", "rate", NULL};
    const char *was = text_of(before, "permission"), *is = text_of(after, "permission");

    if (strcmp(was, is) != 0)
        say(d, "%s: permission %s from %s to %s", what, direction(strength(was), strength(is)), was, is);
    compare_rates(d, what, json_object_get(before, "rate"), json_object_get(after, "rate"));
    compare_rest(d, what, before, after, said);
}

struct rows {
    const json_t *before, *after;
};

static void endpoint_of_one(struct comparison *d, const struct rows *rows, const json_t *row, const char *method,
                            bool is_new)
{
    const char *path = text_of(row, "path"), *what = cli_text(d->c, "%s %s", method, path);
    const json_t *other = find_row(is_new ? rows->before : rows->after, path, method);

    if (!what || (other && !is_new))
        return;
    if (other)
        compare_endpoint(d, what, other, row);
    else if (is_new)
        say(d, "%s: added, for %s, rate %s (before: %s)", what, text_of(row, "permission"),
            rate_text(d->c, json_object_get(row, "rate")), decided(d->c, rows->before, path, method));
    else
        say(d, "%s: removed, was for %s (now: %s)", what, text_of(row, "permission"),
            decided(d->c, rows->after, path, method));
}

static void each_endpoint(struct comparison *d, const struct rows *rows, bool is_new)
{
    size_t i, k;
    json_t *row, *method;

    json_array_foreach(is_new ? rows->after : rows->before, i, row)
    {
        const json_t *methods = json_object_get(row, "methods");
        if (json_array_size(methods) == 0)
            endpoint_of_one(d, rows, row, any, is_new);
        json_array_foreach(methods, k, method) endpoint_of_one(d, rows, row, text_in(method), is_new);
    }
}

static void compare_endpoints(struct comparison *d, const json_t *before, const json_t *after)
{
    const struct rows rows = {before, after};

    each_endpoint(d, &rows, true);
    each_endpoint(d, &rows, false);
}

static const json_t *find_named(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (strcmp(text_of(item, "name"), name) == 0) return item;
    return NULL;
}

static void compare_limits(struct comparison *d, const json_t *before, const json_t *after)
{
    static const char *const said[] = {"name", "requests", "seconds", "burst", NULL};
    size_t i;
    json_t *item;

    json_array_foreach(after, i, item)
    {
        const json_t *was = find_named(before, text_of(item, "name"));
        const char *what = cli_text(d->c, "limit %s", text_of(item, "name"));
        if (!was) {
            say(d, "%s: added, by %s, %s", what, text_of(item, "by"), rate_text(d->c, item));
            continue;
        }
        if (strcmp(rate_text(d->c, was), rate_text(d->c, item)) != 0)
            compare_rates(d, what, was, item);
        compare_rest(d, what, was, item, said);
    }
    json_array_foreach(before, i, item) if (!find_named(after, text_of(item, "name")))
        say(d, "limit %s: removed, was by %s, %s", text_of(item, "name"), text_of(item, "by"), rate_text(d->c, item));
}

static void compare_feeds(struct comparison *d, const json_t *before, const json_t *after)
{
    static const char *const said[] = {"name", NULL};
    size_t i;
    json_t *item;

    json_array_foreach(after, i, item)
    {
        const json_t *was = find_named(before, text_of(item, "name"));
        const char *what = cli_text(d->c, "feed %s", text_of(item, "name"));
        if (was)
            compare_rest(d, what, was, item, said);
        else
            say(d, "%s: added, from %s", what, text_of(item, "file"));
    }
    json_array_foreach(before, i, item) if (!find_named(after, text_of(item, "name")))
        say(d, "feed %s: removed, was from %s", text_of(item, "name"), text_of(item, "file"));
}

static const struct {
    const char *name;
    void (*compare)(struct comparison *d, const json_t *before, const json_t *after);
} special[] = {{"guard.endpoints", compare_endpoints}, {"guard.rates", compare_limits}, {"guard.feeds", compare_feeds}};

static void compare(struct comparison *d, const char *name, const json_t *before, const json_t *after)
{
    if (!name || (before && after && json_equal(before, after)))
        return;
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if (strcmp(special[i].name, name) == 0) {
            special[i].compare(d, before, after);
            return;
        }
    if ((is_text_list(before) || !before) && (is_text_list(after) || !after)) {
        say_missing(d, name, after, before, true);
        say_missing(d, name, before, after, false);
    } else if (json_is_object(before) && json_is_object(after)) {
        compare_members(d, name, before, after);
    } else {
        say(d, "%s: from %s to %s", name, value_text(d->c, before), value_text(d->c, after));
    }
}

/* --- files of rules against attack patterns. The same text at another path is the same to the guard. */

static const json_t *find_file(const json_t *files, const char *member, const json_t *like)
{
    size_t i;
    json_t *item;

    json_array_foreach(files, i, item) if (strcmp(text_of(item, member), text_of(like, member)) == 0) return item;
    return NULL;
}

static void say_files(struct comparison *d, const json_t *files, const json_t *others, const char *words)
{
    size_t i;
    json_t *item;

    json_array_foreach(files, i, item) if (!find_file(others, "file", item) && !find_file(others, "sha256", item))
        say(d, "rules %s: %s", text_of(item, "file"), words);
}

static void compare_files(struct comparison *d, const json_t *before, const json_t *after)
{
    size_t i;
    json_t *item;

    if (json_array_size(before) == 0 || json_array_size(after) == 0)
        return; /* not known, or none are asked, which the mode says */
    say_files(d, after, before, "added");
    say_files(d, before, after, "removed");
    json_array_foreach(after, i, item)
    {
        const json_t *was = find_file(before, "file", item);
        if (was && strcmp(text_of(was, "sha256"), text_of(item, "sha256")) != 0)
            say(d, "rules %s: another text", text_of(item, "file"));
    }
}

/* --- the two sides */

struct side {
    json_t *guard, *rules; /* rules: a list with file and sha256; NULL: not known */
};

static void side_done(struct side *s)
{
    json_decref(s->guard);
    json_decref(s->rules);
}

static RESULT rules_of(struct cli *c, const struct config *config, json_t **ret)
{
    AUTO_WRITER files = {0}, json = writer_new(WORDS_MAX);
    struct problem why = {.code = OK};
    struct view name, text;

    if (policy_rules(config, &files, &why) != OK) {
        cli_note(c, "Rules against attack patterns are not compared: %s %s", why.where, why.detail);
        return OK;
    }
    struct reader r = reader_new(writer_view_of(&files));
    json_open(&json, '[');
    while (r.left > 0) {
        uint8_t hash[SHA256_SIZE];
        char hex[2 * SHA256_SIZE];
        struct writer w = writer_fixed(hex, sizeof hex);
        TRY(reader_var(&r, r.left, &name));
        TRY(reader_var(&r, r.left, &text));
        sha256(text, hash);
        hex_put(&w, VIEW_OF(hash));
        json_item(&json);
        json_open(&json, '{');
        json_text(&json, "file", name);
        json_text(&json, "sha256", writer_view_of(&w));
        json_close(&json, '}');
    }
    json_close(&json, ']');
    TRY(writer_done(&json));
    return json_read(writer_view_of(&json), ret, &c->why);
}

static RESULT of_file(struct cli *c, const char *file, struct side *ret)
{
    AUTO_WRITER json = writer_new(WORDS_MAX);
    struct config config;
    struct view text;

    TRY(policy_text(c, file, &text));
    TRY(policy_config(c, file, text, &config));
    entity_to_json(&config_guard_entity, &config.guard, &json);
    TRY(writer_done(&json));
    TRY(json_read(writer_view_of(&json), &ret->guard, &c->why));
    return rules_of(c, &config, &ret->rules);
}

static RESULT of_server(struct cli *c, struct side *ret)
{
    AUTO(json_decref) json_t *answer = NULL;
    struct api_answer a;

    TRY(api_call(c, "GET", "/api/v1/guard/policy", (struct view){0}, &a));
    TRY(json_read(a.body, &answer, &c->why));
    ret->guard = json_incref(json_object_get(answer, "guard"));
    ret->rules = json_incref(json_object_get(answer, "rules"));
    return ret->guard ? OK : cli_fail(c, ERR_MALFORMED, "/guard", "the server's answer has no policy");
}

static RESULT tell(struct comparison *d)
{
    AUTO_WRITER w = writer_new(2 * WORDS_MAX);

    json_close(&d->json, ']');
    TRY(writer_done(&d->json));
    json_open(&w, '{');
    json_bool(&w, "different", d->count > 0);
    json_name(&w, "changes");
    writer_view(&w, writer_view_of(&d->json));
    json_close(&w, '}');
    TRY(writer_done(&w));
    d->c->exit_code = d->count > 0;
    if (d->c->json)
        output_json(d->c, writer_view_of(&w));
    else if (d->count == 0)
        cli_note(d->c, "Nothing differs.");
    return OK;
}

static RESULT compare_both(struct cli *c)
{
    __attribute__((cleanup(side_done))) struct side before = {0}, after = {0};
    const char *first = c->args.arguments[0], *second = c->args.arguments[1];
    struct comparison d = {.c = c, .json = writer_new(WORDS_MAX)};

    if (second)
        TRY(of_file(c, first, &before));
    else
        TRY(of_server(c, &before));
    TRY(of_file(c, second ? second : first, &after));
    json_open(&d.json, '[');
    compare_members(&d, "guard", before.guard, after.guard);
    compare_files(&d, before.rules, after.rules);
    enum err e = tell(&d);
    writer_free(&d.json);
    return e;
}

/* As diff(1) has it: 1 means that something differs, so what went wrong is 2, whatever it was. */
RESULT policy_compare(struct cli *c)
{
    enum err e = compare_both(c);

    if (e == OK)
        return OK;
    output_problem(c, e);
    c->exit_code = 2;
    return OK;
}
