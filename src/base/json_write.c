#include "base/json.h"

#include "base/eight.h"
#include "base/text.h"

static const struct {
    uint8_t character;
    char letter;
} short_escapes[] = {{'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}};

static void put_escape(struct writer *w, uint32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(short_escapes); i++) {
        if (short_escapes[i].character != c)
            continue;
        char pair[2] = {'\\', short_escapes[i].letter};

        writer_bytes(w, pair, 2);
        return;
    }
    writer_printf(w, "\\u%04x", (unsigned)c);
}

static bool plain_eight(const uint8_t *p)
{
    uint64_t eight = eight_at(p);

    return !(eight_foreign(eight) | eight_control(eight) | eight_have(eight, '"') | eight_have(eight, '\\'));
}

/* How many bytes at the front need no care: printable ASCII without quote and backslash. */
static size_t plain_run(struct view v)
{
    size_t n = 0;

    while (v.len - n >= 8 && plain_eight(v.ptr + n))
        n += 8;
    while (n < v.len && v.ptr[n] >= 0x20 && v.ptr[n] < 0x7f && v.ptr[n] != '"' && v.ptr[n] != '\\')
        n++;
    return n;
}

void json_put_text(struct writer *w, struct view text)
{
    writer_u8(w, '"');
    while (text.len) {
        uint32_t c = 0;
        size_t n = plain_run(text);

        if (n) {
            writer_bytes(w, text.ptr, n);
        } else if (text.ptr[0] < 0x80) { /* a NUL is no character for utf8_next */
            n = 1;
            put_escape(w, text.ptr[0]);
        } else if ((n = utf8_next(text, &c)) != 0) {
            writer_bytes(w, text.ptr, n);
        } else {
            n = 1;
            writer_str(w, "\xef\xbf\xbd");
        }
        text = VIEW(text.ptr + n, text.len - n);
    }
    writer_u8(w, '"');
}

void json_item(struct writer *w)
{
    size_t n = w->len;

    /* Raw values may end in white space. */
    while (n > 0 && w->ptr[n - 1] <= ' ')
        n--;
    if (n > 0 && !strchr("[{,:", w->ptr[n - 1]))
        writer_u8(w, ',');
}

void json_open(struct writer *w, char bracket)
{
    writer_u8(w, (uint8_t)bracket);
}

void json_close(struct writer *w, char bracket)
{
    writer_u8(w, (uint8_t)bracket);
}

void json_name(struct writer *w, const char *name)
{
    json_item(w);
    json_put_text(w, view_str(name));
    writer_u8(w, ':');
}

void json_text(struct writer *w, const char *name, struct view text)
{
    json_name(w, name);
    json_put_text(w, text);
}

void json_u64(struct writer *w, const char *name, uint64_t v)
{
    json_name(w, name);
    writer_decimal(w, v);
}

void json_bool(struct writer *w, const char *name, bool v)
{
    json_name(w, name);
    writer_str(w, v ? "true" : "false");
}

void json_raw(struct writer *w, const char *name, struct view json)
{
    json_name(w, name);
    writer_view(w, json.len ? json : VIEW_STR("null"));
}
