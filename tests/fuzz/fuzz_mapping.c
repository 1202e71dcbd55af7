/* What a mapping matches, and the names in a client's certificate that are held against it: the normal form of what can
 * be matched can be matched, and is its own. An even first byte: text; an odd one: a certificate in DER. */
#include "crypto/x509.h"
#include "domain/identity/mappings.h"

static void text(struct view match, struct arena *arena)
{
    struct view normal, again;
    char id[MAPPING_ID_LEN + 1], same[MAPPING_ID_LEN + 1];
    enum err e = mapping_match_normal(match, arena, &normal);
    if ((e == OK) != mapping_match_valid(match))
        abort();
    if (e != OK)
        return;
    if (mapping_match_normal(normal, arena, &again) != OK || !view_eq(normal, again) ||
        mapping_of_group(normal) != mapping_of_group(match))
        abort();
    mapping_id(normal, id);
    mapping_id(again, same);
    if (strcmp(id, same) != 0)
        abort();
}

static void certificate(struct view der, struct arena *arena)
{
    AUTO(x509_free) struct x509 *c = NULL;
    if (x509_read(der, &c) != OK)
        return;
    (void)x509_valid_at(c, 1700000000000);
    for (unsigned i = 0; i < 64; i++) {
        AUTO_WRITER name = writer_new(X509_NAME_MAX);
        enum x509_name kind;
        enum err e = x509_name(c, i, &kind, &name);
        if (e == ERR_NOT_FOUND)
            return;
        if (e == OK)
            text(writer_view_of(&name), arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    if (size == 0 || arena_new(4096, 1u << 20, &arena) != OK)
        return 0;
    if (data[0] % 2)
        certificate(VIEW(data + 1, size - 1), arena);
    else
        text(VIEW(data + 1, size - 1), arena);
    return 0;
}
