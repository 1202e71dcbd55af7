/* holdfast guard top, holdfast guard live */
#include "base/text.h"
#include "cli/api.h"
#include "cli/output.h"

#include <string.h>
#include <time.h>

#define PAUSE_NS 500000000

RESULT guard_top(struct cli *c)
{
    static const struct column columns[] = {{"who", "WHO"}, {"refused", "REFUSED"}, {"requests", "REQUESTS"}};
    const char *address = cli_text(c, "/api/v1/guard/top?limit=%llu",
                                   (unsigned long long)args_number(&c->args, "limit", 20));
    struct api_answer answer;

    TRY(api_call(c, "GET", address, (struct view){0}, &answer));
    return output_list(c, answer.body, "top", columns, ARRAY_LEN(columns), "Nobody has asked in the last minutes.");
}

/* --- live */

static const struct live_column {
    const char *name;
    int width;
} live_columns[] = {
    {"time", 24}, {"verdict", 20}, {"address", 15}, {"identity", 20}, {"method", 6}, {"path", 0},
};

static void put_cell(struct cli *c, const json_t *decision, const struct live_column *column)
{
    AUTO_WRITER raw = writer_new(1024);
    AUTO_WRITER clean = writer_new(8192);

    output_cell(output_member(decision, column->name), &raw);
    text_put_safe(&clean, writer_view_of(&raw));
    (void)fprintf(c->out, "%-*.*s ", column->width, (int)clean.len, clean.ptr ? (const char *)clean.ptr : "");
}

static void put_decision(struct cli *c, const json_t *decision)
{
    if (c->json) {
        char *text = json_dumps(decision, JSON_COMPACT);
        (void)fprintf(c->out, "%s\n", text ? text : "");
        free(text);
        return;
    }
    const char *verdict = json_string_value(json_object_get(decision, "verdict"));
    bool refused = !verdict || strcmp(verdict, "allowed") != 0;
    (void)fputs(refused ? output_style(c, STYLE_BAD) : "", c->out);
    for (size_t i = 0; i < ARRAY_LEN(live_columns); i++)
        put_cell(c, decision, &live_columns[i]);
    (void)fprintf(c->out, "%s\n", refused ? output_style(c, STYLE_NONE) : "");
}

static RESULT address_of(struct cli *c, json_int_t after, struct writer *ret)
{
    static const char *const filters[] = {"outcome", "network", "identity"};
    writer_printf(ret, "/api/v1/guard/live?after=%lld", (long long)after);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        api_query(ret, filters[i], args_text(&c->args, filters[i]));
    writer_u8(ret, 0);
    return writer_done(ret);
}

static RESULT look(struct cli *c, json_int_t *after, bool *ret_more)
{
    AUTO_WRITER address = writer_new(1024);
    AUTO(json_decref) json_t *root = NULL;
    struct api_answer answer;
    json_t *decision;
    size_t i;

    TRY(address_of(c, *after, &address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    TRY(json_read(answer.body, &root, &c->why));
    json_int_t lost = json_integer_value(json_object_get(root, "lost"));
    if (lost > 0)
        (void)fprintf(c->err, "%lld more were decided, and are not kept any more\n", (long long)lost);
    json_array_foreach(json_object_get(root, "decisions"), i, decision) put_decision(c, decision);
    *after = json_integer_value(json_object_get(root, "next"));
    *ret_more = json_is_true(json_object_get(root, "more"));
    return OK;
}

RESULT guard_live(struct cli *c)
{
    const struct timespec pause = {0, PAUSE_NS};
    json_int_t after = 0;
    bool more = false;

    for (;;) {
        TRY(look(c, &after, &more));
        if (fflush(c->out) != 0 || ferror(c->out))
            return OK; /* whoever read it has gone */
        if (!more)
            (void)nanosleep(&pause, NULL);
    }
}
