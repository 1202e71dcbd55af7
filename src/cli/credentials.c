/* holdfast credential … */
#include "base/text.h"
#include "cli/api.h"
#include "cli/approver.h"
#include "cli/ask.h"
#include "cli/fields_json.h"
#include "cli/grant.h"
#include "cli/output.h"
#include "cli/signing.h"

#define CREDENTIALS "/api/v1/credentials"
#define BUNDLE_MAX  16384

static const char *const environments[] = {"none", "development", "staging", "production"};

/* --- the bundle */

static RESULT bundle_of_file(struct cli *c, const char *file, struct credential_bundle *ret)
{
    AUTO(secret_free) struct secret *text = NULL;

    TRY(ask_contents(c, file, BUNDLE_MAX, &text));
    if (entity_parse(&credential_bundle_entity, secret_view(text), c->arena, ret, &c->why) != OK)
        return cli_fail(c, c->why.code, c->why.where, "the bundle file: %s", c->why.detail);
    return OK;
}

/* PEM keys are many lines, so the secret's file is read whole; a line end at its end is dropped. */
static RESULT secret_part(struct cli *c, struct view *ret)
{
    AUTO(secret_free) struct secret *secret = NULL;
    const char *file = args_text(&c->args, "secret-file");
    struct view v;

    if (file)
        TRY(ask_contents(c, file, BUNDLE_MAX, &secret));
    else
        TRY(ask_secret(c, "secret-file", "Secret part of the venue's key", &secret));
    v = secret_view(secret);
    while (v.len && v.ptr[v.len - 1] <= ' ')
        v.len--;
    return arena_copy(c->arena, v, ret); /* the arena is wiped at the end */
}

static RESULT read_bundle(struct cli *c, struct credential_bundle *ret)
{
    AUTO(secret_free) struct secret *passphrase = NULL;
    const struct args *a = &c->args;
    const char *file = args_text(a, "bundle-file");

    *ret = (struct credential_bundle){0};
    if (file)
        return bundle_of_file(c, file, ret);
    ret->api_key = view_str(args_text(a, "api-key"));
    TRY(secret_part(c, &ret->secret));
    if (args_has(a, "venue-passphrase-file"))
        TRY(ask_optional_secret(c, "venue-passphrase-file", "Passphrase", &passphrase));
    return passphrase ? arena_copy(c->arena, secret_view(passphrase), &ret->passphrase) : OK;
}

/* --- put, policy, release, revoke */

static RESULT environment_of(const char *name, uint8_t *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(environments); i++)
        if (strcmp(environments[i], name) == 0)
            *ret = (uint8_t)i;
    return OK;
}

static RESULT needed(struct cli *c, const struct grant *g, const char *option)
{
    if (g->exists || args_has(&c->args, option))
        return OK;
    return cli_fail(c, ERR_USAGE, cli_text(c, "--%s", option), "a new credential needs --%s", option);
}

RESULT credentials_put(struct cli *c)
{
    const struct args *a = &c->args;
    struct credential_bundle bundle;
    struct approver approver;
    struct profile *p;
    struct grant g;

    TRY(grant_pinned(c, &p));
    TRY(grant_begin(c, a->arguments[0], &g));
    TRY(needed(c, &g, "venue"));
    TRY(needed(c, &g, "scheme"));
    TRY(needed(c, &g, "policy"));
    TRY(approver_load(c, &approver)); /* before anything is typed in vain */
    if (args_has(a, "venue"))
        g.next.venue = view_str(args_text(a, "venue"));
    if (args_has(a, "scheme"))
        g.next.scheme = view_str(args_text(a, "scheme"));
    if (args_has(a, "description"))
        g.next.description = view_str(args_text(a, "description"));
    if (!g.exists)
        TRY(environment_of("production", &g.next.environment));
    if (args_has(a, "environment"))
        TRY(environment_of(args_text(a, "environment"), &g.next.environment));
    TRY(grant_venue(c, &g));
    if (args_has(a, "policy"))
        TRY(grant_policy(c, &g, args_text(a, "policy")));
    TRY(read_bundle(c, &bundle));
    TRY(grant_seal(c, &g, &bundle));
    return grant_send(c, &g);
}

static RESULT begin_existing(struct cli *c, struct grant *g)
{
    TRY(grant_begin(c, c->args.arguments[0], g));
    return g->exists
               ? OK
               : cli_fail(c, ERR_NOT_FOUND, c->args.arguments[0], "there is no credential %s", c->args.arguments[0]);
}

RESULT credentials_policy(struct cli *c)
{
    const char *file = args_text(&c->args, "policy");
    struct grant g;

    TRY(begin_existing(c, &g));
    if (!file) {
        output_json(c, g.before.policy);
        return OK;
    }
    TRY(grant_policy(c, &g, file));
    if (view_eq(g.before.policy, g.next.policy))
        return output_done(c, (struct view){0}, "That is the policy already; nothing was done.");
    return grant_send(c, &g);
}

RESULT credentials_release(struct cli *c)
{
    struct grant g;

    TRY(begin_existing(c, &g));
    TRY(ask_confirm(c, cli_text(c, "Let %s sign again, under version %llu of its policy?", c->args.arguments[0],
                                (unsigned long long)g.before.version)));
    return grant_release(c, &g);
}

RESULT credentials_revoke(struct cli *c)
{
    struct grant g;

    TRY(begin_existing(c, &g));
    if (g.before.revoked)
        return cli_fail(c, ERR_REVOKED, c->args.arguments[0], "%s is revoked already", c->args.arguments[0]);
    g.next.revoked = true;
    return grant_send(c, &g);
}

RESULT credentials_freeze(struct cli *c)
{
    struct api_answer answer;

    TRY(api_call(c, "POST", api_path(c, CREDENTIALS "/freeze/", c->args.arguments[0]), VIEW_STR("{}"), &answer));
    return output_done(c, answer.body, "Frozen: it signs nothing until an administrator releases it.");
}

/* --- looking */

RESULT credentials_list(struct cli *c)
{
    static const struct column columns[] = {
        {"path", "PATH"},       {"venue", "VENUE"},   {"scheme", "SCHEME"},   {"environment", "ENVIRONMENT"},
        {"version", "VERSION"}, {"frozen", "FROZEN"}, {"revoked", "REVOKED"}, {"description", "DESCRIPTION"},
    };
    AUTO_WRITER address = writer_new(8192);
    struct api_answer answer;

    writer_str(&address, CREDENTIALS);
    api_query(&address, "prefix", c->args.arguments[0]);
    api_query(&address, "after", args_text(&c->args, "after"));
    api_query(&address, "limit", args_text(&c->args, "limit"));
    writer_u8(&address, 0);
    TRY(writer_done(&address));
    TRY(api_call(c, "GET", (const char *)address.ptr, (struct view){0}, &answer));
    return output_sorted_list(c, answer.body, "credentials", columns, ARRAY_LEN(columns),
                              "There are no credentials that you may see; 'holdfast credential put' stores one.");
}

RESULT credentials_show(struct cli *c)
{
    static const struct column columns[] = {
        {"path", "Path"},          {"id", "Id"},
        {"venue", "Venue"},        {"scheme", "Scheme"},
        {"api_key_id", "API key"}, {"environment", "Environment"},
        {"version", "Version"},    {"description", "Description"},
        {"revoked", "Revoked"},    {"frozen", "Frozen"},
        {"hash", "Approved hash"}, {"policy", "Policy"},
    };
    struct api_answer answer;

    TRY(api_call(c, "GET", api_path(c, CREDENTIALS "/data/", c->args.arguments[0]), (struct view){0}, &answer));
    return output_object(c, answer.body, columns, ARRAY_LEN(columns));
}

RESULT credentials_venues(struct cli *c)
{
    static const struct column columns[] = {{"name", "VENUE"}, {"schemes", "SCHEMES"}};
    struct api_answer answer;

    TRY(api_call(c, "GET", "/api/v1/venues", (struct view){0}, &answer));
    return output_list(c, answer.body, "venues", columns, ARRAY_LEN(columns), "No venue is declared.");
}

RESULT credentials_test(struct cli *c)
{
    static const struct column columns[] = {
        {"decision", "Decision"}, {"rule", "Rule"}, {"sentence", "Because"}, {"method", "Method"}, {"url", "URL"},
    };
    struct view answer, decision;

    TRY(signing_ask(c, true, &answer));
    TRY(output_object(c, answer, columns, ARRAY_LEN(columns)));
    TRY(fields_json_get(c, answer, "decision", &decision));
    if (view_is(decision, "ok"))
        return OK;
    return cli_fail(c, api_code(arena_str(c->arena, decision)), "", "%s", "");
}
