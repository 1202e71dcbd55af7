/* A value through every layer of normalisation: its first byte says how it is written where it stands and what is left
 * out. */
#include "domain/guard/patterns/normalise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned skip;
    uint8_t *out;
    size_t n, lines = 0;
    if (size < 1)
        return 0;
    /* 0: nothing is left out; else one step. */
    skip = data[0] >> 2 ? (1u << (data[0] >> 2) % (NORMALISE_STEPS + 1)) & ((1u << NORMALISE_STEPS) - 1) : 0;
    out = malloc(NORMALISE_ROOM(size - 1));
    if (!out)
        return 0;
    n = normalise(VIEW(data + 1, size - 1), (enum normalise_source)(data[0] & 3), skip, out);
    if (n == 0 || n > NORMALISE_ROOM(size - 1) || out[n - 1] != '\n')
        abort();
    for (size_t i = 0; i < n; i++) {
        lines += out[i] == '\n';
        if (!skip && (out[i] == 0 || out[i] == '\t' || out[i] == 0x7f))
            abort();
    }
    /* The first line is never longer than the value. */
    if ((size_t)((uint8_t *)memchr(out, '\n', n) - out) > size - 1 || lines > n)
        abort();
    free(out);
    return 0;
}
