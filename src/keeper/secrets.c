/* Values of secrets: sealed and opened one by one, so that no other process ever holds a key to all of them. */
#include "keeper/core.h"

#define PLAIN_MAX (SECRET_VALUE_MAX + 64)

/* Bound in: which secret, which version, under which name. A row moved, renamed or put back does not open. */
static void value_context(const uint8_t id[static 16], uint64_t version, struct view path, struct writer *w)
{
    writer_str(w, "secret");
    writer_bytes(w, id, 16);
    writer_u64(w, version);
    writer_var(w, path);
}

static RESULT seal_value(const struct keeper *k, struct view context, struct view value, struct arena *arena,
                         struct view *ret)
{
    AUTO_WRITER sealed = writer_new(SEALED_SECRET_MAX);

    TRY(keyring_seal(k->rings[RING_SECRET], (enum aead_alg)k->head.cipher, PURPOSE_SECRET, context, value,
                     k->config.random, &sealed));
    return arena_copy(arena, writer_view_of(&sealed), ret);
}

HANDLER(secrets_seal)
{
    const struct keeper_secret_seal *q = request;
    struct keeper_sealed *out = answer;
    AUTO_WRITER context = writer_new(2048);

    (void)why;
    value_context(q->id, q->version, q->path, &context);
    TRY(writer_done(&context));
    return seal_value(k, writer_view_of(&context), q->value, arena, &out->sealed);
}

static RESULT author_opened(struct keeper *k, const struct keeper_secret_open *q, uint8_t outcome, struct view error,
                            struct arena *arena, struct view *ret)
{
    AUTO_WRITER resource = writer_new(1024);
    char detail[32];
    struct writer d = writer_fixed(detail, sizeof detail);
    struct authoring record = {.type = EVENT_SECRET_READ, .outcome = outcome, .who = q->who};

    writer_str(&resource, "secret:");
    writer_view(&resource, q->path);
    TRY(writer_done(&resource));
    writer_printf(&d, "version %llu", (unsigned long long)q->version);
    record.what.resource = writer_view_of(&resource);
    record.what.detail = writer_view_of(&d);
    record.what.error = error;
    return authors_write(k, &record, arena, ret);
}

HANDLER(secrets_open)
{
    const struct keeper_secret_open *q = request;
    struct keeper_opened *out = answer;
    AUTO_WRITER context = writer_new(2048);
    AUTO_WRITER plain = writer_new(PLAIN_MAX);
    struct view ignored;
    enum err e;

    value_context(q->id, q->version, q->path, &context);
    TRY(writer_done(&context));
    e = keyring_open(k->rings[RING_SECRET], PURPOSE_SECRET, writer_view_of(&context), q->sealed, &plain);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e != OK) {
        TRY(author_opened(k, q, OUTCOME_FAILED, VIEW_STR("tampered"), arena, &ignored));
        k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
        return problem_set(why, ERR_TAMPERED, "sealed",
                           "the stored value is not what was sealed for this secret and version");
    }
    TRY(arena_copy(arena, writer_view_of(&plain), &out->value));
    return author_opened(k, q, OUTCOME_DONE, (struct view){0}, arena, &out->authored);
}

HANDLER(secrets_rewrap)
{
    const struct keeper_rewrap *q = request;
    struct keeper_sealed *out = answer;
    AUTO_WRITER context = writer_new(2048);
    AUTO_WRITER plain = writer_new(PLAIN_MAX);

    (void)why;
    value_context(q->id, q->version, q->path, &context);
    TRY(writer_done(&context));
    TRY(keyring_open(k->rings[RING_SECRET], PURPOSE_SECRET, writer_view_of(&context), q->sealed, &plain));
    return seal_value(k, writer_view_of(&context), writer_view_of(&plain), arena, &out->sealed);
}
