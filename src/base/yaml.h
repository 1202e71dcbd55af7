/* YAML as configuration needs it, and no more: one document of maps, lists and scalars on top of libyaml. Anchors,
 * aliases, tags, directives, merge keys ("<<"), keys that are no scalars, and duplicate keys are refused, so that what
 * a person reads is what the program reads. Text is at most 4 MiB, 32 levels deep, with at most 200,000 nodes and
 * 4,096 keys in one map.
 *
 * Every node knows where it stands. Errors have why->where = "file:line:column". */
#ifndef HOLDFAST_BASE_YAML_H
#define HOLDFAST_BASE_YAML_H

#include "base/arena.h"
#include "base/entity.h"

#define YAML_MAX_SIZE  ((size_t)4 << 20)
#define YAML_MAX_DEPTH JSON_MAX_DEPTH

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

struct yaml_node {
    enum yaml_kind kind;
    bool quoted;           /* SCALAR: in quotes or a block, hence text whatever it looks like */
    uint32_t line, column; /* from 1; column counts characters */
    const char *file;
    struct view text;              /* SCALAR: valid UTF-8 without NUL */
    size_t count;                  /* MAP, LIST */
    const struct yaml_node *keys;  /* MAP: count scalars, in the order of the file */
    const struct yaml_node *items; /* MAP: the values beside keys; LIST: the items */
};

/* file names the source in messages. Everything is kept in arena: about 200 bytes a node and twice the text will do.
 * ERR_BAD_CONFIG, ERR_DUPLICATE_FIELD, ERR_TOO_LONG, ERR_NO_MEMORY. An empty document is ERR_BAD_CONFIG. */
RESULT yaml_read(const char *file, struct view text, struct arena *arena, const struct yaml_node **ret,
                 struct problem *why);
/* The same for YAML that stands in another file's literal block scalar ("key: |"), such as a Kubernetes ConfigMap's:
 * places are those in that file. outer: the scalar, and whole: the text that it was read from. ERR_BAD_CONFIG, too, for
 * any other kind of scalar, whose lines are not where they seem. */
RESULT yaml_read_inside(const struct yaml_node *outer, struct view whole, struct arena *arena,
                        const struct yaml_node **ret, struct problem *why);
/* The value beside a key; NULL if there is none or map is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* Fills why with the node's place: return yaml_refuse(why, ERR_X, node, "…"). */
RESULT yaml_refuse(struct problem *why, enum err code, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Fills an entity by its table, with the rules and messages of entity_parse (base/entity.h); the code is that of the
 * rule which was broken. A scalar is read as the field's type says: TEXT takes 1.50 as the text "1.50"; numbers, true
 * and false must stand without quotes; what is left empty, ~ and null are no values. A FIELD_JSON takes any node, with
 * scalars by the JSON schema of YAML 1.2. */
RESULT yaml_entity(const struct entity *e, const struct yaml_node *node, struct arena *arena, void *ret_object,
                   struct problem *why);

/* Both steps at once, for a file that is one entity. */
RESULT yaml_parse(const struct entity *e, struct view text, const char *file, struct arena *arena, void *ret_object,
                  struct problem *why);

#endif
