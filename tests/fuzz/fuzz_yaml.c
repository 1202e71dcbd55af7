/* YAML of a configuration file, into nodes and into an entity; a refusal names a place in the file. */
#include "../unit/base/sample.h"

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER w = writer_new(1 << 20);
    struct problem why = {0};
    struct sample s;

    if (arena_new(4096, 4 << 20, &arena) != OK)
        return 0;
    enum err err = yaml_parse(&sample_entity, VIEW(data, size), "f", arena, &s, &why);

    if (err != OK && (why.code != err || strncmp(why.where, "f:", 2) != 0))
        abort();
    if (err == OK && entity_encode(&sample_entity, &s, &w) != OK)
        abort();
    return 0;
}
