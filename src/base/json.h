/* JSON in and out. Reading is jansson's, made strict: UTF-8 only, no duplicate names, no trailing bytes, bounded depth
 * (32), no NUL inside text. Object members keep their order. Writing goes straight into a struct writer. */
#ifndef HOLDFAST_BASE_JSON_H
#define HOLDFAST_BASE_JSON_H

#include "base/buf.h"

#include <jansson.h>

#define JSON_MAX_DEPTH 32

/* On failure why->where is "line L, column C". The caller releases with json_decref. */
RESULT json_read(struct view text, json_t **ret, struct problem *why);
/* Wipes every string in the tree before releasing it: for bodies that carried secrets. */
void json_wipe(json_t *root);

static inline void json_decref_auto(json_t **j)
{
    if (*j)
        json_decref(*j);
}

/* Builders. The writer decides about commas from what it wrote last, so callers only say what comes next. */
void json_put_text(struct writer *w, struct view text); /* quoted and escaped */
void json_open(struct writer *w, char bracket);         /* '{' or '[' */
void json_close(struct writer *w, char bracket);        /* '}' or ']' */
void json_name(struct writer *w, const char *name);     /* comma if needed, "name": */
void json_item(struct writer *w);                       /* comma if needed, before an array item */
void json_text(struct writer *w, const char *name, struct view text);
void json_u64(struct writer *w, const char *name, uint64_t v);
void json_bool(struct writer *w, const char *name, bool v);
void json_raw(struct writer *w, const char *name, struct view json);

#endif
