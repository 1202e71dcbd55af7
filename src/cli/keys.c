/* holdfast key … */
#include "base/text.h"
#include "cli/api.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/output.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#include <pwd.h>

#define KEYS         "/api/v1/keys"
#define EXPIRES_DAYS 90
#define DAY_SECONDS  86400
#define FOREIGN_MIN  16 /* bytes of a key that was issued elsewhere */
#define FOREIGN_MAX  256

static const struct column columns[] = {
    {"id", "Id"},
    {"name", "Name"},
    {"owner", "Owner"},
    {"description", "Description"},
    {"status", "Status"},
    {"usage", "Usage"},
    {"environment", "Environment"},
    {"roles", "Roles"},
    {"credentials", "Signs with"},
    {"environments", "Secrets of"},
    {"created", "Created"},
    {"expires", "Expires"},
    {"rotated", "Rotated"},
    {"grace_until", "Old key good until"},
    {"last_used", "Last used"},
    {"unix_uid", "Unix user id"},
    {"proof_key", "Proof key"},
    {"per_hour", "Requests an hour"},
    {"per_day", "Requests a day"},
    {"burst", "Requests at once"},
    {"allowed_networks", "Only from"},
    {"blocked_networks", "Never from"},
    {"allowed_endpoints", "Only for"},
    {"blocked_endpoints", "Never for"},
    {"suspended_sources", "Suspended sources"},
    {"imported", "Issued elsewhere"},
    {"renewable", "Renewable"},
    {"rotation_due", "Rotation due"},
    {"mfa_required", "Needs unlocking"},
    {"unlocked_until", "Unlocked until"},
};

static const char *path_of(struct cli *c, const char *verb)
{
    const char *path = api_path(c, KEYS "/", c->args.arguments[0]);

    return path && *verb ? cli_text(c, "%s/%s", path, verb) : path;
}

/* The key is in the answer this once. */
static RESULT show_key(struct cli *c, struct view body)
{
    static const struct column fresh[] = {{"id", "Id"}, {"name", "Name"}, {"expires", "Expires"}, {"key", "Key"}};

    TRY(output_object(c, body, fresh, ARRAY_LEN(fresh)));
    if (!c->json)
        cli_note(c, "\nThe key is shown this once. A bot sends it as 'Authorization: Bearer KEY', or has it in "
                    "HOLDFAST_TOKEN.");
    return OK;
}

static RESULT put_unix_user(struct cli *c, struct writer *body)
{
    const char *name = args_text(&c->args, "unix-user");
    const struct passwd *user;
    char *end = NULL;
    unsigned long uid;

    if (!name)
        return OK;
    user = getpwnam(name);
    uid = user ? user->pw_uid : strtoul(name, &end, 10);
    if (!user && (*end || uid > UINT32_MAX - 1))
        return cli_fail(c, ERR_USAGE, "--unix-user", "'%s' is no user of this host, and no user id", name);
    if (uid == 0)
        return cli_fail(c, ERR_USAGE, "--unix-user", "root can't be a bot: give the bot a user of its own");
    json_u64(body, "unix_uid", uid);
    return OK;
}

static RESULT put_proof_key(struct cli *c, struct writer *body)
{
    AUTO(secret_free) struct secret *pem = NULL;
    AUTO(secret_free) struct secret *seed = NULL;
    const char *file = args_text(&c->args, "proof-key");
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    char hex[65] = "";
    struct writer w = writer_fixed(hex, sizeof hex - 1);

    if (!file)
        return OK;
    TRY(ask_contents(c, file, 8192, &pem));
    if (ed25519_from_pem(secret_view(pem), &seed) != OK)
        return cli_fail(c, ERR_BAD_KEY, "--proof-key",
                        "%s is no Ed25519 private key in PEM; 'openssl genpkey -algorithm "
                        "ed25519' makes one",
                        file);
    TRY(ed25519_public(secret_ptr(seed), public_key));
    json_name(body, "proof_key");
    writer_u8(body, '"');
    base64_put(body, VIEW_OF(public_key));
    writer_u8(body, '"');
    hex_put(&w, VIEW_OF(public_key));
    cli_note(c, "The bot's public key, for \"proof\" in the credential's policy: %s", hex);
    return OK;
}

static void put_policy(struct writer *body, const struct args *a)
{
    fields_json_number(body, a, "per-hour", "per_hour");
    fields_json_number(body, a, "per-day", "per_day");
    fields_json_number(body, a, "burst", "burst");
    fields_json_texts(body, a, "allow-network", "allowed_networks");
    fields_json_texts(body, a, "block-network", "blocked_networks");
    fields_json_texts(body, a, "allow-endpoint", "allowed_endpoints");
    fields_json_texts(body, a, "block-endpoint", "blocked_endpoints");
    if (args_has(a, "renewable"))
        json_bool(body, "renewable", true);
    if (args_has(a, "mfa-required"))
        json_bool(body, "mfa_required", true);
}

/* What is said of a new key, without the braces. */
static RESULT put_key(struct cli *c, struct writer *body)
{
    const struct args *a = &c->args;
    const char *environment = args_text(a, "environment"), *usage = args_text(a, "usage");
    uint64_t life = args_number(a, "expires", EXPIRES_DAYS * DAY_SECONDS);

    if (!args_has(a, "role"))
        return cli_fail(c, ERR_USAGE, "--role", "what may it do? Give it a --role, such as trader or read_only");
    if (life == 0 || life % DAY_SECONDS != 0)
        return cli_fail(c, ERR_OUT_OF_RANGE, "--expires", "a key's life is counted in whole days, such as 1d or 90d");
    if (!usage)
        usage = args_has(a, "credential") ? "execute_only" : "read_write";
    json_text(body, "name", view_str(a->arguments[0]));
    fields_json_text(body, a, "owner", "owner");
    fields_json_text(body, a, "description", "description");
    json_text(body, "environment", view_str(environment ? environment : "production"));
    json_text(body, "usage", view_str(usage));
    fields_json_texts(body, a, "role", "roles");
    fields_json_texts(body, a, "credential", "credentials");
    fields_json_texts(body, a, "access", "environments");
    json_u64(body, "expires_days", life / DAY_SECONDS);
    put_policy(body, a);
    TRY(put_unix_user(c, body));
    return put_proof_key(c, body);
}

RESULT keys_create(struct cli *c)
{
    AUTO_WRITER body = writer_new(65536);
    struct api_answer answer;

    json_open(&body, '{');
    TRY(put_key(c, &body));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", KEYS, writer_view_of(&body), &answer));
    return show_key(c, answer.body);
}

/* The text never leaves this program. */
static RESULT put_sha256(struct cli *c, struct writer *body)
{
    AUTO(secret_free) struct secret *text = NULL;
    const char *given = args_text(&c->args, "sha256");
    uint8_t hash[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1] = "";
    struct writer w = writer_fixed(hex, sizeof hex - 1);

    if (given && args_has(&c->args, "key-file"))
        return cli_fail(c, ERR_USAGE, "--sha256", "give the key or its SHA-256, not both");
    if (given) {
        json_text(body, "sha256", view_str(given));
        return OK;
    }
    TRY(ask_secret(c, "key-file", "Key issued elsewhere", &text));
    if (secret_len(text) < FOREIGN_MIN || secret_len(text) > FOREIGN_MAX)
        return cli_fail(c, ERR_OUT_OF_RANGE, "--key-file", "a key has 16 to 256 bytes");
    sha256(secret_view(text), hash);
    hex_put(&w, VIEW_OF(hash));
    json_text(body, "sha256", view_str(hex));
    return OK;
}

RESULT keys_import(struct cli *c)
{
    AUTO_WRITER body = writer_new(65536);
    struct api_answer answer;

    json_open(&body, '{');
    TRY(put_key(c, &body));
    TRY(put_sha256(c, &body));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", KEYS, writer_view_of(&body), &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

RESULT keys_rotate(struct cli *c)
{
    AUTO_WRITER body = writer_new(1024);
    struct api_answer answer;

    json_open(&body, '{');
    fields_json_number(&body, &c->args, "grace", "grace_seconds");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", path_of(c, "rotate"), writer_view_of(&body), &answer));
    return show_key(c, answer.body);
}

RESULT keys_list(struct cli *c)
{
    static const struct column list[] = {
        {"id", "ID"},       {"name", "NAME"},   {"owner", "OWNER"},     {"status", "STATUS"},
        {"usage", "USAGE"}, {"roles", "ROLES"}, {"expires", "EXPIRES"}, {"last_used", "LAST USED"},
    };
    AUTO_WRITER address = writer_new(1024);
    struct api_answer answer;
    uint64_t within = args_number(&c->args, "expires-within", 0);

    if (within % DAY_SECONDS != 0)
        return cli_fail(c, ERR_OUT_OF_RANGE, "--expires-within", "a key's life is counted in whole days, such as 14d");
    writer_str(&address, KEYS);
    if (within)
        api_query(&address, "expires_within_days", cli_text(c, "%llu", (unsigned long long)(within / DAY_SECONDS)));
    if (args_has(&c->args, "rotation-due"))
        api_query(&address, "rotation_due", "true");
    api_query(&address, "owner", args_text(&c->args, "owner"));
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_list(c, answer.body, "keys", list, ARRAY_LEN(list),
                       "There are no API keys; 'holdfast key create' makes one.");
}

RESULT keys_show(struct cli *c)
{
    struct api_answer answer;

    TRY(api_call(c, "GET", path_of(c, ""), (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

/* The sums, then what it was used for, and the days. */
RESULT keys_usage(struct cli *c)
{
    static const struct column sums[] = {
        {"id", "Id"},
        {"count", "Requests"},
        {"this_hour", "This hour"},
        {"today", "Today"},
        {"average_per_day", "A day on average"},
        {"last_used", "Last used"},
        {"last_source", "From"},
    };
    static const struct column endpoints[] = {{"endpoint", "USED FOR"}, {"count", "REQUESTS"}};
    static const struct column days[] = {{"since", "DAY"}, {"count", "REQUESTS"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", path_of(c, "usage"), (struct view){0}, &answer));
    TRY(output_object(c, answer.body, sums, ARRAY_LEN(sums)));
    if (c->json)
        return OK;
    TRY(output_list(c, answer.body, "endpoints", endpoints, ARRAY_LEN(endpoints),
                    "It was not used in the last 30 days."));
    return output_list(c, answer.body, "days", days, ARRAY_LEN(days), "");
}

static RESULT change(struct cli *c, const char *method, const char *verb, const char *done)
{
    struct api_answer answer;

    TRY(api_call(c, method, path_of(c, verb), (struct view){0}, &answer));
    return output_done(c, answer.body, done);
}

RESULT keys_renew(struct cli *c)
{
    return change(c, "POST", "renew", "Renewed.");
}

RESULT keys_unlock(struct cli *c)
{
    AUTO_WRITER body = writer_new(1024);
    struct api_answer answer;

    json_open(&body, '{');
    fields_json_number(&body, &c->args, "hours", "hours");
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", path_of(c, "unlock"), writer_view_of(&body), &answer));
    return output_done(c, answer.body, "Unlocked.");
}

RESULT keys_suspend(struct cli *c)
{
    return change(c, "POST", "suspend", "Suspended.");
}

RESULT keys_reactivate(struct cli *c)
{
    return change(c, "POST", "reactivate", "Active again.");
}

RESULT keys_revoke(struct cli *c)
{
    TRY(ask_confirm(c, cli_text(c, "Revoke the key %s? That is final.", c->args.arguments[0])));
    return change(c, "DELETE", "", "Revoked.");
}

/* --- as other programs ask */

/* "GET /api/v1/secrets": the method and the path. */
static RESULT put_endpoint(struct cli *c, struct writer *body)
{
    const char *text = args_text(&c->args, "endpoint"), *space = text ? strchr(text, ' ') : NULL;

    if (!text)
        return OK;
    if (!space || space == text || space[1] != '/')
        return cli_fail(c, ERR_BAD_VALUE, "--endpoint", "a method, a space and a path, such as 'GET /api/v1/secrets'");
    json_text(body, "method", VIEW(text, space - text));
    json_text(body, "path", view_str(space + 1));
    return OK;
}

RESULT keys_verify(struct cli *c)
{
    static const struct column verdict[] = {
        {"valid", "Valid"},
        {"reason", "Reason"},
        {"id", "Id"},
        {"name", "Name"},
        {"owner", "Owner"},
        {"environment", "Environment"},
        {"usage", "Usage"},
        {"roles", "Roles"},
        {"permissions", "Permissions"},
        {"expires", "Expires"},
        {"left_hour", "Left this hour"},
        {"left_day", "Left today"},
    };
    AUTO(secret_free) struct secret *key = NULL;
    AUTO_WRITER body = writer_new(8192);
    struct api_answer answer;
    struct view reason;

    TRY(ask_secret(c, "key-file", "API key", &key));
    json_open(&body, '{');
    json_text(&body, "key", secret_view(key));
    fields_json_text(&body, &c->args, "permission", "permission");
    fields_json_text(&body, &c->args, "source", "source");
    TRY(put_endpoint(c, &body));
    json_close(&body, '}');
    TRY(writer_done(&body));
    TRY(api_call(c, "POST", KEYS "/verify", writer_view_of(&body), &answer));
    TRY(output_object(c, answer.body, verdict, ARRAY_LEN(verdict)));
    TRY(fields_json_get(c, answer.body, "reason", &reason));
    return view_is(reason, "VALID") ? OK
                                    : cli_fail(c, ERR_FORBIDDEN, "", "the key is not valid: %.*s", (int)reason.len,
                                               (const char *)reason.ptr);
}
