/* What a hostile front may say to the keeper. */
#include "keeper_desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return desk_play(PEER_FRONT, data, size);
}
