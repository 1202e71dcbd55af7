/* Access tokens: the keeper writes them, so that whoever owns the front gets none that lives longer, or in greater
 * numbers, than the configuration allows, and none without a record. */
#include "keeper/core.h"

#include "base/json.h"
#include "base/text.h"

#define DAY_MS      86400000ull
#define MINUTE_MS   60000ull
#define HEADER_MAX  256
#define CLAIMS_MAX  1280
#define SKEW_MS     60000u /* others' clocks may be behind when a key's last token ends */
#define DETAIL_SIZE 320

static uint64_t now_of(const struct keeper *k)
{
    return k->config.clock->wall_ms(k->config.clock);
}

/* --- in the anchor */

RESULT tokens_fill(const struct keeper *k, struct arena *arena, struct durable *d)
{
    struct durable_token_key *out = arena_alloc(arena, TOKEN_KEYS_MAX * sizeof *out);

    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->token_key_count; i++) {
        const struct token_key *t = &k->token_keys[i];
        out[i] = (struct durable_token_key){.alg = t->public_key.alg,
                                            .public_key = VIEW(t->public_key.bytes, t->public_key.len),
                                            .created_ms = t->created_ms,
                                            .until_ms = t->until_ms};
        if (t->private_key)
            out[i].private_key = secret_view(t->private_key);
    }
    d->token_keys = (struct entity_list){out, k->token_key_count};
    return OK;
}

RESULT tokens_take(struct keeper *k, const struct durable *d)
{
    const struct durable_token_key *in = d->token_keys.items;

    for (size_t i = 0; i < d->token_keys.count; i++) {
        struct token_key *t = &k->token_keys[i];
        *t = (struct token_key){.created_ms = in[i].created_ms, .until_ms = in[i].until_ms};
        t->public_key.alg = in[i].alg;
        t->public_key.len = (uint16_t)in[i].public_key.len;
        memcpy(t->public_key.bytes, in[i].public_key.ptr, in[i].public_key.len);
        k->token_key_count++;
        if (in[i].private_key.len)
            TRY(secret_from(in[i].private_key, &t->private_key));
    }
    return OK;
}

static void forget(struct token_key *keys, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        secret_free(keys[i].private_key);
    memset(keys, 0, TOKEN_KEYS_MAX * sizeof *keys);
    *count = 0;
}

void tokens_forget(struct keeper *k)
{
    forget(k->token_keys, &k->token_key_count);
    k->token_budget = (struct token_budget){0};
}

/* --- generations */

static struct token_key *signing(struct keeper *k)
{
    struct token_key *last = k->token_key_count ? &k->token_keys[k->token_key_count - 1] : NULL;

    return last && last->private_key ? last : NULL;
}

/* Former keys whose last token has not ended yet, without their private halves; there is room for one more. */
static size_t still_needed(const struct keeper *k, struct token_key out[static TOKEN_KEYS_MAX])
{
    uint64_t now = now_of(k), end = now + k->config.tokens.max_seconds * 1000ull + SKEW_MS;
    size_t count = 0;

    for (size_t i = 0; i < k->token_key_count; i++) {
        struct token_key t = k->token_keys[i];
        if (t.until_ms == 0)
            t.until_ms = end;
        t.private_key = NULL;
        if (t.until_ms > now)
            out[count++] = t;
    }
    return count;
}

static RESULT record_rotation(struct keeper *k, const struct token_key *key, bool drop, struct arena *arena)
{
    struct authoring record = {.type = EVENT_TOKEN_KEY_ROTATED, .outcome = OUTCOME_DONE, .anchored = true};
    char kid[TOKEN_KID_LEN + 1], detail[DETAIL_SIZE];
    struct writer w = writer_fixed(detail, sizeof detail);
    struct view authored;

    TRY(token_key_id(&key->public_key, kid));
    writer_printf(&w, "%s key %s signs from now on%s", token_alg_names[key->public_key.alg], kid,
                  drop ? "; former keys are dropped" : "");
    record.what.resource = VIEW_STR("token-keys");
    record.what.detail = writer_view_of(&w);
    return authors_write(k, &record, arena, &authored);
}

/* The new key signs nothing before it is in the anchor. */
static RESULT begin_with(struct keeper *k, const struct token_key next[static TOKEN_KEYS_MAX], size_t count, bool drop,
                         struct arena *arena)
{
    struct token_key former[TOKEN_KEYS_MAX];
    size_t former_count = k->token_key_count;
    enum err e;

    TRY(record_rotation(k, &next[count - 1], drop, arena));
    memcpy(former, k->token_keys, sizeof former);
    memcpy(k->token_keys, next, sizeof k->token_keys);
    k->token_key_count = count;
    e = save_write(k);
    if (e != OK) {
        memcpy(k->token_keys, former, sizeof former);
        k->token_key_count = former_count;
        authors_withdraw(k);
        return e;
    }
    forget(former, &former_count);
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_TOKEN_KEYS, NULL, NULL);
    k->config.event(k->config.context, PEER_FRONT, KEEPER_EVENT_PENDING, NULL, NULL);
    return OK;
}

static RESULT rotate(struct keeper *k, bool drop, struct arena *arena)
{
    struct token_key next[TOKEN_KEYS_MAX] = {0};
    size_t count = drop ? 0 : still_needed(k, next);
    struct token_key *made = &next[count];
    enum err e;

    if (count == TOKEN_KEYS_MAX)
        return ERR_LIMIT_REACHED;
    made->created_ms = now_of(k);
    TRY(token_key_make((enum token_alg)k->config.tokens.alg, k->config.random, &made->private_key, &made->public_key));
    e = begin_with(k, next, count + 1, drop, arena);
    if (e != OK)
        secret_free(made->private_key);
    return e;
}

static bool due(struct keeper *k)
{
    const struct token_key *t = signing(k);

    return !t || t->public_key.alg != k->config.tokens.alg ||
           now_of(k) >= t->created_ms + k->config.tokens.rotate_days * DAY_MS;
}

/* A first key, or one in place of one that is too old; without room for it the old one goes on. */
static RESULT ensure(struct keeper *k, struct arena *arena)
{
    enum err e = due(k) ? rotate(k, false, arena) : OK;

    return signing(k) ? OK : e;
}

/* --- handlers about keys */

HANDLER(tokens_keys)
{
    struct keeper_token_keys *out = answer;
    struct keeper_token_key *keys = arena_alloc(arena, TOKEN_KEYS_MAX * sizeof *keys);
    AUTO_WRITER issuer = writer_new(TOKEN_ISSUER_MAX);

    (void)request, (void)why;
    if (!keys)
        return ERR_NO_MEMORY;
    TRY(ensure(k, arena));
    for (size_t i = 0; i < k->token_key_count; i++) {
        const struct token_key *t = &k->token_keys[i];
        keys[i] = (struct keeper_token_key){.alg = t->public_key.alg,
                                            .public_key = VIEW(t->public_key.bytes, t->public_key.len),
                                            .created_ms = t->created_ms,
                                            .until_ms = t->until_ms};
    }
    out->keys = (struct entity_list){keys, k->token_key_count};
    out->max_seconds = k->config.tokens.max_seconds;
    if (k->config.tokens.issuer.len) {
        out->issuer = k->config.tokens.issuer;
        return OK;
    }
    writer_str(&issuer, "urn:holdfast:");
    hex_put(&issuer, VIEW_OF(k->head.installation));
    return arena_copy(arena, writer_view_of(&issuer), &out->issuer);
}

HANDLER(tokens_rotate)
{
    const struct keeper_tokens_rotate *q = request;
    enum err e = rotate(k, q->drop, arena);

    if (e == ERR_LIMIT_REACHED)
        return problem_set(why, e, "token-keys",
                           "%d keys are in use already: wait until the tokens of the oldest have ended, or drop them",
                           TOKEN_KEYS_MAX);
    TRY(e);
    return tokens_keys(k, NULL, answer, arena, why);
}

/* --- signing */

/* The budget is whole at the start: a keeper that was restarted can't be restarted by the front. */
static RESULT spend(struct keeper *k, struct problem *why)
{
    const struct config_tokens *c = &k->config.tokens;
    struct token_budget *b = &k->token_budget;
    uint64_t now = k->config.clock->mono_ms(k->config.clock), full = c->burst * MINUTE_MS;
    uint64_t passed = b->begun && now > b->seen_ms ? now - b->seen_ms : 0;

    if (!b->begun)
        *b = (struct token_budget){.left = full, .begun = true};
    b->seen_ms = now;
    b->left = passed >= full / c->per_minute || b->left + passed * c->per_minute > full
                  ? full
                  : b->left + passed * c->per_minute;
    if (b->left < MINUTE_MS)
        return problem_set(why, ERR_BUSY, "tokens", "at most %u tokens a minute are signed", (unsigned)c->per_minute);
    b->left -= MINUTE_MS;
    return OK;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return any == 0;
}

static RESULT check(const struct keeper_token_sign *q, struct problem *why)
{
    if (!view_starts(q->subject, "user:") && !view_starts(q->subject, "key:"))
        return problem_set(why, ERR_BAD_VALUE, "subject", "a token is a user's or an API key's");
    return OK;
}

static RESULT draw_id(const struct keeper *k, uint64_t now, uint8_t out[static TOKEN_ID_SIZE])
{
    for (unsigned i = 0; i < 6; i++)
        out[i] = (uint8_t)(now >> (40 - 8 * i));
    return k->config.random->fill(k->config.random, out + 6, TOKEN_ID_SIZE - 6);
}

static void json_hex(struct writer *w, const char *name, const uint8_t *bytes, size_t n)
{
    char text[2 * 32 + 1];
    struct writer hex = writer_fixed(text, sizeof text - 1);

    hex_put(&hex, VIEW(bytes, n));
    json_text(w, name, writer_view_of(&hex));
}

static void put_claims(const struct keeper_token_sign *q, const struct keeper_token_signed *t, struct view issuer,
                       struct writer *w)
{
    json_open(w, '{');
    json_text(w, "iss", issuer);
    json_text(w, "sub", q->subject);
    json_text(w, "aud", q->audience.len ? q->audience : issuer);
    json_u64(w, "exp", t->expires_ms / 1000);
    json_u64(w, "nbf", t->issued_ms / 1000);
    json_u64(w, "iat", t->issued_ms / 1000);
    json_hex(w, "jti", t->id, sizeof t->id);
    json_text(w, "client_id", q->client.len ? q->client : VIEW_STR("holdfast"));
    if (!is_zero(q->grant, sizeof q->grant))
        json_hex(w, "sid", q->grant, sizeof q->grant);
    if (q->auth_ms)
        json_u64(w, "auth_time", q->auth_ms / 1000);
    if (q->methods.count) {
        json_name(w, "amr");
        json_open(w, '[');
        for (size_t i = 0; i < q->methods.count; i++) {
            json_item(w);
            json_put_text(w, q->methods.items[i]);
        }
        json_close(w, ']');
    }
    json_close(w, '}');
}

/* RFC 7515 §3.1: BASE64URL(header) . BASE64URL(claims) . BASE64URL(signature) */
static RESULT write_token(struct keeper *k, const struct token_key *key, struct view claims, struct arena *arena,
                          struct view *ret)
{
    AUTO_WRITER header = writer_new(HEADER_MAX);
    AUTO_WRITER text = writer_new(TOKEN_TEXT_MAX);
    AUTO_WRITER signature = writer_new(TOKEN_SIG_MAX);
    char kid[TOKEN_KID_LEN + 1];

    TRY(token_key_id(&key->public_key, kid));
    json_open(&header, '{');
    json_text(&header, "alg", view_str(token_alg_names[key->public_key.alg]));
    json_text(&header, "kid", view_str(kid));
    json_text(&header, "typ", VIEW_STR("at+jwt"));
    json_close(&header, '}');
    TRY(writer_done(&header));
    base64url_put(&text, writer_view_of(&header));
    writer_u8(&text, '.');
    base64url_put(&text, claims);
    TRY(writer_done(&text));
    TRY(token_key_sign(&key->public_key, key->private_key, k->config.random, writer_view_of(&text), &signature));
    writer_u8(&text, '.');
    base64url_put(&text, writer_view_of(&signature));
    TRY(writer_done(&text));
    return arena_copy(arena, writer_view_of(&text), ret);
}

static RESULT author(struct keeper *k, const struct keeper_token_sign *q, const struct token_key *key,
                     struct keeper_token_signed *t, struct arena *arena)
{
    struct authoring record = {.type = EVENT_TOKEN_ISSUED, .outcome = OUTCOME_DONE, .who = q->who};
    char resource[64], detail[DETAIL_SIZE], until[TIME_TEXT_SIZE], kid[TOKEN_KID_LEN + 1];
    struct writer r = writer_fixed(resource, sizeof resource), d = writer_fixed(detail, sizeof detail);

    TRY(token_key_id(&key->public_key, kid));
    time_format(t->expires_ms, until);
    writer_str(&r, "token:");
    hex_put(&r, VIEW_OF(t->id));
    writer_str(&d, "for ");
    writer_view(&d, q->subject);
    writer_printf(&d, " until %s, signed by %s", until, kid);
    TRY(writer_done(&d));
    record.what.resource = writer_view_of(&r);
    record.what.detail = writer_view_of(&d);
    return authors_write(k, &record, arena, &t->authored);
}

HANDLER(tokens_sign)
{
    const struct keeper_token_sign *q = request;
    struct keeper_token_signed *t = answer;
    uint32_t most = k->config.tokens.max_seconds;
    uint32_t seconds = q->seconds == 0 || q->seconds > most ? most : q->seconds;
    AUTO_WRITER claims = writer_new(CLAIMS_MAX);
    struct keeper_token_keys keys = {0};
    uint64_t now = now_of(k);

    TRY(check(q, why));
    TRY(spend(k, why));
    TRY(tokens_keys(k, NULL, &keys, arena, why));
    TRY(draw_id(k, now, t->id));
    t->issued_ms = now / 1000 * 1000;
    t->expires_ms = t->issued_ms + seconds * 1000ull;
    put_claims(q, t, keys.issuer, &claims);
    TRY(writer_done(&claims));
    TRY(write_token(k, signing(k), writer_view_of(&claims), arena, &t->token));
    return author(k, q, signing(k), t, arena);
}
