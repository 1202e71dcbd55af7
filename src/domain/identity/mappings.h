/* Who is meant by a client's certificate, or by a Unix group (IAM-7): one mapping leads from a name in the certificate,
 * its fingerprint, or a group of the host, to one user or API key. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_MAPPINGS_H
#define HOLDFAST_DOMAIN_IDENTITY_MAPPINGS_H

#include "base/entity.h"
#include "ledger/ledger.h"

#define MAPPING_ID_LEN       16
#define MAPPING_MATCH_MAX    1040
#define MAPPING_IDENTITY_MAX 72 /* "user:" and a name, "key:" and an id */
#define MAPPING_COMMENT_MAX  256
#define MAPPINGS_MAX         10000
#define MAPPING_MATCH_RULE                                                                                             \
    "dns:NAME, uri:URI, email:ADDRESS or sha256:FINGERPRINT of a client's certificate, or gid:NUMBER of a Unix group"
#define MAPPING_IDENTITY_RULE "user:NAME or key:ID"

struct mapping { /* entity Mapping, TABLE_MAPPING, key by id */
    struct view match, identity, comment, created_by;
    uint8_t
        subject[16]; /* FIELD_HIDDEN: the user's own id, so that a later one of his name inherits nothing; 0: a key */
    uint64_t created_ms;
};
extern const struct entity mapping_entity;

bool mapping_match_valid(struct view match);
bool mapping_identity_valid(struct view identity);
bool mapping_of_group(struct view match); /* it is for a Unix group */
/* As it is kept and compared: DNS names, the domains of addresses and fingerprints in lower case, fingerprints without
 * colons; the rest byte for byte. match is valid. */
RESULT mapping_match_normal(struct view match, struct arena *arena, struct view *ret);
/* What people call it: the beginning of the SHA-256 of match, in hex. */
void mapping_id(struct view match, char out[static MAPPING_ID_LEN + 1]);

/* They are among the memory tables of struct identity, and are loaded, distrusted and changed with them. */
struct identity;
size_t mappings_count(struct identity *i);

struct mapping_found {
    struct mapping mapping; /* a copy in the arena */
    uint64_t version;
    uint8_t commitment[32];
};
/* By match, in its normal form; by id. ERR_NOT_FOUND. */
RESULT mappings_find(struct identity *i, struct view match, struct arena *arena, struct mapping_found *ret);
RESULT mappings_by_id(struct identity *i, struct view id, struct arena *arena, struct mapping_found *ret);
/* Of struct mapping: those behind the id after (empty: from the start), by id, at most limit. */
RESULT mappings_page(struct identity *i, struct view after, size_t limit, struct arena *arena, struct entity_list *ret);

/* Changes: fill one txn_change, for identity_applied once it is durable. */
RESULT mapping_put(const struct row_keys *keys, const struct mapping *mapping, struct arena *arena,
                   struct txn_change *ret); /* a new one */
RESULT mapping_remove(const struct row_keys *keys, const struct mapping_found *before, struct arena *arena,
                      struct txn_change *ret);

#endif
