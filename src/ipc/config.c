#include "ipc/config.h"

#include "base/fields.h"
#include "base/log.h"
#include "base/text.h"
#include "base/yaml.h"
#include "crypto/token_key.h"
#include "ipc/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

/* Schema numbers 0x04xx belong to the configuration. */

#ifndef HOLDFAST_VENUES_DIR
#define HOLDFAST_VENUES_DIR "/usr/share/holdfast/venues"
#endif
#ifndef HOLDFAST_PATTERNS_DIR
#define HOLDFAST_PATTERNS_DIR "/usr/share/holdfast/patterns"
#endif
#define DATA_DIR   "/var/lib/holdfast"
#define RUN_DIR    "/run/holdfast" /* other users can enter it, and only the server can change it */
#define FILE_MAX   (1024u * 1024)
#define PATH_BYTES 4000
#define SUN_BYTES  107 /* sun_path without its NUL */

static bool is_path(struct view text)
{
    return text.len > 0 && text.ptr[0] == '/' && text_printable(text);
}

static bool is_address(struct view text)
{
    struct sockaddr_storage address;
    socklen_t len;
    return config_address(text, &address, &len) == OK;
}

static bool is_store(struct view text)
{
    return view_starts(text, "sqlite:/") && text_printable(text);
}

static bool is_host(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !strchr(".-:*", c))
            return false;
    }
    return text.len > 0;
}

static bool is_user(struct view text)
{
    return text.len > 0 && !memchr(text.ptr, ':', text.len) && !memchr(text.ptr, '/', text.len) && text_printable(text);
}

static bool is_role(struct view text)
{
    return text.len > 0 && text.len <= 64 && text_printable(text);
}

#define PATH_RULE .check = is_path, .rule = "an absolute path, beginning with /"

static const struct field tls_fields[] = {
    FIELD(1, struct config_tls, certificate, TEXT, PATH_BYTES, PATH_RULE, .doc = "PEM file with the certificate chain"),
    FIELD(2, struct config_tls, key, TEXT, PATH_BYTES, PATH_RULE, .doc = "PEM file with its private key"),
    FIELD(3, struct config_tls, names, TEXTS, 32, .check = is_host, .rule = "a DNS name or an IP address",
          .doc = "further names in the certificate that is made at the first start"),
    FIELD(4, struct config_tls, client_ca, TEXT, PATH_BYTES, PATH_RULE,
          .doc = "PEM file with the authorities of clients' certificates"),
    FIELD(5, struct config_tls, client_crl, TEXT, PATH_BYTES, PATH_RULE, .doc = "PEM file with their revocation lists"),
};
const struct entity config_tls_entity = ENTITY("ConfigTls", 0x0812, 1, struct config_tls, tls_fields);

static const struct field http_fields[] = {
    FIELD(1, struct config_http, header_bytes, U32, 65536, .min = 1024, .doc = "of one request's head"),
    FIELD(2, struct config_http, body_bytes, U32, 1048576, .min = 1024, .doc = "of one request's body"),
    FIELD(3, struct config_http, request_seconds, U32, 600, .min = 1, .doc = "from the first byte to the answer"),
    FIELD(4, struct config_http, idle_seconds, U32, 3600, .min = 1, .doc = "of a connection that is kept"),
    FIELD(5, struct config_http, connections, U32, 100000, .min = 8, .doc = "at the same time"),
    FIELD(6, struct config_http, connections_per_address, U32, 100000, .min = 1, .doc = "from one address"),
    FIELD(7, struct config_http, head_seconds, U32, 120, .min = 1,
          .doc = "from connecting, with the TLS handshake, to a complete head"),
};
const struct entity config_http_entity = ENTITY("ConfigHttp", 0x0813, 1, struct config_http, http_fields);

static const struct field argon2_fields[] = {
    FIELD(1, struct config_argon2, passes, U32, 64, .min = 1, .doc = "over the memory"),
    FIELD(2, struct config_argon2, memory_kib, U32, 1048576, .min = 8192, .doc = "for one password"),
};
const struct entity config_argon2_entity = ENTITY("ConfigArgon2", 0x0814, 1, struct config_argon2, argon2_fields);

static const struct field session_fields[] = {
    FIELD(1, struct config_sessions, hours, U32, 8, .min = 1, .doc = "a session lasts at most"),
    FIELD(2, struct config_sessions, idle_minutes, U32, 480, .min = 1, .doc = "without a request"),
    FIELD(3, struct config_sessions, per_user, U32, 100, .min = 1, .doc = "at the same time"),
};
const struct entity config_sessions_entity = ENTITY("ConfigSessions", 0x0815, 1, struct config_sessions,
                                                    session_fields);

static const struct field mfa_fields[] = {
    FIELD(1, struct config_mfa, step_up_minutes, U32, 60, .min = 1, .doc = "a second factor counts as fresh"),
    FIELD(2, struct config_mfa, required_roles, TEXTS, 32, .check = is_role, .rule = "the name of a role, or none",
          .doc = "whoever has one of these must have a second factor"),
};
const struct entity config_mfa_entity = ENTITY("ConfigMfa", 0x0818, 1, struct config_mfa, mfa_fields);

static const struct field token_fields[] = {
    FIELD(1, struct config_tokens, alg, ENUM, 0, .names = token_alg_names, .doc = "of the key that signs"),
    FIELD(2, struct config_tokens, issuer, TEXT, 256, .check = text_printable, .rule = "printable text",
          .doc = "who signs, as tokens call it"),
    FIELD(3, struct config_tokens, max_seconds, U32, 86400, .min = 10, .doc = "an access token lives at most"),
    FIELD(4, struct config_tokens, per_minute, U32, 60000, .min = 1, .doc = "signed on average"),
    FIELD(5, struct config_tokens, burst, U32, 10000, .min = 1, .doc = "signed at once"),
    FIELD(6, struct config_tokens, rotate_days, U32, 3650, .min = 1, .doc = "age at which the key is replaced"),
    FIELD(7, struct config_tokens, grant_hours, U32, 720, .min = 1, .doc = "refreshing goes on at most"),
    FIELD(8, struct config_tokens, idle_minutes, U32, 43200, .min = 1, .doc = "without a refresh"),
    FIELD(9, struct config_tokens, per_subject_per_minute, U32, 60000, .min = 1,
          .doc = "of these for one user or key; a tenth if left out"),
};
const struct entity config_tokens_entity = ENTITY("ConfigTokens", 0x0816, 1, struct config_tokens, token_fields);

static const struct field password_fields[] = {
    FIELD(1, struct config_passwords, min_length, U32, 128, .min = 12, .doc = "characters at least"),
    FIELD(2, struct config_passwords, classes, U32, 4, .min = 1,
          .doc = "of upper case, lower case, digits and symbols so many must be there"),
    FIELD(3, struct config_passwords, history, U32, CONFIG_PASSWORD_HISTORY_MAX, .min = 1,
          .doc = "last ones that are refused"),
    FIELD(4, struct config_passwords, max_days, U32, 3650, .min = 1, .doc = "until a new one must be chosen"),
    FIELD(5, struct config_passwords, failures, U32, 100, .min = 1, .doc = "in a row lock an account"),
    FIELD(6, struct config_passwords, lock_minutes, U32, 10080, .min = 1, .doc = "a lock lasts"),
    FIELD(7, struct config_passwords, invite_hours, U32, 720, .min = 1, .doc = "an invitation can be used"),
    FIELD(8, struct config_passwords, breached_file, TEXT, PATH_BYTES, PATH_RULE,
          .doc = "list of breached passwords, by SHA-1"),
};
const struct entity config_passwords_entity = ENTITY("ConfigPasswords", 0x0817, 1, struct config_passwords,
                                                     password_fields);

static const char *const cipher_names[] = {"default", "xaes-256-gcm", "xchacha20-poly1305", NULL};
static const char *const log_names[] = {"default", "debug", "info", "warning", "error", NULL};

static const struct field config_fields[] = {
    FIELD(1, struct config, data_dir, TEXT, PATH_BYTES, PATH_RULE, .doc = "everything that is kept"),
    FIELD(2, struct config, listen, TEXT, 64, .check = is_address, .rule = "address:port, such as 127.0.0.1:8450",
          .doc = "where HTTPS is served"),
    FIELD(3, struct config, unix_socket, TEXT, SUN_BYTES, PATH_RULE, .doc = "for bots on this host"),
    FIELD(4, struct config, operator_socket, TEXT, SUN_BYTES, PATH_RULE, .doc = "for init, unseal and administrators"),
    FIELD(5, struct config, tls, ENTITY, 0, .nested = &config_tls_entity),
    FIELD(6, struct config, front_threads, U8, CONFIG_FRONT_THREADS_MAX, .min = 1, .doc = "that serve requests"),
    FIELD(7, struct config, store, TEXT, PATH_BYTES, .check = is_store, .rule = "sqlite:/path/of/the.db",
          .doc = "where sealed rows are kept"),
    FIELD(8, struct config, venues_dir, TEXT, PATH_BYTES, PATH_RULE, .doc = "declarations of venues"),
    FIELD(9, struct config, user, TEXT, 64, .check = is_user, .rule = "the name of a user of this host",
          .doc = "to become after binding, when started as root"),
    FIELD(10, struct config, http, ENTITY, 0, .nested = &config_http_entity),
    FIELD(11, struct config, argon2, ENTITY, 0, .nested = &config_argon2_entity),
    FIELD(12, struct config, sessions, ENTITY, 0, .nested = &config_sessions_entity),
    FIELD(13, struct config, cipher, ENUM, 0, .names = cipher_names, .doc = "for what is sealed from now on"),
    FIELD(14, struct config, log_level, ENUM, 0, .names = log_names, .doc = "least severe lines that are logged"),
    FIELD(15, struct config, memory_lock_kib, U32, 16777216, .min = 1024, .doc = "of secrets kept out of swap"),
    FIELD(16, struct config, dev, BOOL, 0, .flags = FIELD_HIDDEN),
    FIELD(17, struct config, tokens, ENTITY, 0, .nested = &config_tokens_entity),
    FIELD(18, struct config, checkpoint_seconds, U32, 3600, .min = 1, .doc = "between checkpoints of the log"),
    FIELD(19, struct config, passwords, ENTITY, 0, .nested = &config_passwords_entity),
    FIELD(20, struct config, mfa, ENTITY, 0, .nested = &config_mfa_entity),
    FIELD(21, struct config, passkeys, ENTITY, 0, .nested = &config_passkeys_entity),
    FIELD(22, struct config, guard, ENTITY, 0, .nested = &config_guard_entity),
    FIELD(23, struct config, patterns_dir, TEXT, PATH_BYTES, PATH_RULE, .doc = "rules against attack patterns"),
};
const struct entity config_entity = ENTITY("Config", 0x0811, 1, struct config, config_fields);

/* --- addresses */

RESULT config_address(struct view text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    char whole[80];
    if (view_to_str(text, whole, sizeof whole) != OK)
        return ERR_BAD_VALUE;
    char *colon = strrchr(whole, ':');
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
        return ERR_BAD_VALUE;
    unsigned long port = strtoul(colon + 1, NULL, 10);
    *colon = 0;
    struct sockaddr_storage s = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&s;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s;
    size_t len = strlen(whole);
    if (port > 65535)
        return ERR_BAD_VALUE;
    if (len > 2 && whole[0] == '[' && whole[len - 1] == ']') {
        whole[len - 1] = 0;
        if (inet_pton(AF_INET6, whole + 1, &v6->sin6_addr) != 1)
            return ERR_BAD_VALUE;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *ret_len = sizeof *v6;
    } else {
        if (inet_pton(AF_INET, whole, &v4->sin_addr) != 1)
            return ERR_BAD_VALUE;
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *ret_len = sizeof *v4;
    }
    *ret = s;
    return OK;
}

/* --- defaults */

static const struct {
    size_t offset;
    const char *text, *below; /* below: the default is a path in data_dir, behind text */
    const char *installed;    /* instead, if data_dir is the default one */
} text_defaults[] = {
    {offsetof(struct config, data_dir), DATA_DIR, NULL, NULL},
    {offsetof(struct config, listen), "127.0.0.1:8450", NULL, NULL},
    {offsetof(struct config, venues_dir), HOLDFAST_VENUES_DIR, NULL, NULL},
    {offsetof(struct config, patterns_dir), HOLDFAST_PATTERNS_DIR, NULL, NULL},
    {offsetof(struct config, unix_socket), "", "run/api.sock", RUN_DIR "/api.sock"},
    {offsetof(struct config, operator_socket), "", "run/operator.sock", NULL},
    {offsetof(struct config, tls.certificate), "", "tls/server.crt", NULL},
    {offsetof(struct config, tls.key), "", "tls/server.key", NULL},
    {offsetof(struct config, store), "sqlite:", "holdfast.db", NULL},
};

static const struct {
    size_t offset;
    uint32_t value;
} number_defaults[] = {
    {offsetof(struct config, http.header_bytes), 16384},  {offsetof(struct config, http.body_bytes), 262144},
    {offsetof(struct config, http.request_seconds), 30},  {offsetof(struct config, http.idle_seconds), 60},
    {offsetof(struct config, http.connections), 1024},    {offsetof(struct config, http.connections_per_address), 256},
    {offsetof(struct config, http.head_seconds), 10},     {offsetof(struct config, sessions.hours), 8},
    {offsetof(struct config, sessions.idle_minutes), 30}, {offsetof(struct config, sessions.per_user), 3},
    {offsetof(struct config, memory_lock_kib), 65536},    {offsetof(struct config, checkpoint_seconds), 1},
    {offsetof(struct config, mfa.step_up_minutes), 5},
};

/* A tenth of a second of RSA at once, and a hundredth of the keeper's time in the long run. */
static const struct {
    size_t offset;
    uint32_t value;
} token_defaults[] = {
    {offsetof(struct config_tokens, max_seconds), 900}, {offsetof(struct config_tokens, per_minute), 600},
    {offsetof(struct config_tokens, burst), 200},       {offsetof(struct config_tokens, rotate_days), 30},
    {offsetof(struct config_tokens, grant_hours), 8},   {offsetof(struct config_tokens, idle_minutes), 60},
};

static const struct {
    size_t offset;
    uint32_t value;
} password_defaults[] = {
    {offsetof(struct config_passwords, min_length), 12},   {offsetof(struct config_passwords, classes), 4},
    {offsetof(struct config_passwords, history), 5},       {offsetof(struct config_passwords, max_days), 90},
    {offsetof(struct config_passwords, failures), 5},      {offsetof(struct config_passwords, lock_minutes), 30},
    {offsetof(struct config_passwords, invite_hours), 72},
};

void config_passwords_complete(struct config_passwords *c)
{
    for (size_t i = 0; i < ARRAY_LEN(password_defaults); i++) {
        uint32_t *to = (uint32_t *)((uint8_t *)c + password_defaults[i].offset);
        *to = *to ? *to : password_defaults[i].value;
    }
}

void config_tokens_complete(struct config_tokens *c)
{
    for (size_t i = 0; i < ARRAY_LEN(token_defaults); i++) {
        uint32_t *to = (uint32_t *)((uint8_t *)c + token_defaults[i].offset);
        *to = *to ? *to : token_defaults[i].value;
    }
    c->alg = c->alg ? c->alg : TOKEN_ES256;
}

static enum err default_text(struct config *c, size_t i, struct arena *arena)
{
    struct view *to = (struct view *)((uint8_t *)c + text_defaults[i].offset);
    if (to->len > 0)
        return OK;
    AUTO_WRITER w = writer_new(PATH_BYTES + 64);
    bool installed = text_defaults[i].installed && view_is(c->data_dir, DATA_DIR);
    writer_str(&w, installed ? text_defaults[i].installed : text_defaults[i].text);
    if (text_defaults[i].below && !installed) {
        writer_view(&w, c->data_dir);
        writer_u8(&w, '/');
        writer_str(&w, text_defaults[i].below);
    }
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), to);
}

static enum err default_roles(struct config_mfa *m, struct arena *arena)
{
    static const char *const roles[] = {"admin", "trader"};
    if (m->required_roles.count)
        return OK;
    struct view *items = arena_alloc(arena, sizeof roles / sizeof *roles * sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        items[i] = view_str(roles[i]);
    m->required_roles = (struct text_list){.items = items, .count = ARRAY_LEN(roles)};
    return OK;
}

static enum err check_socket_length(struct view path, const char *which, struct problem *why)
{
    if (path.len <= SUN_BYTES)
        return OK;
    return problem_set(why, ERR_BAD_CONFIG, which,
                       "the path %.*s is longer than the %d bytes a Unix socket may have: "
                       "choose a shorter data_dir, or set %s",
                       (int)path.len, (const char *)path.ptr, SUN_BYTES, which);
}

RESULT config_complete(struct config *c, struct arena *arena, struct problem *why)
{
    while (c->data_dir.len > 1 && c->data_dir.ptr[c->data_dir.len - 1] == '/')
        c->data_dir.len--;
    for (size_t i = 0; i < ARRAY_LEN(text_defaults); i++)
        if (default_text(c, i, arena) != OK)
            return problem_set(why, ERR_BAD_CONFIG, "data_dir", "this path is too long");
    for (size_t i = 0; i < ARRAY_LEN(number_defaults); i++) {
        uint32_t *to = (uint32_t *)((uint8_t *)c + number_defaults[i].offset);
        *to = *to ? *to : number_defaults[i].value;
    }
    if (c->argon2.passes || c->argon2.memory_kib) {
        c->argon2.passes = c->argon2.passes ? c->argon2.passes : 3;
        c->argon2.memory_kib = c->argon2.memory_kib ? c->argon2.memory_kib : 65536;
    }
    config_tokens_complete(&c->tokens);
    config_passwords_complete(&c->passwords);
    c->front_threads = c->front_threads ? c->front_threads : 2;
    c->cipher = c->cipher ? c->cipher : 1;
    config_guard_complete(&c->guard);
    c->log_level = c->log_level ? c->log_level : CONFIG_LOG_INFO;
    c->passkeys.attestation = c->passkeys.attestation ? c->passkeys.attestation : CONFIG_ATTESTATION_NONE;
    TRY(default_roles(&c->mfa, arena));
    TRY(check_socket_length(c->unix_socket, "unix_socket", why));
    return check_socket_length(c->operator_socket, "operator_socket", why);
}

RESULT config_dev(struct config *c, const char *data_dir, struct arena *arena, struct problem *why)
{
    /* What lies below data_dir follows it; the rest of a file's settings stays. */
    for (size_t i = 0; i < ARRAY_LEN(text_defaults); i++)
        if (text_defaults[i].below)
            *(struct view *)((uint8_t *)c + text_defaults[i].offset) = (struct view){0};
    TRY(arena_copy(arena, view_str(data_dir), &c->data_dir));
    c->listen = view_str("127.0.0.1:0");
    c->user = (struct view){0};
    c->argon2 = (struct config_argon2){.passes = 1, .memory_kib = 8192};
    c->dev = true;
    struct view *nobody = arena_alloc(arena, sizeof *nobody);
    if (!nobody)
        return ERR_NO_MEMORY;
    *nobody = VIEW_STR(CONFIG_NONE);
    c->mfa.required_roles = (struct text_list){.items = nobody, .count = 1};
    return config_complete(c, arena, why);
}

int config_log_level(const struct config *c)
{
    static const int levels[] = {[CONFIG_LOG_DEFAULT] = LOG_INFO,
                                 [CONFIG_LOG_DEBUG] = LOG_DEBUG,
                                 [CONFIG_LOG_INFO] = LOG_INFO,
                                 [CONFIG_LOG_WARNING] = LOG_WARNING,
                                 [CONFIG_LOG_ERROR] = LOG_ERROR};
    return c->log_level < ARRAY_LEN(levels) ? levels[c->log_level] : LOG_INFO;
}

/* --- files */

/* Nothing but comments and space: a file as packages install it, where every line is still a suggestion. */
static bool says_nothing(struct view text)
{
    bool comment = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        comment = c != '\n' && (comment || c == '#');
        if (!comment && !strchr(" \t\r\n", c))
            return false;
    }
    return true;
}

static enum err parse(struct view text, const char *name, struct arena *arena, struct config *c, struct problem *why)
{
    const struct yaml_node *root = NULL;
    if (says_nothing(text))
        return OK;
    TRY(config_read(text, name, arena, &root, why));
    TRY(yaml_entity(&config_entity, root, arena, c, why));
    c->source = root;
    TRY(config_passkeys_check(&c->passkeys, root, why));
    return config_guard_check(&c->guard, root, why);
}

RESULT config_parse(struct view text, const char *name, struct arena *arena, struct config *ret, struct problem *why)
{
    struct config c = {0};
    TRY(parse(text, name, arena, &c, why));
    TRY(config_complete(&c, arena, why));
    *ret = c;
    return OK;
}

/* A directory named on the command line may be relative to where the caller stands. */
static enum err absolute(const char *path, struct arena *arena, struct view *ret, struct problem *why)
{
    char here[PATH_BYTES];
    AUTO_WRITER w = writer_new(2 * PATH_BYTES);
    if (*path != '/') {
        if (!getcwd(here, sizeof here))
            return problem_set(why, ERR_IO, "--data-dir", "the current directory can't be told; give an absolute path");
        writer_str(&w, here);
        writer_u8(&w, '/');
    }
    writer_str(&w, path);
    TRY(writer_done(&w));
    if (!*path || w.len > PATH_BYTES || !text_printable(writer_view_of(&w)))
        return problem_set(why, ERR_BAD_CONFIG, "--data-dir", "must be a path of at most %d bytes", PATH_BYTES);
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT config_load(const char *file, const char *data_dir, struct arena *arena, struct config *ret, struct problem *why)
{
    struct config c = {0};
    const char *name = file ? file : CONFIG_FILE;
    AUTO_WRITER text = writer_new(FILE_MAX);
    if (file || access(name, F_OK) == 0)
        TRY(file_read(name, FILE_MAX, &text, why));
    TRY(parse(writer_view_of(&text), name, arena, &c, why));
    if (data_dir)
        TRY(absolute(data_dir, arena, &c.data_dir, why));
    TRY(config_complete(&c, arena, why));
    *ret = c;
    return OK;
}
