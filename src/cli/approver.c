#include "cli/approver.h"

#include "base/fields.h"
#include "cli/ask.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "ipc/file.h"

#define KEY_CONTEXT   "holdfast administrator key 1"
#define KEY_FILE_MAX  8192
#define PASSPHRASE_OK 12

static const struct field approver_fields[] = {
    FIELD(1, struct approver, name, TEXT, 64, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(2, struct approver, public_key, FIXED, 32, .flags = FIELD_REQUIRED),
    FIELD(3, struct approver, salt, FIXED, ARGON2_SALT_SIZE, .flags = FIELD_REQUIRED),
    FIELD(4, struct approver, passes, U32, ARGON2_MAX_PASSES, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(5, struct approver, memory_kib, U32, ARGON2_MAX_MEMORY_KIB, .flags = FIELD_REQUIRED,
          .min = ARGON2_MIN_MEMORY_KIB),
    FIELD(6, struct approver, nonce, FIXED, AEAD_NONCE_SIZE, .flags = FIELD_REQUIRED),
    FIELD(7, struct approver, sealed, FIXED, ED25519_SEED_SIZE + AEAD_TAG_SIZE, .flags = FIELD_REQUIRED),
    FIELD(8, struct approver, check, FIXED, 8, .flags = FIELD_REQUIRED),
};
const struct entity approver_entity = ENTITY("AdministratorKey", 0x0a02, 1, struct approver, approver_fields);

static RESULT context_of(const struct approver *a, struct writer *w)
{
    writer_str(w, KEY_CONTEXT);
    writer_var(w, a->name);
    writer_bytes(w, a->public_key, sizeof a->public_key);
    writer_bytes(w, a->salt, sizeof a->salt);
    writer_u32(w, a->passes);
    writer_u32(w, a->memory_kib);
    return writer_done(w);
}

static RESULT check_of(const struct approver *a, uint8_t out[static 8])
{
    AUTO_WRITER w = writer_new(1024);
    uint8_t hash[SHA256_SIZE];

    TRY(context_of(a, &w));
    writer_bytes(&w, a->nonce, sizeof a->nonce);
    writer_bytes(&w, a->sealed, sizeof a->sealed);
    TRY(writer_done(&w));
    sha256(writer_view_of(&w), hash);
    memcpy(out, hash, 8);
    return OK;
}

static RESULT wrapping_key(const struct approver *a, struct view passphrase, struct secret **ret)
{
    AUTO(secret_free) struct secret *key = NULL;
    struct argon2_cost cost = {.passes = a->passes, .memory_kib = a->memory_kib};

    TRY(secret_new(AEAD_KEY_SIZE, &key));
    TRY(argon2_key(passphrase, a->salt, cost, secret_ptr(key), AEAD_KEY_SIZE));
    *ret = TAKE(key);
    return OK;
}

RESULT approver_make(struct view name, struct view passphrase, struct argon2_cost cost, const struct random *random,
                     struct approver *ret, struct writer *w)
{
    AUTO(secret_free) struct secret *seed = NULL;
    AUTO(secret_free) struct secret *key = NULL;
    AUTO_WRITER context = writer_new(1024);
    struct approver a = {.name = name, .passes = cost.passes, .memory_kib = cost.memory_kib};

    TRY(secret_new(ED25519_SEED_SIZE, &seed));
    TRY(random->fill(random, secret_ptr(seed), ED25519_SEED_SIZE));
    TRY(random->fill(random, a.salt, sizeof a.salt));
    TRY(random->fill(random, a.nonce, sizeof a.nonce));
    TRY(ed25519_public(secret_ptr(seed), a.public_key));
    TRY(wrapping_key(&a, passphrase, &key));
    TRY(context_of(&a, &context));
    TRY(aead_seal(AEAD_XAES_256_GCM, secret_ptr(key), a.nonce, writer_view_of(&context), secret_view(seed), a.sealed));
    TRY(check_of(&a, a.check));
    entity_to_json(&approver_entity, &a, w);
    writer_u8(w, '\n');
    TRY(writer_done(w));
    *ret = a;
    return OK;
}

RESULT approver_read(struct view text, struct arena *arena, struct approver *ret, struct problem *why)
{
    struct approver a = {0};
    uint8_t check[8];

    TRY(entity_parse(&approver_entity, text, arena, &a, why));
    TRY(check_of(&a, check));
    if (memcmp(check, a.check, sizeof check) != 0)
        return problem_set(why, ERR_TAMPERED, "administrator key",
                           "the key file was damaged or altered; take it from a backup");
    *ret = a;
    return OK;
}

RESULT approver_open(const struct approver *a, struct view passphrase, struct secret **ret_seed, struct problem *why)
{
    AUTO(secret_free) struct secret *key = NULL;
    AUTO(secret_free) struct secret *seed = NULL;
    AUTO_WRITER context = writer_new(1024);
    uint8_t public_key[ED25519_PUBLIC_SIZE];

    TRY(secret_new(ED25519_SEED_SIZE, &seed));
    TRY(wrapping_key(a, passphrase, &key));
    TRY(context_of(a, &context));
    if (aead_open(AEAD_XAES_256_GCM, secret_ptr(key), a->nonce, writer_view_of(&context), VIEW_OF(a->sealed),
                  secret_ptr(seed)) != OK)
        return problem_set(why, ERR_BAD_CREDENTIALS, "passphrase",
                           "the passphrase does not open this administrator key");
    TRY(ed25519_public(secret_ptr(seed), public_key));
    if (memcmp(public_key, a->public_key, sizeof public_key) != 0)
        return problem_set(why, ERR_TAMPERED, "administrator key", "the key does not fit its public half");
    *ret_seed = TAKE(seed);
    return OK;
}

RESULT approver_sign(const struct approver *a, const struct secret *seed, const struct approver_change *change,
                     struct approval *ret)
{
    AUTO_WRITER message = writer_new(512);
    uint8_t object[SHA256_SIZE];

    sha256(change->object_name, object);
    approval_message(change->installation, change->kind, object, change->previous, change->next, change->expiry_ms,
                     &message);
    TRY(writer_done(&message));
    *ret = (struct approval){.alg = APPROVAL_ED25519, .expiry_ms = change->expiry_ms};
    memcpy(ret->key, a->public_key, sizeof ret->key);
    return ed25519_sign(secret_view(seed).ptr, writer_view_of(&message), ret->signature);
}

/* --- with a person at hand */

RESULT approver_create(struct cli *c, struct view name, struct approver *ret, const char **ret_path)
{
    AUTO(secret_free) struct secret *passphrase = NULL;
    AUTO_WRITER text = writer_new(KEY_FILE_MAX);
    const char *named = args_text(&c->args, "key-file");
    struct profile *p;

    TRY(profile_of(c, &p));
    if (named)
        *ret_path = named;
    else
        TRY(profile_path(c, APPROVER_FILE, ret_path));
    if (file_read(*ret_path, KEY_FILE_MAX, &text, NULL) != ERR_NOT_FOUND)
        return cli_fail(c, ERR_EXISTS, *ret_path, "there is an administrator's key in %s; move it away first",
                        *ret_path);
    writer_reset(&text);
    TRY(ask_new_secret(c, "key-passphrase-file", "New passphrase for the administrator's key", &passphrase));
    if (secret_len(passphrase) < PASSPHRASE_OK)
        return cli_fail(c, ERR_TOO_SHORT, "--key-passphrase-file",
                        "use at least %d characters; five random words are good", PASSPHRASE_OK);
    TRY(approver_make(name, secret_view(passphrase), ARGON2_DEFAULT, c->random, ret, &text));
    return named ? file_create(named, writer_view_of(&text), 0600, &c->why)
                 : profile_put(c, APPROVER_FILE, writer_view_of(&text));
}

RESULT approver_load(struct cli *c, struct approver *ret)
{
    AUTO_WRITER text = writer_new(KEY_FILE_MAX);
    const char *path = args_text(&c->args, "key-file");
    enum err e;

    if (!path)
        TRY(profile_path(c, APPROVER_FILE, &path));
    e = file_read(path, KEY_FILE_MAX, &text, &c->why);
    if (e == ERR_NOT_FOUND)
        return cli_fail(
            c, e, path,
            "this needs an administrator's key, and there is none at %s: name yours with --key-file, or ask an "
            "administrator",
            path);
    TRY(e);
    TRY(approver_read(writer_view_of(&text), c->arena, ret, &c->why));
    return arena_copy(c->arena, ret->name, &ret->name);
}

RESULT approver_approve(struct cli *c, const struct approver_change *change, struct approval *ret)
{
    AUTO(secret_free) struct secret *passphrase = NULL;
    AUTO(secret_free) struct secret *seed = NULL;
    struct approver key = {0};

    TRY(approver_load(c, &key));
    TRY(ask_secret(
        c, "key-passphrase-file",
        cli_text(c, "Passphrase of the administrator key '%.*s'", (int)key.name.len, (const char *)key.name.ptr),
        &passphrase));
    TRY(approver_open(&key, secret_view(passphrase), &seed, &c->why));
    return approver_sign(&key, seed, change, ret);
}
