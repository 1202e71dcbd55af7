/* Signatures as they go from the process that compiles them to the one that asks them: u8 1, u16 count, for each file
 * its name and text, then the database. */
#include "domain/guard/patterns/inside.h"

#include <stdlib.h>

#define FORM      1
#define FILES_MAX 512
#define TEXT_MAX  (4u << 20)
#define BYTES_MAX (64u << 20)

RESULT patterns_save(const struct patterns *p, struct writer *w)
{
    char *bytes = NULL;
    size_t len = 0;
    if (p->file_count > FILES_MAX)
        return ERR_TOO_LONG;
    if (hs_serialize_database(p->database, &bytes, &len) != HS_SUCCESS)
        return ERR_NO_MEMORY;
    writer_u8(w, FORM);
    writer_u16(w, (uint16_t)p->file_count);
    for (size_t i = 0; i < p->file_count; i++) {
        writer_var(w, view_str(p->files[i].name));
        writer_var(w, p->files[i].text);
    }
    writer_var(w, VIEW(bytes, len));
    free(bytes);
    return writer_done(w);
}

static RESULT take_file(struct reader *r, struct arena *arena, struct patterns_file *ret)
{
    struct view name;
    TRY(reader_var(r, TEXT_MAX, &name));
    TRY(reader_var(r, TEXT_MAX, &ret->text));
    ret->name = arena_str(arena, name);
    return ret->name ? OK : ERR_NO_MEMORY;
}

static RESULT take_all(struct view saved, const struct patterns_options *options, struct patterns *p,
                       struct problem *why)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct reader r = reader_new(saved);
    struct patterns_file *files;
    struct view database;
    uint16_t count;
    uint8_t form;
    TRY(reader_u8(&r, &form));
    TRY(reader_u16(&r, &count));
    if (form != FORM || count > FILES_MAX)
        return ERR_MALFORMED;
    TRY(arena_new(4096, 1u << 20, &arena));
    files = arena_alloc(arena, count * sizeof *files + 1);
    if (!files)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(take_file(&r, arena, &files[i]));
    TRY(reader_var(&r, BYTES_MAX, &database));
    TRY(reader_end(&r));
    TRY(patterns_read(p, files, count, options, why));
    hs_error_t e = hs_deserialize_database((const char *)database.ptr, database.len, &p->database);
    return e == HS_SUCCESS ? OK : e == HS_NOMEM ? ERR_NO_MEMORY : ERR_MALFORMED;
}

RESULT patterns_load(struct view saved, const struct patterns_options *options, struct patterns **ret,
                     struct problem *why)
{
    AUTO(patterns_free) struct patterns *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
    enum err e = take_all(saved, options, p, why);
    if (e == ERR_TRUNCATED || e == ERR_TOO_LONG)
        e = ERR_MALFORMED;
    TRY(e);
    *ret = TAKE(p);
    return OK;
}
