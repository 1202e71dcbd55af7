/* One request to sign, from message to answer. */
#include "signer/signer_core.h"

#include "base/json.h"
#include "base/text.h"

/* How far chosen nonces may run ahead of the clock, so that what is reserved on top stays within the keeper's bound. */
#define NONCE_LEAD_MS         40000u
#define NONCE_CALLER_AHEAD_MS 5000u

RESULT signer_new(const struct signer_config *config, struct signer **ret)
{
    struct signer *s = calloc(1, sizeof *s);

    if (!s)
        return ERR_NO_MEMORY;
    s->proofs = calloc(PROOF_SETS, sizeof *s->proofs);
    if (!s->proofs) {
        free(s);
        return ERR_NO_MEMORY;
    }
    s->config = *config;
    *ret = s;
    return OK;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    loaded_drop_all(s);
    free(s->loaded);
    free(s->proofs);
    for (size_t i = 0; i < s->venue_count; i++)
        venue_free(s->venues[i]);
    wipe(s, sizeof *s);
    free(s);
}

RESULT signer_add_venue(struct signer *s, struct venue *v)
{
    if (venue_of(s, venue_name(v)))
        return ERR_EXISTS;
    if (s->venue_count == VENUES_MAX)
        return ERR_LIMIT_REACHED;
    s->venues[s->venue_count++] = v;
    return OK;
}

void signer_welcome(struct signer *s, const struct keeper_signer_welcome *w)
{
    if (s->open)
        return; /* a second welcome may be older than what was authored since */
    s->chain = (struct leaf_chain){.author = AUTHOR_SIGNER, .next_sequence = w->next_sequence};
    memcpy(s->chain.previous, w->previous, 32);
    memcpy(s->chain.key, w->author_key, 32);
    s->nonce_floor = w->nonce_mark_ms;
    s->nonce_reserved = 0;
    s->reserving = false;
    s->sequence_limit = w->sequence_limit;
    proof_begin(s, w->nonce_mark_ms);
    s->open = true;
}

void signer_room(struct signer *s, uint64_t limit)
{
    if (limit > s->sequence_limit)
        s->sequence_limit = limit;
}

void signer_sealed(struct signer *s)
{
    loaded_drop_all(s);
    wipe(&s->chain, sizeof s->chain);
    s->open = false;
}

static bool scheme_of_venue(const struct venue *v, size_t i, struct view *ret)
{
    *ret = scheme_name_at(i);
    return venue_has_scheme(v, *ret);
}

RESULT signer_venues_list(const struct signer *s, struct arena *arena, struct signer_venues *ret)
{
    struct signer_venue *out = arena_alloc(arena, (s->venue_count + 1) * sizeof *out);

    if (!out)
        return ERR_NO_MEMORY;
    for (size_t v = 0; v < s->venue_count; v++) {
        struct view *names = arena_alloc(arena, scheme_count() * sizeof *names);
        if (!names)
            return ERR_NO_MEMORY;
        out[v].name = venue_name(s->venues[v]);
        out[v].schemes.items = names;
        for (size_t i = 0; i < scheme_count(); i++)
            out[v].schemes.count += scheme_of_venue(s->venues[v], i, &names[out[v].schemes.count]);
    }
    ret->venues = (struct entity_list){out, s->venue_count};
    return OK;
}

/* One request on its way through. */
struct pass {
    struct signer *s;
    struct loaded *l;
    const struct signer_sign *q;
    struct arena *arena;
    uint64_t now_ms, nonce;
    struct proof proof;
    const struct scheme *scheme;
    const struct signing_key *key;
    struct sign_request request;
    struct intents intents;
    struct window_use use[POLICY_WINDOWS_MAX];
};

/* --- the record */

static RESULT author(struct signer *s, const struct record *r, struct arena *arena, struct view *ret)
{
    struct leaf_chain chain = s->chain;
    struct authored_record a;
    AUTO_WRITER w = writer_new(16384);
    struct view bytes;
    enum err e;

    if (chain.next_sequence >= s->sequence_limit)
        return ERR_LOG_BEHIND; /* the keeper could not keep it */
    e = leaf_author(&chain, r, NULL, 0, s->config.clock->wall_ms(s->config.clock), s->config.random, arena, &a);
    wipe(chain.key, sizeof chain.key);
    TRY(e);
    TRY(entity_encode(&authored_record_entity, &a, &w));
    TRY(arena_copy(arena, writer_view_of(&w), &bytes));
    TRY(s->config.authored(s->config.context, bytes));
    s->chain.next_sequence = chain.next_sequence;
    memcpy(s->chain.previous, chain.previous, sizeof chain.previous);
    *ret = bytes;
    return OK;
}

/* Never in the middle of a character. */
static struct view cut(struct view text, size_t most)
{
    if (text.len <= most)
        return text;
    while (most > 0 && (text.ptr[most] & 0xc0) == 0x80)
        most--;
    return VIEW(text.ptr, most);
}

/* What is said of a request in the record: enough to see what was signed, nothing that is secret. */
static void describe(const struct signer_sign *q, const struct signer_signed *out, const struct intents *intents,
                     struct writer *w)
{
    json_open(w, '{');
    json_text(w, "method", cut(q->method, 16));
    json_text(w, "path", cut(q->request_path, 128));
    if (intents->count) {
        const struct intent *first = &intents->items[0];
        json_text(w, "action", cut(first->endpoint, 96));
        json_text(w, "class", view_str(intent_class_names[first->class]));
        json_text(w, "symbol", cut(first->symbol, 48));
        json_u64(w, "intents", intents->count);
    }
    if (out->nonce)
        json_u64(w, "nonce", out->nonce);
    if (out->rule.len)
        json_text(w, "rule", cut(out->rule, 96));
    if (out->sentence.len)
        json_text(w, "sentence", cut(out->sentence, 200));
    json_close(w, '}');
}

static RESULT record(const struct pass *p, struct signer_signed *out)
{
    AUTO_WRITER resource = writer_new(1024);
    AUTO_WRITER detail = writer_new(8192); /* what the caller sent, cut, and at worst six times as long in JSON */
    bool done = view_is(out->decision, "ok");
    struct record r = {.type = done ? EVENT_REQUEST_SIGNED : EVENT_SIGNING_REFUSED,
                       .outcome = done ? OUTCOME_DONE : OUTCOME_REFUSED};

    if (p->q->who.len)
        TRY(entity_decode(&request_context_entity, p->q->who, p->arena, &r.who));
    r.who.proof = p->proof.proven;
    if (p->proof.proven)
        r.who.actor = p->q->bot; /* whose key verified, whatever the front says */
    writer_str(&resource, "credential:");
    writer_view(&resource, p->l->descriptor.path);
    describe(p->q, out, &p->intents, &detail);
    TRY(writer_done(&resource));
    TRY(writer_done(&detail));
    r.what.resource = writer_view_of(&resource);
    r.what.detail = writer_view_of(&detail);
    if (!done)
        r.what.error = out->decision;
    return author(p->s, &r, p->arena, &out->authored);
}

static RESULT note_jump(struct signer *s, struct arena *arena)
{
    struct record r = {.type = EVENT_CLOCK_JUMP_NOTICED,
                       .outcome = OUTCOME_DONE,
                       .who.actor = VIEW_STR("signer"),
                       .what.resource = VIEW_STR("clock")};
    struct view ignored;

    return author(s, &r, arena, &ignored);
}

/* --- the request */

static void fill_request(struct pass *p)
{
    const struct signer_sign *q = p->q;

    p->request = (struct sign_request){.method = q->method,
                                       .host = q->host,
                                       .path = q->request_path,
                                       .query = q->query,
                                       .body = q->body,
                                       .params = q->params,
                                       .network = q->network,
                                       .vault_address = q->vault_address,
                                       .has_expires_after = q->has_expires_after,
                                       .expires_after = q->expires_after,
                                       .multi_sig_user = q->multi_sig_user,
                                       .outer_signer = q->outer_signer,
                                       .id = q->frame_id,
                                       .now_ms = p->now_ms,
                                       .nonce = p->nonce,
                                       .recv_window_ms = q->recv_window_ms};
}

static RESULT choose_nonce(struct pass *p, struct problem *why)
{
    uint64_t floor = p->l->last_nonce > p->s->nonce_floor ? p->l->last_nonce : p->s->nonce_floor;
    uint64_t own = p->q->nonce;

    if (own == 0 && p->scheme->own_nonce && p->scheme->own_nonce(p->q->params, &own) != OK)
        own = 0;
    p->nonce = own ? own : p->now_ms > floor ? p->now_ms : floor + 1;
    if (p->nonce <= floor || (own && p->nonce > p->now_ms + NONCE_CALLER_AHEAD_MS))
        return ERR_NONCE_REUSED;
    if (p->nonce > p->now_ms + NONCE_LEAD_MS)
        return problem_set(why, ERR_BUSY, "/nonce",
                           "a nonce is a millisecond, so a credential signs 1000 requests a second at most in the long "
                           "run; slow down, or spread the bots over several credentials");
    return OK;
}

/* Everything that can refuse, in order: cheap before dear, and nothing that changes state. */
static RESULT judge(struct pass *p, struct policy_decision *d, struct problem *why)
{
    struct request_context who = {0};
    struct policy_caller caller = {.bot = p->q->bot};

    if (p->l->frozen)
        return ERR_FROZEN;
    TRY(proof_check(p->s, p->l, p->q, p->now_ms, &p->proof, why));
    caller.proven = p->proof.proven;
    if (p->q->who.len)
        TRY(entity_decode(&request_context_entity, p->q->who, p->arena, &who));
    caller.source = who.source;
    TRY(loaded_key(p->l, p->q->scheme, &p->scheme, &p->key, why));
    TRY(choose_nonce(p, why));
    fill_request(p);
    TRY(p->scheme->judge(p->l->venue, &p->request, p->arena, &p->intents, why));
    memcpy(p->use, p->l->used, sizeof p->use);
    TRY(policy_judge(p->l->policy, &p->intents, &caller, p->now_ms, p->q->dry_run, p->use, d));
    return d->code;
}

static RESULT refuse(struct pass *p, enum err code, const struct policy_decision *d, const struct problem *why,
                     struct signer_signed *out)
{
    bool decided = d->code == code;
    const char *rule = decided ? d->rule : why->where;
    const char *sentence = decided && d->sentence[0] ? d->sentence : why->detail[0] ? why->detail : err_sentence(code);

    out->decision = view_str(err_code(code));
    TRY(arena_copy(p->arena, view_str(rule), &out->rule));
    TRY(arena_copy(p->arena, view_str(sentence), &out->sentence));
    out->dry_run = p->q->dry_run;
    if (p->q->dry_run)
        return OK;
    TRY(proof_use(p->s, &p->proof, p->now_ms));
    return record(p, out);
}

static RESULT headers_out(const struct sign_result *r, struct arena *arena, struct entity_list *ret)
{
    struct signer_header *headers = arena_alloc(arena, (r->header_count + 1) * sizeof *headers);

    if (!headers)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < r->header_count; i++)
        headers[i] = (struct signer_header){r->headers[i].name, r->headers[i].value};
    *ret = (struct entity_list){headers, r->header_count};
    return OK;
}

/* The signature exists from here on, but leaves only after its record has left for the keeper. */
static RESULT sign(struct pass *p, const struct policy_decision *d, struct signer_signed *out, struct problem *why)
{
    struct sign_result r = {0};

    out->decision = VIEW_STR("ok");
    out->dry_run = p->q->dry_run;
    TRY(arena_copy(p->arena, view_str(d->rule), &out->rule));
    if (p->q->dry_run)
        return arena_copy(p->arena, view_str(d->sentence), &out->sentence);
    out->nonce = p->nonce;
    out->timestamp_ms = p->now_ms;
    TRY(p->scheme->sign(p->l->venue, p->key, &p->request, p->arena, &r, why));
    TRY(proof_use(p->s, &p->proof, p->now_ms));
    TRY(record(p, out));
    memcpy(p->l->used, p->use, sizeof p->l->used);
    p->l->last_nonce = p->nonce;
    out->method = r.method;
    out->url = r.url;
    out->body = r.body;
    out->signature = r.signature;
    return headers_out(&r, p->arena, &out->headers);
}

static bool is_refusal(enum err e)
{
    int status = err_http(e);

    return status >= 400 && status < 500;
}

static RESULT run(struct pass *p, struct signer_signed *out, enum signer_outcome *ret_outcome, struct problem *why)
{
    struct policy_decision d = {0};
    bool jumped = false;
    enum err e = watch_check(&p->s->watch, p->s->config.clock, &jumped);

    *ret_outcome = SIGNER_ANSWER;
    p->s->jump_unnoted |= jumped;
    if (p->s->jump_unnoted)
        TRY(note_jump(p->s, p->arena));
    p->s->jump_unnoted = false;
    if (e == OK)
        e = judge(p, &d, why);
    if (e == ERR_CLOCK_JUMPED || is_refusal(e))
        return refuse(p, e, &d, why, out);
    TRY(e);
    e = p->q->dry_run ? OK : marks_cover(p->s, p->l, p->use, p->nonce, p->now_ms);
    if (e == ERR_BUSY) {
        *ret_outcome = SIGNER_WAIT;
        return OK;
    }
    TRY(e);
    return sign(p, &d, out, why);
}

RESULT signer_sign(struct signer *s, const struct signer_sign *q, struct arena *arena, struct signer_signed *ret,
                   enum signer_outcome *ret_outcome, struct problem *why)
{
    struct pass p = {.s = s, .q = q, .arena = arena, .now_ms = s->config.clock->wall_ms(s->config.clock)};

    if (!s->open)
        return ERR_SEALED;
    p.l = loaded_find(s, q->id);
    if (!p.l)
        return ERR_NOT_FOUND;
    return run(&p, ret, ret_outcome, why);
}
