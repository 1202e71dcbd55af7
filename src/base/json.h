/* JSON in and out. Reading is jansson's, made strict: UTF-8 only, no duplicate names, no trailing bytes, bounded depth
 * (32), no NUL inside text. Object members keep their order. Writing goes straight into a struct writer. */
#ifndef HOLDFAST_BASE_JSON_H
#define HOLDFAST_BASE_JSON_H

#include "base/arena.h"

#include <jansson.h>

#define JSON_MAX_DEPTH 32

/* On failure why->where is "line L, column C". The caller releases with json_decref. */
RESULT json_read(struct view text, json_t **ret, struct problem *why);
/* Scans one value at the front of text, after white space, without building anything; ret_end is where it ends, or
 * where it is wrong. ERR_BAD_JSON; ERR_BAD_UTF8 for a text that is none; ERR_NUL_BYTE; ERR_OUT_OF_RANGE when it is
 * nested deeper than JSON_MAX_DEPTH. */
RESULT json_scan(struct view text, size_t *ret_end);
/* The same; *ret_plain tells that json_read would find nothing else wrong: no member's name twice, no number too large.
 * False says nothing but that it has to be asked. */
RESULT json_scan_plain(struct view text, size_t *ret_end, bool *ret_plain);
/* Accepts what json_read accepts, and keeps nothing of it. */
RESULT json_check(struct view text, struct problem *why);
/* Steps through the bytes of an object or array that json_check has accepted: *rest begins as those and moves past the
 * next value, whose bytes ret_value borrows. ret_name gets the name of an object's member with its quotes, and is NULL
 * for an array. False after the last one. */
bool json_next(struct view *rest, struct view *ret_name, struct view *ret_value);
/* What the bytes of a text, with its quotes, mean: borrowed from them, or in arena if they hold an escape. */
RESULT json_text_of(struct view raw, struct arena *arena, struct view *ret);
/* Wipes every string in the tree before releasing it: for bodies that carried secrets. */
void json_wipe(json_t *root);

static inline void json_decref_auto(json_t **j)
{
    if (*j)
        json_decref(*j);
}

/* Builders. The writer decides about commas from what it wrote last, so callers only say what comes next. */
void json_put_text(struct writer *w, struct view text); /* quoted and escaped */
void json_open(struct writer *w, char bracket);         /* '{' or '[', after json_name, json_item or nothing */
void json_close(struct writer *w, char bracket);        /* '}' or ']' */
void json_name(struct writer *w, const char *name);     /* comma if needed, "name": */
void json_item(struct writer *w);                       /* comma if needed, before an array item */
void json_text(struct writer *w, const char *name, struct view text);
void json_u64(struct writer *w, const char *name, uint64_t v);
void json_bool(struct writer *w, const char *name, bool v);
void json_raw(struct writer *w, const char *name, struct view json); /* JSON as it stands; empty gives null */

#endif
