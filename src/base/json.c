#include "base/json.h"

#include "base/clock.h"

#include "base/text.h"

#include <malloc.h>
#include <threads.h>

/* jansson copies texts into buffers of its own and frees them as they grow: wiping only the finished tree would leave
 * those copies behind. */
static void wiping_free(void *p)
{
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

/* jansson's reader goes on where its text buffer can't grow, and leaves characters out: what it read then is not what
 * was written. */
static thread_local bool starved;

static void *noting_malloc(size_t n)
{
    void *p = malloc(n);

    starved |= !p;
    return p;
}

static void use_own_memory(void)
{
    json_set_alloc_funcs(noting_malloc, wiping_free);
}

static enum err refuse_at(struct problem *why, enum err code, struct view text, size_t at, const char *detail)
{
    unsigned line = 1, column = 1;
    char where[64];
    struct writer w = writer_fixed(where, sizeof where - 1);

    for (size_t i = 0; i < at && i < text.len; i++) {
        column = text.ptr[i] == '\n' ? 1 : column + 1;
        line += text.ptr[i] == '\n';
    }
    writer_printf(&w, "line %u, column %u", line, column);
    where[w.len] = '\0';
    return problem_set(why, code, where, "%s", detail);
}

/* jansson recurses as deep as the input says (2048 levels), so depth is bounded before it sees the text. */
static enum err check_shape(struct view text, bool *ret_plain, struct problem *why)
{
    size_t end;
    enum err e = json_scan_plain(text, &end, ret_plain);

    if (e == ERR_BAD_UTF8)
        return refuse_at(why, e, text, end, "This is no UTF-8, or half of a surrogate pair.");
    if (e == ERR_NUL_BYTE)
        return refuse_at(why, e, text, end, "There is a NUL byte in a text.");
    if (e == ERR_OUT_OF_RANGE)
        return refuse_at(why, ERR_BAD_JSON, text, end, "Objects and arrays may be nested 32 deep.");
    if (e)
        return refuse_at(why, ERR_BAD_JSON, text, end,
                         end >= text.len ? "The text ends too early." : "This is not JSON here.");
    while (end < text.len && strchr(" \t\r\n", text.ptr[end]) && text.ptr[end])
        end++;
    if (end < text.len)
        return refuse_at(why, ERR_BAD_JSON, text, end, "Something follows the end of the JSON value.");
    return OK;
}

/* jansson would open /dev/urandom for the seed of its hash tables, which a sandboxed process must not. */
static void prepare(void)
{
    uint32_t seed = 0;

    use_own_memory();
    if (random_system()->fill(random_system(), &seed, sizeof seed) == OK && seed != 0)
        json_object_seed(seed);
}

enum err json_read(struct view text, json_t **ret, struct problem *why)
{
    static once_flag once = ONCE_FLAG_INIT;
    json_error_t error;
    bool plain;

    call_once(&once, prepare);
    TRY(check_shape(text, &plain, why));
    starved = false;
    json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (starved) {
        json_wipe(root);
        return problem_set(why, ERR_NO_MEMORY, "", "There was no memory to read it.");
    }
    if (!root) {
        /* The grammar holds, so only these are left. */
        enum json_error_code kind = json_error_code(&error);
        enum err code = kind == json_error_duplicate_key      ? ERR_DUPLICATE_FIELD
                        : kind == json_error_numeric_overflow ? ERR_BAD_JSON
                                                              : ERR_NO_MEMORY;
        char where[64];
        struct writer w = writer_fixed(where, sizeof where - 1);

        writer_printf(&w, "line %d, column %d", error.line, error.column);
        where[w.len] = '\0';
        /* jansson's own sentence may quote the input, which may hold a secret. */
        return problem_set(why, code, where, "%s",
                           code == ERR_DUPLICATE_FIELD ? "The name of a member appears twice."
                           : code == ERR_NO_MEMORY     ? "There was no memory to read it."
                                                       : "A number is too large here; write it as text.");
    }
    *ret = root;
    return OK;
}

enum err json_check(struct view text, struct problem *why)
{
    json_t *root = NULL;
    bool plain;

    TRY(check_shape(text, &plain, why));
    if (plain)
        return OK;
    TRY(json_read(text, &root, why));
    json_wipe(root);
    return OK;
}

enum err json_text_of(struct view raw, struct arena *arena, struct view *ret)
{
    json_t *text = NULL;

    *ret = VIEW(raw.ptr + 1, raw.len - 2);
    if (!memchr(ret->ptr, '\\', ret->len))
        return OK;
    TRY(json_read(raw, &text, NULL));
    enum err e = arena_copy(arena, VIEW(json_string_value(text), json_string_length(text)), ret);

    json_wipe(text);
    return e;
}

static void wipe_text(json_t *text)
{
    /* jansson gives its own memory out as const. */
    explicit_bzero((void *)(uintptr_t)json_string_value(text), json_string_length(text));
}

static void wipe_tree(json_t *node)
{
    if (json_is_string(node))
        wipe_text(node);
    for (void *i = json_object_iter(node); i; i = json_object_iter_next(node, i))
        wipe_tree(json_object_iter_value(i));
    for (size_t i = 0; i < json_array_size(node); i++)
        wipe_tree(json_array_get(node, i));
}

void json_wipe(json_t *root)
{
    if (!root)
        return;
    wipe_tree(root);
    json_decref(root);
}
