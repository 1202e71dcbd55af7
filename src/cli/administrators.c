/* holdfast operator admin …: whose keys approve changes. */
#include "base/text.h"
#include "cli/ask.h"
#include "cli/eyes.h"
#include "cli/keeper_link.h"
#include "cli/output.h"
#include "crypto/hash.h"

static int by_name(const void *a, const void *b)
{
    return view_cmp(((const struct administrator *)a)->name, ((const struct administrator *)b)->name);
}

/* As the keeper hashes the set, see keeper_msg.h. */
static RESULT hash_set(struct administrator *list, size_t count, uint8_t out[static 32])
{
    AUTO_WRITER w = writer_new(65536);

    if (count)
        qsort(list, count, sizeof *list, by_name);
    for (size_t i = 0; i < count; i++) {
        writer_var(&w, list[i].name);
        writer_bytes(&w, list[i].key, 32);
    }
    TRY(writer_done(&w));
    sha256(writer_view_of(&w), out);
    return OK;
}

RESULT administrators_set(struct cli *c, struct view *ret)
{
    AUTO_WRITER bytes = writer_new(65536);
    struct administrators set = {0};
    uint8_t hash[32];

    TRY(keeper_link_ask(c, KEEPER_ADMIN_LIST, NULL, &set));
    TRY(hash_set(set.list.items, set.list.count, hash));
    if (memcmp(hash, set.hash, 32) != 0)
        return cli_fail(c, ERR_TAMPERED, "administrators", "the list does not hash to what the keeper says");
    TRY(entity_encode(&administrators_entity, &set, &bytes));
    return arena_copy(c->arena, writer_view_of(&bytes), ret);
}

static size_t without(struct administrator *list, size_t count, struct view name)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!view_eq(list[i].name, name))
            list[kept++] = list[i];
    return kept;
}

/* The hashes are what this program computes, not what it was told. */
RESULT administrators_hashes(struct cli *c, const struct approval_request *r, uint8_t previous[static 32],
                             uint8_t next[static 32])
{
    struct administrators set = {0};
    struct administrator *list;
    size_t count;

    if (entity_decode(&administrators_entity, r->what, c->arena, &set) != OK)
        return cli_fail(c, ERR_MALFORMED, "administrators", "the list of administrators can't be read");
    list = arena_alloc(c->arena, (set.list.count + 1) * sizeof *list);
    if (!list)
        return ERR_NO_MEMORY;
    if (set.list.count)
        memcpy(list, set.list.items, set.list.count * sizeof *list);
    TRY(hash_set(list, set.list.count, previous));
    count = without(list, set.list.count, r->name);
    if (r->kind == APPROVE_ADMIN_REMOVE && count == set.list.count)
        return cli_fail(c, ERR_NOT_FOUND, "name", "'%.*s' is no administrator", (int)r->name.len,
                        (const char *)r->name.ptr);
    if (r->kind == APPROVE_ADMIN_ADD && count != set.list.count)
        return cli_fail(c, ERR_EXISTS, "name", "'%.*s' is an administrator already", (int)r->name.len,
                        (const char *)r->name.ptr);
    if (r->kind == APPROVE_ADMIN_ADD) {
        list[count].name = r->name;
        memcpy(list[count++].key, r->key, 32);
    }
    return hash_set(list, count, next);
}

RESULT administrators_list(struct cli *c)
{
    static const struct column columns[] = {{"name", "NAME"}, {"key", "KEY"}};
    struct administrators set = {0};
    AUTO_WRITER body = writer_new(65536);

    TRY(keeper_link_ask(c, KEEPER_ADMIN_LIST, NULL, &set));
    entity_to_json(&administrators_entity, &set, &body);
    TRY(writer_done(&body));
    return output_list(c, writer_view_of(&body), "list", columns, ARRAY_LEN(columns), "There are no administrators.");
}

static RESULT show_key(struct cli *c, const struct approver *key, const char *path)
{
    static const struct column columns[] = {{"name", "Name"}, {"key", "Public key"}, {"file", "File"}};
    AUTO_WRITER w = writer_new(8192);

    json_open(&w, '{');
    json_text(&w, "name", key->name);
    json_name(&w, "key");
    writer_u8(&w, '"');
    hex_put(&w, VIEW_OF(key->public_key));
    writer_u8(&w, '"');
    json_text(&w, "file", view_str(path));
    json_close(&w, '}');
    TRY(writer_done(&w));
    return output_object(c, writer_view_of(&w), columns, ARRAY_LEN(columns));
}

RESULT administrators_key(struct cli *c)
{
    struct approver key;
    const char *path;

    TRY(approver_create(c, view_str(c->args.arguments[0]), &key, &path));
    TRY(show_key(c, &key, path));
    if (!c->json)
        cli_note(c, "Have an administrator add it: holdfast operator admin add %s --key KEY", c->args.arguments[0]);
    return OK;
}

/* The new administrator's public key: as told, or the one in the profile or --key-file. */
static RESULT new_key(struct cli *c, uint8_t out[static 32])
{
    const char *text = args_text(&c->args, "key");
    struct approver key;

    if (!text) {
        TRY(approver_load(c, &key));
        memcpy(out, key.public_key, 32);
        return OK;
    }
    if (hex_get(view_str(text), out, 32) != OK)
        return cli_fail(c, ERR_BAD_KEY, "--key",
                        "a public key is 64 hexadecimal digits, as 'operator admin key' shows");
    return OK;
}

static RESULT show_enrolment(struct cli *c, const struct keeper_admin_changed *changed, struct view name)
{
    struct view token = changed->enrolment_token;

    if (c->json)
        return output_entity(c, &keeper_admin_changed_entity, changed);
    (void)fprintf(c->out,
                  "'%.*s' is an administrator. To choose a password within 24 hours, with this one-time token:\n\n"
                  "  holdfast enrol %.*s\n  token: %.*s\n",
                  (int)name.len, (const char *)name.ptr, (int)name.len, (const char *)name.ptr, (int)token.len,
                  (const char *)token.ptr);
    return OK;
}

RESULT administrators_status(struct cli *c, struct keeper_status *ret)
{
    struct profile *p;

    TRY(keeper_link_ask(c, KEEPER_STATUS, NULL, ret));
    TRY(profile_of(c, &p));
    if (profile_pinned(p) && memcmp(p->installation, ret->installation, 32) != 0)
        return cli_fail(c, ERR_PIN_MISMATCH, "installation",
                        "this operator socket belongs to another installation than "
                        "the one pinned in %s",
                        p->dir);
    return OK;
}

RESULT administrators_run(struct cli *c, const struct approval_request *r)
{
    struct keeper_admin_change q = {
        .name = r->name, .has_approval = true, .approval = r->approval, .second = r->second};
    struct keeper_admin_changed changed = {0};

    memcpy(q.key, r->key, sizeof q.key);
    if (r->kind == APPROVE_ADMIN_REMOVE) {
        TRY(keeper_link_ask(c, KEEPER_ADMIN_REMOVE, &q, NULL));
        return output_done(c, (struct view){0},
                           "Removed. The person's log-in is apart from it: see 'holdfast user change'.");
    }
    TRY(keeper_link_ask(c, KEEPER_ADMIN_ADD, &q, &changed));
    return show_enrolment(c, &changed, r->name);
}

static RESULT approve_and_send(struct cli *c, struct approval_request *r)
{
    struct keeper_status status = {0};

    TRY(administrators_status(c, &status));
    bool two = eyes_in(status.four_eyes, (enum approval_kind)r->kind);

    TRY(eyes_approve(c, status.installation, r, two));
    return two ? eyes_ask(c, r) : administrators_run(c, r);
}

RESULT administrators_add(struct cli *c)
{
    struct approval_request r = {.kind = APPROVE_ADMIN_ADD, .name = view_str(c->args.arguments[0])};

    if (!args_has(&c->args, "key"))
        return cli_fail(c, ERR_USAGE, "--key",
                        "give the new administrator's public key: --key, as 'operator admin key' "
                        "showed it to that person");
    TRY(new_key(c, r.key));
    TRY(administrators_set(c, &r.what));
    return approve_and_send(c, &r);
}

RESULT administrators_remove(struct cli *c)
{
    struct approval_request r = {.kind = APPROVE_ADMIN_REMOVE, .name = view_str(c->args.arguments[0])};
    uint8_t previous[32], next[32];

    TRY(administrators_set(c, &r.what));
    TRY(administrators_hashes(c, &r, previous, next)); /* is he one? */
    TRY(ask_confirm(c, cli_text(c, "Take '%s' the right to approve?", c->args.arguments[0])));
    return approve_and_send(c, &r);
}

/* --- when all keys are lost */

static RESULT ask_shares(struct cli *c, uint8_t threshold, struct keeper_admin_change *q)
{
    struct view *items = arena_alloc(c->arena, (size_t)threshold * sizeof *items);

    if (!items)
        return ERR_NO_MEMORY;
    for (unsigned i = 0; i < threshold; i++) {
        AUTO(secret_free) struct secret *share = NULL;
        if (args_has(&c->args, "share-file"))
            TRY(ask_input_line(c, &share));
        else
            TRY(ask_secret(c, "share-file", cli_text(c, "Share %u of %u", i + 1, (unsigned)threshold), &share));
        if (!share)
            return cli_fail(c, ERR_TOO_SHORT, "--share-file", "a share is empty");
        TRY(arena_copy(c->arena, secret_view(share), &items[i])); /* the arena is wiped at the end */
    }
    q->shares = (struct text_list){items, threshold};
    return OK;
}

RESULT administrators_recover(struct cli *c)
{
    AUTO(secret_free) struct secret *passphrase = NULL;
    const char *file = args_text(&c->args, "share-file"), *path;
    struct keeper_admin_change q = {.name = view_str(c->args.arguments[0]),
                                    .replace_all = args_has(&c->args, "replace-all")};
    struct keeper_admin_changed changed = {0};
    struct keeper_status status = {0};
    struct approver key;

    if (file && strcmp(file, "-") != 0)
        return cli_fail(c, ERR_USAGE, "--share-file", "all shares are needed: give them on standard input, one a line");
    TRY(keeper_link_ask(c, KEEPER_STATUS, NULL, &status));
    if (status.state != STATE_UNSEALED)
        return cli_fail(c, ERR_SEALED, "", "%s", "");
    TRY(ask_confirm(c, q.replace_all ? "Put one new administrator in the place of all?"
                                     : "Add an administrator by what unseals?"));
    if (args_has(&c->args, "key"))
        TRY(new_key(c, q.key));
    else {
        TRY(approver_create(c, q.name, &key, &path));
        memcpy(q.key, key.public_key, 32);
    }
    if (status.method == UNSEAL_SHARES) {
        TRY(ask_shares(c, status.threshold, &q));
    } else {
        TRY(ask_secret(c, "passphrase-file", "Passphrase that unseals Holdfast", &passphrase));
        q.passphrase = secret_view(passphrase);
    }
    TRY(keeper_link_ask(c, KEEPER_ADMIN_ADD, &q, &changed));
    return show_enrolment(c, &changed, q.name);
}
