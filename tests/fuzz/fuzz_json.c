/* JSON as bodies bring it: the reader, and an entity of every field type. What is taken must print as JSON that reads
 * back as the same value. */
#include "../unit/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void compare(struct sample *s, struct arena *arena)
{
    AUTO_WRITER first = writer_new(1 << 20);
    AUTO_WRITER second = writer_new(1 << 20);
    AUTO_WRITER json = writer_new(1 << 20);
    struct sample again;

    check(entity_encode(&sample_entity, s, &first) == OK);
    /* What is never printed is not in the comparison, and what a rule demands when it is there may be absent. */
    s->secret = (struct view){0};
    writer_reset(&first);
    check(entity_encode(&sample_entity, s, &first) == OK);
    entity_to_json(&sample_entity, s, &json);
    check(writer_done(&json) == OK);
    enum err err = entity_parse(&sample_entity, writer_view_of(&json), arena, &again, NULL);

    if (err == ERR_NO_MEMORY)
        return;
    check(err == OK);
    check(entity_encode(&sample_entity, &again, &second) == OK);
    check(view_eq(writer_view_of(&first), writer_view_of(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = VIEW(data, size);
    AUTO(arena_free) struct arena *arena = NULL;
    struct problem why = {0};
    struct sample s;
    json_t *json = NULL;

    check(arena_new(4096, 1 << 20, &arena) == OK);
    enum err read = json_read(text, &json, &why);
    enum err parsed = entity_parse(&sample_entity, text, arena, &s, &why);

    check(read == OK || parsed != OK);
    check(json_check(text, NULL) == read || read == ERR_NO_MEMORY);
    check(utf8_valid(view_str(why.where)) || read == OK);
    if (parsed == OK)
        compare(&s, arena);
    json_wipe(json);
    return 0;
}
