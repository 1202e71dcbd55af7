/* Request bodies: members that were given, and no others. */
#ifndef HOLDFAST_CLI_FIELDS_JSON_H
#define HOLDFAST_CLI_FIELDS_JSON_H

#include "cli/cli.h"

/* Each writes nothing when the option was not given. */
void fields_json_text(struct writer *w, const struct args *a, const char *option, const char *member);
void fields_json_texts(struct writer *w, const struct args *a, const char *option, const char *member);
void fields_json_number(struct writer *w, const struct args *a, const char *option, const char *member);
/* The value as "value" when it is UTF-8 text, else as "value_base64". */
void fields_json_value(struct writer *w, struct view value);
/* A named text member of an answer, copied to the arena; empty if there is none. */
RESULT fields_json_get(struct cli *c, struct view body, const char *member, struct view *ret);

#endif
