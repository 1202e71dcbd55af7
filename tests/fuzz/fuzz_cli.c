/* What the command line reads that others may have written: an administrator's key file, a profile's certificate, an
 * answer's JSON for a table, and words. The first byte chooses. */
#include "cli/approver.h"
#include "cli/output.h"
#include "cli/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(struct cli *c, struct view text)
{
    char copy[512], *list[32];
    int count = 0, used = 0;
    struct args args;

    if (view_to_str(text, copy, sizeof copy) != OK)
        return;
    for (char *at = copy; *at && count < 32;) {
        list[count++] = at;
        at += strcspn(at, "\n");
        if (*at)
            *at++ = '\0';
    }
    const struct cli_command *cmd = command_find(count, list, &used);
    if (cmd && args_parse(cmd, count - used, list + used, 1795046400000, &args, &c->why) != OK && !c->why.detail[0])
        abort(); /* what is wrong must be said */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct column columns[] = {{"name", "NAME"}, {"a.b", "B"}, {"list", "LIST"}};
    static FILE *quiet;
    struct arena *arena = NULL;
    struct approver key;
    const char *fingerprint;

    if (!quiet)
        quiet = fopen("/dev/null", "we");
    if (size < 1 || !quiet || arena_new(4096, 8 << 20, &arena) != OK)
        return 0;
    struct cli c = {.out = quiet, .err = quiet, .arena = arena, .width = 60, .args = {.command = &command_table[0]}};
    struct view rest = VIEW(data + 1, size - 1);
    enum err e = OK;
    switch (data[0] % 4) {
    case 0:
        e = approver_read(rest, arena, &key, &c.why);
        break;
    case 1:
        e = output_list(&c, rest, "list", columns, ARRAY_LEN(columns), "none");
        break;
    case 2:
        e = profile_certificate(&c, rest, &fingerprint);
        break;
    default:
        words(&c, rest);
    }
    if (e != OK)
        output_problem(&c, e);
    arena_free(arena);
    return 0;
}
