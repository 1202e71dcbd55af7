/* Who is meant by a client's certificate, or by a Unix group (IAM-7): one mapping leads from a name in the certificate,
 * its fingerprint, or a group of the host, to one user or API key. Memory table; a change counts from the first look-up
 * after mappings_applied. */
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

struct mappings; /* look-ups from any thread, changes after commits */
RESULT mappings_new(struct mappings **ret);
void mappings_free(struct mappings *m);
/* What is damaged is counted and left out: it leads nobody anywhere. */
RESULT mappings_load(struct mappings *m, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                     struct problem *why);
/* The row (hash of its key) was found to be damaged, missing or put back: what was loaded from it goes. */
void mappings_distrust(struct mappings *m, const uint8_t row[static 32]);
size_t mappings_count(struct mappings *m);

struct mapping_found {
    struct mapping mapping; /* a copy in the arena */
    uint64_t version;
    uint8_t commitment[32];
};
/* By match, in its normal form; by id. ERR_NOT_FOUND. */
RESULT mappings_find(struct mappings *m, struct view match, struct arena *arena, struct mapping_found *ret);
RESULT mappings_by_id(struct mappings *m, struct view id, struct arena *arena, struct mapping_found *ret);
/* Of struct mapping: those behind the id after (empty: from the start), by id, at most limit. */
RESULT mappings_page(struct mappings *m, struct view after, size_t limit, struct arena *arena, struct entity_list *ret);

/* Changes: fill one txn_change; apply the same to the table once durable, in any order. */
RESULT mapping_put(const struct row_keys *keys, const struct mapping *mapping, struct arena *arena,
                   struct txn_change *ret); /* a new one */
RESULT mapping_remove(const struct row_keys *keys, const struct mapping_found *before, struct arena *arena,
                      struct txn_change *ret);
RESULT mappings_applied(struct mappings *m, const struct txn_change *change);

AUTO_DEFINE(struct mappings *, mappings_free);

#endif
