/* The configuration file: any text is either a complete configuration or a mistake with a place and a sentence. */
#include "ipc/config_advice.h"

static void on_advice(void *context, enum config_weight weight, const struct problem *why)
{
    (void)context;
    if (weight > CONFIG_WARNING || !*why->detail)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct config c, again;
    struct problem why = {.code = OK};
    AUTO_WRITER w = writer_new(1u << 20);
    if (arena_new(4096, 16u << 20, &arena) != OK)
        return 0;
    if (config_parse(VIEW(data, size), "fuzz.yaml", arena, &c, &why) != OK) {
        if (!*why.detail)
            abort();
        return 0;
    }
    if (c.data_dir.len == 0 || c.front_threads == 0 || c.front_threads > CONFIG_FRONT_THREADS_MAX || c.dev)
        abort();
    if (entity_encode(&config_entity, &c, &w) != OK ||
        entity_decode(&config_entity, writer_view_of(&w), arena, &again) != OK || again.listen.len != c.listen.len)
        abort();
    const struct yaml_node *root = NULL;
    if (config_read(VIEW(data, size), "fuzz.yaml", arena, &root, &why) == OK)
        config_guard_advise(&c.guard, root, on_advice, NULL);
    config_guard_advise(&c.guard, NULL, on_advice, NULL);
    return 0;
}
