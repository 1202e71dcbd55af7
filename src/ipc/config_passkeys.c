/* Whose passkeys they are, and which pages may use them. What browsers would refuse, or what would let somebody else's
 * page in, stops the start. */
#include "base/fields.h"
#include "base/text.h"
#include "base/yaml.h"
#include "ipc/config.h"

#include <arpa/inet.h>
#include <stdio.h>

#define PATH_BYTES  4000
#define SCHEME      "https://"
#define DOMAIN_MAX  253
#define AAGUID_TEXT 36

/* WebAuthn wants a domain, no address. Lower case, as browsers compare it. */
static bool is_domain(struct view text)
{
    struct in_addr v4;
    char name[DOMAIN_MAX + 1];
    if (text.len == 0 || text.len > DOMAIN_MAX || text.ptr[0] == '.' || text.ptr[text.len - 1] == '.')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!plain && (c != '.' || text.ptr[i - 1] == '.'))
            return false;
    }
    return view_to_str(text, name, sizeof name) == OK && inet_pton(AF_INET, name, &v4) != 1;
}

/* The host of https://host or https://host:port; empty for anything else. */
static struct view host_of(struct view origin)
{
    size_t n = sizeof SCHEME - 1, end = n;
    if (!view_starts(origin, SCHEME))
        return (struct view){0};
    while (end < origin.len && origin.ptr[end] != ':')
        end++;
    size_t digits = origin.len - end;
    for (size_t i = end + 1; i < origin.len; i++)
        if (origin.ptr[i] < '0' || origin.ptr[i] > '9')
            return (struct view){0};
    if (digits == 1 || digits > 6)
        return (struct view){0};
    return VIEW(origin.ptr + n, end - n);
}

static bool is_origin(struct view text)
{
    static const char usual[] = ":443"; /* browsers leave it out */
    bool ends = text.len >= sizeof usual - 1 &&
                memcmp(text.ptr + text.len - (sizeof usual - 1), usual, sizeof usual - 1) == 0;
    return is_domain(host_of(text)) && !ends;
}

static bool is_model(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return text.len == AAGUID_TEXT;
}

static bool is_path(struct view text)
{
    return text.len > 0 && text.ptr[0] == '/' && text_printable(text);
}

static const char *const attestations[] = {"default", "none", "self", "certified", "trusted", NULL};

static const struct field passkey_fields[] = {
    FIELD(1, struct config_passkeys, rp_id, TEXT, DOMAIN_MAX, .check = is_domain,
          .rule = "a domain in lower case, such as desk.example: no address, no port",
          .doc = "whose passkeys they are"),
    FIELD(2, struct config_passkeys, origins, TEXTS, 16, .check = is_origin,
          .rule = "https:// and a domain, with the port unless it is 443", .doc = "pages that may use them"),
    FIELD(3, struct config_passkeys, attestation, ENUM, 0, .names = attestations,
          .doc = "the least that a new passkey must prove"),
    FIELD(4, struct config_passkeys, roots_file, TEXT, PATH_BYTES, .check = is_path,
          .rule = "an absolute path, beginning with /", .doc = "PEM file of those who vouch for authenticators"),
    FIELD(5, struct config_passkeys, models, TEXTS, 64, .check = is_model,
          .rule = "an AAGUID, such as 2fc0579f-8113-47ea-b116-bb5a8db9202a", .doc = "authenticators that are taken"),
};
const struct entity config_passkeys_entity = ENTITY("ConfigPasskeys", 0x0819, 1, struct config_passkeys,
                                                    passkey_fields);

/* --- what fits together */

/* A page may use the passkeys of its own host, or of a domain above it. */
static bool is_within(struct view host, struct view domain)
{
    if (host.len <= domain.len)
        return view_eq(host, domain);
    size_t before = host.len - domain.len;
    return host.ptr[before - 1] == '.' && view_eq(VIEW(host.ptr + before, domain.len), domain);
}

static RESULT refuse(struct problem *why, const struct yaml_node *root, const char *key, const char *detail)
{
    const struct yaml_node *section = yaml_get(root, "passkeys"), *node = yaml_get(section, key);
    char where[64];
    if (node || section)
        return yaml_refuse(why, ERR_BAD_CONFIG, node ? node : section, "passkeys.%s: %s", key, detail);
    (void)snprintf(where, sizeof where, "passkeys.%s", key);
    return problem_set(why, ERR_BAD_CONFIG, where, "%s", detail);
}

RESULT config_passkeys_check(const struct config_passkeys *p, const struct yaml_node *root, struct problem *why)
{
    bool named = p->rp_id.len != 0, trusted = p->attestation == CONFIG_ATTESTATION_TRUSTED;
    for (size_t i = 0; i < p->origins.count; i++)
        if (named && !is_within(host_of(p->origins.items[i]), p->rp_id))
            return refuse(why, root, "origins",
                          "each must be at rp_id or below it, or browsers refuse: change the one or the other");
    if (p->origins.count && !named)
        return refuse(why, root, "origins", "set rp_id as well: the domain that all of these are at or below");
    if (trusted && p->roots_file.len == 0)
        return refuse(why, root, "attestation", "trusted needs roots_file, a PEM file with who vouches for what");
    if (p->models.count && !trusted)
        return refuse(why, root, "models",
                      "only attestation: trusted proves the model; without it anybody can claim to be one of these");
    return OK;
}

/* --- defaults */

static struct view first_name(const struct config *c)
{
    for (size_t i = 0; i < c->tls.names.count; i++)
        if (is_domain(c->tls.names.items[i]))
            return c->tls.names.items[i];
    return VIEW_STR("localhost");
}

static RESULT origin_of(const struct config *c, struct arena *arena, struct view *ret)
{
    char text[sizeof SCHEME + DOMAIN_MAX + 8];
    struct writer w = writer_fixed(text, sizeof text);
    const uint8_t *colon = memrchr(c->listen.ptr, ':', c->listen.len);
    struct view port = colon ? VIEW(colon, c->listen.len - (size_t)(colon - c->listen.ptr)) : (struct view){0};
    writer_str(&w, SCHEME);
    writer_view(&w, c->passkeys.rp_id);
    if (!view_is(port, ":443"))
        writer_view(&w, port);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT config_passkeys_complete(struct config *c, struct arena *arena)
{
    struct config_passkeys *p = &c->passkeys;
    if (p->rp_id.len == 0)
        p->rp_id = first_name(c);
    if (p->origins.count)
        return OK;
    struct view *origin = arena_alloc(arena, sizeof *origin);
    if (!origin)
        return ERR_NO_MEMORY;
    TRY(origin_of(c, arena, origin));
    p->origins = (struct text_list){.items = origin, .count = 1};
    return OK;
}
