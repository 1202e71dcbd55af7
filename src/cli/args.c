#include "cli/args.h"

#define NUMBER_MAX (UINT64_C(1) << 53)

static RESULT digits(struct view text, uint64_t *ret)
{
    uint64_t n = 0;

    if (text.len == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return ERR_MALFORMED;
        n = n * 10 + (text.ptr[i] - '0');
        if (n > NUMBER_MAX)
            return ERR_OUT_OF_RANGE;
    }
    *ret = n;
    return OK;
}

static RESULT duration(const char *text, uint64_t *ret_seconds)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    struct view v = view_str(text);
    uint64_t unit = 1, n;

    for (size_t i = 0; i < ARRAY_LEN(units) && v.len > 0; i++)
        if (v.ptr[v.len - 1] == (uint8_t)units[i].letter) {
            unit = units[i].seconds;
            v.len--;
            break;
        }
    TRY(digits(v, &n));
    if (n > NUMBER_MAX / unit)
        return ERR_OUT_OF_RANGE;
    *ret_seconds = n * unit;
    return OK;
}

static RESULT moment(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
    AUTO_WRITER day = writer_new(64);
    uint64_t seconds;

    if (time_parse(view_str(text), ret_ms) == OK)
        return OK;
    if (duration(text, &seconds) == OK && seconds * 1000 <= now_ms) {
        *ret_ms = now_ms - seconds * 1000;
        return OK;
    }
    writer_printf(&day, "%.32sT00:00:00Z", text);
    return time_parse(writer_view_of(&day), ret_ms);
}

static bool is_choice(const char *const *choices, const char *value)
{
    for (; *choices; choices++)
        if (strcmp(*choices, value) == 0)
            return true;
    return false;
}

static void list_choices(const char *const *choices, struct writer *w)
{
    for (size_t i = 0; choices[i]; i++)
        writer_printf(w, "%s%s", i ? ", " : "", choices[i]);
}

static RESULT refuse_value(struct problem *why, const struct cli_option *o, const char *wanted)
{
    char where[64];

    (void)snprintf(where, sizeof where, "--%s", o->name);
    return problem_set(why, ERR_USAGE, where, "--%s takes %s", o->name, wanted);
}

static RESULT check_value(const struct cli_option *o, const char *value, uint64_t now_ms, uint64_t *ret_number,
                          struct problem *why)
{
    char wanted[256] = "";
    struct writer w = writer_fixed(wanted, sizeof wanted - 1);

    switch (o->kind) {
    case OPTION_NUMBER:
        return digits(view_str(value), ret_number) == OK ? OK : refuse_value(why, o, "a number in digits");
    case OPTION_DURATION:
        return duration(value, ret_number) == OK ? OK : refuse_value(why, o, "a duration such as 90s, 15m, 24h or 7d");
    case OPTION_TIME:
        return moment(value, now_ms, ret_number) == OK
                   ? OK
                   : refuse_value(why, o,
                                  "a time such as 2026-11-22T08:00:00Z, a date, or how long ago (90s, 24h, 7d)");
    case OPTION_CHOICE:
        list_choices(o->choices, &w);
        return is_choice(o->choices, value) ? OK : refuse_value(why, o, wanted);
    default:
        return *value ? OK : refuse_value(why, o, "a value that is not empty");
    }
}

struct parse {
    const struct cli_command *cmd;
    int count, at;
    char *const *words;
    uint64_t now_ms;
    struct args *args;
    struct problem *why;
};

static RESULT take_option(struct parse *p, const struct cli_option *o, const char *value)
{
    struct args *a = p->args;

    if (o->kind == OPTION_FLAG && value)
        return problem_set(p->why, ERR_USAGE, o->name, "--%s takes no value", o->name);
    if (o->kind != OPTION_FLAG && !value) {
        if (p->at == p->count)
            return problem_set(p->why, ERR_USAGE, o->name, "--%s needs its %s", o->name, o->value);
        value = p->words[p->at++];
    }
    if (o->kind != OPTION_TEXTS && args_has(a, o->name))
        return problem_set(p->why, ERR_USAGE, o->name, "--%s is given twice", o->name);
    if (a->given_count == ARGS_OPTIONS_MAX)
        return problem_set(p->why, ERR_USAGE, o->name, "there are more than %d options", ARGS_OPTIONS_MAX);
    if (o->kind != OPTION_FLAG)
        TRY(check_value(o, value, p->now_ms, &a->given[a->given_count].number, p->why));
    a->given[a->given_count].option = o;
    a->given[a->given_count++].value = value;
    return OK;
}

static RESULT unknown(struct parse *p, const char *word)
{
    const char *near = command_nearest(word);

    if (near && command_option(p->cmd, near, strlen(near)))
        return problem_set(p->why, ERR_USAGE, word, "'holdfast %s' has no option %s; did you mean --%s?", p->cmd->path,
                           word, near);
    return problem_set(p->why, ERR_USAGE, word, "'holdfast %s' has no option %s; see 'holdfast %s --help'",
                       p->cmd->path, word, p->cmd->path);
}

/* --name, --name=value */
static RESULT take_long(struct parse *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const struct cli_option *o = command_option(p->cmd, word + 2, len);

    return o ? take_option(p, o, equals ? equals + 1 : NULL) : unknown(p, word);
}

/* -x, -xVALUE, -x VALUE, and flags together: -xyz */
static RESULT take_letters(struct parse *p, const char *word)
{
    for (const char *l = word + 1; *l; l++) {
        const struct cli_option *o = command_letter(p->cmd, *l);
        if (!o)
            return unknown(p, word);
        if (o->kind != OPTION_FLAG)
            return take_option(p, o, l[1] ? l + 1 : NULL);
        TRY(take_option(p, o, NULL));
    }
    return OK;
}

static RESULT take_argument(struct parse *p, const char *word)
{
    const struct cli_argument *all = p->cmd->arguments;

    for (size_t i = 0; i < ARGUMENTS_MAX && all[i].name; i++)
        if (!p->args->arguments[i]) {
            if (!*word)
                return problem_set(p->why, ERR_USAGE, all[i].name, "%s is empty", all[i].name);
            p->args->arguments[i] = word;
            return OK;
        }
    return problem_set(p->why, ERR_USAGE, word, "'%.80s' is one word too many; see 'holdfast %s --help'", word,
                       p->cmd->path);
}

static RESULT check_complete(struct parse *p)
{
    const struct cli_argument *all = p->cmd->arguments;

    for (size_t i = 0; i < ARGUMENTS_MAX && all[i].name; i++)
        if (!all[i].optional && !p->args->arguments[i])
            return problem_set(p->why, ERR_USAGE, all[i].name, "%s is missing: %s", all[i].name, all[i].help);
    return OK;
}

static bool wants_help(int count, char *const *words)
{
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    return false;
}

RESULT args_parse(const struct cli_command *cmd, int count, char *const *words, uint64_t now_ms, struct args *ret,
                  struct problem *why)
{
    struct args args = {.command = cmd};
    struct parse p = {cmd, count, 0, words, now_ms, &args, why};
    bool options = true;

    args.help = wants_help(count, words);
    while (!args.help && p.at < count) {
        const char *word = words[p.at++];
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && word[0] == '-' && word[1] == '-')
            TRY(take_long(&p, word));
        else if (options && word[0] == '-' && word[1])
            TRY(take_letters(&p, word));
        else
            TRY(take_argument(&p, word));
    }
    if (!args.help)
        TRY(check_complete(&p));
    *ret = args;
    return OK;
}

const char *args_next(const struct args *a, const char *option, size_t *at)
{
    while (*at < a->given_count) {
        size_t i = (*at)++;
        if (strcmp(a->given[i].option->name, option) == 0)
            return a->given[i].value ? a->given[i].value : "";
    }
    return NULL;
}

size_t args_count(const struct args *a, const char *option)
{
    size_t at = 0, n = 0;

    while (args_next(a, option, &at))
        n++;
    return n;
}

bool args_has(const struct args *a, const char *option)
{
    return args_count(a, option) > 0;
}

const char *args_text(const struct args *a, const char *option)
{
    size_t at = 0;

    return args_next(a, option, &at);
}

uint64_t args_number(const struct args *a, const char *option, uint64_t otherwise)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, option) == 0)
            return a->given[i].number;
    return otherwise;
}
