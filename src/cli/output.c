#include "cli/output.h"

#include "base/text.h"

#define CELL_MAX    65536
#define COLUMNS_MAX 12
#define GAP         2

struct table {
    struct cli *c;
    const struct column *columns;
    size_t column_count, cell_count, cell_cap;
    struct view *cells;
};

const char *output_style(const struct cli *c, enum output_style style)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[2m"};

    return c->color ? codes[style] : "";
}

/* Characters, which is what a terminal shows side by side; wide ones are rare in names and paths. */
static size_t text_width(struct view v)
{
    size_t n = 0;

    for (size_t i = 0; i < v.len; i++)
        n += (v.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* The longest front of v with at most width characters. */
static struct view text_front(struct view v, size_t width)
{
    size_t i = 0;

    while (i < v.len && (width > 0 || (v.ptr[i] & 0xc0) == 0x80)) {
        width -= (v.ptr[i] & 0xc0) != 0x80;
        i++;
    }
    return VIEW(v.ptr, i);
}

/* --- tables */

RESULT table_new(struct cli *c, const struct column *columns, size_t count, struct table **ret)
{
    struct table *t = arena_alloc(c->arena, sizeof *t);

    if (!t || count > COLUMNS_MAX)
        return ERR_NO_MEMORY;
    *t = (struct table){.c = c, .columns = columns, .column_count = count};
    *ret = t;
    return OK;
}

RESULT table_cell(struct table *t, struct view text)
{
    AUTO_WRITER clean = writer_new(CELL_MAX);

    if (t->cell_count == t->cell_cap) {
        size_t cap = t->cell_cap ? t->cell_cap * 2 : 64;
        struct view *grown = arena_alloc(t->c->arena, cap * sizeof *grown);
        if (!grown)
            return ERR_NO_MEMORY;
        if (t->cell_count)
            memcpy(grown, t->cells, t->cell_count * sizeof *grown);
        t->cells = grown;
        t->cell_cap = cap;
    }
    text_put_safe(&clean, text);
    TRY(writer_done(&clean));
    return arena_copy(t->c->arena, writer_view_of(&clean), &t->cells[t->cell_count++]);
}

static const char *title_of(const struct column *col)
{
    return col->title ? col->title : col->name;
}

static void measure(const struct table *t, size_t *widths)
{
    for (size_t k = 0; k < t->column_count; k++)
        widths[k] = text_width(view_str(title_of(&t->columns[k])));
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t w = text_width(t->cells[i]), *at = &widths[i % t->column_count];
        *at = w > *at ? w : *at;
    }
}

/* On a terminal no line is longer than it is wide: the widest columns give way, down to a width that still says
 * something. */
static void fit(const struct table *t, size_t *widths)
{
    size_t total = 0;

    for (size_t k = 0; k < t->column_count; k++)
        total += widths[k] + (k ? GAP : 0);
    while (t->c->width && total > t->c->width) {
        size_t widest = 0;
        for (size_t k = 1; k < t->column_count; k++)
            widest = widths[k] > widths[widest] ? k : widest;
        if (widths[widest] <= 8)
            return;
        widths[widest]--;
        total--;
    }
}

static void put_cell(FILE *out, struct view text, size_t width, bool last)
{
    size_t w = text_width(text);
    struct view shown = w > width && width > 0 ? text_front(text, width - 1) : text;

    (void)fwrite(shown.ptr ? shown.ptr : (const uint8_t *)"", 1, shown.len, out);
    if (w > width)
        (void)fputs("…", out);
    for (size_t i = w < width ? w : width; !last && i < width + GAP; i++)
        (void)fputc(' ', out);
}

void table_print(struct table *t)
{
    size_t widths[COLUMNS_MAX] = {0}, n = t->column_count;
    FILE *out = t->c->out;

    if (n == 0)
        return;
    measure(t, widths);
    fit(t, widths);
    (void)fputs(output_style(t->c, STYLE_TITLE), out);
    for (size_t k = 0; k < n; k++)
        put_cell(out, view_str(title_of(&t->columns[k])), widths[k], k + 1 == n);
    (void)fprintf(out, "%s\n", output_style(t->c, STYLE_NONE));
    for (size_t i = 0; i < t->cell_count; i++) {
        bool last = (i + 1) % n == 0;
        put_cell(out, t->cells[i], widths[i % n], last);
        if (last)
            (void)fputc('\n', out);
    }
}

/* --- JSON */

static void cell_list(const json_t *list, struct writer *w)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        writer_str(w, i ? ", " : "");
        output_cell(item, w);
    }
}

void output_cell(const json_t *value, struct writer *w)
{
    char *text;

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        writer_bytes(w, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        writer_printf(w, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_TRUE:
        writer_str(w, "yes");
        break;
    case JSON_FALSE:
        writer_str(w, "no");
        break;
    case JSON_ARRAY:
        cell_list(value, w);
        break;
    case JSON_NULL:
        break;
    default:
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        writer_str(w, text ? text : "");
        free(text);
    }
}

const json_t *output_member(const json_t *object, const char *name)
{
    const char *dot = strchr(name, '.');
    char first[64];

    if (!dot)
        return json_object_get(object, name);
    (void)snprintf(first, sizeof first, "%.*s", (int)(dot - name), name);
    return output_member(json_object_get(object, first), dot + 1);
}

void output_json(struct cli *c, struct view body)
{
    if (body.len)
        (void)fwrite(body.ptr, 1, body.len, c->out);
    (void)fputs(body.len ? "\n" : "{}\n", c->out);
}

static RESULT read_body(struct cli *c, struct view body, json_t **ret)
{
    enum err e = json_read(body, ret, &c->why);

    if (e != OK)
        return cli_fail(c, ERR_BAD_JSON, "", "the server's answer is not JSON; is this a Holdfast server?");
    return OK;
}

static RESULT fill(struct table *t, const json_t *list)
{
    size_t i;
    json_t *row;

    json_array_foreach(list, i, row)
    {
        for (size_t k = 0; k < t->column_count; k++) {
            AUTO_WRITER cell = writer_new(CELL_MAX);
            output_cell(output_member(row, t->columns[k].name), &cell);
            TRY(table_cell(t, writer_view_of(&cell)));
        }
    }
    return OK;
}

static void note_next(struct cli *c, const json_t *next)
{
    AUTO_WRITER text = writer_new(4096);
    const char *option = command_option(c->args.command, "before", 6) ? "before" : "after";

    if (!next)
        return;
    output_cell(next, &text);
    cli_note(c, "There are more: go on with --%s %.*s", option, (int)text.len, (const char *)text.ptr);
}

struct listing {
    const char *member;
    const struct column *columns;
    size_t count;
    const char *if_empty;
};

/* Rows of one size, so that the comparison needs to know its first cell only. */
static int by_first_cell(const void *a, const void *b)
{
    return view_cmp(*(const struct view *)a, *(const struct view *)b);
}

static RESULT list(struct cli *c, struct view body, const struct listing *l, bool sorted)
{
    AUTO(json_decref) json_t *root = NULL;
    struct table *t;
    const json_t *rows, *next;

    if (c->json) {
        output_json(c, body);
        return OK;
    }
    TRY(read_body(c, body, &root));
    rows = l->member ? output_member(root, l->member) : root;
    next = json_object_get(root, "next");
    if (json_array_size(rows) == 0) {
        cli_note(c, "%s", l->if_empty);
        note_next(c, next);
        return OK;
    }
    TRY(table_new(c, l->columns, l->count, &t));
    TRY(fill(t, rows));
    if (!t->cells)
        return ERR_INTERNAL; /* rows have cells */
    if (sorted && !next)
        qsort(t->cells, t->cell_count / t->column_count, t->column_count * sizeof *t->cells, by_first_cell);
    table_print(t);
    note_next(c, next);
    return OK;
}

RESULT output_list(struct cli *c, struct view body, const char *member, const struct column *columns, size_t count,
                   const char *if_empty)
{
    const struct listing l = {member, columns, count, if_empty};

    return list(c, body, &l, false);
}

RESULT output_sorted_list(struct cli *c, struct view body, const char *member, const struct column *columns,
                          size_t count, const char *if_empty)
{
    const struct listing l = {member, columns, count, if_empty};

    return list(c, body, &l, true);
}

static void put_detail(struct cli *c, const char *title, size_t width, struct view value)
{
    AUTO_WRITER clean = writer_new(2 * CELL_MAX);

    text_put_safe(&clean, value);
    (void)fprintf(c->out, "%s%s%s%*s", output_style(c, STYLE_TITLE), title, output_style(c, STYLE_NONE),
                  (int)(width - strlen(title) + GAP), "");
    (void)fwrite(clean.ptr ? clean.ptr : (const uint8_t *)"", 1, clean.len, c->out);
    (void)fputc('\n', c->out);
}

RESULT output_object(struct cli *c, struct view body, const struct column *columns, size_t count)
{
    AUTO(json_decref) json_t *root = NULL;
    size_t width = 0;

    if (c->json) {
        output_json(c, body);
        return OK;
    }
    TRY(read_body(c, body, &root));
    for (size_t k = 0; k < count; k++) {
        size_t w = strlen(title_of(&columns[k]));
        width = output_member(root, columns[k].name) && w > width ? w : width;
    }
    for (size_t k = 0; k < count; k++) {
        const json_t *value = output_member(root, columns[k].name);
        AUTO_WRITER cell = writer_new(CELL_MAX);
        output_cell(value, &cell);
        if (value && cell.len)
            put_detail(c, title_of(&columns[k]), width, writer_view_of(&cell));
    }
    return OK;
}

RESULT output_done(struct cli *c, struct view body, const char *sentence)
{
    if (c->json)
        output_json(c, body);
    else
        cli_note(c, "%s", sentence);
    return OK;
}

RESULT output_entity(struct cli *c, const struct entity *e, const void *object)
{
    AUTO_WRITER body = writer_new(1024 * 1024);
    struct column columns[32];
    size_t n = 0;

    entity_to_json(e, object, &body);
    TRY(writer_done(&body));
    for (size_t i = 0; i < e->count && n < ARRAY_LEN(columns); i++)
        columns[n++] = (struct column){e->fields[i].name, NULL};
    return output_object(c, writer_view_of(&body), columns, n);
}

/* --- problems */

static const char *title_of_problem(const struct cli *c, enum err e)
{
    return c->title[0] ? c->title : err_sentence(e);
}

void output_problem_json(const struct cli *c, enum err e, struct writer *w)
{
    json_open(w, '{');
    json_text(w, "code", view_str(err_code(e)));
    json_text(w, "title", view_str(title_of_problem(c, e)));
    if (c->why.detail[0])
        json_text(w, "detail", view_str(c->why.detail));
    if (c->why.where[0])
        json_text(w, "where", view_str(c->why.where));
    if (c->request_id[0])
        json_text(w, "requestId", view_str(c->request_id));
    json_u64(w, "exit", (uint64_t)err_exit(e));
    json_close(w, '}');
}

static void problem_line(struct cli *c, enum err e)
{
    AUTO_WRITER w = writer_new(8192);

    output_problem_json(c, e, &w);
    if (writer_done(&w) == OK)
        (void)fprintf(c->err, "%.*s\n", (int)w.len, (const char *)w.ptr);
}

static void put_line(struct cli *c, const char *label, const char *text)
{
    AUTO_WRITER clean = writer_new(4096);

    if (!*text)
        return;
    text_put_safe(&clean, view_str(text));
    (void)fprintf(c->err, "%s%.*s\n", label, (int)clean.len, clean.ptr ? (const char *)clean.ptr : "");
}

void output_problem(struct cli *c, enum err e)
{
    const char *title = title_of_problem(c, e);

    if (c->json) {
        problem_line(c, e);
        return;
    }
    put_line(c, "holdfast: ", title);
    if (strcmp(c->why.detail, title) != 0)
        put_line(c, "  ", c->why.detail);
    if (!strstr(c->why.detail, c->why.where))
        put_line(c, "  where: ", c->why.where);
    put_line(c, "  code:  ", err_code(e));
    put_line(c, "  request id: ", c->request_id);
}
