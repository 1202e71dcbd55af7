/* holdfast completion bash|zsh|fish, from the table of commands. Each script finds the verbs typed so far, then offers
 * what may follow them: further verbs, or the command's options. */
#include "cli/cli.h"

struct names {
    const char *items[256];
    size_t count;
};

static void add_once(struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->items[i], name) == 0)
            return;
    if (n->count < ARRAY_LEN(n->items))
        n->items[n->count++] = name;
}

/* "" and every beginning of a command that is no command itself: what has verbs below it. */
static void groups_of(struct cli *c, struct names *ret)
{
    add_once(ret, "");
    for (size_t i = 0; i < command_count; i++)
        for (const char *p = command_table[i].path, *s = strchr(p, ' '); s; s = strchr(s + 1, ' '))
            add_once(ret, cli_text(c, "%.*s", (int)(s - p), p));
}

/* The verbs that may follow a group's. */
static void verbs_below(struct cli *c, const char *group, struct names *ret)
{
    size_t skip = strlen(group) + (*group ? 1 : 0);

    for (size_t i = 0; i < command_count; i++)
        if (command_below(&command_table[i], group) && strlen(command_table[i].path) > skip) {
            const char *verb = command_table[i].path + skip;
            add_once(ret, cli_text(c, "%.*s", (int)strcspn(verb, " "), verb));
        }
}

static void put_verbs(struct cli *c, const char *group)
{
    struct names verbs = {0};

    verbs_below(c, group, &verbs);
    for (size_t i = 0; i < verbs.count; i++)
        (void)fprintf(c->out, "%s%s", i ? " " : "", verbs.items[i]);
}

static void put_options(struct cli *c, const struct cli_command *cmd)
{
    const struct cli_option *o;

    for (size_t i = 0; (o = command_option_at(cmd, i)); i++)
        (void)fprintf(c->out, "%s--%s", i ? " " : "", o->name);
}

/* The branches of a case that both bash and zsh read: words by the verbs so far. */
static void put_cases(struct cli *c)
{
    struct names groups = {0};

    groups_of(c, &groups);
    for (size_t i = 0; i < groups.count; i++) {
        (void)fprintf(c->out, "    '%s') words='", groups.items[i]);
        put_verbs(c, groups.items[i]);
        (void)fputs("' ;;\n", c->out);
    }
    for (size_t i = 0; i < command_count; i++) {
        (void)fprintf(c->out, "    '%s') words='", command_table[i].path);
        put_options(c, &command_table[i]);
        (void)fputs("' ;;\n", c->out);
    }
}

/* Options whose value is one of a few words, or a file. */
static void put_value_cases(struct cli *c, const char *choice_form, const char *file_form)
{
    struct names seen = {0};
    const struct cli_option *o;

    for (size_t i = 0; i < command_count; i++)
        for (size_t k = 0; (o = command_option_at(&command_table[i], k)); k++) {
            size_t before = seen.count;
            const char *key = cli_text(c, "%s/%s", o->kind == OPTION_CHOICE ? command_table[i].path : "", o->name);
            if (o->kind != OPTION_CHOICE && o->kind != OPTION_FILE)
                continue;
            add_once(&seen, key);
            if (seen.count == before)
                continue;
            if (o->kind == OPTION_FILE) {
                (void)fprintf(c->out, "    *'/--%s') %s ;;\n", o->name, file_form);
                continue;
            }
            (void)fprintf(c->out, "    '%s/--%s'", command_table[i].path, o->name);
            if (o->letter)
                (void)fprintf(c->out, "|'%s/-%c'", command_table[i].path, o->letter);
            (void)fprintf(c->out, ") %s'", choice_form);
            for (size_t n = 0; o->choices[n]; n++)
                (void)fprintf(c->out, "%s%s", n ? " " : "", o->choices[n]);
            (void)fputs("' ;;\n", c->out);
        }
}

/* Verbs are taken as long as they lead on to a known command. */
static void put_walk(struct cli *c, const char *loop)
{
    (void)fprintf(c->out, "%s    case \"$verbs${verbs:+ }$word\" in\n", loop);
    struct names groups = {0};
    groups_of(c, &groups);
    (void)fputs("    ", c->out);
    for (size_t i = 1; i < groups.count; i++)
        (void)fprintf(c->out, "'%s'|", groups.items[i]);
    for (size_t i = 0; i < command_count; i++)
        (void)fprintf(c->out, "'%s'%s", command_table[i].path, i + 1 < command_count ? "|" : "");
    (void)fputs(") verbs=\"$verbs${verbs:+ }$word\" ;;\n    esac\n  done\n", c->out);
}

static void bash(struct cli *c)
{
    (void)fputs("# bash completion for holdfast, written by 'holdfast completion bash'\n"
                "_holdfast() {\n"
                "  local verbs='' words='' word cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                "  COMPREPLY=()\n",
                c->out);
    put_walk(c, "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n");
    (void)fputs("  case \"$verbs/$prev\" in\n", c->out);
    put_value_cases(c, "words=", "COMPREPLY=($(compgen -f -- \"$cur\")); return");
    (void)fputs("    *) ;;\n  esac\n  if [[ -z $words ]]; then\n  case \"$verbs\" in\n", c->out);
    put_cases(c);
    (void)fputs("    'completion') words='bash zsh fish' ;;\n  esac\n  fi\n"
                "  if [[ $cur != -* && $words == --* ]]; then\n"
                "    [[ $verbs == audit* ]] && COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                "    [[ $verbs == completion ]] && COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\"))\n"
                "    return\n  fi\n"
                "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                "}\n"
                "complete -o filenames -F _holdfast holdfast\n",
                c->out);
}

static void zsh(struct cli *c)
{
    (void)fputs("#compdef holdfast\n# written by 'holdfast completion zsh'\n"
                "_holdfast() {\n  local verbs='' list='' word prev=${words[CURRENT-1]}\n"
                "  local -a typed; typed=(\"${(@)words[2,CURRENT-1]}\")\n",
                c->out);
    put_walk(c, "  for word in \"${typed[@]}\"; do\n");
    (void)fputs("  local words=''\n  case \"$verbs/$prev\" in\n", c->out);
    put_value_cases(c, "words=", "_files; return");
    (void)fputs("    *) ;;\n  esac\n  if [[ -z $words ]]; then\n  case \"$verbs\" in\n", c->out);
    put_cases(c);
    (void)fputs("  esac\n  fi\n  if [[ $PREFIX != -* && $words == --* ]]; then\n"
                "    [[ $verbs == completion ]] && compadd -- bash zsh fish || _files\n    return\n  fi\n"
                "  compadd -- ${=words}\n}\n"
                "if [[ $funcstack[1] == _holdfast ]]; then _holdfast \"$@\"; else compdef _holdfast holdfast; fi\n",
                c->out);
}

/* fish keeps text in single quotes, with \' inside. */
static void fish_text(struct cli *c, const char *text)
{
    (void)fputc('\'', c->out);
    for (; *text; text++)
        (void)fprintf(c->out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    (void)fputc('\'', c->out);
}

static void fish_option(struct cli *c, const struct cli_command *cmd, const struct cli_option *o)
{
    (void)fprintf(c->out, "complete -c holdfast -n \"test (__holdfast_verbs) = '%s'\" -l %s", cmd->path, o->name);
    if (o->letter)
        (void)fprintf(c->out, " -s %c", o->letter);
    if (o->kind == OPTION_FILE)
        (void)fputs(" -r -F", c->out);
    else if (o->kind != OPTION_FLAG)
        (void)fputs(" -x", c->out);
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        (void)fprintf(c->out, "%s%s%s", i ? " " : " -a '", o->choices[i], o->choices[i + 1] ? "" : "'");
    (void)fputs(" -d ", c->out);
    fish_text(c, o->help);
    (void)fputc('\n', c->out);
}

static bool takes_file(const struct cli_command *cmd)
{
    for (size_t i = 0; i < ARGUMENTS_MAX && cmd->arguments[i].name; i++)
        if (cmd->arguments[i].file)
            return true;
    return false;
}

static void fish(struct cli *c)
{
    struct names groups = {0};
    const struct cli_option *o;

    groups_of(c, &groups);
    (void)fputs("# fish completion for holdfast, written by 'holdfast completion fish'\n"
                "function __holdfast_verbs\n  set -l verbs ''\n  for word in (commandline -opc)[2..-1]\n"
                "    set -l longer (string trim -- \"$verbs $word\")\n    contains -- $longer",
                c->out);
    for (size_t i = 1; i < groups.count; i++)
        (void)fprintf(c->out, " '%s'", groups.items[i]);
    for (size_t i = 0; i < command_count; i++)
        (void)fprintf(c->out, " '%s'", command_table[i].path);
    (void)fputs("; and set verbs $longer\n  end\n  echo \"$verbs\"\nend\ncomplete -c holdfast -f\n", c->out);
    for (size_t i = 0; i < groups.count; i++) {
        (void)fprintf(c->out, "complete -c holdfast -n \"test (__holdfast_verbs) = '%s'\" -a '", groups.items[i]);
        put_verbs(c, groups.items[i]);
        (void)fputs("'\n", c->out);
    }
    for (size_t i = 0; i < command_count; i++)
        for (size_t k = 0; (o = command_option_at(&command_table[i], k)); k++)
            fish_option(c, &command_table[i], o);
    for (size_t i = 0; i < command_count; i++)
        if (takes_file(&command_table[i]))
            (void)fprintf(c->out, "complete -c holdfast -n \"test (__holdfast_verbs) = '%s'\" -F\n",
                          command_table[i].path);
    (void)fputs("complete -c holdfast -n \"test (__holdfast_verbs) = 'completion'\" -a 'bash zsh fish'\n", c->out);
}

RESULT completion_run(struct cli *c)
{
    static const struct {
        const char *name;
        void (*write)(struct cli *c);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (strcmp(shells[i].name, c->args.arguments[0]) == 0) {
            shells[i].write(c);
            return OK;
        }
    return cli_fail(c, ERR_USAGE, "SHELL", "completion is made for bash, zsh and fish");
}
