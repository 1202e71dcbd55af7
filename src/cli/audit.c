/* holdfast audit … */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/grant.h"
#include "cli/output.h"
#include "ipc/file.h"
#include "ledger/note.h"
#include "ledger/query.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define RECORDS    "/api/v1/audit/records"
#define LINES_MAX  ((size_t)1 << 20) /* one line of an export */
#define TAIL_LINES 20
#define TAIL_MS    1000

static const struct column list_columns[] = {
    {"index", "INDEX"},        {"time", "TIME"},          {"severity", "SEVERITY"},
    {"type", "TYPE"},          {"outcome", "OUTCOME"},    {"who.actor", "WHO"},
    {"what.resource", "WHAT"}, {"what.detail", "DETAIL"}, {"what.error", "ERROR"},
};

/* --- looking */

static void put_filters(struct writer *w, const struct args *a)
{
    static const char *const filters[] = {"type", "actor", "resource", "severity", "limit", "before"};

    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        api_query(w, filters[i], args_text(a, filters[i]));
}

static void put_moment(struct writer *w, const struct args *a, const char *option)
{
    char text[TIME_TEXT_SIZE];

    if (!args_has(a, option))
        return;
    time_format(args_number(a, option, 0), text);
    api_query(w, option, text);
}

RESULT audit_search(struct cli *c)
{
    AUTO_WRITER address = writer_new(8192);
    struct api_answer answer;

    writer_str(&address, RECORDS);
    put_filters(&address, &c->args);
    put_moment(&address, &c->args, "from");
    put_moment(&address, &c->args, "to");
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "records", list_columns, ARRAY_LEN(list_columns), "No record was found.");
}

RESULT audit_show(struct cli *c)
{
    static const struct column columns[] = {
        {"index", "Index"},
        {"time", "Time"},
        {"type", "Type"},
        {"severity", "Severity"},
        {"outcome", "Outcome"},
        {"author", "Written by"},
        {"who.actor", "Who"},
        {"who.source", "From"},
        {"who.user_agent", "With"},
        {"who.reason", "Reason"},
        {"who.request_id", "Request id"},
        {"what.resource", "What"},
        {"what.detail", "Detail"},
        {"what.error", "Error"},
        {"erased", "Erased"},
        {"hash", "Leaf hash"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", api_path(c, RECORDS "/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

/* --- tail: the newest, then what follows, oldest first */

static void put_value(struct cli *c, const json_t *record, const char *object, const char *name, int width)
{
    const json_t *from = object ? json_object_get(record, object) : record;
    AUTO_WRITER raw = writer_new(8192);
    AUTO_WRITER clean = writer_new(16384);

    output_cell(json_object_get(from, name), &raw);
    text_put_safe(&clean, writer_view_of(&raw));
    (void)fprintf(c->out, "%-*.*s ", width, (int)clean.len, clean.ptr ? (const char *)clean.ptr : "");
}

static void put_record(struct cli *c, const json_t *record)
{
    const char *error = json_string_value(json_object_get(json_object_get(record, "what"), "error"));

    if (c->json) {
        char *text = json_dumps(record, JSON_COMPACT);
        (void)fprintf(c->out, "%s\n", text ? text : "");
        free(text);
        return;
    }
    if (error && *error)
        (void)fputs(output_style(c, STYLE_BAD), c->out);
    put_value(c, record, NULL, "index", 7);
    put_value(c, record, NULL, "time", 24);
    put_value(c, record, NULL, "severity", 8);
    put_value(c, record, NULL, "type", 24);
    put_value(c, record, "who", "actor", 20);
    put_value(c, record, "what", "resource", 0);
    put_value(c, record, "what", "detail", 0);
    put_value(c, record, "what", "error", 0);
    (void)fprintf(c->out, "%s\n", output_style(c, STYLE_NONE));
}

/* What is newer than *next, oldest first; *next becomes the index behind the newest. */
static RESULT tail_once(struct cli *c, uint64_t *next, uint64_t limit)
{
    AUTO_WRITER address = writer_new(8192);
    AUTO(json_decref) json_t *root = NULL;
    struct api_answer answer;
    const json_t *records;
    size_t shown = 0, n;

    writer_printf(&address, "%s?limit=%llu", RECORDS, (unsigned long long)limit);
    for (size_t i = 0; i < 4; i++) {
        static const char *const filters[] = {"type", "actor", "resource", "severity"};
        api_query(&address, filters[i], args_text(&c->args, filters[i]));
    }
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    TRY(json_read(answer.body, &root, &c->why));
    records = json_object_get(root, "records");
    n = json_array_size(records);
    while (shown < n) {
        const json_t *index = json_object_get(json_array_get(records, shown), "index");
        if ((uint64_t)json_integer_value(index) < *next)
            break;
        shown++;
    }
    for (size_t i = shown; i > 0; i--)
        put_record(c, json_array_get(records, i - 1));
    if (shown)
        *next = (uint64_t)json_integer_value(json_object_get(json_array_get(records, 0), "index")) + 1;
    return OK;
}

RESULT audit_tail(struct cli *c)
{
    const struct timespec pause = {TAIL_MS / 1000, 0};
    uint64_t next = 0;

    TRY(tail_once(c, &next, args_number(&c->args, "limit", TAIL_LINES)));
    while (!args_has(&c->args, "once")) {
        if (fflush(c->out) != 0 || ferror(c->out))
            return OK; /* whoever read it has gone */
        (void)nanosleep(&pause, NULL);
        TRY(tail_once(c, &next, 1000));
    }
    return OK;
}

/* --- checkpoint, export */

RESULT audit_checkpoint(struct cli *c)
{
    struct api_answer answer;
    uint64_t size;

    TRY(api_call(c, "GET", "/api/v1/audit/checkpoint", (struct view){0}, &answer));
    TRY(grant_check_note(c, answer.body, &size));
    (void)fwrite(answer.body.ptr, 1, answer.body.len, c->out);
    return profile_put(c, "checkpoint", answer.body);
}

struct export
{
    FILE *out;
    bool has_head;
    uint64_t size, next; /* records in all, and the first that is missing */
};

static RESULT take_head(struct cli *c, struct export *x, struct view line)
{
    AUTO(json_decref) json_t *root = NULL;
    const json_t *note;

    TRY(json_read(line, &root, &c->why));
    note = json_object_get(root, "checkpoint");
    if (note_size(VIEW(json_string_value(note), json_string_length(note)), &x->size) != OK)
        return cli_fail(c, ERR_BAD_CHECKPOINT, "head", "the export does not begin with a checkpoint");
    x->has_head = true;
    return OK;
}

/* The chunk's lines: the head once, then records in order up to the head's size. */
static RESULT take_chunk(struct cli *c, struct export *x, struct view chunk)
{
    while (chunk.len) {
        const uint8_t *end = memchr(chunk.ptr, '\n', chunk.len);
        struct view line = VIEW(chunk.ptr, end ? (size_t)(end - chunk.ptr) : chunk.len);
        bool head = view_starts(line, "{\"holdfast_log\"");
        size_t step = line.len + (end ? 1 : 0);

        chunk = VIEW(chunk.ptr + step, chunk.len - step);
        if (line.len == 0 || (head && x->has_head))
            continue;
        if (head)
            TRY(take_head(c, x, line));
        else if (x->next++ >= x->size)
            return OK;
        if (fwrite(line.ptr, 1, line.len, x->out) != line.len || fputc('\n', x->out) == EOF)
            return cli_fail(c, ERR_IO, "", "writing the export: %s", strerrordesc_np(errno));
    }
    return OK;
}

static RESULT export_all(struct cli *c, struct export *x)
{
    struct api_answer answer;

    do {
        uint64_t before = x->next;
        const char *address = x->has_head ? cli_text(c, "/api/v1/audit/export?from=%llu&to=%llu",
                                                     (unsigned long long)x->next, (unsigned long long)x->size)
                                          : "/api/v1/audit/export";
        TRY(api_call(c, "GET", address, (struct view){0}, &answer));
        TRY(take_chunk(c, x, answer.body));
        if (!x->has_head || (x->next == before && x->next < x->size))
            return cli_fail(c, ERR_TRUNCATED, "", "the server sent only %llu of %llu records",
                            (unsigned long long)x->next, (unsigned long long)x->size);
    } while (x->next < x->size);
    return OK;
}

RESULT audit_export(struct cli *c)
{
    const char *path = c->args.arguments[0];
    struct export x = {.out = c->out};
    enum err e;

    if (path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        x.out = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (!x.out)
            return cli_fail(c, errno == EEXIST ? ERR_EXISTS : ERR_IO, path, "making %s: %s", path,
                            strerrordesc_np(errno));
    }
    e = export_all(c, &x);
    if (path && fclose(x.out) != 0 && e == OK)
        e = cli_fail(c, ERR_IO, path, "writing %s: %s", path, strerrordesc_np(errno));
    TRY(e);
    cli_note(c, "%llu records exported; 'holdfast audit verify' proves them.", (unsigned long long)x.size);
    return OK;
}

/* --- verify */

static RESULT verifier_in_use(struct cli *c, struct view *ret)
{
    const char *text = args_text(&c->args, "verifier");
    struct profile *p;

    if (text) {
        *ret = view_str(text);
        return OK;
    }
    TRY(profile_of(c, &p));
    *ret = p->verifier;
    if (ret->len == 0)
        cli_note(c,
                 "Warning: no verifier is pinned in the profile, so the export's own word is taken for who signs it. "
                 "Give --verifier.");
    return OK;
}

static RESULT verify_lines(struct cli *c, FILE *in, struct verify *v)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = 0;
    enum err e = OK;

    while (e == OK && (n = getline(&line, &cap, in)) > 0)
        e = (size_t)n > LINES_MAX ? cli_fail(c, ERR_TOO_LONG, "", "a line is longer than an export's can be")
                                  : verify_line(v, VIEW(line, n), &c->why);
    free(line);
    if (e == OK && ferror(in))
        return cli_fail(c, ERR_IO, c->args.arguments[0], "reading the export: %s", strerrordesc_np(errno));
    return e;
}

static RESULT show_verified(struct cli *c, const struct verify_summary *s)
{
    static const struct column columns[] = {
        {"verified", "Verified"},
        {"records", "Records"},
        {"erased", "Of erased persons"},
        {"first", "First"},
        {"last", "Last"},
        {"pinned", "Signed by the pinned key"},
        {"extends_earlier", "Extends the earlier checkpoint"},
    };
    char first[TIME_TEXT_SIZE], last[TIME_TEXT_SIZE];
    AUTO_WRITER w = writer_new(4096);

    time_format(s->first_ms, first);
    time_format(s->last_ms, last);
    json_open(&w, '{');
    json_bool(&w, "verified", true);
    json_u64(&w, "records", s->records);
    json_u64(&w, "erased", s->erased);
    if (s->records) {
        json_text(&w, "first", view_str(first));
        json_text(&w, "last", view_str(last));
    }
    json_bool(&w, "pinned", s->pinned);
    if (args_has(&c->args, "against"))
        json_bool(&w, "extends_earlier", s->extends_earlier);
    json_close(&w, '}');
    TRY(writer_done(&w));
    return output_object(c, writer_view_of(&w), columns, ARRAY_LEN(columns));
}

RESULT audit_verify(struct cli *c)
{
    AUTO(verify_free) struct verify *v = NULL;
    AUTO(secret_free) struct secret *earlier = NULL;
    const char *path = c->args.arguments[0], *against = args_text(&c->args, "against");
    struct verify_summary summary;
    struct view verifier;
    FILE *in;
    enum err e;

    TRY(verifier_in_use(c, &verifier));
    if (against)
        TRY(ask_contents(c, against, NOTE_MAX, &earlier));
    TRY(verify_new(verifier, earlier ? secret_view(earlier) : (struct view){0}, &v, &c->why));
    in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!in)
        return cli_fail(c, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, path, "opening %s: %s", path,
                        strerrordesc_np(errno));
    e = verify_lines(c, in, v);
    if (in != stdin)
        (void)fclose(in);
    TRY(e);
    TRY(verify_finish(v, &summary, &c->why));
    return show_verified(c, &summary);
}
