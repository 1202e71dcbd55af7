#include "ledger/note.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/hash.h"

#define KEY_HASH_SIZE  4
#define ALG_ED25519    0x01
#define SIG_BLOB_SIZE  (KEY_HASH_SIZE + ED25519_SIG_SIZE)
#define SIG_PREFIX     "\xe2\x80\x94 " /* em dash (U+2014) and a space */
#define SIGNATURES_MAX 16

/* C2SP signed-note: "The key name MUST be non-empty … and MUST NOT contain any Unicode spaces or plus." ASCII only
 * here, which leaves no doubt about spaces. */
static bool name_valid(struct view name)
{
    if (name.len == 0 || name.len >= NOTE_ORIGIN_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f || name.ptr[i] == '+')
            return false;
    return true;
}

/* "key ID = SHA-256(<key name> || 0x0A || <signature type> || <public key>)[:4]" */
static void key_hash(struct view name, const uint8_t *key, uint8_t out[static KEY_HASH_SIZE])
{
    static const uint8_t middle[] = {'\n', ALG_ED25519};
    const struct view parts[] = {name, VIEW_OF(middle), VIEW(key, ED25519_PUBLIC_SIZE)};
    uint8_t h[SHA256_SIZE];
    sha256_list(parts, ARRAY_LEN(parts), h);
    memcpy(out, h, KEY_HASH_SIZE);
}

static void put_body(const struct checkpoint *c, struct writer *w)
{
    writer_printf(w, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
    base64_put(w, VIEW_OF(c->root));
    writer_u8(w, '\n');
    if (c->has_state) {
        writer_str(w, "state ");
        base64_put(w, VIEW_OF(c->state));
        writer_u8(w, '\n');
    }
    if (c->has_time) {
        char text[TIME_TEXT_SIZE];
        time_format(c->time_ms, text);
        writer_printf(w, "time %s\n", text);
    }
}

RESULT note_sign(const struct checkpoint *c, const uint8_t seed[static ED25519_SEED_SIZE], struct writer *w)
{
    struct view origin = view_str(c->origin);
    uint8_t key[ED25519_PUBLIC_SIZE], blob[SIG_BLOB_SIZE];
    if (!name_valid(origin))
        return ERR_BAD_VALUE;
    AUTO_WRITER body = writer_new(NOTE_MAX);
    put_body(c, &body);
    TRY(writer_done(&body));
    TRY(ed25519_public(seed, key));
    key_hash(origin, key, blob);
    TRY(ed25519_sign(seed, writer_view_of(&body), blob + KEY_HASH_SIZE));
    writer_view(w, writer_view_of(&body));
    writer_str(w, "\n" SIG_PREFIX);
    writer_view(w, origin);
    writer_u8(w, ' ');
    base64_put(w, VIEW_OF(blob));
    writer_u8(w, '\n');
    return writer_done(w);
}

/* --- reading */

/* Takes one line off the front, without its newline. */
static RESULT take_line(struct view *rest, struct view *ret)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (!end)
        return ERR_BAD_CHECKPOINT;
    size_t n = (size_t)(end - rest->ptr);
    *ret = VIEW(rest->ptr, n);
    *rest = VIEW(rest->ptr + n + 1, rest->len - n - 1);
    return OK;
}

static struct view after(struct view v, size_t n)
{
    return VIEW(v.ptr + n, v.len - n);
}

/* "Note text MUST be valid UTF-8 and MUST NOT contain any ASCII control characters below U+0020 other than newline." */
static bool bytes_valid(struct view note)
{
    if (note.len == 0 || note.len > NOTE_MAX || !utf8_valid(note))
        return false;
    for (size_t i = 0; i < note.len; i++)
        if (note.ptr[i] < ' ' && note.ptr[i] != '\n')
            return false;
    return true;
}

/* The text ends at the last blank line; what follows is signatures. */
static RESULT split(struct view note, struct view *ret_text, struct view *ret_signatures)
{
    if (!bytes_valid(note))
        return ERR_BAD_CHECKPOINT;
    for (size_t i = note.len - 1; i > 0; i--) {
        if (note.ptr[i] != '\n' || note.ptr[i - 1] != '\n')
            continue;
        *ret_text = VIEW(note.ptr, i);
        *ret_signatures = after(note, i + 1);
        return OK;
    }
    return ERR_BAD_CHECKPOINT;
}

static RESULT get_size(struct view text, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0'))
        return ERR_BAD_CHECKPOINT;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
            return ERR_BAD_CHECKPOINT;
    }
    *ret = n;
    return OK;
}

static RESULT get_base64(struct view text, uint8_t *out, size_t n)
{
    struct writer w = writer_fixed(out, n);
    return base64_get(text, &w) == OK && w.len == n ? OK : ERR_BAD_CHECKPOINT;
}

static RESULT get_state(struct view text, struct checkpoint *c)
{
    c->has_state = true;
    return get_base64(text, c->state, sizeof(c->state));
}

static RESULT get_time(struct view text, struct checkpoint *c)
{
    c->has_time = true;
    return time_parse(text, &c->time_ms) == OK ? OK : ERR_BAD_CHECKPOINT;
}

static const struct extension {
    const char *prefix;
    size_t has; /* offset of the flag: each at most once */
    RESULT (*get)(struct view text, struct checkpoint *c);
} extensions[] = {
    {"state ", offsetof(struct checkpoint, has_state), get_state},
    {"time ", offsetof(struct checkpoint, has_time), get_time},
};

/* Extension lines that are not known are ignored, as tlog-checkpoint asks; an empty one is refused. */
static RESULT get_extension(struct view line, struct checkpoint *c)
{
    if (line.len == 0)
        return ERR_BAD_CHECKPOINT;
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
        const struct extension *x = &extensions[i];
        if (!view_starts(line, x->prefix))
            continue;
        if (*((const bool *)((const uint8_t *)c + x->has)))
            return ERR_BAD_CHECKPOINT;
        return x->get(after(line, strlen(x->prefix)), c);
    }
    return OK;
}

static RESULT get_body(struct view text, struct checkpoint *ret)
{
    struct checkpoint c = {0};
    struct view line = {0};
    TRY(take_line(&text, &line));
    if (!name_valid(line) || view_to_str(line, c.origin, sizeof(c.origin)) != OK)
        return ERR_BAD_CHECKPOINT;
    TRY(take_line(&text, &line));
    TRY(get_size(line, &c.size));
    TRY(take_line(&text, &line));
    TRY(get_base64(line, c.root, sizeof(c.root)));
    while (text.len) {
        TRY(take_line(&text, &line));
        TRY(get_extension(line, &c));
    }
    *ret = c;
    return OK;
}

/* "— <key name> <base64 of key hash and signature>" */
static RESULT get_signature(struct view line, struct view *ret_name, struct writer *blob)
{
    if (!view_starts(line, SIG_PREFIX))
        return ERR_BAD_CHECKPOINT;
    line = after(line, strlen(SIG_PREFIX));
    const uint8_t *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
    if (!space)
        return ERR_BAD_CHECKPOINT;
    size_t n = (size_t)(space - line.ptr);
    *ret_name = VIEW(line.ptr, n);
    if (n == 0 || base64_get(after(line, n + 1), blob) != OK || blob->len <= KEY_HASH_SIZE)
        return ERR_BAD_CHECKPOINT;
    return OK;
}

/* Counts into *good; a signature that claims to be by this key and is not makes the whole note bad. */
static RESULT check_signature(struct view line, struct view text, struct view origin, const uint8_t *key, size_t *good)
{
    uint8_t hash[KEY_HASH_SIZE], bytes[NOTE_MAX];
    struct writer blob = writer_fixed(bytes, sizeof(bytes));
    struct view name = {0};
    TRY(get_signature(line, &name, &blob));
    key_hash(origin, key, hash);
    if (!view_eq(name, origin) || memcmp(bytes, hash, sizeof(hash)) != 0)
        return OK;
    if (ed25519_verify(key, text, VIEW(bytes + KEY_HASH_SIZE, blob.len - KEY_HASH_SIZE)) != OK)
        return ERR_BAD_CHECKPOINT;
    (*good)++;
    return OK;
}

RESULT note_open(struct view note, const uint8_t key[static ED25519_PUBLIC_SIZE], struct checkpoint *ret)
{
    struct view text = {0}, rest = {0};
    struct checkpoint c;
    size_t good = 0;
    TRY(split(note, &text, &rest));
    TRY(get_body(text, &c));
    for (size_t i = 0; rest.len; i++) {
        struct view line = {0};
        if (i == SIGNATURES_MAX)
            return ERR_BAD_CHECKPOINT;
        TRY(take_line(&rest, &line));
        TRY(check_signature(line, text, view_str(c.origin), key, &good));
    }
    if (good == 0)
        return ERR_BAD_CHECKPOINT;
    *ret = c;
    return OK;
}

RESULT note_size(struct view note, uint64_t *ret)
{
    struct view text = {0}, rest = {0};
    struct checkpoint c;
    TRY(split(note, &text, &rest));
    TRY(get_body(text, &c));
    *ret = c.size;
    return OK;
}

/* --- verifier keys */

RESULT note_verifier_put(const char *origin, const uint8_t key[static ED25519_PUBLIC_SIZE], struct writer *w)
{
    uint8_t hash[KEY_HASH_SIZE], typed[1 + ED25519_PUBLIC_SIZE];
    if (!name_valid(view_str(origin)))
        return ERR_BAD_VALUE;
    key_hash(view_str(origin), key, hash);
    typed[0] = ALG_ED25519;
    memcpy(typed + 1, key, ED25519_PUBLIC_SIZE);
    writer_str(w, origin);
    writer_u8(w, '+');
    hex_put(w, VIEW_OF(hash));
    writer_u8(w, '+');
    base64_put(w, VIEW_OF(typed));
    return writer_done(w);
}

static bool split_at(struct view v, char c, struct view *ret_head, struct view *ret_tail)
{
    const uint8_t *at = v.len ? memchr(v.ptr, c, v.len) : NULL;
    if (!at)
        return false;
    size_t n = (size_t)(at - v.ptr);
    *ret_head = VIEW(v.ptr, n);
    *ret_tail = after(v, n + 1);
    return true;
}

RESULT note_verifier_get(struct view text, char ret_origin[static NOTE_ORIGIN_MAX],
                         uint8_t ret_key[static ED25519_PUBLIC_SIZE])
{
    struct view name = {0}, rest = {0}, hash_text = {0}, key_text = {0};
    uint8_t typed[1 + ED25519_PUBLIC_SIZE], given[KEY_HASH_SIZE], hash[KEY_HASH_SIZE];
    /* Base64 may hold a plus, so the name and the hash are taken off from the front. */
    if (!split_at(text, '+', &name, &rest) || !split_at(rest, '+', &hash_text, &key_text) || !name_valid(name))
        return ERR_MALFORMED;
    if (hex_get(hash_text, given, sizeof(given)) != OK || get_base64(key_text, typed, sizeof(typed)) != OK)
        return ERR_MALFORMED;
    key_hash(name, typed + 1, hash);
    if (typed[0] != ALG_ED25519 || memcmp(given, hash, sizeof(hash)) != 0)
        return ERR_MALFORMED;
    TRY(view_to_str(name, ret_origin, NOTE_ORIGIN_MAX));
    memcpy(ret_key, typed + 1, ED25519_PUBLIC_SIZE);
    return OK;
}

void log_origin_put(const uint8_t installation[static 32], struct writer *w)
{
    writer_str(w, "holdfast/");
    hex_put(w, VIEW(installation, 8));
    writer_str(w, "/log/0");
}
