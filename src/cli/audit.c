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

#define RECORDS             "/api/v1/audit/records"
#define CHECKPOINT_PAUSE_MS 100
#define CHECKPOINT_PAUSES   50
#define LINES_MAX           ((size_t)1 << 20) /* one line of an export */
#define TAIL_LINES          20
#define TAIL_MOST           1000
#define TAIL_SECONDS        1

static const struct column list_columns[] = {
    {"index", "INDEX"},        {"time", "TIME"},        {"severity", "SEVERITY"}, {"type", "TYPE"},
    {"outcome", "OUTCOME"},    {"who.actor", "WHO"},    {"who.source", "FROM"},   {"what.resource", "WHAT"},
    {"what.detail", "DETAIL"}, {"what.error", "ERROR"},
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
        {"index", "Index"},        {"time", "Time"},
        {"type", "Type"},          {"severity", "Severity"},
        {"outcome", "Outcome"},    {"author", "Written by"},
        {"who.actor", "Who"},      {"who.proof", "Proved itself"},
        {"who.source", "From"},    {"who.user_agent", "With"},
        {"who.reason", "Reason"},  {"who.request_id", "Request id"},
        {"what.resource", "What"}, {"what.also", "And"},
        {"what.detail", "Detail"}, {"what.error", "Error"},
        {"erased", "Erased"},      {"hash", "Leaf hash"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", api_path(c, RECORDS "/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

/* --- tail: the newest, then what follows, in the order of the log */

static const struct tail_column {
    const char *name;
    int width;
} tail_columns[] = {
    {"index", 6},       {"time", 24},         {"severity", 8},    {"type", 24},      {"who.actor", 20},
    {"who.source", 15}, {"what.resource", 0}, {"what.detail", 0}, {"what.error", 0},
};

static void put_record(struct cli *c, const json_t *record)
{
    if (c->json) {
        char *text = json_dumps(record, JSON_COMPACT);
        (void)fprintf(c->out, "%s\n", text ? text : "");
        free(text);
        return;
    }
    bool bad = output_member(record, "what.error") != NULL;
    (void)fputs(bad ? output_style(c, STYLE_BAD) : "", c->out);
    for (size_t i = 0; i < ARRAY_LEN(tail_columns); i++) {
        AUTO_WRITER raw = writer_new(8192);
        AUTO_WRITER clean = writer_new(32768);
        output_cell(output_member(record, tail_columns[i].name), &raw);
        text_put_safe(&clean, writer_view_of(&raw));
        if (clean.len || tail_columns[i].width)
            (void)fprintf(c->out, "%s%-*.*s", i ? " " : "", tail_columns[i].width, (int)clean.len,
                          clean.ptr ? (const char *)clean.ptr : "");
    }
    (void)fprintf(c->out, "%s\n", bad ? output_style(c, STYLE_NONE) : "");
}

static size_t severity_rank(const char *name)
{
    size_t i = 0;

    while (name && severity_names[i] && strcmp(severity_names[i], name) != 0)
        i++;
    return i;
}

static struct view text_of(const json_t *record, const char *member)
{
    const char *text = json_string_value(output_member(record, member));
    return view_str(text ? text : "");
}

static bool speaks_of(const json_t *record, const char *resource)
{
    const struct record_object what = {.resource = text_of(record, "what.resource"),
                                       .also = text_of(record, "what.also")};
    struct view things[RECORD_THINGS_MAX];
    size_t n = record_things(&what, things);
    bool found = false;

    for (size_t i = 0; i < n; i++)
        found |= view_is(things[i], resource);
    return found;
}

static bool wanted(const struct args *a, const json_t *record)
{
    static const struct {
        const char *option, *member;
    } exact[] = {{"type", "type"}, {"actor", "who.actor"}};
    const char *least = args_text(a, "severity"), *resource = args_text(a, "resource");

    if (resource && !speaks_of(record, resource))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
        const char *want = args_text(a, exact[i].option);
        const char *is = json_string_value(output_member(record, exact[i].member));
        if (want && (!is || strcmp(want, is) != 0))
            return false;
    }
    return !least || severity_rank(json_string_value(json_object_get(record, "severity"))) >= severity_rank(least);
}

/* What came after *after (0: the newest ones); ret_more if there may be more at once. */
static RESULT tail_once(struct cli *c, uint64_t *after, uint64_t limit, bool *ret_more)
{
    AUTO(json_decref) json_t *root = NULL;
    const char *address = *after ? cli_text(c, "/api/v1/audit/tail?after=%llu&limit=%llu", (unsigned long long)*after,
                                            (unsigned long long)limit)
                                 : cli_text(c, "/api/v1/audit/tail?limit=%llu", (unsigned long long)limit);
    struct api_answer answer;
    const json_t *records;
    json_t *record;
    size_t i;

    TRY(api_call(c, "GET", address, (struct view){0}, &answer));
    TRY(json_read(answer.body, &root, &c->why));
    records = json_object_get(root, "records");
    json_array_foreach(records, i, record) if (wanted(&c->args, record)) put_record(c, record);
    *after = (uint64_t)json_integer_value(json_object_get(root, "next"));
    *ret_more = json_array_size(records) == limit;
    return OK;
}

RESULT audit_tail(struct cli *c)
{
    const struct timespec pause = {TAIL_SECONDS, 0};
    uint64_t after = 0, limit = args_number(&c->args, "limit", TAIL_LINES);
    bool more;

    TRY(tail_once(c, &after, limit > TAIL_MOST ? TAIL_MOST : limit, &more));
    while (!args_has(&c->args, "once")) {
        if (fflush(c->out) != 0 || ferror(c->out))
            return OK; /* whoever read it has gone */
        (void)nanosleep(&pause, NULL);
        do
            TRY(tail_once(c, &after, TAIL_MOST, &more));
        while (more && after);
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

static RESULT newest_record(struct cli *c, uint64_t *ret)
{
    AUTO(json_decref) json_t *root = NULL;
    struct api_answer answer;

    TRY(api_call(c, "GET", RECORDS "?limit=1", (struct view){0}, &answer));
    TRY(json_read(answer.body, &root, &c->why));
    *ret = (uint64_t)json_integer_value(json_object_get(json_array_get(json_object_get(root, "records"), 0), "index"));
    return OK;
}

/* Checkpoints are signed about once a second, and an export ends at the newest one: it is given the time to cover what
 * had happened when the export was asked for. */
static RESULT await_checkpoint(struct cli *c)
{
    struct timespec pause = {.tv_nsec = CHECKPOINT_PAUSE_MS * 1000000L};
    uint64_t newest, size = 0;

    TRY(newest_record(c, &newest));
    for (int i = 0; i < CHECKPOINT_PAUSES && size <= newest; i++) {
        struct api_answer answer;
        enum err e = api_call(c, "GET", "/api/v1/audit/checkpoint", (struct view){0}, &answer);
        if (e != OK && e != ERR_NOT_FOUND)
            return e;
        if (e == OK)
            TRY(note_size(answer.body, &size));
        if (size <= newest)
            (void)nanosleep(&pause, NULL);
    }
    if (size <= newest)
        cli_note(c, "Note: the newest records are not under a signed checkpoint yet, and left out.");
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
    e = await_checkpoint(c);
    if (e == OK)
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

/* A line that can't be read is an altered one, like any other that does not fit; only a file that is no export at all
 * is somebody's mistake. */
static RESULT disproved(struct cli *c, enum err e)
{
    bool record = strncmp(c->why.where, "record ", 7) == 0;

    return err_exit(e) == 2 && (record || e == ERR_TRUNCATED)
               ? problem_set(&c->why, ERR_LOG_MISMATCH, cli_text(c, "%s", c->why.where), "%s",
                             cli_text(c, "%s", c->why.detail))
               : e;
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
    if (e == OK)
        e = verify_finish(v, &summary, &c->why);
    return e == OK ? show_verified(c, &summary) : disproved(c, e);
}
