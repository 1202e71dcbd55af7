/* Lines of an exported log. The first is a head that was really signed, so that records are reached. */
#include "ledger/query.h"

#include <stdint.h>

static void feed(struct verify *v, struct view text)
{
    struct problem why;
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        (void)!verify_line(v, VIEW(text.ptr, n), &why);
        n += end != NULL;
        text = VIEW(text.ptr + n, text.len - n);
    }
}

static void head(struct writer *w)
{
    static const uint8_t seed[32] = {5};
    const struct checkpoint c = {.origin = "holdfast/test/log/0", .size = 40};
    uint8_t key[32];
    AUTO_WRITER note = writer_new(NOTE_MAX), verifier = writer_new(1024);
    if (note_sign(&c, seed, &note) != OK || ed25519_public(seed, key) != OK ||
        note_verifier_put(c.origin, key, &verifier) != OK ||
        export_head(writer_view_of(&verifier), writer_view_of(&note), w) != OK)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct writer first;
    struct verify_summary sum;
    if (first.len == 0) {
        first = writer_new(8192);
        head(&first);
    }
    AUTO(verify_free) struct verify *v = NULL;
    if (size == 0 || verify_new(VIEW(NULL, 0), VIEW(NULL, 0), &v, NULL) != OK)
        return 0;
    if (data[0] != '{' || size < 2 || data[1] != '"' || data[2 % size] != 'h')
        feed(v, writer_view_of(&first));
    feed(v, VIEW(data, size));
    (void)!verify_finish(v, &sum, NULL);
    return 0;
}
