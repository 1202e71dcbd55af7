/* The root of the log as the store has it, at a size that the keeper remembers: from C2SP tiles, so that a long log
 * costs no more than a short one. */
#include "front/front.h"

#include "ledger/merkle.h"

#define LEVELS 8
#define WIDTH  256

static void subtree(const uint8_t *hashes, size_t count, uint8_t out[static 32])
{
    uint8_t nodes[WIDTH][32];

    memcpy(nodes, hashes, count * 32);
    for (; count > 1; count /= 2)
        for (size_t i = 0; i < count / 2; i++)
            merkle_node(nodes[2 * i], nodes[2 * i + 1], nodes[i]);
    memcpy(out, nodes[0], 32);
}

/* The perfect subtrees that the last tile of a level holds, largest first. */
static RESULT add_level(struct store *reader, uint8_t level, uint64_t size, struct frontier *f, size_t *used)
{
    AUTO_WRITER tile = writer_new(WIDTH * 32);
    uint64_t blocks = level * 8 < 64 ? size >> (level * 8) : 0;
    uint16_t width = blocks & (WIDTH - 1);
    size_t at = 0;

    if (width == 0)
        return OK;
    TRY(query_tile(reader, level, blocks / WIDTH, width, &tile));
    TRY(writer_done(&tile));
    if (tile.len != (size_t)width * 32)
        return ERR_NOT_FOUND;
    for (size_t n = WIDTH / 2; n > 0; n /= 2) {
        if (!(width & n))
            continue;
        subtree(tile.ptr + at * 32, n, f->hashes[(*used)++]);
        at += n;
    }
    return OK;
}

RESULT compare_root(struct store *reader, uint64_t size, uint8_t ret_root[static 32])
{
    struct frontier f = {.size = size};
    size_t used = 0;

    for (size_t level = LEVELS; level-- > 0;)
        TRY(add_level(reader, (uint8_t)level, size, &f, &used));
    frontier_root(&f, ret_root);
    return OK;
}
