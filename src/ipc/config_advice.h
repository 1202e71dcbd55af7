/* What a person should look at in a guard's policy that is right: rows that no request reaches, rows that are weaker
 * than they look. */
#ifndef HOLDFAST_IPC_CONFIG_ADVICE_H
#define HOLDFAST_IPC_CONFIG_ADVICE_H

#include "base/yaml.h"
#include "ipc/config.h"

enum config_weight {
    CONFIG_NOTE,    /* as meant, most likely */
    CONFIG_WARNING, /* most likely not */
};
/* why->where is the place in the file, or the row's name without one; why->detail the sentence. Gone after the call. */
typedef void (*config_say)(void *context, enum config_weight weight, const struct problem *why);

/* g: checked and completed. root: the file's (config_read), or NULL. */
void config_guard_advise(const struct config_guard *g, const struct yaml_node *root, config_say say, void *context);

#endif
