/* holdfast operator admin …: whose keys approve changes. */
#include "base/text.h"
#include "cli/approver.h"
#include "cli/ask.h"
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

/* The set as it is, with room for one more; previous is what this program computes, not what it was told. */
static RESULT read_set(struct cli *c, struct administrator **ret, size_t *ret_count, uint8_t previous[static 32])
{
    struct administrators set = {0};
    struct administrator *list;

    TRY(keeper_link_ask(c, KEEPER_ADMIN_LIST, NULL, &set));
    list = arena_alloc(c->arena, (set.list.count + 1) * sizeof *list);
    if (!list)
        return ERR_NO_MEMORY;
    if (set.list.count)
        memcpy(list, set.list.items, set.list.count * sizeof *list);
    TRY(hash_set(list, set.list.count, previous));
    if (memcmp(previous, set.hash, 32) != 0) {
        (void)!cli_fail(c, ERR_TAMPERED, "administrators", "the list does not hash to what the keeper says");
        return ERR_TAMPERED;
    }
    *ret = list;
    *ret_count = set.list.count;
    return OK;
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

static RESULT show_enrolment(struct cli *c, const struct keeper_admin_changed *changed)
{
    struct view token = changed->enrolment_token;

    if (c->json)
        return output_entity(c, &keeper_admin_changed_entity, changed);
    (void)fprintf(c->out,
                  "'%s' is an administrator. To choose a password within 24 hours, with this one-time token:\n\n"
                  "  holdfast enrol %s\n  token: %.*s\n",
                  c->args.arguments[0], c->args.arguments[0], (int)token.len, (const char *)token.ptr);
    return OK;
}

static RESULT approve(struct cli *c, enum approval_kind kind, const uint8_t previous[static 32],
                      const uint8_t next[static 32], struct approval *ret)
{
    struct keeper_status status = {0};
    struct profile *p;
    struct approver_change change = {.kind = kind,
                                     .object_name = view_str(c->args.arguments[0]),
                                     .expiry_ms = c->clock->wall_ms(c->clock) + APPROVER_LIFE_MS};

    TRY(keeper_link_ask(c, KEEPER_STATUS, NULL, &status));
    TRY(profile_of(c, &p));
    if (profile_pinned(p) && memcmp(p->installation, status.installation, 32) != 0)
        return cli_fail(c, ERR_PIN_MISMATCH, "installation",
                        "this operator socket belongs to another installation than "
                        "the one pinned in %s",
                        p->dir);
    change.installation = status.installation;
    memcpy(change.previous, previous, 32);
    memcpy(change.next, next, 32);
    return approver_approve(c, &change, ret);
}

RESULT administrators_add(struct cli *c)
{
    struct keeper_admin_change q = {.name = view_str(c->args.arguments[0]), .has_approval = true};
    struct keeper_admin_changed changed = {0};
    struct administrator *list = NULL;
    uint8_t previous[32], next[32];
    size_t count = 0;

    if (!args_has(&c->args, "key"))
        return cli_fail(c, ERR_USAGE, "--key",
                        "give the new administrator's public key: --key, as 'operator admin key' "
                        "showed it to that person");
    TRY(new_key(c, q.key));
    TRY(read_set(c, &list, &count, previous));
    list[count].name = q.name;
    memcpy(list[count].key, q.key, 32);
    TRY(hash_set(list, count + 1, next));
    TRY(approve(c, APPROVE_ADMIN_ADD, previous, next, &q.approval));
    TRY(keeper_link_ask(c, KEEPER_ADMIN_ADD, &q, &changed));
    return show_enrolment(c, &changed);
}

RESULT administrators_remove(struct cli *c)
{
    struct keeper_admin_change q = {.name = view_str(c->args.arguments[0]), .has_approval = true};
    struct administrator *list = NULL;
    uint8_t previous[32], next[32];
    size_t count = 0, kept = 0;

    TRY(read_set(c, &list, &count, previous));
    for (size_t i = 0; i < count; i++)
        if (!view_eq(list[i].name, q.name))
            list[kept++] = list[i];
    if (kept == count)
        return cli_fail(c, ERR_NOT_FOUND, c->args.arguments[0], "'%s' is no administrator", c->args.arguments[0]);
    TRY(hash_set(list, kept, next));
    TRY(ask_confirm(c, cli_text(c, "Take '%s' the right to approve?", c->args.arguments[0])));
    TRY(approve(c, APPROVE_ADMIN_REMOVE, previous, next, &q.approval));
    TRY(keeper_link_ask(c, KEEPER_ADMIN_REMOVE, &q, NULL));
    return output_done(c, (struct view){0},
                       "Removed. The person's log-in is apart from it: see 'holdfast user change'.");
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
    return show_enrolment(c, &changed);
}
