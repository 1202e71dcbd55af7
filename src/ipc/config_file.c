/* The configuration's file, or a Kubernetes ConfigMap that holds it: as `data: {holdfast.yaml: |…}`, or under any other
 * name where it is the only one. */
#include "base/yaml.h"
#include "ipc/config.h"

#include <stdlib.h>
#include <string.h>

#define MEMBER_NAME "holdfast.yaml"

static bool is_config_map(const struct yaml_node *root)
{
    const struct yaml_node *kind = yaml_get(root, "kind");
    return kind && kind->kind == YAML_SCALAR && view_is(kind->text, "ConfigMap");
}

static RESULT find_member(const struct yaml_node *root, const struct yaml_node **ret, struct problem *why)
{
    const struct yaml_node *data = yaml_get(root, "data"), *member = yaml_get(data, MEMBER_NAME);
    if (!member && data && data->kind == YAML_MAP && data->count == 1)
        member = &data->items[0];
    if (!member)
        return yaml_refuse(why, ERR_BAD_CONFIG, data ? data : root,
                           "this ConfigMap must hold the configuration as its member " MEMBER_NAME " below data");
    *ret = member;
    return OK;
}

RESULT config_read(struct view text, const char *name, struct arena *arena, const struct yaml_node **ret,
                   struct problem *why)
{
    const struct yaml_node *root = NULL, *member = NULL;
    TRY(yaml_read(name, text, arena, &root, why));
    if (is_config_map(root)) {
        TRY(find_member(root, &member, why));
        TRY(yaml_read_inside(member, text, arena, &root, why));
    }
    *ret = root;
    return OK;
}

/* --- places */

/* What a setting's name leads to: "guard.patterns.rules[2].rule". */
static const struct yaml_node *find(const struct yaml_node *node, const char *path)
{
    char name[64];
    while (node && *path) {
        size_t len = strcspn(path, "[.");
        if (len >= sizeof name)
            return NULL;
        if (len > 0) {
            memcpy(name, path, len);
            name[len] = '\0';
            node = yaml_get(node, name);
            path += len;
        } else if (*path == '[') {
            char *end = NULL;
            size_t i = strtoul(path + 1, &end, 10);
            node = *end == ']' && node->kind == YAML_LIST && i < node->count ? &node->items[i] : NULL;
            path = *end ? end + 1 : end;
        } else {
            path++;
        }
    }
    return node;
}

void config_place(const struct config *c, struct problem *why)
{
    struct problem said = *why;
    bool of_file = said.code == ERR_BAD_CONFIG && *said.where;
    const struct yaml_node *node = of_file ? find(c->source, said.where) : NULL;
    if (node)
        (void)!yaml_refuse(why, said.code, node, "%s", said.detail);
}
