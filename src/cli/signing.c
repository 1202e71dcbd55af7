/* holdfast sign, and the dry run of 'credential test'. */
#include "cli/signing.h"

#include "base/fields.h"
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"
#include "crypto/sign.h"

#define REQUEST_MAX 131072
#define BODY_MAX    65536

/* A request as a file says it: the API's names, without who asks. */
static const struct field request_fields[] = {
    {1, "scheme", FIELD_TEXT, 0, MEMBER(struct signer_sign, scheme), 0, 64},
    {2, "method", FIELD_TEXT, 0, MEMBER(struct signer_sign, method), 0, 64},
    {3, "host", FIELD_TEXT, 0, MEMBER(struct signer_sign, host), 0, 256},
    {4, "path", FIELD_TEXT, 0, MEMBER(struct signer_sign, request_path), 0, 1024},
    {5, "query", FIELD_TEXT, 0, MEMBER(struct signer_sign, query), 0, 16384},
    {6, "body", FIELD_TEXT, 0, MEMBER(struct signer_sign, body), 0, BODY_MAX},
    {7, "params", FIELD_JSON, 0, MEMBER(struct signer_sign, params), 0, BODY_MAX},
    {8, "network", FIELD_TEXT, 0, MEMBER(struct signer_sign, network), 0, 16},
    {9, "vault_address", FIELD_TEXT, 0, MEMBER(struct signer_sign, vault_address), 0, 64},
    {10, "multi_sig_user", FIELD_TEXT, 0, MEMBER(struct signer_sign, multi_sig_user), 0, 64},
    {11, "outer_signer", FIELD_TEXT, 0, MEMBER(struct signer_sign, outer_signer), 0, 64},
    {12, "frame_id", FIELD_TEXT, 0, MEMBER(struct signer_sign, frame_id), 0, 64},
    {13, "expires_after", FIELD_U64, 0, MEMBER(struct signer_sign, expires_after)},
    {14, "nonce", FIELD_U64, 0, MEMBER(struct signer_sign, nonce)},
    {15, "recv_window_ms", FIELD_U32, 0, MEMBER(struct signer_sign, recv_window_ms)},
    {16, "dry_run", FIELD_BOOL, 0, MEMBER(struct signer_sign, dry_run)},
    {17, "credential", FIELD_TEXT, 0, MEMBER(struct signer_sign, path), 0, 800},
};
static const struct entity request_entity = ENTITY("SigningRequest", 0x0a03, 1, struct signer_sign, request_fields);

static const struct {
    const char *option;
    size_t offset;
} texts[] = {
    {"scheme", offsetof(struct signer_sign, scheme)},   {"method", offsetof(struct signer_sign, method)},
    {"host", offsetof(struct signer_sign, host)},       {"path", offsetof(struct signer_sign, request_path)},
    {"query", offsetof(struct signer_sign, query)},     {"params", offsetof(struct signer_sign, params)},
    {"network", offsetof(struct signer_sign, network)}, {"vault-address", offsetof(struct signer_sign, vault_address)},
};

static RESULT read_file(struct cli *c, struct signer_sign *s)
{
    AUTO(secret_free) struct secret *text = NULL;
    const char *file = args_text(&c->args, "request");

    if (!file)
        return OK;
    TRY(ask_contents(c, file, REQUEST_MAX, &text));
    TRY(entity_parse(&request_entity, secret_view(text), c->arena, s, &c->why));
    s->has_expires_after = s->expires_after != 0;
    return OK;
}

static RESULT read_body(struct cli *c, struct signer_sign *s)
{
    AUTO(secret_free) struct secret *text = NULL;
    const char *file = args_text(&c->args, "body-file");

    if (!file)
        return OK;
    TRY(ask_contents(c, file, BODY_MAX, &text));
    return arena_copy(c->arena, secret_view(text), &s->body);
}

RESULT signing_read(struct cli *c, bool dry_run, struct signer_sign *ret)
{
    const struct args *a = &c->args;
    struct signer_sign s = {0};
    size_t end;

    TRY(read_file(c, &s));
    TRY(read_body(c, &s));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (args_has(a, texts[i].option))
            *(struct view *)(void *)((uint8_t *)&s + texts[i].offset) = view_str(args_text(a, texts[i].option));
    if (args_has(a, "expires-after")) {
        s.has_expires_after = true;
        s.expires_after = args_number(a, "expires-after", 0);
    }
    s.nonce = args_number(a, "nonce", s.nonce);
    s.recv_window_ms = (uint32_t)args_number(a, "recv-window", s.recv_window_ms);
    s.dry_run = s.dry_run || dry_run;
    if (s.path.len && !view_is(s.path, a->arguments[0]))
        return cli_fail(c, ERR_USAGE, "/credential", "the file is for the credential %.*s", (int)s.path.len,
                        (const char *)s.path.ptr);
    s.path = view_str(a->arguments[0]);
    if (s.params.len && (json_scan(s.params, &end) != OK || end != s.params.len))
        return cli_fail(c, ERR_BAD_JSON, "--params", "this is not one JSON value");
    if (s.method.len == 0 && s.request_path.len == 0 && s.params.len == 0)
        return cli_fail(c, ERR_USAGE, "--request", "what shall be signed? Give --request FILE, or --method and --path");
    *ret = s;
    return OK;
}

RESULT signing_prove(struct cli *c, struct signer_sign *s)
{
    AUTO(secret_free) struct secret *pem = NULL;
    AUTO(secret_free) struct secret *seed = NULL;
    AUTO_WRITER text = writer_new(8192);
    const char *file = args_text(&c->args, "proof-key");
    uint8_t nonce[16], signature[ED25519_SIG_SIZE];
    char hex[33] = "";
    struct writer w = writer_fixed(hex, 32);

    if (!file)
        return OK;
    TRY(ask_contents(c, file, 8192, &pem));
    if (ed25519_from_pem(secret_view(pem), &seed) != OK)
        return cli_fail(c, ERR_BAD_KEY, "--proof-key", "%s is no Ed25519 private key in PEM", file);
    TRY(c->random->fill(c->random, nonce, sizeof nonce));
    hex_put(&w, VIEW_OF(nonce));
    TRY(arena_copy(c->arena, writer_view_of(&w), &s->proof_nonce));
    s->proof_time_ms = c->clock->wall_ms(c->clock);
    TRY(signer_proof_text(s, &text));
    TRY(ed25519_sign(secret_ptr(seed), writer_view_of(&text), signature));
    return arena_copy(c->arena, VIEW_OF(signature), &s->proof);
}

RESULT signing_body(const struct signer_sign *s, struct writer *w)
{
    json_open(w, '{');
    for (size_t i = 0; i < ARRAY_LEN(request_fields); i++) {
        const struct field *f = &request_fields[i];
        const struct view *v = (const struct view *)(const void *)((const uint8_t *)s + f->offset);
        if (f->type == FIELD_TEXT && v->len)
            json_text(w, f->name, *v);
        else if (f->type == FIELD_JSON && v->len)
            json_raw(w, f->name, *v);
    }
    if (s->has_expires_after)
        json_u64(w, "expires_after", s->expires_after);
    if (s->nonce)
        json_u64(w, "nonce", s->nonce);
    if (s->recv_window_ms)
        json_u64(w, "recv_window_ms", s->recv_window_ms);
    if (s->dry_run)
        json_bool(w, "dry_run", true);
    if (s->proof.len) {
        json_text(w, "proof_nonce", s->proof_nonce);
        json_u64(w, "proof_time_ms", s->proof_time_ms);
        json_name(w, "proof");
        writer_u8(w, '"');
        base64_put(w, s->proof);
        writer_u8(w, '"');
    }
    json_close(w, '}');
    return writer_done(w);
}

RESULT signing_ask(struct cli *c, bool dry_run, struct view *ret_answer)
{
    AUTO_WRITER body = writer_new(4 * REQUEST_MAX);
    struct signer_sign s;
    struct api_answer answer;

    TRY(signing_read(c, dry_run, &s));
    TRY(signing_prove(c, &s));
    TRY(signing_body(&s, &body));
    TRY(api_call(c, "POST", "/api/v1/sign", writer_view_of(&body), &answer));
    *ret_answer = answer.body;
    return OK;
}

RESULT signing_exit(struct cli *c, struct view answer)
{
    struct view decision;

    TRY(fields_json_get(c, answer, "decision", &decision));
    c->exit_code = view_is(decision, "ok") ? 0 : err_exit(ERR_POLICY_REFUSED);
    return OK;
}

/* --- forms of output */

static const char *text_of(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));

    return text ? text : "";
}

/* In single quotes for a shell. */
static void put_quoted(FILE *out, const char *text)
{
    (void)fputc('\'', out);
    for (; *text; text++)
        (void)fputs(*text == '\'' ? "'\\''" : (char[]){*text, 0}, out);
    (void)fputc('\'', out);
}

static void put_headers(struct cli *c, const json_t *root, const char *before, const char *after)
{
    json_t *headers = json_object_get(root, "headers");
    const char *name;
    json_t *value;

    json_object_foreach(headers, name, value)
    {
        const char *line = cli_text(c, "%s: %s", name, json_is_string(value) ? json_string_value(value) : "");
        if (!line)
            continue;
        (void)fputs(before, c->out);
        if (*before)
            put_quoted(c->out, line);
        else
            (void)fputs(line, c->out);
        (void)fputs(after, c->out);
    }
}

static void put_curl(struct cli *c, const json_t *root)
{
    const char *body = text_of(root, "body");

    (void)fputs("curl -X ", c->out);
    put_quoted(c->out, text_of(root, "method"));
    put_headers(c, root, " \\\n  -H ", "");
    if (*body) {
        (void)fputs(" \\\n  --data-binary ", c->out);
        put_quoted(c->out, body);
    }
    (void)fputs(" \\\n  ", c->out);
    put_quoted(c->out, text_of(root, "url"));
    (void)fputc('\n', c->out);
}

RESULT signing_run(struct cli *c)
{
    AUTO(json_decref) json_t *root = NULL;
    const char *form = args_text(&c->args, "output");
    struct view answer;

    TRY(signing_ask(c, args_has(&c->args, "dry-run"), &answer));
    if (!form || strcmp(form, "json") == 0) {
        output_json(c, answer);
        return signing_exit(c, answer);
    }
    TRY(json_read(answer, &root, &c->why));
    if (strcmp(form, "headers") == 0)
        put_headers(c, root, "", "\n");
    else
        put_curl(c, root);
    return OK;
}
