/* The document is written as JSON, scalar by scalar as the fields' types say, and goes through entity_parse: one set of
 * rules, one set of messages. A JSON pointer in the answer is walked back to the node it means. */
#include "base/yaml.h"

#include "base/text.h"

#define JSON_LIMIT (4 * YAML_MAX_SIZE)

static void put_entity(const struct entity *e, const struct yaml_node *node, struct writer *w);

/* Without quotes and of the grammar of a JSON number, true or false (and null): as it stands. Else it becomes text, and
 * entity_parse says that it is of the wrong type. */
static void put_scalar(const struct yaml_node *node, struct writer *w)
{
    size_t end = 0;
    bool json = !node->quoted && node->text.len && node->text.ptr[0] != '"' && json_scan(node->text, &end) == OK;

    if (!node->quoted && (node->text.len == 0 || view_is(node->text, "~")))
        writer_str(w, "null");
    else if (json && end == node->text.len)
        writer_view(w, node->text);
    else
        json_put_text(w, node->text);
}

/* Any node as JSON; texts says that scalars are text, except for those that are no value. */
static void put_node(const struct yaml_node *node, bool texts, struct writer *w)
{
    bool map = node->kind == YAML_MAP;

    if (node->kind == YAML_SCALAR) {
        bool none = !node->quoted && (node->text.len == 0 || view_is(node->text, "~") || view_is(node->text, "null"));

        if (texts && !none)
            json_put_text(w, node->text);
        else
            put_scalar(node, w);
        return;
    }
    json_open(w, map ? '{' : '[');
    for (size_t i = 0; i < node->count; i++) {
        json_item(w);
        if (map) {
            json_put_text(w, node->keys[i].text);
            writer_u8(w, ':');
        }
        put_node(&node->items[i], texts, w);
    }
    json_close(w, map ? '}' : ']');
}

static const struct field *find_field(const struct entity *e, struct view name)
{
    for (size_t i = 0; i < e->count; i++)
        if (view_is(name, e->fields[i].name))
            return &e->fields[i];
    return NULL;
}

static void put_list(const struct entity *e, const struct yaml_node *list, struct writer *w)
{
    json_open(w, '[');
    for (size_t i = 0; i < list->count; i++) {
        json_item(w);
        put_entity(e, &list->items[i], w);
    }
    json_close(w, ']');
}

static bool is_number_or_bool(enum field_type type)
{
    return type <= FIELD_U64;
}

/* A number that jansson would not even read is out of range like any other that is too large. */
static bool put_huge(const struct yaml_node *node, struct writer *w)
{
    if (node->kind != YAML_SCALAR || node->quoted || node->text.len <= 18)
        return false;
    for (size_t i = 0; i < node->text.len; i++)
        if (node->text.ptr[i] < '0' || node->text.ptr[i] > '9')
            return false;
    writer_str(w, "999999999999999999");
    return true;
}

static void put_field(const struct field *f, const struct yaml_node *node, struct writer *w)
{
    if (f && f->type == FIELD_ENTITY)
        put_entity(f->nested, node, w);
    else if (f && f->type == FIELD_LIST && node->kind == YAML_LIST)
        put_list(f->nested, node, w);
    else if (!f || !is_number_or_bool(f->type) || !put_huge(node, w))
        put_node(node, f && f->type != FIELD_JSON && !is_number_or_bool(f->type), w);
}

static void put_entity(const struct entity *e, const struct yaml_node *node, struct writer *w)
{
    if (node->kind != YAML_MAP) {
        put_node(node, true, w);
        return;
    }
    json_open(w, '{');
    for (size_t i = 0; i < node->count; i++) {
        json_item(w);
        json_put_text(w, node->keys[i].text);
        writer_u8(w, ':');
        put_field(find_field(e, node->keys[i].text), &node->items[i], w);
    }
    json_close(w, '}');
}

/* Does this key read so in a pointer, with ~0 and ~1 for ~ and /? */
static bool same_name(struct view key, struct view in_pointer)
{
    size_t at = 0;

    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.ptr[i];

        if (c == '~' || c == '/') {
            if (at + 2 > in_pointer.len || in_pointer.ptr[at] != '~' ||
                in_pointer.ptr[at + 1] != (c == '~' ? '0' : '1'))
                return false;
            at += 2;
        } else {
            if (at >= in_pointer.len || in_pointer.ptr[at] != c)
                return false;
            at++;
        }
    }
    return at == in_pointer.len;
}

static const struct yaml_node *step(const struct yaml_node *node, struct view part, const struct yaml_node **ret_key)
{
    size_t index = 0;

    for (size_t i = 0; node->kind == YAML_MAP && i < node->count; i++) {
        if (!same_name(node->keys[i].text, part))
            continue;
        *ret_key = &node->keys[i];
        return &node->items[i];
    }
    if (node->kind != YAML_LIST || part.len == 0 || part.len > 9)
        return NULL;
    for (size_t i = 0; i < part.len; i++)
        index = index * 10 + (part.ptr[i] - '0');
    *ret_key = NULL;
    return index < node->count ? &node->items[index] : NULL;
}

/* The node that the pointer means, or the last one on the way if it ends early (a missing field). For an unknown field
 * the key is what is wrong. */
static const struct yaml_node *find_node(const struct yaml_node *root, const char *pointer, bool want_key)
{
    const struct yaml_node *node = root, *key = NULL;

    while (*pointer == '/') {
        const char *end = strchr(pointer + 1, '/');
        struct view part = end ? VIEW(pointer + 1, (size_t)(end - pointer - 1)) : view_str(pointer + 1);
        const struct yaml_node *next = step(node, part, &key);

        if (!next)
            return node;
        node = next;
        pointer += 1 + part.len;
    }
    return want_key && key ? key : node;
}

enum err yaml_entity(const struct entity *e, const struct yaml_node *node, struct arena *arena, void *ret_object,
                     struct problem *why)
{
    AUTO_WRITER w = writer_new(JSON_LIMIT);
    struct problem said = {0};

    put_entity(e, node, &w);
    if (writer_done(&w))
        return yaml_refuse(why, writer_done(&w), node, "The file holds more than is taken.");
    enum err err = entity_parse(e, writer_view_of(&w), arena, ret_object, &said);

    if (!err)
        return OK;
    const struct yaml_node *at = find_node(node, said.where, err == ERR_UNKNOWN_FIELD);

    return yaml_refuse(why, err, at, "%s%s%s", said.where, *said.where ? ": " : "", said.detail);
}

enum err yaml_parse(const struct entity *e, struct view text, const char *file, struct arena *arena, void *ret_object,
                    struct problem *why)
{
    const struct yaml_node *root;

    TRY(yaml_read(file, text, arena, &root, why));
    return yaml_entity(e, root, arena, ret_object, why);
}
