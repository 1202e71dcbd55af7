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
struct signer_pass {
    struct signer *s;
    struct loaded *l; /* held while the pass is out, see signer_finish() */
    const struct signer_sign *q;
    struct arena *arena;
    uint64_t now_ms, nonce;
    struct proof proof;
    const struct scheme *scheme;
    const struct signing_key *key;
    struct sign_request request;
    struct scheme_form form;
    struct intents intents;
    struct policy_decision decision;
    struct window_use use[POLICY_WINDOWS_MAX];
    /* of signer_work() */
    struct sign_result result;
    struct problem why;
    enum err worked;
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

static RESULT record(const struct signer_pass *p, struct signer_signed *out)
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

static void fill_request(struct signer_pass *p)
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
                                       .recv_window_ms = q->recv_window_ms,
                                       .form = &p->form};
}

static RESULT choose_nonce(struct signer_pass *p, struct problem *why)
{
    uint64_t floor = p->l->last_nonce > p->s->nonce_floor ? p->l->last_nonce : p->s->nonce_floor;
    uint64_t own = p->q->nonce;
    enum err e = own == 0 && p->scheme->own_nonce ? p->scheme->own_nonce(p->q->params, &own) : OK;

    if (e == ERR_NO_MEMORY)
        return e;
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
static RESULT judge(struct signer_pass *p, struct problem *why)
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
    TRY(policy_judge(p->l->policy, &p->intents, &caller, p->now_ms, p->q->dry_run, p->use, &p->decision));
    return p->decision.code;
}

static RESULT refuse(struct signer_pass *p, enum err code, const struct problem *why, struct signer_signed *out)
{
    const struct policy_decision *d = &p->decision;
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

/* --- the signature */

void signer_work(struct signer_pass *p)
{
    p->worked = p->scheme->sign(p->l->venue, p->key, &p->request, p->arena, &p->result, &p->why);
}

/* The signature exists, but leaves only after its record has left for the keeper. */
static RESULT release(struct signer_pass *p, struct signer_signed *out)
{
    const struct sign_result *r = &p->result;
    struct entity_list headers;

    out->decision = VIEW_STR("ok");
    TRY(arena_copy(p->arena, view_str(p->decision.rule), &out->rule));
    out->nonce = p->nonce;
    out->timestamp_ms = p->now_ms;
    TRY(headers_out(r, p->arena, &headers)); /* nothing may fail after the record */
    TRY(proof_use(p->s, &p->proof, p->now_ms));
    TRY(record(p, out));
    memcpy(p->l->used, p->use, sizeof p->l->used);
    p->l->last_nonce = p->nonce;
    out->method = r->method;
    out->url = r->url;
    out->body = r->body;
    out->signature = r->signature;
    out->headers = headers;
    return OK;
}

static RESULT sign(struct signer_pass *p, struct signer_signed *out, struct problem *why)
{
    signer_work(p);
    if (p->worked != OK)
        *why = p->why;
    TRY(p->worked);
    return release(p, out);
}

static RESULT answer_dry_run(struct signer_pass *p, struct signer_signed *out)
{
    out->decision = VIEW_STR("ok");
    out->dry_run = true;
    TRY(arena_copy(p->arena, view_str(p->decision.rule), &out->rule));
    return arena_copy(p->arena, view_str(p->decision.sentence), &out->sentence);
}

static bool is_refusal(enum err e)
{
    int status = err_http(e);

    return status >= 400 && status < 500;
}

static RESULT run(struct signer_pass *p, struct signer_reply *ret, struct problem *why)
{
    bool jumped = false;
    enum err e = watch_check(&p->s->watch, p->s->config.clock, &jumped);

    p->s->jump_unnoted |= jumped;
    if (p->s->jump_unnoted)
        TRY(note_jump(p->s, p->arena));
    p->s->jump_unnoted = false;
    if (e == OK)
        e = judge(p, why);
    if (e == ERR_CLOCK_JUMPED || is_refusal(e))
        return refuse(p, e, why, &ret->answer);
    TRY(e);
    if (p->q->dry_run)
        return answer_dry_run(p, &ret->answer);
    e = marks_cover(p->s, p->l, p->use, p->nonce, p->now_ms);
    if (e == ERR_BUSY) {
        ret->outcome = SIGNER_WAIT;
        return OK;
    }
    TRY(e);
    if (!p->scheme->slow)
        return sign(p, &ret->answer, why);
    p->l->holders++;
    p->l->out = true;
    ret->outcome = SIGNER_WORK;
    ret->pass = p;
    return OK;
}

RESULT signer_sign(struct signer *s, const struct signer_sign *q, struct arena *arena, struct signer_reply *ret,
                   struct problem *why)
{
    struct loaded *l = s->open ? loaded_find(s, q->id) : NULL;
    struct signer_pass *p;
    enum err e;

    *ret = (struct signer_reply){.outcome = SIGNER_ANSWER};
    if (!l)
        return s->open ? ERR_NOT_FOUND : ERR_SEALED;
    if (l->out) {
        ret->outcome = SIGNER_WAIT;
        return OK;
    }
    p = arena_alloc(arena, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
    p->s = s;
    p->l = l;
    p->q = q;
    p->arena = arena;
    p->now_ms = s->config.clock->wall_ms(s->config.clock);
    e = run(p, ret, why);
    if (ret->outcome != SIGNER_WORK)
        scheme_form_done(&p->form);
    return e;
}

/* --- signatures that take long */

bool signer_is_slow(struct signer *s, const struct signer_sign *q)
{
    const struct loaded *l = loaded_find(s, q->id);
    const struct scheme *scheme = l ? scheme_find(q->scheme.len ? q->scheme : l->descriptor.scheme) : NULL;

    return scheme && scheme->slow && !q->dry_run;
}

void signer_drop(struct signer_pass *p)
{
    struct loaded *l = p->l;

    scheme_form_done(&p->form);
    l->out = false;
    loaded_release(l);
}

/* Its state can't have moved, since its others wait, but who may use it can. */
static RESULT finish(struct signer_pass *p, struct signer_signed *ret, struct problem *why)
{
    enum err e;

    if (!p->s->open)
        return ERR_SEALED;
    if (loaded_find(p->s, p->l->id) != p->l)
        return ERR_NOT_FOUND;
    e = p->l->frozen ? ERR_FROZEN : proof_check(p->s, p->l, p->q, p->now_ms, &p->proof, why);
    if (is_refusal(e))
        return refuse(p, e, why, ret);
    TRY(e);
    if (p->worked != OK)
        *why = p->why;
    TRY(p->worked);
    return release(p, ret);
}

RESULT signer_finish(struct signer_pass *p, struct signer_signed *ret, struct problem *why)
{
    enum err e;

    *ret = (struct signer_signed){0};
    e = finish(p, ret, why);
    signer_drop(p);
    return e;
}
