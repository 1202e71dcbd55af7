#include "domain/identity/breached.h"

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/secmem.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_DIGITS (2 * SHA1_SIZE)
#define LINE_MAX    64 /* 40 digits, a colon, a count, CR LF */
#define PROBES      64

struct breached {
    int fd;
    uint64_t size;
};

struct line {
    uint64_t at, next; /* offsets of its first byte, and of the byte behind it */
    uint8_t hash[SHA1_SIZE];
    uint64_t seen;
};

/* --- lines */

static RESULT read_at(const struct breached *b, uint64_t at, uint8_t *out, size_t want, size_t *ret_got)
{
    size_t got = 0;

    while (got < want) {
        ssize_t n = pread(b->fd, out + got, want - got, (off_t)(at + got));
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_got = got;
    return OK;
}

static RESULT parse(struct view text, struct line *l)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    if (text.len < HASH_DIGITS + 2 || text.ptr[HASH_DIGITS] != ':')
        return ERR_MALFORMED;
    l->seen = 0;
    for (size_t i = HASH_DIGITS + 1; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || l->seen > UINT32_MAX)
            return ERR_MALFORMED;
        l->seen = l->seen * 10 + (text.ptr[i] - '0');
    }
    return hex_get(VIEW(text.ptr, HASH_DIGITS), l->hash, SHA1_SIZE);
}

/* The line that begins at this offset. */
static RESULT line_at(const struct breached *b, uint64_t at, struct line *ret)
{
    uint8_t text[LINE_MAX];
    struct line l = {.at = at};
    size_t got = 0;

    TRY(read_at(b, at, text, sizeof text, &got));
    const uint8_t *end = memchr(text, '\n', got);
    if (!end && at + got != b->size)
        return ERR_MALFORMED;
    size_t len = end ? (size_t)(end - text) : got;
    TRY(parse(VIEW(text, len), &l));
    l.next = at + len + (end ? 1 : 0);
    *ret = l;
    return OK;
}

/* The first line that begins at this offset or behind it. ERR_NOT_FOUND behind the last. */
static RESULT line_from(const struct breached *b, uint64_t at, struct line *ret)
{
    uint8_t text[LINE_MAX];
    size_t got = 0;

    if (at == 0)
        return line_at(b, 0, ret);
    TRY(read_at(b, at - 1, text, sizeof text, &got));
    const uint8_t *end = memchr(text, '\n', got);
    if (!end)
        return at - 1 + got == b->size ? ERR_NOT_FOUND : ERR_MALFORMED;
    at += (uint64_t)(end - text);
    return at >= b->size ? ERR_NOT_FOUND : line_at(b, at, ret);
}

/* --- the file */

static RESULT bad(struct problem *why, uint64_t at)
{
    return problem_set(why, ERR_BAD_CONFIG, "passwords.breached_file",
                       "at byte %llu: not a list of SHA-1 hashes ordered by hash, each line HASH:COUNT",
                       (unsigned long long)at);
}

/* Lines at even distances, which must be in order. */
static RESULT probe(const struct breached *b, struct problem *why)
{
    struct line before = {0}, l = {0};

    if (line_at(b, 0, &before) != OK)
        return bad(why, 0);
    for (uint64_t i = 1; i < PROBES; i++) {
        uint64_t at = b->size / PROBES * i;
        enum err e = line_from(b, at, &l);
        if (e == ERR_NOT_FOUND)
            break;
        if (e != OK || (l.at != before.at && memcmp(before.hash, l.hash, SHA1_SIZE) >= 0))
            return bad(why, at);
        before = l;
    }
    uint64_t end = b->size > LINE_MAX ? b->size - LINE_MAX : 0;
    if (line_from(b, end, &l) != OK)
        return bad(why, end);
    return OK;
}

RESULT breached_new(int fd, struct breached **ret, struct problem *why)
{
    struct stat st;
    AUTO(breached_free) struct breached *b = calloc(1, sizeof *b);

    if (!b) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    b->fd = fd;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return bad(why, 0);
    b->size = (uint64_t)st.st_size;
    TRY(probe(b, why));
    *ret = TAKE(b);
    return OK;
}

void breached_free(struct breached *b)
{
    if (!b)
        return;
    close(b->fd);
    free(b);
}

/* Binary search by offset: the wanted line begins in [low, high). */
static RESULT find(const struct breached *b, const uint8_t hash[static SHA1_SIZE], uint64_t *ret_seen)
{
    uint64_t low = 0, high = b->size;
    struct line l;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        enum err e = line_from(b, middle, &l);
        if (e == ERR_NOT_FOUND || (e == OK && l.at >= high)) {
            high = middle;
            continue;
        }
        TRY(e);
        int order = memcmp(hash, l.hash, SHA1_SIZE);
        if (order == 0) {
            *ret_seen = l.seen;
            return OK;
        }
        if (order < 0)
            high = middle;
        else
            low = l.next;
    }
    return ERR_NOT_FOUND;
}

RESULT breached_check(const struct breached *b, struct view password, struct problem *why)
{
    uint8_t hash[SHA1_SIZE];
    uint64_t seen = 0;

    sha1_for_lookup(password, hash);
    enum err e = find(b, hash, &seen);
    wipe(hash, sizeof hash);
    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    return problem_set(why, ERR_WEAK_PASSWORD, "/password",
                       "It became known in breaches elsewhere (seen %llu times). Choose one that you use nowhere else.",
                       (unsigned long long)seen);
}
