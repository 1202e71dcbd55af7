/* What people see: tables that line up, details one to a line, problems as a sentence and how to mend it. Whatever came
 * from elsewhere is cleaned of control characters before it reaches a terminal. */
#ifndef HOLDFAST_CLI_OUTPUT_H
#define HOLDFAST_CLI_OUTPUT_H

#include "cli/cli.h"

struct column {
    const char *name;  /* member of the JSON object; "a.b" is b in a */
    const char *title; /* NULL: the name */
};

/* Prints an answer's body: with -o json as it stands and a newline; else the list in it (the member, or the body
 * itself if NULL) as a table, or none as the sentence if_empty on standard error. */
RESULT output_list(struct cli *c, struct view body, const char *member, const struct column *columns, size_t count,
                   const char *if_empty);
/* The same in the order of the first column, if the whole list is there: a page of a longer one stays as it came. */
RESULT output_sorted_list(struct cli *c, struct view body, const char *member, const struct column *columns,
                          size_t count, const char *if_empty);
/* The same for one object: "Title  value" a line; members that are missing are left out. */
RESULT output_object(struct cli *c, struct view body, const struct column *columns, size_t count);
/* Only the JSON, when -o json was given; else the sentence on standard error. */
RESULT output_done(struct cli *c, struct view body, const char *sentence);
void output_json(struct cli *c, struct view body);
/* An entity as JSON or as details, every field that is not empty. */
RESULT output_entity(struct cli *c, const struct entity *e, const void *object);
/* One cell's text of a JSON value. */
void output_cell(const json_t *value, struct writer *w);
/* The member of that name, "a.b" for b in a; NULL if there is none. */
const json_t *output_member(const json_t *object, const char *name);
/* What the run ended with, on c->err. */
void output_problem(struct cli *c, enum err e);
/* The same as a JSON object. */
void output_problem_json(const struct cli *c, enum err e, struct writer *w);
/* The terminal's colour for a meaning, or "". */
enum output_style { STYLE_NONE, STYLE_TITLE, STYLE_BAD, STYLE_GOOD, STYLE_DIM };
const char *output_style(const struct cli *c, enum output_style style);

/* A table made by hand: rows of cells, then printed at once. */
struct table;
RESULT table_new(struct cli *c, const struct column *columns, size_t count, struct table **ret);
RESULT table_cell(struct table *t, struct view text); /* copied; rows fill up from the left */
void table_print(struct table *t);

#endif
