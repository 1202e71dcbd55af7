/* Requests about secrets and credentials, and names of tiles. The first byte chooses which. A refusal never repeats
 * what was sent; what is accepted says the same after a way through its wire form. */
#include "api/audit_entity.h"
#include "api/credentials_entity.h"
#include "api/secrets_entity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct entity *const entities[] = {
    &secret_new_entity,
    &secret_rotation_entity,
    &secret_version_of_entity,
    &secret_about_entity,
    &credential_put_request_entity,
    &credential_release_request_entity,
    &secret_value_query_entity,
    &audit_query_entity,
};

static void through_wire(const struct entity *e, const void *object, struct arena *arena)
{
    AUTO_WRITER wire = writer_new(1 << 20);
    AUTO_WRITER again = writer_new(1 << 20);
    void *back = arena_alloc(arena, e->size);

    if (!back || entity_encode(e, object, &wire) != OK)
        return;
    if (entity_decode(e, writer_view_of(&wire), arena, back) != OK || entity_encode(e, back, &again) != OK ||
        !view_eq(writer_view_of(&wire), writer_view_of(&again)))
        abort();
}

static void value_of_a_secret(const struct secret_new *q)
{
    struct problem why = {0};
    struct view value;

    if (q->path.len && !secret_path_valid(q->path))
        abort();
    if (secret_bytes(q->value, q->value_base64, &value, &why) != OK)
        return;
    if (secret_value_acceptable(q->kind, value, &why) != OK && why.code == OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct problem why = {0};
    struct audit_tile tile;
    void *object;

    if (size == 0 || arena_new(4096, 8u << 20, &arena) != OK)
        return 0;
    if (data[0] == 't') {
        if (audit_tile_parse(VIEW(data + 1, size - 1), &tile) == OK && (tile.width == 0 || tile.width > 256))
            abort();
        return 0;
    }
    size_t which = data[0] % ARRAY_LEN(entities);
    object = arena_alloc(arena, entities[which]->size);
    if (!object || entity_parse(entities[which], VIEW(data + 1, size - 1), arena, object, &why) != OK)
        return 0;
    if (which == 0)
        value_of_a_secret(object);
    through_wire(entities[which], object, arena);
    return 0;
}
