/* Rows of users, sessions and API keys from bytes, and the same from JSON: what is taken is written down again in
 * exactly one way. The first byte chooses. */
#include "domain/identity/identity.h"
#include "domain/keys/keys.h"

static const struct entity *const entities[] = {&user_entity, &session_entity, &api_key_entity};

static union {
    struct user user;
    struct session session;
    struct api_key key;
} object;

static void from_wire(const struct entity *e, struct view bytes, struct arena *arena)
{
    AUTO_WRITER again = writer_new(1u << 20), json = writer_new(1u << 22);
    if (entity_decode(e, bytes, arena, &object) != OK)
        return;
    if (entity_encode(e, &object, &again) != OK || !view_eq(writer_view_of(&again), bytes))
        abort();
    entity_to_json(e, &object, &json);
}

static void from_json(const struct entity *e, struct view text, struct arena *arena)
{
    AUTO_WRITER wire = writer_new(1u << 20);
    struct problem why;
    if (entity_parse(e, text, arena, &object, &why) != OK)
        return;
    if (entity_encode(e, &object, &wire) != OK)
        abort();
    from_wire(e, writer_view_of(&wire), arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    if (size == 0 || arena_new(4096, 4u << 20, &arena) != OK)
        return 0;
    const struct entity *e = entities[data[0] / 2 % ARRAY_LEN(entities)];
    struct view rest = VIEW(data + 1, size - 1);
    memset(&object, 0, sizeof object);
    if (data[0] % 2)
        from_json(e, rest, arena);
    else
        from_wire(e, rest, arena);
    return 0;
}
