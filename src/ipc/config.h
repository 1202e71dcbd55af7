/* The server's configuration: one YAML file, read by the supervisor and the command line, handed to the children as an
 * entity. What a file leaves out has the default named here; what it gets wrong stops the start with
 * file:line:column and what would mend it. */
#ifndef HOLDFAST_IPC_CONFIG_H
#define HOLDFAST_IPC_CONFIG_H

#include "base/entity.h"

#include <sys/socket.h>

#define CONFIG_FILE              "/etc/holdfast/holdfast.yaml" /* read when there is one and no other is named */
#define CONFIG_FRONT_THREADS_MAX 8

enum config_log { CONFIG_LOG_DEFAULT, CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARNING, CONFIG_LOG_ERROR };

struct config_tls {
    struct view certificate, key; /* PEM files; <data_dir>/tls/server.crt and server.key, made at the first start */
    struct text_list names;       /* further DNS names and addresses for that certificate */
    struct view client_ca;        /* PEM: who signs clients' certificates; empty: none is asked for */
    struct view client_crl;       /* PEM: their revocation lists; empty: none is looked at */
};
struct config_http {
    uint32_t header_bytes;            /* of one request: 16384 */
    uint32_t body_bytes;              /* 262144 */
    uint32_t request_seconds;         /* from the first byte to the answer: 30 */
    uint32_t idle_seconds;            /* of a kept connection: 60 */
    uint32_t connections;             /* in all: 1024 */
    uint32_t connections_per_address; /* 256 */
    uint32_t head_seconds;            /* from connecting, or a later request's first byte, to its whole head: 10 */
};
struct config_argon2 {
    uint32_t passes;     /* both 0: as measured at the initialisation; one alone: 3 … */
    uint32_t memory_kib; /* … and 65536 */
};
struct config_sessions {
    uint32_t hours;        /* 8, the longest allowed */
    uint32_t idle_minutes; /* 30 */
    uint32_t per_user;     /* 3 */
};
struct config_passwords {
    uint32_t min_length;       /* 12: characters */
    uint32_t classes;          /* 4: of upper case, lower case, digits, symbols so many must be there */
    uint32_t history;          /* 5: the one in force and those before it that are refused */
    uint32_t max_days;         /* 90: an older one only lets its user choose a new one */
    uint32_t failures;         /* 5 wrong ones in a row lock an account … */
    uint32_t lock_minutes;     /* … for 30 */
    uint32_t invite_hours;     /* 72: an invitation can be used */
    struct view breached_file; /* list in the format of Have I Been Pwned; empty: none is asked */
};
#define CONFIG_PASSWORD_HISTORY_MAX 24
struct config_mfa {
    uint32_t step_up_minutes;        /* 5: how old the second factor may be where a route asks for a fresh one */
    struct text_list required_roles; /* admin, trader: who has one may do nothing without a second factor; CONFIG_NONE
                                        alone: nobody has to have one */
};
#define CONFIG_NONE "none"
struct config_passkeys {
    struct view rp_id;        /* the first DNS name in tls.names, or localhost: whose passkeys they are */
    struct text_list origins; /* https://<rp_id>, with the port of listen: pages that may use them */
    uint8_t attestation;      /* enum config_attestation: the least that a new passkey must prove */
    struct view roots_file;   /* PEM: certificates that vouch for authenticators */
    struct text_list models;  /* AAGUIDs that are taken, with trusted; none: all */
};
/* In the order of enum webauthn_attestation (domain/webauthn/webauthn.h). */
enum config_attestation { CONFIG_ATTESTATION_NONE = 1, CONFIG_ATTESTATION_TRUSTED = 4 };
struct config_tokens {
    uint8_t alg;                     /* enum token_alg: ES256 */
    struct view issuer;              /* claim iss; "urn:holdfast:<installation>" */
    uint32_t max_seconds;            /* 900: an access token lives at most */
    uint32_t per_minute;             /* 600 tokens signed, on average … */
    uint32_t burst;                  /* … and 200 at once */
    uint32_t per_subject_per_minute; /* of these for one user or key; 0: a tenth of per_minute */
    uint32_t rotate_days;            /* 30: age of the key that signs */
    uint32_t grant_hours;            /* 8: refreshing ends at the latest */
    uint32_t idle_minutes;           /* 60: and when it was not refreshed for so long */
};

#define CONFIG_METHOD_MAX          16 /* bytes */
#define CONFIG_GUARD_ENDPOINTS_MAX 1024
#define CONFIG_GUARD_RATES_MAX     7
enum config_guard_by { CONFIG_BY_ADDRESS = 1, CONFIG_BY_IDENTITY };
struct config_guard_rate {
    struct view name;  /* as headers call it; of an endpoint's rate: none */
    uint8_t by;        /* enum config_guard_by; an endpoint's is by identity */
    uint32_t requests; /* so many … */
    uint32_t seconds;  /* … in each 60 */
    uint32_t burst;    /* of them at once: all */
    uint32_t room;     /* clients that are told apart: 65536 */
};
struct config_guard_endpoint {
    struct view path;              /* it and what lies below it */
    struct text_list methods;      /* empty: all */
    uint8_t permission;            /* by its place in base/permissions.def, from 1 up */
    struct config_guard_rate rate; /* requests 0: none of its own */
};
enum config_guard_others { CONFIG_OTHERS_REFUSE = 1, CONFIG_OTHERS_ALLOW };
struct config_guard_networks {
    struct text_list allow; /* 127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1, fc00::/7 */
    struct text_list block;
    uint8_t others; /* enum config_guard_others, of whom neither list names: refuse */
};
#define CONFIG_FIREWALL_TABLE     "holdfast"
#define CONFIG_FIREWALL_TABLE_MAX 31 /* bytes */
#define CONFIG_FIREWALL_PORTS_MAX 16
enum config_firewall_hook { CONFIG_HOOK_INPUT = 1, CONFIG_HOOK_PREROUTING };
enum config_firewall_stop { CONFIG_AT_STOP_REMOVE = 1, CONFIG_AT_STOP_KEEP };
struct config_guard_firewall {
    struct text_list ports; /* that blocks close, or "all"; empty: there is no firewall */
    uint8_t hook;           /* enum config_firewall_hook: input */
    struct view table;      /* holdfast */
    uint8_t at_stop;        /* enum config_firewall_stop: remove */
};
/* What becomes of requests while no database can be relied on: none is there, or it is damaged, or too old. */
enum config_without { CONFIG_CLOSED = 1, CONFIG_OPEN };
extern const char *const config_without_names[];
struct config_guard_countries {
    struct view database;          /* empty: countries are not asked about */
    struct text_list allow, block; /* one of the two */
    uint8_t without;               /* enum config_without: closed */
    uint32_t max_age_days;         /* since it was built; 0: any age */
};
#define CONFIG_GUARD_FEEDS_MAX 31
struct config_guard_feed {
    struct view name, file;
    uint32_t hours; /* since the file was changed; 0: without an end */
};
enum config_guard_record { CONFIG_GUARD_DURABLE = 1, CONFIG_GUARD_BEHIND };
#define CONFIG_PATTERNS_BODY_MAX 262144
enum config_patterns_mode { CONFIG_PATTERNS_BLOCK = 1, CONFIG_PATTERNS_COUNT, CONFIG_PATTERNS_OFF };
enum config_patterns_longer { CONFIG_LONGER_REFUSE = 1, CONFIG_LONGER_PASS };
extern const char *const config_patterns_modes[], *const config_patterns_longers[];
struct config_patterns_rule {
    struct view rule; /* a rule's id, or a class's name */
    uint8_t mode;     /* enum config_patterns_mode */
};
struct config_patterns_exclusion {
    struct view endpoint, parameter, rule; /* empty: any; one of them is there */
};
struct config_patterns {
    uint8_t mode;                  /* enum config_patterns_mode: block where there are endpoints, else off */
    uint32_t threshold;            /* 5: score from which a request is refused */
    uint32_t body_bytes;           /* 65536: of a body, or of one value, that are looked at */
    uint8_t longer;                /* enum config_patterns_longer, of what has more: refuse */
    struct entity_list rules;      /* config_patterns_rule */
    struct entity_list exclusions; /* config_patterns_exclusion */
    struct view further_dir;       /* rules of one's own, beside those of patterns_dir; empty: none */
};
struct config_guard_allowance { /* of one address */
    uint32_t requests;          /* so many … */
    uint32_t seconds;           /* … in each of these */
};
struct config_guard_strikes {
    uint32_t count;   /* so many go by … */
    uint32_t seconds; /* … in each of these; one more leads to a block */
};
enum config_guard_automatic_mode { CONFIG_AUTOMATIC_OFF = 1, CONFIG_AUTOMATIC_BLOCK };
extern const char *const config_automatic_modes[];
struct config_guard_automatic {
    uint8_t mode;                            /* enum config_guard_automatic_mode: off */
    struct config_guard_strikes credentials; /* 20 in 300 */
    struct config_guard_strikes attacks;     /* 5 in 300 */
    struct config_guard_strikes limits;      /* 500 in 60 */
    struct config_guard_strikes hosts;       /* 8 in 3600 */
    uint32_t block_seconds;                  /* 900: the first; each one after it twice as long … */
    uint32_t longest_seconds;                /* … and 86400 at most */
    uint8_t prefix4, prefix6;                /* 24, 48: bits of the network that `hosts` counts in */
};
struct config_guard {
    struct text_list proxies; /* who may ask: networks, "unix"; nobody if left out */
    struct config_guard_networks networks;
    uint8_t record;               /* enum config_guard_record, of what was allowed: durable */
    struct entity_list endpoints; /* config_guard_endpoint */
    struct entity_list rates;     /* config_guard_rate */
    struct config_guard_firewall firewall;
    struct config_guard_countries countries;
    struct entity_list feeds; /* config_guard_feed */
    struct text_list trusted; /* 127.0.0.0/8, ::1: neither limited in signing in nor ever blocked by itself */
    struct config_guard_allowance authentication; /* 5 in 300: log-ins */
    struct config_guard_allowance failures;       /* 3 in 900: log-ins and credentials that were refused */
    struct config_guard_automatic automatic;
    struct config_patterns patterns;
};

struct yaml_node;
struct config {
    struct view data_dir;        /* /var/lib/holdfast */
    struct view listen;          /* "127.0.0.1:8450", "[::1]:8450" */
    struct view unix_socket;     /* /run/holdfast/api.sock, with another data_dir <data_dir>/run/api.sock: local bots */
    struct view operator_socket; /* <data_dir>/run/operator.sock */
    struct config_tls tls;
    uint8_t front_threads;    /* 2 */
    struct view store;        /* "sqlite:<data_dir>/holdfast.db" */
    struct view venues_dir;   /* /usr/share/holdfast/venues, or HOLDFAST_VENUES_DIR of the build */
    struct view patterns_dir; /* /usr/share/holdfast/patterns, or HOLDFAST_PATTERNS_DIR of the build */
    struct view user;         /* to become after binding, when started as root; empty: stay */
    struct config_http http;
    struct config_argon2 argon2;
    struct config_sessions sessions;
    uint8_t cipher;           /* enum aead_alg: xaes-256-gcm (1) or xchacha20-poly1305 (2) */
    uint8_t log_level;        /* enum config_log */
    uint32_t memory_lock_kib; /* 65536: what the supervisor asks for as RLIMIT_MEMLOCK of its children */
    struct config_tokens tokens;
    struct config_passwords passwords;
    uint32_t checkpoint_seconds; /* 1: between checkpoints of the log, while there is something new */
    struct config_mfa mfa;
    struct config_passkeys passkeys;
    struct config_guard guard;
    bool dev; /* set by --dev alone */
    /* Its file's nodes, in the arena of its texts, for config_place; NULL: there is no file, or it came as an entity.
     */
    const struct yaml_node *source;
};
extern const struct entity config_entity, config_tls_entity, config_http_entity, config_argon2_entity,
    config_sessions_entity, config_mfa_entity, config_passkeys_entity, config_tokens_entity, config_passwords_entity,
    config_guard_entity, config_guard_networks_entity, config_guard_endpoint_entity, config_guard_rate_entity,
    config_guard_endpoint_rate_entity, config_guard_firewall_entity, config_guard_countries_entity,
    config_guard_feed_entity, config_guard_allowance_entity, config_guard_strikes_entity, config_guard_automatic_entity,
    config_patterns_entity, config_patterns_rule_entity, config_patterns_exclusion_entity;

/* file: a path, or NULL for CONFIG_FILE if it exists and defaults otherwise. data_dir: overrides the file's, or NULL.
 * Texts live in arena. The file may be a Kubernetes ConfigMap that holds the configuration. */
RESULT config_load(const char *file, const char *data_dir, struct arena *arena, struct config *ret,
                   struct problem *why);
/* The same from text; name is what messages call the file. */
RESULT config_parse(struct view text, const char *name, struct arena *arena, struct config *ret, struct problem *why);
/* config_file.c: its nodes, where messages find their places; of a ConfigMap, those of the file that it holds. */
RESULT config_read(struct view text, const char *name, struct arena *arena, const struct yaml_node **ret,
                   struct problem *why);
/* With ERR_BAD_CONFIG a setting's name in why->where, such as guard.patterns.rules[2].rule, becomes its
 * file:line:column, if the file that c was read from says anything of it. */
void config_place(const struct config *c, struct problem *why);
/* Fills in what is still unset. */
RESULT config_complete(struct config *c, struct arena *arena, struct problem *why);
void config_passwords_complete(struct config_passwords *c); /* fills in what is still unset of it */
/* Fills in what is still unset of it, but for the issuer. */
void config_tokens_complete(struct config_tokens *c);
/* config_passkeys.c: what is unset follows listen and tls.names, once the port is known. A relying party that browsers
 * would not take, or that does not fit its origins, is ERR_BAD_CONFIG at its place in the file; root may be NULL. */
RESULT config_passkeys_complete(struct config *c, struct arena *arena);
RESULT config_passkeys_check(const struct config_passkeys *p, const struct yaml_node *root, struct problem *why);
void config_guard_complete(struct config_guard *g);     /* fills in what is still unset of it */
void config_automatic_complete(struct config_guard *g); /* the same, of config_automatic.c */
/* config_firewall.c */
bool config_firewall_wanted(const struct config *c);
void config_firewall_complete(struct config_guard_firewall *f);
RESULT config_firewall_check(const struct config_guard_firewall *f, const struct yaml_node *root, struct problem *why);
/* config_guard.c: two rows that say something of the same requests are refused. */
RESULT config_guard_check(const struct config_guard *g, const struct yaml_node *root, struct problem *why);
/* config_policy.c: SHA-256 of the completed policy in its wire form and of the rules against attack patterns: what is
 * in force, in a few characters. rules: the texts of their files in their order, each as writer_var puts it; empty
 * where none are asked. */
#define CONFIG_POLICY_HASH 32
RESULT config_guard_hash(const struct config_guard *g, struct view rules, uint8_t ret[static CONFIG_POLICY_HASH]);
/* The same where the files' names stand before their texts, as programs get them: a name says nothing. */
RESULT config_policy_hash(const struct config_guard *g, struct view files, uint8_t ret[static CONFIG_POLICY_HASH]);
/* config_policy.c: what the limits can count (domain/guard/rates.h), and no name twice. */
RESULT config_rates_check(const struct config_guard *g, const struct yaml_node *root, struct problem *why);
/* config_networks.c: the files that say something of networks, which the supervisor opens and the front reads; by
 * number, the database of countries first, if there is one. */
#define CONFIG_GUARD_FILES_MAX (1 + CONFIG_GUARD_FEEDS_MAX)
struct config_guard_file {
    struct view setting, path;
    const struct config_guard_feed *feed; /* NULL: the database */
};
size_t config_guard_files(const struct config_guard *g);
struct config_guard_file config_guard_file(const struct config_guard *g, size_t which);
/* Countries and feeds that contradict themselves, or decide nothing, are refused; guard: its place in the file, or
 * NULL.
 */
RESULT config_networks_check(const struct config_guard *g, const struct yaml_node *guard, struct problem *why);
/* config_automatic.c: a longest block that is shorter than the first one is refused. */
RESULT config_automatic_check(const struct config_guard_automatic *a, const struct yaml_node *root,
                              struct problem *why);
bool config_guard_path(struct view text); /* is it a path as endpoints have it? */
#define CONFIG_GUARD_PATH_RULE                                                                                         \
    "a path such as /api/v1/execute: decoded, without a query, a slash at its end or empty segments"
/* config_patterns.c: what is unset, where the guard has endpoints or none; and what contradicts itself. */
void config_patterns_complete(struct config_patterns *p, bool guards);
RESULT config_patterns_check(const struct config_patterns *p, const struct yaml_node *root, struct problem *why);
/* What --dev means: any free port, small Argon2, two threads, files below data_dir. */
RESULT config_dev(struct config *c, const char *data_dir, struct arena *arena, struct problem *why);
/* "address:port" to what bind takes; port 0 means any. ERR_BAD_VALUE. */
RESULT config_address(struct view text, struct sockaddr_storage *ret, socklen_t *ret_len);
/* As base/log.h knows it (enum log_level). */
int config_log_level(const struct config *c);

#endif
