/* What a hostile signer may say to the keeper. */
#include "keeper_desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return desk_play(PEER_SIGNER, data, size);
}
