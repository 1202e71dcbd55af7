#include "cli/import.h"

#include "base/json.h"
#include "base/text.h"

#include <stdio.h>

#define FIELD_BYTES 4096
#define BODY_BYTES  65536

static const struct {
    const char *name;
    bool list;
} known[] = {{"name", false}, {"email", false}, {"roles", true}, {"environments", true}, {"password_hash", false}};
#define COLUMNS ARRAY_LEN(known)

struct csv {
    struct view rest;
    size_t line;
    size_t order[COLUMNS]; /* which of the known ones a column is */
    size_t columns;
    char field[FIELD_BYTES];
    size_t len;
    bool last; /* of its line */
};

static RESULT wrong(const struct csv *c, struct problem *why, const char *what)
{
    char where[32];

    (void)snprintf(where, sizeof where, "line %zu", c->line);
    return problem_set(why, ERR_MALFORMED, where, "%s", what);
}

/* --- one field */

static int next_byte(struct csv *c)
{
    if (c->rest.len == 0)
        return -1;
    int b = *c->rest.ptr;
    c->rest = VIEW(c->rest.ptr + 1, c->rest.len - 1);
    return b;
}

static RESULT keep(struct csv *c, int b, struct problem *why)
{
    if (c->len == sizeof c->field)
        return wrong(c, why, "A field is longer than 4096 bytes.");
    c->field[c->len++] = (char)b;
    return OK;
}

/* What may follow a field: a comma, or the line's end as LF, CR LF or the end of the file. */
static bool ends(struct csv *c, int b)
{
    if (b == '\r' && c->rest.len && *c->rest.ptr == '\n')
        b = next_byte(c);
    c->last = b == '\n' || b < 0;
    return c->last || b == ',';
}

static RESULT quoted(struct csv *c, struct problem *why)
{
    for (;;) {
        int b = next_byte(c);
        if (b < 0)
            return wrong(c, why, "A quoted field does not end.");
        if (b == '"') {
            b = next_byte(c);
            if (b != '"')
                return ends(c, b) ? OK : wrong(c, why, "A quoted field is followed by something else than a comma.");
        }
        TRY(keep(c, b, why));
    }
}

static RESULT next_field(struct csv *c, struct problem *why)
{
    int b = next_byte(c);

    c->len = 0;
    if (b == '"')
        return quoted(c, why);
    for (; !ends(c, b); b = next_byte(c)) {
        if (b == '"')
            return wrong(c, why, "A quotation mark stands in a field that does not begin with one.");
        TRY(keep(c, b, why));
    }
    return OK;
}

/* --- lines */

static RESULT read_names(struct csv *c, struct problem *why)
{
    bool seen[COLUMNS] = {false};

    c->line = 1;
    if (c->rest.len == 0)
        return wrong(c, why, "The list is empty.");
    do {
        size_t at = 0;
        TRY(next_field(c, why));
        while (at < COLUMNS && !view_is(VIEW(c->field, c->len), known[at].name))
            at++;
        if (at == COLUMNS || seen[at])
            return wrong(c, why,
                         "The first line must name the columns, each once: name, email, roles, environments, "
                         "password_hash.");
        seen[at] = true;
        c->order[c->columns++] = at;
    } while (!c->last);
    return seen[0] ? OK : wrong(c, why, "A column called name is missing.");
}

static void put_list(struct writer *w, const char *name, struct view text)
{
    json_name(w, name);
    json_open(w, '[');
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, ';', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        json_item(w);
        json_put_text(w, VIEW(text.ptr, n));
        n += end != NULL;
        text = VIEW(text.ptr + n, text.len - n);
    }
    json_close(w, ']');
}

static RESULT read_line(struct csv *c, struct writer *w, struct problem *why)
{
    size_t at = 0;

    json_open(w, '{');
    do {
        TRY(next_field(c, why));
        if (at == c->columns || (c->last && at + 1 < c->columns))
            return wrong(c, why, "This line has more or fewer fields than the first one.");
        struct view text = VIEW(c->field, c->len);
        if (!utf8_valid(text))
            return wrong(c, why, "Text must be valid UTF-8.");
        size_t which = c->order[at++];
        if (text.len && known[which].list)
            put_list(w, known[which].name, text);
        else if (text.len)
            json_text(w, known[which].name, text);
    } while (!c->last);
    json_close(w, '}');
    return writer_done(w);
}

static RESULT walk_csv(struct view text, import_each each, void *context, struct problem *why)
{
    struct csv c = {.rest = text};

    TRY(read_names(&c, why));
    for (size_t n = 1; c.rest.len; n++) {
        AUTO_WRITER body = writer_new(BODY_BYTES);
        c.line++;
        TRY(read_line(&c, &body, why));
        TRY(each(context, n, writer_view_of(&body)));
    }
    return OK;
}

static RESULT walk_json(struct view text, import_each each, void *context, struct problem *why)
{
    __attribute__((cleanup(json_decref_auto))) json_t *list = NULL;
    const json_t *user;
    size_t n;

    TRY(json_read(text, &list, why));
    if (!json_is_array(list))
        return problem_set(why, ERR_BAD_JSON, "", "%s", "A list of users is a JSON array.");
    json_array_foreach(list, n, user)
    {
        char *body = json_dumps(user, JSON_COMPACT);
        if (!body)
            return ERR_NO_MEMORY;
        enum err e = each(context, n + 1, view_str(body));
        free(body);
        TRY(e);
    }
    return OK;
}

RESULT import_users(struct view text, import_each each, void *context, struct problem *why)
{
    if (view_starts(text, "\xef\xbb\xbf"))
        text = VIEW(text.ptr + 3, text.len - 3); /* spreadsheets begin so */
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at])
        at++;
    bool json = at < text.len && text.ptr[at] == '[';
    return json ? walk_json(text, each, context, why) : walk_csv(text, each, context, why);
}
