#include "cli/grant.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/eyes.h"
#include "cli/fields_json.h"
#include "cli/output.h"
#include "crypto/hash.h"
#include "ipc/file.h"
#include "ledger/note.h"
#include "signer/policy.h"
#include "signer/scheme.h"

#define CREDENTIALS "/api/v1/credentials/"
#define BOX_MAX     16384

RESULT grant_pinned(struct cli *c, struct profile **ret)
{
    TRY(profile_of(c, ret));
    if (!profile_pinned(*ret))
        return cli_fail(c, ERR_USAGE, "profile", "no server is pinned in %s yet: run 'holdfast login' first",
                        (*ret)->dir);
    return OK;
}

/* --- what is in force */

static RESULT take_descriptor(struct cli *c, const char *path, struct view packed, struct grant *g)
{
    AUTO_WRITER bytes = writer_new(DESCRIPTOR_MAX);
    struct view kept;

    if (base64_get(packed, &bytes) != OK || bytes.len == 0)
        return cli_fail(c, ERR_MALFORMED, "descriptor", "the server did not send the credential's descriptor");
    TRY(arena_copy(c->arena, writer_view_of(&bytes), &kept));
    if (entity_decode(&credential_descriptor_entity, kept, c->arena, &g->before) != OK)
        return cli_fail(c, ERR_MALFORMED, "descriptor", "the credential's descriptor can't be read");
    if (!view_is(g->before.path, path))
        return cli_fail(c, ERR_TAMPERED, "descriptor", "the server sent the descriptor of another credential");
    sha256(kept, g->previous);
    g->descriptor = kept;
    g->exists = true;
    g->next = g->before;
    g->next.version++;
    return OK;
}

RESULT grant_begin(struct cli *c, const char *path, struct grant *ret)
{
    struct grant g = {.next = {.version = 1, .path = view_str(path)}};
    struct api_answer answer;
    struct view packed;
    enum err e = api_call(c, "GET", api_path(c, CREDENTIALS "data/", path), (struct view){0}, &answer);

    if (e == ERR_NOT_FOUND) {
        c->why = (struct problem){0};
        c->title[0] = c->request_id[0] = '\0';
        TRY(c->random->fill(c->random, g.next.id, sizeof g.next.id));
    } else {
        TRY(e);
        TRY(fields_json_get(c, answer.body, "descriptor", &packed));
        TRY(take_descriptor(c, path, packed, &g));
    }
    *ret = g;
    return OK;
}

/* --- what shall be */

static void put_names(struct writer *w, const json_t *list, const char *member)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        writer_str(w, i ? ", " : "");
        output_cell(member ? output_member(item, member) : item, w);
    }
}

static const json_t *find_venue(const json_t *venues, struct view name)
{
    const json_t *venue;
    size_t i;

    json_array_foreach(venues, i, venue)
    {
        const char *text = json_string_value(json_object_get(venue, "name"));
        if (text && view_is(name, text))
            return venue;
    }
    return NULL;
}

static bool has_scheme(const json_t *venue, struct view name)
{
    const json_t *scheme;
    size_t i;

    json_array_foreach(json_object_get(venue, "schemes"), i,
                       scheme) if (json_is_string(scheme) && view_is(name, json_string_value(scheme))) return true;
    return false;
}

/* Another one is a new credential: the record, the grants and the bots know it by these. */
static RESULT check_same(struct cli *c, const struct grant *g)
{
    if (!view_eq(g->before.venue, g->next.venue) || !view_eq(g->before.scheme, g->next.scheme) ||
        g->before.environment != g->next.environment)
        return cli_fail(c, ERR_BAD_VALUE, "--venue",
                        "this credential exists, and its venue, scheme and environment never change: store another "
                        "one, or leave these options out");
    return OK;
}

RESULT grant_venue(struct cli *c, const struct grant *g)
{
    AUTO(json_decref) json_t *root = NULL;
    AUTO_WRITER names = writer_new(4096);
    const json_t *venues, *venue;
    struct api_answer answer;

    if (g->exists)
        return check_same(c, g);
    TRY(api_call(c, "GET", "/api/v1/venues", (struct view){0}, &answer));
    TRY(json_read(answer.body, &root, &c->why));
    venues = json_object_get(root, "venues");
    venue = find_venue(venues, g->next.venue);
    put_names(&names, venue ? json_object_get(venue, "schemes") : venues, venue ? NULL : "name");
    writer_u8(&names, 0);
    TRY(writer_done(&names));
    if (!venue)
        return cli_fail(c, ERR_UNKNOWN_VENUE, "--venue", "there is no venue '%.*s'; there are: %s",
                        (int)g->next.venue.len, (const char *)g->next.venue.ptr, (const char *)names.ptr);
    if (!has_scheme(venue, g->next.scheme))
        return cli_fail(c, ERR_WRONG_KEY_FOR_VENUE, "--scheme", "this venue has no scheme '%.*s'; it has: %s",
                        (int)g->next.scheme.len, (const char *)g->next.scheme.ptr, (const char *)names.ptr);
    return OK;
}

static RESULT check_scheme(struct cli *c, struct view name)
{
    AUTO_WRITER all = writer_new(512);

    if (scheme_find(name))
        return OK;
    for (size_t i = 0; i < scheme_count(); i++) {
        writer_str(&all, i ? ", " : "");
        writer_view(&all, scheme_name_at(i));
    }
    return cli_fail(c, ERR_UNKNOWN_VENUE, "--scheme", "'%.*s' is no scheme; there are: %.*s", (int)name.len,
                    (const char *)name.ptr, (int)all.len, all.ptr ? (const char *)all.ptr : "");
}

/* After it is encrypted nobody but the signer can say that a key is of the wrong kind. */
static RESULT check_key(struct cli *c, const struct grant *g, const struct credential_bundle *bundle)
{
    const struct bundle b = {bundle->api_key, bundle->secret, bundle->passphrase};
    const struct scheme *scheme;
    struct signing_key *key;

    TRY(check_scheme(c, g->next.scheme));
    scheme = scheme_find(g->next.scheme);
    TRY(crypto_pk_init());
    TRY(scheme->key_new(&b, &key, &c->why));
    scheme->key_free(key);
    return OK;
}

RESULT grant_seal(struct cli *c, struct grant *g, const struct credential_bundle *bundle)
{
    AUTO_WRITER plain = writer_new(BOX_MAX);
    AUTO_WRITER box = writer_new(BOX_MAX);
    struct profile *p;

    TRY(grant_pinned(c, &p));
    TRY(check_key(c, g, bundle));
    TRY(entity_encode(&credential_bundle_entity, bundle, &plain));
    TRY(box_seal(p->import_key, writer_view_of(&plain), &box));
    TRY(arena_copy(c->arena, writer_view_of(&box), &g->box));
    sha256(g->box, g->next.box_hash);
    g->next.api_key_id = bundle->api_key;
    return OK;
}

RESULT grant_policy(struct cli *c, struct grant *g, const char *file)
{
    AUTO(policy_free) struct policy *policy = NULL;
    AUTO(secret_free) struct secret *text = NULL;
    struct view v;

    TRY(ask_contents(c, file, POLICY_TEXT_MAX, &text));
    v = secret_view(text);
    while (v.len && v.ptr[v.len - 1] <= ' ')
        v.len--;
    TRY(policy_parse(v, &policy, &c->why));
    return arena_copy(c->arena, v, &g->next.policy);
}

/* --- showing it */

struct line {
    const char *title;
    size_t offset;
};
static const struct line lines[] = {
    {"Path", offsetof(struct credential_descriptor, path)},
    {"Venue", offsetof(struct credential_descriptor, venue)},
    {"Scheme", offsetof(struct credential_descriptor, scheme)},
    {"API key", offsetof(struct credential_descriptor, api_key_id)},
    {"Description", offsetof(struct credential_descriptor, description)},
};

/* The lines of a text. */
static void put_line(struct cli *c, char mark, const char *title, struct view text)
{
    while (text.len) {
        AUTO_WRITER clean = writer_new(65536);
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        struct view line = VIEW(text.ptr, end ? (size_t)(end - text.ptr) : text.len);

        text_put_safe(&clean, line);
        cli_note(c, "%c %-12s %.*s", mark, title, (int)clean.len, clean.ptr ? (const char *)clean.ptr : "");
        text = VIEW(line.ptr + line.len + (end ? 1 : 0), text.len - line.len - (end ? 1 : 0));
        title = "";
    }
}

/* Both in one form, so that what differs is what was changed. */
static struct view laid_out(struct cli *c, struct view policy)
{
    AUTO(json_decref) json_t *root = NULL;
    struct view kept = policy;
    char *text = json_read(policy, &root, NULL) == OK ? json_dumps(root, JSON_INDENT(2)) : NULL;

    if (!text || arena_copy(c->arena, view_str(text), &kept) != OK)
        kept = policy;
    free(text);
    return kept;
}

/* Bytes of the whole lines that both begin with, and (from_end) that both end with. */
static size_t common(struct view a, struct view b, bool from_end)
{
    size_t n = a.len < b.len ? a.len : b.len, whole = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte = a.ptr[from_end ? a.len - 1 - i : i];
        if (byte != b.ptr[from_end ? b.len - 1 - i : i])
            break;
        if (byte == '\n')
            whole = from_end ? i : i + 1;
    }
    return whole;
}

static void put_changed(struct cli *c, const char *title, struct view was, struct view is)
{
    size_t front = common(was, is, false), back;

    put_line(c, ' ', title, VIEW(is.ptr, front));
    was = VIEW(was.ptr + front, was.len - front);
    is = VIEW(is.ptr + front, is.len - front);
    back = common(was, is, true);
    put_line(c, '-', front ? "" : title, VIEW(was.ptr, was.len - back));
    put_line(c, '+', front ? "" : title, VIEW(is.ptr, is.len - back));
    put_line(c, ' ', "", VIEW(is.ptr + is.len - back, back));
}

static struct view environment_name(const struct credential_descriptor *d)
{
    static const char *const names[] = {"none", "development", "staging", "production"};

    return view_str(d->environment < ARRAY_LEN(names) ? names[d->environment] : "unknown");
}

void grant_show(struct cli *c, const struct grant *g)
{
    cli_note(c,
             g->exists ? "You are about to approve version %llu of a credential (- as it was, + as it will be):"
                       : "You are about to approve a new credential (version %llu):",
             (unsigned long long)g->next.version);
    grant_show_parts(c, g);
}

void grant_show_parts(struct cli *c, const struct grant *g)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const struct view *was = (const struct view *)(const void *)((const uint8_t *)&g->before + lines[i].offset);
        const struct view *is = (const struct view *)(const void *)((const uint8_t *)&g->next + lines[i].offset);
        bool same = !g->exists || view_eq(*was, *is);
        if (same)
            put_line(c, ' ', lines[i].title, *is);
        else
            put_changed(c, lines[i].title, *was, *is);
    }
    if (g->exists && g->before.environment != g->next.environment)
        put_changed(c, "Environment", environment_name(&g->before), environment_name(&g->next));
    else
        put_line(c, ' ', "Environment", environment_name(&g->next));
    struct view was = g->exists ? laid_out(c, g->before.policy) : (struct view){0}, is = laid_out(c, g->next.policy);
    if (g->exists && !view_eq(was, is))
        put_changed(c, "Policy", was, is);
    else
        put_line(c, ' ', "Policy", is);
    if (g->exists && g->box.len)
        cli_note(c, "+ %-12s replaced by a new one", "Secret");
    if (g->next.revoked)
        cli_note(c, "+ %-12s it signs nothing from then on, and that is final", "Revoked");
}

/* --- sending it */

static void put_base64(struct writer *w, const char *name, struct view bytes)
{
    json_name(w, name);
    writer_u8(w, '"');
    base64_put(w, bytes);
    writer_u8(w, '"');
}

static void put_approvals(struct writer *w, const struct approval_request *r)
{
    json_name(w, "approval");
    entity_to_json(&approval_entity, &r->approval, w);
    if (r->second.alg == 0)
        return;
    json_name(w, "second");
    entity_to_json(&approval_entity, &r->second, w);
}

static RESULT put_body(const struct approval_request *r, struct writer *body)
{
    json_open(body, '{');
    if (r->kind == APPROVE_CREDENTIAL) {
        put_base64(body, "descriptor", r->what);
        if (r->box.len)
            put_base64(body, "box", r->box);
        json_name(body, "previous");
        writer_u8(body, '"');
        hex_put(body, VIEW_OF(r->previous));
        writer_u8(body, '"');
    }
    put_approvals(body, r);
    json_close(body, '}');
    return writer_done(body);
}

RESULT grant_run(struct cli *c, const struct approval_request *r)
{
    AUTO_WRITER body = writer_new(131072);
    const char *path = arena_str(c->arena, r->name);
    struct credential_descriptor d;
    struct api_answer answer;

    if (!path)
        return ERR_NO_MEMORY;
    TRY(entity_decode(&credential_descriptor_entity, r->what, c->arena, &d));
    TRY(put_body(r, &body));
    if (r->kind == APPROVE_RELEASE)
        TRY(api_call(c, "POST", api_path(c, CREDENTIALS "release/", path), writer_view_of(&body), &answer));
    else
        TRY(api_call(c, "PUT", api_path(c, CREDENTIALS "data/", path), writer_view_of(&body), &answer));
    TRY(grant_checkpoint(c, answer.body));
    if (r->kind == APPROVE_RELEASE)
        return output_done(c, answer.body, "Released: it signs again.");
    return output_done(c, answer.body,
                       cli_text(c, "Done: %s is at version %llu.", path, (unsigned long long)d.version));
}

/* Signs, and sends it where it is put in force, or to the other administrator. */
static RESULT approve_and_send(struct cli *c, struct approval_request *r, bool two)
{
    struct profile *p;

    TRY(grant_pinned(c, &p));
    TRY(eyes_approve(c, p->installation, r, two));
    return two ? eyes_ask(c, r) : grant_run(c, r);
}

RESULT grant_send(struct cli *c, struct grant *g)
{
    struct approval_request r = {.kind = APPROVE_CREDENTIAL, .name = g->next.path, .box = g->box};
    AUTO_WRITER descriptor = writer_new(DESCRIPTOR_MAX);
    bool two;

    TRY(entity_encode(&credential_descriptor_entity, &g->next, &descriptor));
    TRY(arena_copy(c->arena, writer_view_of(&descriptor), &r.what));
    memcpy(r.previous, g->previous, sizeof r.previous);
    TRY(eyes_wanted(c, APPROVE_CREDENTIAL, &two));
    grant_show(c, g);
    TRY(ask_confirm(c, "Approve this?"));
    return approve_and_send(c, &r, two && !g->next.revoked); /* to stop for good, one is enough */
}

RESULT grant_release(struct cli *c, const struct grant *g)
{
    struct approval_request r = {.kind = APPROVE_RELEASE, .name = g->before.path, .what = g->descriptor};
    bool two;

    TRY(eyes_wanted(c, APPROVE_RELEASE, &two));
    return approve_and_send(c, &r, two);
}

/* --- the proof */

RESULT grant_check_note(struct cli *c, struct view note, uint64_t *ret_size)
{
    char origin[NOTE_ORIGIN_MAX];
    uint8_t key[ED25519_PUBLIC_SIZE];
    struct checkpoint now;
    struct profile *p;

    TRY(grant_pinned(c, &p));
    TRY(note_verifier_get(p->verifier, origin, key));
    if (note_open(note, key, &now) != OK || strcmp(now.origin, origin) != 0)
        return cli_fail(c, ERR_BAD_CHECKPOINT, "checkpoint", "the server's checkpoint is not signed by the pinned key");
    *ret_size = now.size;
    return OK;
}

RESULT grant_checkpoint(struct cli *c, struct view answer)
{
    AUTO_WRITER kept = writer_new(NOTE_MAX);
    struct view note;
    uint64_t size = 0, before = 0;
    const char *path;

    TRY(fields_json_get(c, answer, "checkpoint", &note));
    if (note.len == 0)
        return cli_fail(c, ERR_BAD_CHECKPOINT, "checkpoint",
                        "the change was made, but the server sent no signed checkpoint that covers it");
    TRY(grant_check_note(c, note, &size));
    TRY(profile_path(c, "checkpoint", &path));
    if (file_read(path, NOTE_MAX, &kept, NULL) == OK && grant_check_note(c, writer_view_of(&kept), &before) != OK)
        before = 0;
    c->why = (struct problem){0};
    if (size < before)
        return cli_fail(c, ERR_LOG_MISMATCH, "checkpoint",
                        "the log has %llu records now, and had %llu before: records "
                        "were removed",
                        (unsigned long long)size, (unsigned long long)before);
    return profile_put(c, "checkpoint", note);
}
