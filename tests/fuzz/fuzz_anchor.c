/* Whatever lies in the anchor file: a keeper starts sealed, starts empty, or says that it is damaged. Two slots; the
 * input is u8 mode, u16 length of the first, and their bytes. With bit 0 of mode clear, frame and checksum are made to
 * fit, so that the head's own parser is reached: each slot is then u8 length of the head, head, and body. */
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "keeper/anchor.h"
#include "keeper/keeper.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void put(int fd, unsigned slot, struct view bytes)
{
    if (pwrite(fd, bytes.ptr, bytes.len, (off_t)slot * ANCHOR_SLOT) < 0)
        abort();
}

static void put_framed(int fd, unsigned slot, struct view bytes)
{
    struct reader r = reader_new(bytes);
    AUTO_WRITER w = writer_new(1u << 20);
    struct view head = {0};
    uint8_t len = 0, sum[SHA256_SIZE];

    (void)!reader_u8(&r, &len);
    (void)!reader_bytes(&r, len < r.left ? len : r.left, &head);
    writer_u64(&w, 0x686f6c6466617374u), writer_u64(&w, 1 + slot);
    writer_u32(&w, (uint32_t)head.len), writer_u32(&w, (uint32_t)r.left);
    writer_view(&w, head), writer_bytes(&w, r.ptr, r.left);
    sha256(writer_view_of(&w), sum);
    writer_bytes(&w, sum, sizeof sum);
    if (writer_done(&w) != OK)
        abort();
    put(fd, slot, writer_view_of(&w));
}

static void event(void *context, enum keeper_peer to, uint16_t type, const struct entity *e, const void *object)
{
    (void)context, (void)to, (void)type, (void)e, (void)object;
}

/* A sealed keeper says how to unseal it, from the head; and no body opens under a key that never sealed one. */
static void ask(struct keeper *k)
{
    static const uint8_t root[32] = {1};
    AUTO_WRITER out = writer_new(65536);
    struct problem why = {0};

    if (keeper_handle(k, PEER_OPERATOR, KEEPER_STATUS, (struct view){0}, &out, &why) != OK)
        abort();
    (void)!keeper_import(k, VIEW_OF(root));
    if (keeper_state_of(k) == STATE_UNSEALED)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_new(VIEW(data, size));
    struct keeper *k = NULL;
    struct view first = {0};
    uint8_t mode = 0;
    uint16_t len = 0;
    bool locked;
    int fd = memfd_create("anchor", MFD_CLOEXEC);
    struct keeper_config config = {.anchor_fd = fd, .clock = clock_system(), .random = random_system(), .event = event};

    if (fd < 0 || crypto_init(&locked) != OK)
        abort();
    (void)!reader_u8(&r, &mode);
    (void)!reader_u16(&r, &len);
    (void)!reader_bytes(&r, len < r.left ? len : r.left, &first);
    (mode & 1 ? put : put_framed)(fd, 0, first);
    if (r.left)
        (mode & 1 ? put : put_framed)(fd, 1, VIEW(r.ptr, r.left));
    if (keeper_new(&config, &k) == OK) {
        ask(k);
        keeper_free(k);
    }
    close(fd);
    return 0;
}
