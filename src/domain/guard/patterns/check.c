/* One request: its values, normalised, side by side in one buffer; one scan; a score for each value. */
#include "domain/guard/patterns/clean.h"
#include "domain/guard/patterns/inside.h"
#include "domain/guard/patterns/split.h"

#include <strings.h>

#define FIELDS_MAX 256 /* of a batch: what a request has beyond them is scanned in further batches */
#define BUFFER_MIN 65536
#define SET_WORDS  (PATTERNS_RULES_MAX / 64)

struct field_state {
    struct split_field field;
    struct clean_tag tag;
    size_t end;      /* of its lines in the buffer */
    bool remembered; /* if no rule speaks of it */
    bool spoken_of;  /* a rule does, though the hit may be excluded */
    bool hit;
    uint64_t rules[SET_WORDS]; /* those that hit it */
};

struct patterns_scratch {
    hs_scratch_t *scanner;
    struct clean *clean; /* NULL: nothing is remembered */
    uint64_t generation; /* of the signatures that clean is about */
    uint8_t *buffer;
    size_t capacity, len;
    size_t field_count;
    struct field_state fields[FIELDS_MAX];
    /* the request that is being checked */
    const struct patterns *patterns;
    struct patterns_request request;
    struct patterns_verdict verdict;
};

enum err patterns_scratch_new(const struct patterns *p, const struct random *random, struct patterns_scratch **ret)
{
    AUTO(patterns_scratch_free) struct patterns_scratch *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NO_MEMORY;
    if (random)
        TRY(clean_new(random, &s->clean));
    s->capacity = NORMALISE_ROOM(p->body_limit > BUFFER_MIN ? p->body_limit : BUFFER_MIN);
    s->buffer = malloc(s->capacity);
    if (!s->buffer || hs_alloc_scratch(p->database, &s->scanner) != HS_SUCCESS)
        return ERR_NO_MEMORY;
    *ret = TAKE(s);
    return OK;
}

void patterns_scratch_free(struct patterns_scratch *s)
{
    if (!s)
        return;
    hs_free_scratch(s->scanner);
    clean_free(s->clean);
    free(s->buffer);
    free(s);
}

/* --- hits */

static struct field_state *field_at(struct patterns_scratch *s, size_t end)
{
    size_t low = 0, high = s->field_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->fields[middle].end < end)
            low = middle + 1;
        else
            high = middle;
    }
    return &s->fields[low];
}

/* In whole segments, as endpoints are found. */
static bool is_below(struct view path, struct view endpoint)
{
    if (endpoint.len == 0 || view_is(endpoint, "/"))
        return true;
    return path.len >= endpoint.len && view_eq(VIEW(path.ptr, endpoint.len), endpoint) &&
           (path.len == endpoint.len || path.ptr[endpoint.len] == '/');
}

static bool excluded(const struct patterns_scratch *s, const struct rule *r, const struct split_field *f)
{
    const struct patterns *p = s->patterns;
    for (size_t i = 0; i < p->exclusion_count; i++) {
        const struct patterns_exclusion *x = &p->exclusions[i];
        bool this_one = x->parameter.len == 0 || view_eq(f->name, x->parameter);
        bool rule = x->rule.len == 0 || view_eq(x->rule, r->id) || view_is(x->rule, patterns_class_names[r->class]);
        if (this_one && rule && is_below(s->request.endpoint, x->endpoint))
            return true;
    }
    return false;
}

/* Called for each match, in no order that is relied upon. Bounded work: matches are at most rules times bytes. */
static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct patterns_scratch *s = context;
    struct field_state *f = field_at(s, (size_t)to);
    uint64_t bit = (uint64_t)1 << (id % 64);
    const struct rule *r = s->patterns->rules[id];
    (void)from;
    (void)flags;
    if (f->rules[id / 64] & bit || s->patterns->modes[id] == PATTERNS_OFF || !(r->parts >> f->field.part & 1))
        return 0;
    f->spoken_of = true; /* elsewhere, or under another name, it may not be excluded */
    if (excluded(s, r, &f->field))
        return 0;
    f->rules[id / 64] |= bit;
    f->hit = true;
    return 0;
}

static struct patterns_hit hit_of(const struct patterns_scratch *s, size_t rule, const struct split_field *f)
{
    const struct rule *r = s->patterns->rules[rule];
    struct patterns_hit hit = {
        .id = r->name,
        .class = r->class,
        .part = f->part,
        .score = r->score,
        .counts_only = s->patterns->modes[rule] == PATTERNS_COUNT,
        .name_len = (uint8_t)(f->name.len < PATTERNS_NAME_MAX ? f->name.len : PATTERNS_NAME_MAX)};
    if (hit.name_len)
        memcpy(hit.name, f->name.ptr, hit.name_len);
    return hit;
}

/* Adds what hit one value. The worst value's hits stand first. */
static void add_field(struct patterns_scratch *s, const struct field_state *f)
{
    struct patterns_verdict *v = &s->verdict;
    struct patterns_hit hits[2 * PATTERNS_HITS_MAX] = {0};
    size_t count = 0;
    uint32_t score = 0;
    for (size_t i = 0; i < s->patterns->rule_count; i++) {
        struct patterns_hit hit;
        if (!(f->rules[i / 64] >> (i % 64) & 1))
            continue;
        hit = hit_of(s, i, &f->field);
        if (!hit.counts_only) {
            score += hit.score;
            v->classes |= 1u << hit.class;
        }
        if (count < PATTERNS_HITS_MAX)
            hits[count++] = hit;
    }
    if (score > v->score) {
        memcpy(hits + count, v->hits, v->hit_count * sizeof *hits);
        count += v->hit_count;
        v->hit_count = count < PATTERNS_HITS_MAX ? count : PATTERNS_HITS_MAX;
        memcpy(v->hits, hits, v->hit_count * sizeof *hits);
        v->score = score;
        return;
    }
    for (size_t i = 0; i < count && v->hit_count < PATTERNS_HITS_MAX; i++)
        v->hits[v->hit_count++] = hits[i];
}

/* --- what needs no search */

/* Of a body nothing is remembered: short secrets stand in one (a password, a one-time code), and a thread that answers
 * sooner would tell whoever guesses one that somebody has just sent it. */
static const bool remembered_parts[PATTERNS_PARTS] = {[PATTERNS_PATH] = true,
                                                      [PATTERNS_QUERY] = true,
                                                      [PATTERNS_COOKIE] = true,
                                                      [PATTERNS_AGENT] = true,
                                                      [PATTERNS_OTHER] = true};

/* The parameter's name and the endpoint are no part of what is remembered: they only decide what is excluded. */
static bool is_known(struct patterns_scratch *s, struct field_state *f)
{
    f->remembered = s->clean && remembered_parts[f->field.part];
    if (!f->remembered)
        return false;
    clean_name(s->clean, &f->field, &f->tag);
    return clean_has(s->clean, &f->tag);
}

static void remember(struct patterns_scratch *s)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].remembered && !s->fields[i].spoken_of)
            clean_put(s->clean, &s->fields[i].tag);
}

/* What was clean to other rules, or to the same ones under other options, is to be searched again. */
static void begin(struct patterns_scratch *s, const struct patterns *p, const struct patterns_request *r)
{
    s->patterns = p;
    s->request = *r;
    s->verdict = (struct patterns_verdict){.longer = r->body_cut};
    if (s->generation != p->generation && s->clean)
        clean_forget(s->clean);
    s->generation = p->generation;
}

/* --- batches */

static enum err scan_batch(struct patterns_scratch *s)
{
    hs_error_t e = HS_SUCCESS;
    if (s->len)
        e = hs_scan(s->patterns->database, (const char *)s->buffer, (unsigned)s->len, 0, s->scanner, on_match, s);
    if (e == HS_SUCCESS)
        remember(s);
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].hit)
            add_field(s, &s->fields[i]);
    explicit_bzero(s->buffer, s->len);
    s->len = s->field_count = 0;
    return e == HS_SUCCESS ? OK : ERR_INTERNAL;
}

static enum err take_field(void *context, const struct split_field *f)
{
    struct patterns_scratch *s = context;
    struct view value = f->value;
    struct field_state *state;
    size_t most = s->capacity / 8 - 8; /* NORMALISE_ROOM the other way round */
    if (value.len > most) {
        value.len = most;
        s->verdict.longer = true;
    }
    if (s->field_count == FIELDS_MAX || s->capacity - s->len < NORMALISE_ROOM(value.len))
        TRY(scan_batch(s));
    state = &s->fields[s->field_count];
    state->field = *f;
    state->field.value = value;
    if (is_known(s, state))
        return OK;
    s->len += normalise(value, f->source, 0, s->buffer + s->len);
    state->end = s->len;
    state->spoken_of = state->hit = false;
    memset(state->rules, 0, sizeof state->rules);
    s->field_count++;
    return OK;
}

enum err patterns_check(const struct patterns *p, const struct patterns_request *r, struct patterns_scratch *s,
                        struct patterns_verdict *ret)
{
    enum err e;
    begin(s, p, r);
    if (s->request.body.len > p->body_limit && s->request.kind != PATTERNS_BODY_NONE) {
        s->request.body.len = p->body_limit;
        s->verdict.longer = true;
    }
    e = split_request(&s->request, take_field, s);
    if (e == OK)
        e = scan_batch(s);
    s->request = (struct patterns_request){0}; /* its views are the caller's */
    if (e != OK)
        return e;
    s->verdict.blocked = s->verdict.score >= p->threshold || (s->verdict.longer && !p->pass_longer);
    *ret = s->verdict;
    return OK;
}

enum patterns_body patterns_body_kind(struct view content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    size_t end = 0;
    while (end < content_type.len && content_type.ptr[end] != ';' && content_type.ptr[end] != ' ')
        end++;
    if (end == sizeof form - 1 && strncasecmp((const char *)content_type.ptr, form, end) == 0)
        return PATTERNS_BODY_FORM;
    if (end >= 5 && strncasecmp((const char *)content_type.ptr + end - 4, "json", 4) == 0)
        return PATTERNS_BODY_JSON;
    return PATTERNS_BODY_TEXT;
}
