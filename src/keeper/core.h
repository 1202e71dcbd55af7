/* What the keeper's files share. Nothing outside src/keeper includes this. */
#ifndef HOLDFAST_KEEPER_CORE_H
#define HOLDFAST_KEEPER_CORE_H

#include "crypto/keyring.h"
#include "crypto/shamir.h"
#include "crypto/sign.h"
#include "crypto/token_key.h"
#include "keeper/anchor.h"
#include "keeper/durable.h"
#include "keeper/keeper.h"
#include "ledger/leaf.h"

#define NAME_SIZE 65
/* Authored records that are not in the log yet. When this many wait, nothing further is authored: fail closed. */
#define WAITING_MAX 8192
/* Sequences are reserved in the anchor this many at a time. */
#define SEQUENCE_BLOCK 4096
/* What may be logged after a restart without being known here: all that waited, and all that was reserved. */
#define FORMER_MAX (WAITING_MAX + 2 * SEQUENCE_BLOCK)

enum ring { RING_STATE, RING_SECRET, RING_CREDENTIAL, RING_COUNT };

/* One authored record that waits for the log. */
struct waiting {
    uint64_t sequence; /* 0: free */
    uint8_t hash[32];
    uint8_t *bytes; /* AuthoredRecord ‖ descriptor ‖ sealed */
    uint32_t authored_len, descriptor_len, sealed_len;
    bool anchored;          /* what it tells is in the anchor, so the anchor keeps it as well until it is logged */
    uint8_t credential[16]; /* whose pending change comes into force with it … */
    uint64_t version;       /* … if this is still the version that is pending; 0: none */
};

/* A waiting record of a former run, which the anchor kept. */
struct kept {
    uint8_t author; /* index, 0 keeper, 1 signer */
    struct waiting record;
};

/* One author: the keeper itself, or the signer as the keeper sees it. Sequences in [low, chain.next_sequence) belong to
 * this run; those in [former_low, former_end) to the runs before, whose records may still arrive from the store. */
struct author {
    struct leaf_chain chain; /* the keeper's own; for the signer key, next_sequence and previous only */
    uint64_t low;            /* all below, from the start of this run, are logged */
    uint64_t mark;           /* reserved in the anchor */
    uint64_t former_low, former_end;
    bool former_closed;   /* nothing more of them is taken; the range stays in the anchor until its end is declared */
    uint64_t declaration; /* the keeper's record that declares it; 0: none waits */
    uint8_t former_seen[FORMER_MAX / 8];
    uint8_t before[32]; /* chain.previous before the last record, for taking it back */
    struct waiting waiting[WAITING_MAX];
    uint64_t waiting_count;
    size_t anchored_count, anchored_bytes;
};

struct admin {
    char name[NAME_SIZE];
    uint8_t key[32];
};

struct enrolment {
    char name[NAME_SIZE];
    uint8_t token_hash[32];
    uint64_t expiry_ms;
};

struct used_approval {
    uint8_t id[32];
    uint64_t expiry_ms;
};

/* Everything about administrators, as one value: a change that fails puts the former one back whole. */
struct people {
    struct admin admins[ADMINISTRATORS_MAX]; /* by name */
    size_t admin_count;
    struct enrolment enrolments[ENROLMENTS_MAX];
    size_t enrolment_count;
    struct used_approval used[USED_MAX];
    size_t used_count;
    uint8_t four_eyes; /* enum four_eyes bits */
};

struct window_state {
    uint64_t start_ms, orders;
    char notional[49];
};

struct credential {
    uint8_t id[16];
    uint64_t version;
    uint8_t hash[32];
    uint64_t pending_version;
    uint8_t pending_hash[32];
    uint8_t identity[32];
    uint8_t path_hash[32]; /* by which an operator names it; zero: not known yet */
    bool frozen, revoked;
    struct window_state windows[WINDOWS_MAX];
    size_t window_count;
};

/* One generation of the keys that sign tokens. */
struct token_key {
    struct token_public public_key;
    struct secret *private_key; /* NULL: it signs no more, and its tokens live on until `until_ms` */
    uint64_t created_ms, until_ms;
};

/* How many more tokens may be signed now, so that a stolen front can't make a stock of them. */
struct token_budget {
    uint64_t left; /* in 60000ths of a token */
    uint64_t seen_ms;
    bool begun;
};

/* Lives in guarded memory. */
struct seeds {
    uint8_t checkpoint[32];
    uint8_t import_seed[32];
    uint8_t import_private[32];
};

struct keeper {
    struct keeper_config config;
    struct anchor *anchor;
    struct arena *spare; /* of the message before, wiped; NULL while one is handled */
    struct random_pool salts;
    enum keeper_state state;
    struct sealed sealed; /* while it is */
    struct anchor_head head;
    uint8_t wrapped_root[256];

    struct secret *given; /* SHAMIR_MAX_SHARES of struct share, of the unsealing under way */
    size_t given_count;
    uint64_t guess_debt_ms, guess_seen_ms; /* see root_may_guess */

    /* only while unsealed: */
    struct secret *root;
    struct secret *seeds;
    struct keyring *rings[RING_COUNT];
    uint8_t checkpoint_public[32], import_public[32];
    struct author authors[2];
    struct frontier frontier;
    uint8_t live_rows[32]; /* multiset digest after the frontier's last leaf */
    uint64_t nonce_mark_ms;
    struct people people;
    struct kept *kept; /* KEPT_MAX of them */
    size_t kept_count;
    bool signer_open;   /* a signer was welcomed and has not closed its books */
    uint64_t room_told; /* the sequence limit that the signer knows */
    struct credential *credentials;
    size_t credential_count, credential_cap;
    struct token_key token_keys[TOKEN_KEYS_MAX]; /* the one that signs last */
    size_t token_key_count;
    struct token_budget token_budget;
    bool settled; /* a pending change came into force and the anchor does not say so yet */
};

static inline const struct seeds *keeper_seeds(const struct keeper *k)
{
    return (const struct seeds *)(const void *)secret_view(k->seeds).ptr;
}

/* What came with a change: NULL, or alg 0, is none. */
struct approvals {
    const struct approval *first, *second;
};

/* --- save.c: between the keeper's state and the anchor */
RESULT save_write(struct keeper *k);
RESULT save_write_all(struct keeper *k); /* with every record that waits, before an orderly end */
RESULT save_read(struct keeper *k);      /* with the root key in place: opens the body, fills the state */
void save_forget(struct keeper *k);      /* wipes everything that only an unsealed keeper has */

/* --- kept.c: records in the anchor */
RESULT kept_fill(const struct keeper *k, bool all, struct arena *arena, struct durable *d);
RESULT kept_take(struct keeper *k, const struct durable *d);
/* What of [author_low, …) is logged, as the anchor remembers it. */
RESULT kept_fill_seen(const struct author *a, struct arena *arena, struct view *ret);
struct kept *kept_find(struct keeper *k, size_t author, uint64_t sequence);
void kept_drop(struct keeper *k, struct kept *r);
void kept_forget(struct keeper *k);

/* --- tokens.c */
RESULT tokens_fill(const struct keeper *k, struct arena *arena, struct durable *d); /* borrows the private halves */
RESULT tokens_take(struct keeper *k, const struct durable *d);
void tokens_forget(struct keeper *k);

/* --- keeper.c */
RESULT keeper_reopen(struct keeper *k); /* reads the anchor anew; only while not unsealed */

/* --- authors.c */
void authors_stop(struct keeper *k);         /* before an orderly end: what waits is kept, nothing stays reserved */
void authors_close_former(struct keeper *k); /* the front has fed all it had: what is missing now is missing */
RESULT authors_start(struct keeper *k);      /* after save_read: reserved sequences count as used */
/* The keeper's own record. descriptor and sealed go along for a front that has to store them again. The sequence is
 * used only if this succeeds. ERR_LOG_BEHIND when too many wait. */
struct authoring {
    uint16_t type;
    uint8_t outcome;
    struct view who; /* canonical RequestContext, or empty for the operator */
    struct record_object what;
    struct approvals approvals; /* the detail then ends with who approved; none: nobody */
    const struct leaf_change *changes;
    size_t change_count;
    struct view descriptor, sealed;
    const struct credential_descriptor *credential; /* whose pending version comes into force, or NULL */
    bool anchored;                                  /* the change it tells of goes into the anchor */
};
RESULT authors_write(struct keeper *k, const struct authoring *a, struct arena *arena, struct view *ret_authored);
/* Takes the last record back, where the change it tells of failed; nothing may have been handed out since. */
void authors_withdraw(struct keeper *k);
/* How far the signer may author: reserved, and with room to keep it. */
uint64_t authors_signer_limit(const struct keeper *k);
void authors_tell_room(struct keeper *k);                           /* when it grew by enough to be worth a message */
RESULT authors_take_signed(struct keeper *k, struct view authored); /* from the signer */
/* A leaf that the front says is durable. */
RESULT authors_logged(struct keeper *k, const struct leaf *leaf, struct view leaf_bytes);

/* --- credentials.c */
struct credential *credentials_find(struct keeper *k, const uint8_t id[static 16]);
/* This version is in force from now on, if it is the pending one; sets settled. */
void credentials_settle(struct keeper *k, const uint8_t id[static 16], uint64_t version);
void credentials_tell_signer(struct keeper *k, const struct credential *c);
RESULT credentials_add(struct keeper *k, struct credential **ret);

/* --- approvals.c: as many valid approvals, by different administrators, as the kind of change takes: one, or two where
 * the rule of four eyes names it. ERR_APPROVAL_NEEDED, ERR_SECOND_APPROVAL_NEEDED, ERR_SAME_ADMINISTRATOR,
 * ERR_APPROVAL_INVALID, ERR_APPROVAL_EXPIRED, ERR_NOT_ADMINISTRATOR. */
struct approved {
    enum approval_kind kind;
    const uint8_t *object, *previous, *next; /* 32 bytes each */
};
RESULT approvals_check(const struct keeper *k, const struct approvals *given, const struct approved *what);
/* The same for a state that can come back: they are used up once save_write has succeeded. ERR_APPROVAL_STALE. */
RESULT approvals_use(struct keeper *k, const struct approvals *given, const struct approved *what);
bool approvals_takes_two(const struct keeper *k, enum approval_kind kind);

/* --- admins.c */
/* Name of the administrator whose key this is, or NULL. */
const char *admins_name_of(const struct keeper *k, const uint8_t key[static 32]);
void admins_hash(const struct admin *admins, size_t count, uint8_t out[static 32]);
RESULT admins_enrolment_token(struct keeper *k, const char *name, struct arena *arena, struct view *ret_token);

/* --- root.c: the root key and what wraps it */
#define ROOT_SIZE 32
bool root_cost_sane(uint32_t passes, uint32_t memory_kib);
RESULT root_wrap(struct keeper *k, const uint8_t kek[static 32]);
RESULT root_wrap_passphrase(struct keeper *k, struct view passphrase);
RESULT root_wrap_shares(struct keeper *k, struct arena *arena, struct text_list *ret_texts);
RESULT root_from_shares(const struct keeper *k, const struct share *shares, size_t count, struct secret **ret);
/* ERR_WRONG_PASSPHRASE; ERR_BUSY after too many wrong ones in a row, until some seconds have passed. */
RESULT root_from_passphrase(struct keeper *k, struct view passphrase, struct secret **ret);
RESULT root_check_authority(struct keeper *k, struct view passphrase, const struct text_list *shares);

/* --- seal.c */
void seal_now(struct keeper *k, enum sealed_cause cause);

/* --- handlers, one for each message: request and answer are the message's entities, answer zeroed, arena for what it
 * points to. */
typedef RESULT (*keeper_handler)(struct keeper *k, const void *request, void *answer, struct arena *arena,
                                 struct problem *why);
#define HANDLER(name)                                                                                                  \
    RESULT name(struct keeper *k, const void *request, void *answer, struct arena *arena, struct problem *why)
HANDLER(seal_status);
HANDLER(seal_init);
HANDLER(seal_init_confirm);
HANDLER(seal_unseal);
HANDLER(seal_seal);
HANDLER(seal_rotate);
HANDLER(admins_add);
HANDLER(admins_remove);
HANDLER(admins_list);
HANDLER(admins_enrol);
HANDLER(approvals_rule);
HANDLER(emergency_begin);
HANDLER(log_hello);
HANDLER(log_pending);
HANDLER(log_append);
HANDLER(secrets_seal);
HANDLER(secrets_open);
HANDLER(secrets_rewrap);
HANDLER(credentials_put);
HANDLER(freeze_set);
HANDLER(freeze_state);
HANDLER(freeze_list);
HANDLER(freeze_operator);
HANDLER(credentials_rewrap);
HANDLER(credentials_unwrap);
HANDLER(tokens_sign);
HANDLER(tokens_keys);
HANDLER(tokens_rotate);
HANDLER(signer_hello);
HANDLER(signer_authored);
HANDLER(signer_reserve);
HANDLER(signer_closed);

#endif
