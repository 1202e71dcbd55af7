#include "keeper/anchor.h"

#include "base/fields.h"
#include "crypto/hash.h"

#include <errno.h>
#include <unistd.h>

#define MAGIC    0x686f6c6466617374u /* "holdfast" */
#define FRAME    24u
#define SLOT_MAX (FRAME + ANCHOR_HEAD_MAX + ANCHOR_BODY_MAX + SHA256_SIZE)

static const struct field head_fields[] = {
    FIELD(1, struct anchor_head, installation, FIXED, INSTALLATION_SIZE),
    FIELD(2, struct anchor_head, method, U8, 0),
    FIELD(3, struct anchor_head, threshold, U8, 0),
    FIELD(4, struct anchor_head, shares, U8, 0),
    FIELD(5, struct anchor_head, cipher, U8, 0),
    FIELD(6, struct anchor_head, salt, FIXED, 16),
    FIELD(7, struct anchor_head, argon2_passes, U32, 0),
    FIELD(8, struct anchor_head, argon2_memory_kib, U32, 0),
    FIELD(9, struct anchor_head, wrapped_root, BYTES, 256),
    FIELD(10, struct anchor_head, password_passes, U32, 0),
    FIELD(11, struct anchor_head, password_memory_kib, U32, 0),
};
const struct entity anchor_head_entity = ENTITY("AnchorHead", 0x0301, 1, struct anchor_head, head_fields);

struct anchor {
    int fd;
    unsigned newest; /* slot that is in force */
    uint64_t sequence;
    uint8_t *head, *body;
    uint32_t head_len, body_len;
};

struct slot {
    uint64_t sequence;
    struct view head, body;
};

static RESULT read_all(int fd, uint8_t *out, size_t len, off_t at, size_t *ret_read)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, out + done, len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_read = done;
    return OK;
}

static RESULT slot_parse(struct view bytes, struct slot *ret)
{
    struct reader r = reader_new(bytes);
    struct slot s;
    uint64_t magic;
    uint32_t head_len, body_len;
    uint8_t sum[SHA256_SIZE];
    struct view stored;

    TRY(reader_u64(&r, &magic));
    TRY(reader_u64(&r, &s.sequence));
    TRY(reader_u32(&r, &head_len));
    TRY(reader_u32(&r, &body_len));
    if (magic != MAGIC || head_len > ANCHOR_HEAD_MAX || body_len > ANCHOR_BODY_MAX)
        return ERR_TAMPERED;
    TRY(reader_bytes(&r, head_len, &s.head));
    TRY(reader_bytes(&r, body_len, &s.body));
    TRY(reader_bytes(&r, SHA256_SIZE, &stored));
    sha256(VIEW(bytes.ptr, FRAME + head_len + body_len), sum);
    if (!view_eq(stored, VIEW_OF(sum)))
        return ERR_TAMPERED;
    *ret = s;
    return OK;
}

/* Copies first, so that nothing can fail once a slot is on the disk. */
struct copy {
    uint8_t *head, *body;
    uint32_t head_len, body_len;
};

static RESULT copy_make(struct view head, struct view body, struct copy *ret)
{
    *ret = (struct copy){.head = malloc(head.len ? head.len : 1),
                         .body = malloc(body.len ? body.len : 1),
                         .head_len = (uint32_t)head.len,
                         .body_len = (uint32_t)body.len};
    if (!ret->head || !ret->body) {
        free(ret->head);
        free(ret->body);
        return ERR_NO_MEMORY;
    }
    if (head.len)
        memcpy(ret->head, head.ptr, head.len);
    if (body.len)
        memcpy(ret->body, body.ptr, body.len);
    return OK;
}

static void keep(struct anchor *a, const struct copy *c)
{
    free(a->head);
    free(a->body);
    a->head = c->head;
    a->body = c->body;
    a->head_len = c->head_len;
    a->body_len = c->body_len;
}

/* The bytes of a slot as long as its frame says, so that little is read of a file that is mostly empty. */
static RESULT slot_read(int fd, off_t at, uint8_t *buffer, size_t *ret_got)
{
    struct reader r;
    uint64_t ignored;
    uint32_t head_len = 0, body_len = 0;
    size_t got, more;

    TRY(read_all(fd, buffer, FRAME, at, &got));
    *ret_got = got;
    r = reader_new(VIEW(buffer, got));
    if (reader_u64(&r, &ignored) != OK || reader_u64(&r, &ignored) != OK || reader_u32(&r, &head_len) != OK ||
        reader_u32(&r, &body_len) != OK || head_len > ANCHOR_HEAD_MAX || body_len > ANCHOR_BODY_MAX)
        return OK;
    TRY(read_all(fd, buffer + FRAME, (size_t)head_len + body_len + SHA256_SIZE, at + (off_t)FRAME, &more));
    *ret_got = got + more;
    return OK;
}

/* Takes a slot if it is whole and newer than what is held. A slot that was never written is no damage. */
static RESULT load_slot(struct anchor *a, unsigned number, uint8_t *buffer, bool *ret_damaged)
{
    struct copy copy;
    struct slot s;
    size_t got;

    TRY(slot_read(a->fd, (off_t)number * ANCHOR_SLOT, buffer, &got));
    if (got == 0)
        return OK;
    if (slot_parse(VIEW(buffer, got), &s) != OK) {
        for (size_t i = 0; i < FRAME && i < got; i++)
            *ret_damaged |= buffer[i] != 0;
        return OK;
    }
    if (s.sequence <= a->sequence)
        return OK;
    TRY(copy_make(s.head, s.body, &copy));
    keep(a, &copy);
    a->sequence = s.sequence;
    a->newest = number;
    return OK;
}

static RESULT load(struct anchor *a)
{
    bool damaged = false;
    uint8_t *buffer = malloc(SLOT_MAX);
    enum err e = buffer ? OK : ERR_NO_MEMORY;

    for (unsigned number = 0; number < 2 && e == OK; number++)
        e = load_slot(a, number, buffer, &damaged);
    free(buffer);
    TRY(e);
    return a->sequence == 0 && damaged ? ERR_TAMPERED : OK;
}

RESULT anchor_open(int fd, struct anchor **ret)
{
    AUTO(anchor_free) struct anchor *a = calloc(1, sizeof *a);

    if (!a)
        return ERR_NO_MEMORY;
    a->fd = fd;
    a->newest = 1;
    TRY(load(a));
    *ret = TAKE(a);
    return OK;
}

void anchor_free(struct anchor *a)
{
    if (!a)
        return;
    free(a->head);
    free(a->body);
    free(a);
}

bool anchor_empty(const struct anchor *a)
{
    return a->sequence == 0;
}

struct view anchor_head_bytes(const struct anchor *a)
{
    return VIEW(a->head, a->head_len);
}

struct view anchor_body_bytes(const struct anchor *a)
{
    return VIEW(a->body, a->body_len);
}

static RESULT write_all(int fd, struct view bytes, off_t at)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = pwrite(fd, bytes.ptr + done, bytes.len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
        done += (size_t)n;
    }
    if (fdatasync(fd) == 0)
        return OK;
    return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

RESULT anchor_write(struct anchor *a, struct view head, struct view body)
{
    AUTO_WRITER w = writer_new(SLOT_MAX);
    uint8_t sum[SHA256_SIZE];
    unsigned number = 1 - a->newest;
    struct copy copy;
    enum err e;

    if (head.len > ANCHOR_HEAD_MAX || body.len > ANCHOR_BODY_MAX)
        return ERR_TOO_LONG;
    writer_u64(&w, MAGIC);
    writer_u64(&w, a->sequence + 1);
    writer_u32(&w, (uint32_t)head.len);
    writer_u32(&w, (uint32_t)body.len);
    writer_view(&w, head);
    writer_view(&w, body);
    sha256(writer_view_of(&w), sum);
    writer_bytes(&w, sum, sizeof sum);
    TRY(writer_done(&w));
    TRY(copy_make(head, body, &copy));
    e = write_all(a->fd, writer_view_of(&w), (off_t)number * ANCHOR_SLOT);
    if (e != OK) {
        free(copy.head);
        free(copy.body);
        return e;
    }
    keep(a, &copy);
    a->newest = number;
    a->sequence++;
    return OK;
}
