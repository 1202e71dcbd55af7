#include "api/inspect.h"

#include "base/fields.h"
#include "crypto/hash.h"
#include "domain/guard/patterns/rule_file.h"
#include "http/head.h"

/* What the proxy says, in place of whatever the client said. Credentials are passed over by the check itself. */
static const struct view passed_over[] = {VIEW_STR("x-original-method"),  VIEW_STR("x-original-uri"),
                                          VIEW_STR("x-original-url"),     VIEW_STR("x-real-ip"),
                                          VIEW_STR("x-forwarded-method"), VIEW_STR("x-forwarded-uri"),
                                          VIEW_STR("x-forwarded-for"),    VIEW_STR("x-forwarded-proto")};

/* The beginning of a body is all that some proxies have room for: Envoy says so, and HAProxy's script. */
static bool is_cut(const struct http_pair *h)
{
    return head_name_is(h->name, VIEW_STR("x-envoy-auth-partial-body")) && !view_is(h->value, "false");
}

bool inspect_looks_at(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(passed_over); i++)
        if (head_name_is(name, passed_over[i]))
            return false;
    return true;
}

static RESULT gather(const struct http_request *req, const struct inspect_ask *ask, struct patterns_request *ret)
{
    struct patterns_field *fields = arena_alloc(req->arena, req->headers.count * sizeof *fields + 1);
    struct patterns_request r = {.endpoint = ask->path, .target = ask->target, .headers = fields, .body = req->body};
    struct view type = {0};
    if (!fields)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < req->headers.count; i++) {
        const struct http_pair *h = &req->headers.items[i];
        r.body_cut |= is_cut(h);
        if (inspect_looks_at(h->name))
            fields[r.header_count++] = (struct patterns_field){h->name, h->value};
    }
    if (req->body.len) {
        (void)http_header(req, "Content-Type", &type);
        r.kind = patterns_body_kind(type);
    }
    *ret = r;
    return OK;
}

static void put_hit(struct writer *w, const struct patterns_hit *hit)
{
    writer_printf(w, "%s (%s, %s", hit->id, patterns_class_names[hit->class], patterns_part_names[hit->part]);
    if (hit->name_len) {
        writer_u8(w, ' ');
        text_put_safe(w, VIEW(hit->name, hit->name_len));
    }
    writer_str(w, hit->counts_only ? ", only counts)" : ")");
}

/* Of eight hits it is far below what a record takes. */
static RESULT describe(struct http_request *req, const struct patterns_verdict *v, bool refused, struct view *ret)
{
    AUTO_WRITER w = writer_new(4096);
    writer_printf(&w, "score %u%s", (unsigned)v->score, v->blocked && !refused ? ", would be refused" : "");
    if (v->longer)
        writer_str(&w, ", beyond the limit");
    for (size_t i = 0; i < v->hit_count; i++) {
        writer_str(&w, i ? ", " : ": ");
        put_hit(&w, &v->hits[i]);
    }
    TRY(writer_done(&w));
    return arena_copy(req->arena, writer_view_of(&w), ret);
}

enum err inspect_refusal(const struct config_patterns *c, const struct patterns_verdict *v)
{
    if (!v->blocked || c->mode != CONFIG_PATTERNS_BLOCK)
        return OK;
    return v->score >= c->threshold ? ERR_ATTACK_PATTERN : ERR_NOT_INSPECTED;
}

RESULT inspect_request(struct http_request *req, const struct inspect_ask *ask, struct inspected *ret)
{
    const struct api_thread *t = api_of(req);
    struct inspected found = {.refusal = OK};
    struct patterns_request r;
    struct patterns_verdict v;
    *ret = found;
    if (!t->shared->patterns)
        return OK;
    TRY(gather(req, ask, &r));
    TRY(patterns_check(t->shared->patterns, &r, t->patterns, &v));
    if (v.hit_count == 0 && !v.longer)
        return OK;
    found.refusal = inspect_refusal(&t->shared->config->guard.patterns, &v);
    TRY(describe(req, &v, found.refusal != OK, &found.detail));
    *ret = found;
    return OK;
}

/* --- for people */

static const struct field file_fields[] = {
    FIELD(1, struct inspect_file, file, TEXT, 0, .flags = FIELD_REQUIRED),
    FIELD(2, struct inspect_file, rules, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "In it."),
    FIELD(3, struct inspect_file, sha256, FIXED, SHA256_SIZE, .doc = "Of its text."),
};
const struct entity inspect_file_entity = ENTITY("GuardRulesFile", 0x07d5, 1, struct inspect_file, file_fields);

static uint32_t count_rules(const struct patterns *p, const char *file)
{
    uint32_t n = 0;
    for (size_t i = 0; i < patterns_count(p); i++)
        n += strcmp(patterns_rule(p, i)->file, file) == 0;
    return n;
}

RESULT inspect_files(const struct api_shared *s, struct arena *arena, struct entity_list *ret)
{
    const struct patterns_file *files = NULL;
    size_t count = s->patterns ? patterns_files(s->patterns, &files) : 0;
    struct inspect_file *items = arena_alloc(arena, count * sizeof *items + 1);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct inspect_file){.file = view_str(files[i].name),
                                         .rules = count_rules(s->patterns, files[i].name)};
        sha256(files[i].text, items[i].sha256);
    }
    *ret = (struct entity_list){items, count};
    return OK;
}
