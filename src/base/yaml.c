#include "base/yaml.h"

#include "base/text.h"

#include <stdarg.h>
#include <yaml.h>

#define MAX_NODES 200000
#define MAX_KEYS  4096 /* each is compared with those before it */

/* A container that is still open. Its children form a list, newest first, until they are counted. */
struct child {
    struct child *before;
    struct yaml_node key, value;
};

struct open_node {
    struct yaml_node node;
    struct child *last;
    struct yaml_node key;
    bool has_key;
};

struct reading {
    const char *file;
    uint32_t lines, columns; /* before the text, in the file that it stands in */
    struct arena *arena;
    struct problem *why;
    yaml_parser_t parser;
    struct open_node stack[YAML_MAX_DEPTH];
    size_t depth, nodes;
    const struct yaml_node *root;
};

enum err yaml_refuse(struct problem *why, enum err code, const struct yaml_node *node, const char *format, ...)
{
    char where[sizeof why->where], detail[sizeof why->detail];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    (void)snprintf(where, sizeof where, "%s:%u:%u", node->file, (unsigned)node->line, (unsigned)node->column);
    return problem_set(why, code, where, "%s", detail);
}

static struct yaml_node node_at(const struct reading *r, enum yaml_kind kind, yaml_mark_t mark)
{
    return (struct yaml_node){.kind = kind,
                              .line = r->lines + (uint32_t)mark.line + 1,
                              .column = r->columns + (uint32_t)mark.column + 1,
                              .file = r->file};
}

static enum err refuse_mark(const struct reading *r, yaml_mark_t mark, enum err code, const char *detail)
{
    struct yaml_node here = node_at(r, YAML_SCALAR, mark);

    return yaml_refuse(r->why, code, &here, "%s", detail);
}

static enum err check_key(const struct reading *r, const struct open_node *map, const struct yaml_node *key)
{
    if (key->kind != YAML_SCALAR)
        return yaml_refuse(r->why, ERR_BAD_CONFIG, key, "A key must be a plain name.");
    if (!key->quoted && view_is(key->text, "<<"))
        return yaml_refuse(r->why, ERR_BAD_CONFIG, key, "Merge keys are not taken; write the members out.");
    if (map->node.count >= MAX_KEYS)
        return yaml_refuse(r->why, ERR_TOO_LONG, key, "A map may have at most %d keys.", MAX_KEYS);
    for (const struct child *c = map->last; c; c = c->before)
        if (view_eq(c->key.text, key->text))
            return yaml_refuse(r->why, ERR_DUPLICATE_FIELD, key, "This key stands on line %u already.",
                               (unsigned)c->key.line);
    return OK;
}

/* A finished node goes to where it belongs: the root, the key that waits for a value, or the end of the list. */
static enum err place_node(struct reading *r, struct yaml_node node)
{
    struct open_node *up = r->depth ? &r->stack[r->depth - 1] : NULL;

    if (!up) {
        struct yaml_node *root = arena_alloc(r->arena, sizeof *root);

        if (!root)
            return yaml_refuse(r->why, ERR_NO_MEMORY, &node, "The file is larger than is taken.");
        *root = node;
        r->root = root;
        return OK;
    }
    if (up->node.kind == YAML_MAP && !up->has_key) {
        TRY(check_key(r, up, &node));
        up->key = node;
        up->has_key = true;
        return OK;
    }
    struct child *c = arena_alloc(r->arena, sizeof *c);

    if (!c)
        return yaml_refuse(r->why, ERR_NO_MEMORY, &node, "The file is larger than is taken.");
    *c = (struct child){up->last, up->key, node};
    up->last = c;
    up->has_key = false;
    up->node.count++;
    return OK;
}

static enum err open_container(struct reading *r, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node node = node_at(r, kind, mark);
    const struct open_node *up = r->depth ? &r->stack[r->depth - 1] : NULL;

    if (up && up->node.kind == YAML_MAP && !up->has_key)
        return yaml_refuse(r->why, ERR_BAD_CONFIG, &node, "A key must be a plain name.");
    if (r->depth == YAML_MAX_DEPTH)
        return yaml_refuse(r->why, ERR_TOO_LONG, &node, "Maps and lists may be nested %d deep.", YAML_MAX_DEPTH);
    r->stack[r->depth++] = (struct open_node){.node = node};
    return OK;
}

static enum err close_container(struct reading *r)
{
    struct open_node *top = &r->stack[--r->depth];
    struct yaml_node node = top->node;
    struct yaml_node *items = NULL, *keys = NULL;

    if (node.count) {
        items = arena_alloc(r->arena, node.count * sizeof *items);
        keys = node.kind == YAML_MAP ? arena_alloc(r->arena, node.count * sizeof *keys) : NULL;
        if (!items || (node.kind == YAML_MAP && !keys))
            return yaml_refuse(r->why, ERR_NO_MEMORY, &node, "The file is larger than is taken.");
    }
    const struct child *c = top->last;

    for (size_t i = node.count; i-- > 0; c = c->before) {
        items[i] = c->value;
        if (keys)
            keys[i] = c->key;
    }
    node.items = items;
    node.keys = keys;
    return place_node(r, node);
}

static enum err take_scalar(struct reading *r, const yaml_event_t *event)
{
    struct yaml_node node = node_at(r, YAML_SCALAR, event->start_mark);
    struct view text = VIEW(event->data.scalar.value, event->data.scalar.length);

    node.quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!utf8_valid(text))
        return yaml_refuse(r->why, ERR_BAD_CONFIG, &node, "Text must not hold NUL characters.");
    if (arena_copy(r->arena, text, &node.text))
        return yaml_refuse(r->why, ERR_NO_MEMORY, &node, "The file is larger than is taken.");
    return place_node(r, node);
}

static enum err refuse_extras(const struct reading *r, const yaml_event_t *event, const void *anchor, const void *tag)
{
    if (anchor)
        return refuse_mark(r, event->start_mark, ERR_BAD_CONFIG, "Anchors (&name) are not taken.");
    if (tag)
        return refuse_mark(r, event->start_mark, ERR_BAD_CONFIG, "Tags (!name) are not taken.");
    return OK;
}

static enum err start_document(const struct reading *r, const yaml_event_t *event)
{
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        return refuse_mark(r, event->start_mark, ERR_BAD_CONFIG, "Directives (%...) are not taken.");
    return r->root ? refuse_mark(r, event->start_mark, ERR_BAD_CONFIG, "Only one document is taken.") : OK;
}

static enum err take_event(struct reading *r, const yaml_event_t *event)
{
    if (r->nodes++ > MAX_NODES)
        return refuse_mark(r, event->start_mark, ERR_TOO_LONG, "The file has too many entries.");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return start_document(r, event);
    case YAML_ALIAS_EVENT:
        return refuse_mark(r, event->start_mark, ERR_BAD_CONFIG, "Aliases (*name) are not taken; write it out.");
    case YAML_SCALAR_EVENT:
        TRY(refuse_extras(r, event, event->data.scalar.anchor, event->data.scalar.tag));
        return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        TRY(refuse_extras(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag));
        return open_container(r, YAML_LIST, event->start_mark);
    case YAML_MAPPING_START_EVENT:
        TRY(refuse_extras(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag));
        return open_container(r, YAML_MAP, event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_container(r);
    default:
        return OK;
    }
}

static enum err refuse_syntax(const struct reading *r)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return refuse_mark(r, p->mark, ERR_NO_MEMORY, "There was no memory to read it.");
    if (p->error == YAML_READER_ERROR)
        return refuse_mark(r, p->mark, ERR_BAD_CONFIG, "The file must be UTF-8 without control characters.");
    return refuse_mark(r, p->problem_mark, ERR_BAD_CONFIG, p->problem ? p->problem : "This is not YAML.");
}

static enum err read_events(struct reading *r)
{
    bool ended = false;

    while (!ended) {
        yaml_event_t event;

        if (!yaml_parser_parse(&r->parser, &event))
            return refuse_syntax(r);
        enum err e = take_event(r, &event);

        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        TRY(e);
    }
    if (!r->root || (r->root->kind == YAML_SCALAR && r->root->text.len == 0 && !r->root->quoted))
        return refuse_mark(r, (yaml_mark_t){0}, ERR_BAD_CONFIG, "The file is empty.");
    return OK;
}

static enum err read_text(struct reading *r, struct view text, const struct yaml_node **ret)
{
    struct yaml_node start = node_at(r, YAML_SCALAR, (yaml_mark_t){0});

    if (text.len > YAML_MAX_SIZE)
        return yaml_refuse(r->why, ERR_TOO_LONG, &start, "The file may have at most %zu bytes.", YAML_MAX_SIZE);
    if (!yaml_parser_initialize(&r->parser))
        return yaml_refuse(r->why, ERR_NO_MEMORY, &start, "There was no memory to read it.");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, text.len ? text.ptr : (const uint8_t *)"", text.len);
    enum err e = read_events(r);

    yaml_parser_delete(&r->parser);
    TRY(e);
    *ret = r->root;
    return OK;
}

enum err yaml_read(const char *file, struct view text, struct arena *arena, const struct yaml_node **ret,
                   struct problem *why)
{
    struct yaml_node start = {.file = file, .line = 1, .column = 1};
    char *name = arena_str(arena, view_str(file));

    if (!name)
        return yaml_refuse(why, ERR_NO_MEMORY, &start, "There was no memory to read it.");
    struct reading r = {.file = name, .arena = arena, .why = why};
    return read_text(&r, text, ret);
}

/* --- inside of another file */

/* The rest of the text from that line on, which counts from 1. */
static struct view from_line(struct view text, uint32_t line)
{
    for (; line > 1 && text.len; line--) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) + 1 : text.len;

        text = VIEW(text.ptr + n, text.len - n);
    }
    return text;
}

/* Spaces before the first line that has more than spaces. */
static uint32_t spaces_before(struct view text)
{
    uint32_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && text.ptr[i] != '\n' && text.ptr[i] != '\r')
            return n;
        n = text.ptr[i] == ' ' ? n + 1 : 0;
    }
    return n;
}

/* Its header is the last word of its line. */
static bool is_literal(const struct yaml_node *n, struct view whole)
{
    struct view line = from_line(whole, n->line);
    size_t at = 0;

    if (n->kind != YAML_SCALAR || !n->quoted)
        return false;
    for (uint32_t column = 1; column < n->column && at < line.len; column++)
        for (at++; at < line.len && (line.ptr[at] & 0xc0) == 0x80;)
            at++;
    return at < line.len && line.ptr[at] == '|';
}

enum err yaml_read_inside(const struct yaml_node *outer, struct view whole, struct arena *arena,
                          const struct yaml_node **ret, struct problem *why)
{
    if (!is_literal(outer, whole))
        return yaml_refuse(why, ERR_BAD_CONFIG, outer,
                           "Write it as a literal block: | behind the key, then its lines.");
    struct reading r = {.file = outer->file, .arena = arena, .why = why, .lines = outer->line};
    uint32_t there = spaces_before(from_line(whole, outer->line + 1)), here = spaces_before(outer->text);

    r.columns = there > here ? there - here : 0;
    return read_text(&r, outer->text, ret);
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == YAML_MAP && i < map->count; i++)
        if (view_is(map->keys[i].text, key))
            return &map->items[i];
    return NULL;
}
