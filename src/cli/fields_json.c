#include "cli/fields_json.h"

#include "base/text.h"

void fields_json_text(struct writer *w, const struct args *a, const char *option, const char *member)
{
    const char *text = args_text(a, option);

    if (text)
        json_text(w, member, view_str(text));
}

void fields_json_texts(struct writer *w, const struct args *a, const char *option, const char *member)
{
    const char *text;
    size_t at = 0;

    if (!args_has(a, option))
        return;
    json_name(w, member);
    json_open(w, '[');
    while ((text = args_next(a, option, &at))) {
        json_item(w);
        json_put_text(w, view_str(text));
    }
    json_close(w, ']');
}

void fields_json_number(struct writer *w, const struct args *a, const char *option, const char *member)
{
    if (args_has(a, option))
        json_u64(w, member, args_number(a, option, 0));
}

void fields_json_value(struct writer *w, struct view value)
{
    if (utf8_valid(value)) {
        json_text(w, "value", value);
        return;
    }
    json_name(w, "value_base64");
    writer_u8(w, '"');
    base64_put(w, value);
    writer_u8(w, '"');
}

RESULT fields_json_get(struct cli *c, struct view body, const char *member, struct view *ret)
{
    json_t *root = NULL;
    const json_t *value;
    enum err e;

    if (json_read(body, &root, NULL) != OK)
        return cli_fail(c, ERR_BAD_JSON, "", "the server's answer is not JSON; is this a Holdfast server?");
    value = json_object_get(root, member);
    e = arena_copy(c->arena, VIEW(json_string_value(value), json_string_length(value)), ret);
    json_wipe(root);
    return e;
}
