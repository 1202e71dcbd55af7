/* holdfast operator init|unseal|seal|status: the root key and what opens it. */
#include "base/text.h"
#include "cli/ask.h"
#include "cli/eyes.h"
#include "cli/keeper_link.h"
#include "cli/output.h"
#include "cli/rule.h"
#include "crypto/shamir.h"
#include "ipc/file.h"
#include "ledger/note.h"

#define PASSWORD_MS       100 /* what a log-in may cost */
#define SHARES_DEFAULT    5
#define THRESHOLD_DEFAULT 3
#define CERTIFICATE_MAX   65536

static RESULT verifier_of(const uint8_t installation[static 32], const uint8_t key[static 32], struct arena *arena,
                          struct view *ret)
{
    AUTO_WRITER origin = writer_new(NOTE_ORIGIN_MAX);
    AUTO_WRITER text = writer_new(512);

    log_origin_put(installation, &origin);
    writer_u8(&origin, 0);
    TRY(writer_done(&origin));
    TRY(note_verifier_put((const char *)origin.ptr, key, &text));
    return arena_copy(arena, writer_view_of(&text), ret);
}

/* --- status */

static const char *const state_names[] = {
    [STATE_UNINITIALISED] = "not initialised", [STATE_SEALED] = "sealed", [STATE_UNSEALED] = "unsealed"};

static const char *state_name(uint8_t state)
{
    return state < ARRAY_LEN(state_names) && state_names[state] ? state_names[state] : "unknown";
}

static const struct column status_columns[] = {
    {"state", "State"},
    {"sentence", "In words"},
    {"sealed_since", "Sealed since"},
    {"unsealed_by", "Unsealed by"},
    {"shares_given", "Shares given"},
    {"certificate", "TLS certificate"},
    {"installation", "Installation"},
    {"import_key", "Import key"},
    {"verifier", "Checkpoint verifier"},
    {"epoch", "Data key epoch"},
    {"log_size", "Records in the log"},
    {"authored_waiting", "Records not in the log yet"},
    {"administrators", "Administrators"},
    {"four_eyes", "Two administrators for"},
    {"memory_locked", "Memory locked"},
};

static RESULT put_identity(struct cli *c, struct writer *w, const uint8_t installation[static 32],
                           const uint8_t import_key[static 32], const uint8_t checkpoint_key[static 32])
{
    const char *fingerprint;
    struct view verifier;

    TRY(profile_fingerprint(c, VIEW(installation, 32), &fingerprint));
    json_text(w, "installation", view_str(fingerprint));
    TRY(profile_fingerprint(c, VIEW(import_key, 32), &fingerprint));
    json_text(w, "import_key", view_str(fingerprint));
    TRY(verifier_of(installation, checkpoint_key, c->arena, &verifier));
    json_text(w, "verifier", verifier);
    return OK;
}

/* For those who log in from elsewhere the first time. Nothing, if the file can't be read by this user. */
static const char *certificate_of(struct cli *c)
{
    AUTO_WRITER pem = writer_new(CERTIFICATE_MAX);
    const char *fingerprint = NULL, *path;
    struct config config;

    path = keeper_link_config(c, &config) == OK ? arena_str(c->arena, config.tls.certificate) : NULL;
    if (!path || file_read(path, CERTIFICATE_MAX, &pem, NULL) != OK ||
        profile_certificate(c, writer_view_of(&pem), &fingerprint) != OK)
        fingerprint = NULL;
    c->why = (struct problem){0};
    return fingerprint;
}

static RESULT put_sealed(const struct sealed *s, struct writer *w)
{
    AUTO_WRITER sentence = writer_new(256);
    const char *cause = sealed_cause_name(s->cause);
    char since[TIME_TEXT_SIZE];

    sealed_sentence(s, &sentence);
    TRY(writer_done(&sentence));
    json_text(w, "sentence", writer_view_of(&sentence));
    if (!cause)
        return OK;
    time_format(s->since_ms, since);
    json_text(w, "sealed_cause", view_str(cause));
    json_text(w, "sealed_since", view_str(since));
    return OK;
}

static RESULT status_json(struct cli *c, const struct keeper_status *s, const char *certificate, struct writer *w)
{
    json_open(w, '{');
    json_text(w, "state", view_str(state_name(s->state)));
    if (s->state == STATE_SEALED)
        TRY(put_sealed(&s->sealed, w));
    if (s->state != STATE_UNINITIALISED) {
        const char *by = s->method == UNSEAL_PASSPHRASE
                             ? "a passphrase"
                             : cli_text(c, "%u of %u shares", (unsigned)s->threshold, (unsigned)s->shares);
        json_text(w, "unsealed_by", view_str(by));
    }
    if (s->state == STATE_SEALED && s->method == UNSEAL_SHARES)
        json_u64(w, "shares_given", s->given);
    if (certificate)
        json_text(w, "certificate", view_str(certificate));
    if (s->state == STATE_UNSEALED) {
        TRY(put_identity(c, w, s->installation, s->import_key, s->checkpoint_key));
        json_u64(w, "epoch", s->epoch);
        json_u64(w, "log_size", s->log_size);
        json_u64(w, "authored_waiting", s->authored_waiting);
        json_u64(w, "administrators", s->administrators);
        json_text(w, "four_eyes", view_str(eyes_rule_text(c, s->four_eyes)));
    }
    json_bool(w, "memory_locked", s->memory_locked);
    json_close(w, '}');
    return writer_done(w);
}

RESULT operator_show(struct cli *c, const struct keeper_status *s)
{
    AUTO_WRITER body = writer_new(8192);

    TRY(status_json(c, s, certificate_of(c), &body));
    return output_object(c, writer_view_of(&body), status_columns, ARRAY_LEN(status_columns));
}

RESULT operator_status(struct cli *c)
{
    struct keeper_status s = {0};

    TRY(keeper_link_ask(c, KEEPER_STATUS, NULL, &s));
    TRY(operator_show(c, &s));
    if (s.state == STATE_UNSEALED)
        return OK;
    return s.state == STATE_SEALED ? cli_fail(c, ERR_SEALED, "", "%s", "")
                                   : cli_fail(c, ERR_NOT_INITIALISED, "", "%s", "");
}

/* --- init */

static RESULT question_of(struct cli *c, const struct config *config, struct secret **passphrase,
                          struct keeper_init *ret)
{
    const struct args *a = &c->args;
    const char *name = args_text(a, "administrator");
    struct argon2_cost measured = {0},
                       cost = {.passes = config->argon2.passes, .memory_kib = config->argon2.memory_kib};

    if (cost.passes == 0) {
        TRY(argon2_calibrate(c->clock, PASSWORD_MS, &measured));
        cost = ARGON2_DEFAULT; /* a passphrase is guessed at without asking us: no slow machine makes that cheaper */
    }
    *ret = (struct keeper_init){.method = UNSEAL_SHARES,
                                .cipher = config->cipher,
                                .argon2_passes = cost.passes,
                                .argon2_memory_kib = cost.memory_kib,
                                .password_passes = measured.passes,
                                .password_memory_kib = measured.memory_kib,
                                .administrator = view_str(name ? name : "admin")};
    if (args_has(a, "passphrase") || args_has(a, "passphrase-file")) {
        if (args_has(a, "shares") || args_has(a, "threshold"))
            return cli_fail(c, ERR_USAGE, "--passphrase", "choose a passphrase or shares, not both");
        TRY(ask_new_secret(c, "passphrase-file", "New passphrase that unseals Holdfast", passphrase));
        ret->method = UNSEAL_PASSPHRASE;
        ret->passphrase = secret_view(*passphrase);
        return OK;
    }
    uint64_t shares = args_number(a, "shares", SHARES_DEFAULT);
    uint64_t threshold = args_number(a, "threshold", shares < THRESHOLD_DEFAULT ? shares : THRESHOLD_DEFAULT);
    if (shares < 1 || shares > SHAMIR_MAX_SHARES || threshold < 1 || threshold > shares ||
        (shares > 1 && threshold < 2))
        return cli_fail(c, ERR_OUT_OF_RANGE, "--threshold",
                        "at most %d shares, and 2 <= threshold <= shares (or one share of one)", SHAMIR_MAX_SHARES);
    ret->shares = (uint8_t)shares;
    ret->threshold = (uint8_t)threshold;
    return OK;
}

/* A server that listens everywhere is reached on this host by its loopback address. */
static RESULT local_address(struct cli *c, struct view listen, struct view *ret)
{
    int len = (int)listen.len;
    const char *text = (const char *)listen.ptr, *known = getenv("HOLDFAST_ADDR");

    if (known && *known)
        text = known;
    else if (view_starts(listen, "0.0.0.0:"))
        text = cli_text(c, "https://127.0.0.1%.*s", len - 7, text + 7);
    else if (view_starts(listen, "[::]:"))
        text = cli_text(c, "https://[::1]%.*s", len - 4, text + 4);
    else
        text = cli_text(c, "https://%.*s", len, text);
    *ret = view_str(text);
    return text ? OK : ERR_NO_MEMORY;
}

static RESULT keep_profile(struct cli *c, const struct config *config, const struct keeper_init_done *done)
{
    AUTO_WRITER certificate = writer_new(CERTIFICATE_MAX);
    const char *path = arena_str(c->arena, config->tls.certificate), *socket;
    struct profile *p;

    TRY(profile_of(c, &p));
    TRY(keeper_link_socket(c, &socket));
    TRY(local_address(c, config->listen, &p->address));
    p->operator_socket = view_str(socket);
    memcpy(p->installation, done->installation, 32);
    memcpy(p->import_key, done->import_key, 32);
    TRY(verifier_of(done->installation, done->checkpoint_key, c->arena, &p->verifier));
    TRY(profile_save(c, p));
    if (path && file_read(path, CERTIFICATE_MAX, &certificate, NULL) == OK)
        return profile_put(c, "ca.pem", writer_view_of(&certificate));
    cli_note(c, "The server's certificate can't be read here: give it to 'holdfast login' with --cacert.");
    return OK;
}

static RESULT init_json(struct cli *c, const struct keeper_init *q, const struct keeper_init_done *done,
                        const char *key_path)
{
    AUTO_WRITER w = writer_new(16384);

    json_open(&w, '{');
    TRY(put_identity(c, &w, done->installation, done->import_key, done->checkpoint_key));
    json_text(&w, "administrator", q->administrator);
    json_text(&w, "administrator_key_file", view_str(key_path));
    json_text(&w, "enrolment_token", done->enrolment_token);
    json_u64(&w, "threshold", q->threshold);
    json_name(&w, "shares");
    json_open(&w, '[');
    for (size_t i = 0; i < done->shares.count; i++) {
        json_item(&w);
        json_put_text(&w, done->shares.items[i]);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    TRY(writer_done(&w));
    output_json(c, writer_view_of(&w));
    return OK;
}

static void init_shares(struct cli *c, const struct keeper_init *q, const struct keeper_init_done *done)
{
    if (q->method == UNSEAL_PASSPHRASE) {
        (void)fprintf(c->out, "The passphrase is stored nowhere: without it, everything that Holdfast keeps is "
                              "lost.\n\n");
        return;
    }
    (void)fprintf(c->out, "Any %u of these %zu shares unseal Holdfast:\n\n", q->threshold, done->shares.count);
    for (size_t i = 0; i < done->shares.count; i++)
        (void)fprintf(c->out, "  %zu  %.*s\n", i + 1, (int)done->shares.items[i].len,
                      (const char *)done->shares.items[i].ptr);
    (void)fprintf(c->out,
                  "\nThey are shown this once and stored nowhere. Give each to another person, apart from "
                  "the others.\nWith fewer than %u of them, everything that Holdfast keeps is lost.\n\n",
                  q->threshold);
}

static RESULT show_init(struct cli *c, const struct keeper_init *q, const struct keeper_init_done *done,
                        const char *key_path)
{
    struct view verifier, token = done->enrolment_token;
    const char *import;
    int name_len = (int)q->administrator.len;
    const char *name = (const char *)q->administrator.ptr;

    if (c->json)
        return init_json(c, q, done, key_path);
    TRY(profile_fingerprint(c, VIEW_OF(done->import_key), &import));
    TRY(verifier_of(done->installation, done->checkpoint_key, c->arena, &verifier));
    init_shares(c, q, done);
    (void)fprintf(c->out, "Import key           %s\n", import);
    (void)fprintf(c->out, "Checkpoint verifier  %.*s\n", (int)verifier.len, (const char *)verifier.ptr);
    (void)fprintf(c->out, "Approval key         %s (keep a copy of this file)\n\n", key_path);
    (void)fprintf(c->out,
                  "Next, within 24 hours, choose the password of '%.*s' with this one-time token:\n\n"
                  "  holdfast enrol %.*s\n  token: %.*s\n",
                  name_len, name, name_len, name, (int)token.len, (const char *)token.ptr);
    return OK;
}

static bool surely_not_done(enum err e)
{
    return e != ERR_TIMEOUT && e != ERR_UNAVAILABLE && e != ERR_IO;
}

/* What was shown must have arrived before there is an installation that needs it. */
static RESULT confirm_init(struct cli *c, const struct keeper_init_done *done, const char *key_path)
{
    struct keeper_init_confirm q;
    enum err e = cli_flush(c);

    memcpy(q.installation, done->installation, sizeof q.installation);
    if (e != OK) {
        (void)remove(key_path);
        return cli_fail(c, e, "standard output",
                        "%s. So nothing was initialised, and what was shown is void: mend it, "
                        "and run this again",
                        c->why.detail);
    }
    e = keeper_link_ask(c, KEEPER_INIT_CONFIRM, &q, NULL);
    if (e == OK)
        return OK;
    if (surely_not_done(e)) {
        (void)remove(key_path);
        cli_note(c, "Nothing was initialised, and what was shown is void: mend this, and run it again.");
    } else {
        cli_note(c, "Whether it is initialised is not known: 'holdfast operator status' says it. If it is, what was "
                    "shown is good; if not, it is void.");
    }
    return e;
}

RESULT operator_init(struct cli *c)
{
    AUTO(secret_free) struct secret *passphrase = NULL;
    struct keeper_status status = {0};
    struct keeper_init q;
    struct keeper_init_done done = {0};
    struct config config;
    struct approver key;
    const char *path;
    enum err e;

    TRY(keeper_link_config(c, &config));
    TRY(keeper_link_ask(c, KEEPER_STATUS, NULL, &status));
    if (status.state != STATE_UNINITIALISED)
        return cli_fail(c, ERR_ALREADY_INITIALISED, "", "%s", "");
    TRY(question_of(c, &config, &passphrase, &q));
    TRY(approver_create(c, q.administrator, &key, &path));
    memcpy(q.administrator_key, key.public_key, 32);
    e = keeper_link_ask(c, KEEPER_INIT, &q, &done);
    if (e == OK)
        e = show_init(c, &q, &done, path);
    if (e != OK) {
        (void)remove(path); /* the keeper keeps nothing before it is confirmed */
        return e;
    }
    TRY(confirm_init(c, &done, path));
    TRY(keep_profile(c, &config, &done));
    if (!c->json)
        cli_note(c, "\nHoldfast is initialised, and unsealed until it restarts.");
    return OK;
}

/* --- unseal, seal, rotate */

static RESULT give(struct cli *c, const struct secret *s, bool share, struct keeper_status *ret)
{
    struct keeper_unseal q = {0};

    if (share)
        q.share = secret_view(s);
    else
        q.passphrase = secret_view(s);
    return keeper_link_ask(c, KEEPER_UNSEAL, &q, ret);
}

static RESULT next_share(struct cli *c, const struct keeper_status *s, struct secret **ret)
{
    const char *file = args_text(&c->args, "share-file");

    if (file && strcmp(file, "-") == 0)
        return ask_input_line(c, ret);
    return ask_secret(
        c, "share-file",
        cli_text(c, "Share (%u of %u given; end with Ctrl-D)", (unsigned)s->given, (unsigned)s->threshold), ret);
}

/* At a terminal, and from standard input, share after share; a file holds one. */
static RESULT unseal_by_shares(struct cli *c, struct keeper_status *s)
{
    const char *file = args_text(&c->args, "share-file");
    bool one = file && strcmp(file, "-") != 0;
    unsigned before = s->given;

    do {
        AUTO(secret_free) struct secret *share = NULL;
        enum err e = next_share(c, s, &share);
        if (e != OK && s->given > before)
            break; /* the keeper keeps what was given; the rest may follow */
        TRY(e);
        if (share)
            TRY(give(c, share, true, s));
    } while (!one && s->state == STATE_SEALED);
    return OK;
}

RESULT operator_unseal(struct cli *c)
{
    AUTO(secret_free) struct secret *passphrase = NULL;
    struct keeper_status s = {0};

    TRY(keeper_link_ask(c, KEEPER_STATUS, NULL, &s));
    if (s.state == STATE_UNINITIALISED)
        return cli_fail(c, ERR_NOT_INITIALISED, "", "%s", "");
    if (s.state == STATE_UNSEALED)
        return cli_fail(c, ERR_ALREADY_UNSEALED, "", "%s", "");
    if (s.method == UNSEAL_SHARES) {
        TRY(unseal_by_shares(c, &s));
    } else {
        TRY(ask_secret(c, "passphrase-file", "Passphrase that unseals Holdfast", &passphrase));
        TRY(give(c, passphrase, false, &s));
    }
    return operator_show(c, &s);
}

RESULT operator_seal(struct cli *c)
{
    struct keeper_status s = {0};

    TRY(ask_confirm(c, "Seal Holdfast? It serves nobody until it is unsealed again."));
    TRY(keeper_link_ask(c, KEEPER_SEAL, NULL, &s));
    return operator_show(c, &s);
}

/* By its path; or by its id, which 'credential show' says. */
RESULT operator_freeze(struct cli *c)
{
    const char *name = c->args.arguments[0];
    struct keeper_operator_freeze q = {.path = view_str(name)};
    enum err e = keeper_link_ask(c, KEEPER_OPERATOR_FREEZE, &q, NULL);

    if (e == ERR_NOT_FOUND && strlen(name) == 2 * sizeof q.id && hex_get(view_str(name), q.id, sizeof q.id) == OK) {
        q.path = (struct view){0};
        e = keeper_link_ask(c, KEEPER_OPERATOR_FREEZE, &q, NULL);
    }
    if (e == ERR_NOT_FOUND)
        return cli_fail(c, e, name, "the keeper knows no credential %s", name);
    TRY(e);
    return output_done(c, (struct view){0}, "Frozen: it signs nothing until an administrator releases it.");
}
