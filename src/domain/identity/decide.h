/* One question, one answer (SPEC IAM-8): may this identity do this, on this, now, and which rule says so. Admission
 * asks decide_may() as well, so that what is explained is what is done. Pure: tables and time are passed in. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_DECIDE_H
#define HOLDFAST_DOMAIN_IDENTITY_DECIDE_H

#include "domain/identity/identity.h"
#include "domain/keys/keys.h"

enum decide_rule { /* in the order in which they are asked */
                   RULE_GRANTED = 0,
                   RULE_NOBODY,   /* there is no such identity */
                   RULE_DISABLED, /* the user may not sign in */
                   RULE_KEY_SUSPENDED,
                   RULE_KEY_EXPIRED,
                   RULE_KEY_REVOKED,
                   RULE_KEY_LOCKED,   /* the key demands a second factor that its owner has not shown lately */
                   RULE_OWNER_GONE,   /* the key's owner is not there, or disabled */
                   RULE_KEY_USED_UP,  /* its requests of this hour or day are used up */
                   RULE_USAGE,        /* the key is not for this kind of request */
                   RULE_ROLE_UNKNOWN, /* one of his roles is not there: so nothing is granted */
                   RULE_DENIED,       /* a role denies it */
                   RULE_NOT_GRANTED,  /* no role grants it */
                   RULE_OWNER_LACKS,  /* the key would, its owner may not */
                   RULE_RESOURCE,     /* there is no such thing, or who asks may not know of it */
                   RULE_SECRET_LEVEL,
                   RULE_SECRET_ENVIRONMENT,
                   RULE_NOT_NAMED, /* the key does not name the credential */
                   RULE_SIGN_ENVIRONMENT,
                   RULE_KEY_NETWORK,  /* a rule of the key refuses where the request comes from, … */
                   RULE_KEY_ENDPOINT, /* … or what it is for */
                   RULE_EMERGENCY,    /* no role grants it, but emergency access does, in one of his sessions */
                   RULE_COUNT
};
const char *decide_code(enum decide_rule r); /* "role-denies": stable */
const char *decide_words(enum decide_rule r);

/* What is true of somebody now, found out once for a request. */
struct standing {
    enum decide_rule broken; /* RULE_GRANTED: he may act at all */
    bool is_key;
    bool role_unknown;            /* own grants nothing then */
    uint8_t usage;                /* enum api_key_usage; a person's is full */
    struct rights own;            /* of his own roles */
    struct rights owner;          /* of a key: its owner's */
    uint8_t signs_in;             /* environments, as bits: a key's own while its owner has it; a person's */
    struct text_list credentials; /* of a key; borrowed from it */
};
/* user NULL: there is none. */
void standing_of_user(struct roles *roles, const struct user *user, struct standing *ret);
void standing_of_key(struct identity *identity, const struct api_key *key, uint64_t now_ms, struct standing *ret);
/* All that he may do; nothing if something is broken. */
struct rights standing_rights(const struct standing *s);

enum decide_use { USE_ANY, USE_READ, USE_ASK_ITSELF, USE_WRITE, USE_EXECUTE };
/* What a permission is for, as far as it says so. */
enum decide_use decide_use_of(enum permission p);
enum decide_kind { KIND_NONE, KIND_SECRET, KIND_CREDENTIAL };
struct decide_what {
    enum permission permission; /* PERMISSION_AUTHENTICATED: whoever is known */
    enum decide_use use;        /* for a key's usage; USE_ANY does not ask */
    enum decide_kind kind;
    uint8_t environment;     /* of the resource; 0: it is not there */
    enum access_level level; /* of a secret */
    struct view path;        /* of a credential */
};
enum decide_rule decide_may(const struct standing *s, const struct decide_what *what);
/* RULE_NOT_GRANTED or, if that is why, RULE_DENIED; the other rules stay. ret_role: the one of names that says so, for
 * RULE_GRANTED, RULE_DENIED and RULE_ROLE_UNKNOWN; else empty. */
enum decide_rule decide_why(struct roles *roles, const struct text_list *names, enum permission p, enum decide_rule r,
                            struct view *ret_role);

#endif
