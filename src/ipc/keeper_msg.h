/* Messages to the keeper. One row of keeper_messages[] says who may send a message and in which state; nothing else is
 * parsed by the keeper. Sizes are bounded by each entity's table in keeper_msg.c. */
#ifndef HOLDFAST_IPC_KEEPER_MSG_H
#define HOLDFAST_IPC_KEEPER_MSG_H

#include "base/entity.h"
#include "ipc/sealed.h"

/* Who is at the other end of a channel: told by which descriptor it came through, never by the peer. */
enum keeper_peer { PEER_OPERATOR = 1, PEER_FRONT = 2, PEER_SIGNER = 4, PEER_SUPERVISOR = 8 };
enum keeper_state { STATE_UNINITIALISED = 1, STATE_SEALED = 2, STATE_UNSEALED = 4 };

enum keeper_type {
    /* operator socket */
    KEEPER_STATUS = 1, /* anybody, any state */
    KEEPER_INIT,       /* makes everything and keeps nothing yet: first the shares must have reached somebody */
    KEEPER_UNSEAL,
    KEEPER_SEAL,
    KEEPER_ROTATE,
    KEEPER_ADMIN_ADD, /* by an approval of an administrator, or by the unseal shares when all are lost */
    KEEPER_ADMIN_REMOVE,
    KEEPER_ADMIN_LIST,
    KEEPER_OPERATOR_FREEZE, /* one credential, by path or id; needs no approval */
    KEEPER_TOKENS_ROTATE,   /* a new key for tokens */
    KEEPER_INIT_CONFIRM,    /* keeps what KEEPER_INIT made */
    KEEPER_FOUR_EYES,       /* what takes two administrators */
    /* front */
    KEEPER_HELLO = 20, /* the state ring; only when unsealed */
    KEEPER_PENDING,    /* authored records that are not in the log yet */
    KEEPER_LOG_APPEND, /* leaves that are durable, in order */
    KEEPER_CHECKPOINT, /* signed once everything authored before the request is in the log */
    KEEPER_SECRET_SEAL,
    KEEPER_SECRET_OPEN,
    KEEPER_SECRET_REWRAP,
    KEEPER_CREDENTIAL_PUT,
    KEEPER_CREDENTIAL_FREEZE,
    KEEPER_CREDENTIAL_REWRAP,
    KEEPER_ENROL,
    KEEPER_CREDENTIAL_STATE,   /* what the keeper alone knows of a credential */
    KEEPER_CREDENTIALS_FROZEN, /* the same of all */
    KEEPER_TOKEN_SIGN,
    KEEPER_TOKEN_KEYS, /* their public halves */
    KEEPER_EMERGENCY,  /* the record of emergency access, before anybody has it */
    /* signer */
    KEEPER_SIGNER_HELLO = 40,
    KEEPER_UNWRAP,
    KEEPER_AUTHORED, /* one way */
    KEEPER_RESERVE,
    KEEPER_SIGNER_CLOSED, /* one way: the signer has heard that it is sealed, and authors nothing further */
    /* events from the keeper, id 0 */
    KEEPER_EVENT_UNSEALED = 60, /* to front and signer: say hello again */
    KEEPER_EVENT_SEALED,        /* wipe what you have */
    KEEPER_EVENT_CREDENTIAL,    /* to the signer, before the front gets its answer: this credential changed */
    KEEPER_EVENT_ROTATED,       /* to the front: say hello again, then rewrap */
    KEEPER_EVENT_PENDING,       /* to the front's thread 0: something was authored on the operator's behalf */
    KEEPER_EVENT_ROOM,          /* to the signer: how far it may author */
    KEEPER_EVENT_TOKEN_KEYS,    /* to the front: ask for KEEPER_TOKEN_KEYS again */
};

struct keeper_message {
    uint16_t type;
    const char *name;
    unsigned from;                /* enum keeper_peer bits */
    unsigned when;                /* enum keeper_state bits */
    const struct entity *request; /* NULL: empty body */
    const struct entity *answer;  /* NULL: empty */
};
extern const struct keeper_message keeper_messages[];
extern const size_t keeper_message_count;
const struct keeper_message *keeper_message_find(uint16_t type); /* NULL if there is none */

#define INSTALLATION_SIZE 32
#define DESCRIPTOR_MAX    32768
#define SECRET_VALUE_MAX  65536
#define SEALED_SECRET_MAX (SECRET_VALUE_MAX + 64)

/* --- status */
struct keeper_status {
    uint8_t state;             /* enum keeper_state */
    uint8_t method;            /* enum unseal_method */
    uint8_t threshold, shares; /* of Shamir; 0 with a passphrase */
    uint8_t given;             /* shares given so far in this unsealing */
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t import_key[32];     /* X25519; all zero while sealed */
    uint8_t checkpoint_key[32]; /* Ed25519 public */
    uint32_t epoch;
    uint64_t log_size;         /* of the keeper's own frontier */
    uint64_t authored_waiting; /* authored records not in the log yet */
    bool memory_locked;
    uint8_t administrators;
    struct sealed sealed; /* while sealed */
    uint8_t four_eyes;    /* enum four_eyes bits; only while unsealed */
};
enum unseal_method { UNSEAL_PASSPHRASE = 1, UNSEAL_SHARES = 2 };

/* --- init, unseal */
struct keeper_init {
    uint8_t method;
    struct view passphrase;
    uint8_t threshold, shares;
    uint8_t cipher;            /* enum aead_alg */
    struct view administrator; /* user name of the first one */
    uint8_t administrator_key[32];
    uint32_t argon2_passes, argon2_memory_kib;     /* of the passphrase */
    uint32_t password_passes, password_memory_kib; /* of people's passwords; 0: not measured */
};
struct keeper_init_done {
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t import_key[32], checkpoint_key[32];
    struct text_list shares;     /* shown once, stored nowhere */
    struct view enrolment_token; /* one-time, for the administrator's first password */
};
struct keeper_init_confirm {
    uint8_t installation[INSTALLATION_SIZE]; /* as KEEPER_INIT answered it */
};
struct keeper_unseal {
    struct view passphrase;
    struct view share;
};

/* --- approvals: an administrator's signature over exactly one change. The signed bytes are
 * "holdfast-approval-1\n" ‖ installation[32] ‖ u8 kind ‖ object[32] ‖ previous[32] ‖ next[32] ‖ u64 expiry_ms. */
enum approval_kind {
    APPROVE_CREDENTIAL = 1,
    APPROVE_RELEASE = 2,
    APPROVE_ADMIN_ADD = 3,
    APPROVE_ADMIN_REMOVE = 4,
    APPROVE_FOUR_EYES = 5, /* object: "four-eyes"; previous, next: four_eyes_hash of the rule */
    APPROVE_ROTATE = 6,    /* object: "data-keys"; previous, next: epoch_hash of the epoch */
    APPROVE_EMERGENCY = 7, /* object: who asks; previous: 32 random bytes; next: emergency_hash */
};
enum approval_alg { APPROVAL_ED25519 = 1 };
struct approval {
    uint8_t alg;
    uint8_t key[32];
    uint8_t signature[64];
    uint64_t expiry_ms; /* at most 24 h ahead */
};
extern const struct entity approval_entity;

/* Four eyes: what takes approvals by two different administrators over the same change. Kept in the anchor. Nothing of
 * it goes without ADMINISTRATORS, or one administrator could add a key of his own and be two. */
enum four_eyes {
    FOUR_EYES_POLICY = 1, /* credentials: storing, changing policy or key, releasing; never freezing and revoking */
    FOUR_EYES_ADMINISTRATORS = 2,
    FOUR_EYES_REKEY = 4,     /* new data keys; without it the operator's socket is enough */
    FOUR_EYES_EMERGENCY = 8, /* emergency access: who asks, and one administrator who is somebody else */
};
#define FOUR_EYES_ALL    (FOUR_EYES_POLICY | FOUR_EYES_ADMINISTRATORS | FOUR_EYES_REKEY | FOUR_EYES_EMERGENCY)
#define FOUR_EYES_OBJECT "four-eyes"
#define ROTATE_OBJECT    "data-keys"
/* The bit that a kind of change falls under. The rule itself, which always takes two, has none. */
uint8_t four_eyes_bit(enum approval_kind kind);
/* By bit, from the lowest; NULL ends it. */
extern const char *const four_eyes_names[];
/* SHA-256("holdfast-four-eyes-1\n" ‖ u8 rule), SHA-256("holdfast-epoch-1\n" ‖ u32 epoch). */
void four_eyes_hash(uint8_t rule, uint8_t out[static 32]);
void epoch_hash(uint32_t epoch, uint8_t out[static 32]);
/* SHA-256("holdfast-emergency-1\n" ‖ u32 seconds ‖ SHA-256(reason)). */
void emergency_hash(uint32_t seconds, struct view reason, uint8_t out[static 32]);
struct keeper_four_eyes {
    uint8_t rule;                     /* enum four_eyes bits, afterwards */
    struct approval approval, second; /* always both */
};
#define EMERGENCY_LEAST_S 60
#define EMERGENCY_MOST_S  (4 * 3600)
struct keeper_emergency {
    struct view name; /* the user */
    uint8_t nonce[32];
    uint32_t seconds;
    struct approval approval; /* with FOUR_EYES_EMERGENCY, by another administrator than name */
    struct view who;          /* its reason is what is approved */
};
struct keeper_rotate {
    struct approval approval, second; /* with FOUR_EYES_REKEY */
};
/* What is signed. object: SHA-256 of the credential's id, or of the administrator's name. */
void approval_message(const uint8_t installation[static 32], enum approval_kind kind, const uint8_t object[static 32],
                      const uint8_t previous[static 32], const uint8_t next[static 32], uint64_t expiry_ms,
                      struct writer *w);

struct keeper_admin_change {
    struct view name;
    uint8_t key[32];
    bool has_approval;
    struct approval approval; /* next = hash of the set after the change; see admin_set_hash */
    struct view passphrase;   /* recovery: instead of an approval, what unseals */
    struct text_list shares;
    bool replace_all; /* recovery: the new administrator is the only one afterwards */
    struct approval second;
};
struct keeper_admin_changed {
    struct view enrolment_token; /* empty after a removal */
};
struct administrator {
    struct view name;
    uint8_t key[32];
};
struct administrators {
    struct entity_list list; /* of struct administrator */
    uint8_t hash[32];        /* of the set: SHA-256 over (u32-counted name ‖ key) in bytewise order of names */
};
extern const struct entity administrator_entity, administrators_entity;

/* --- front */
struct keeper_hello {
    uint8_t thread; /* the front's thread number; 0 is the one that feeds the log */
};
struct keeper_welcome {
    struct view state_ring; /* keyring_export of class STATE */
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t cipher;
    uint8_t import_key[32], checkpoint_key[32];
    uint64_t log_size; /* feed the log from here */
    uint8_t frontier_root[32];
    uint32_t password_passes, password_memory_kib; /* as measured at the initialisation; 0: not measured */
};
/* Records that keeper and signer authored and that are not in the log: a new front logs them before anything else. */
struct keeper_pending_record {
    struct view authored;   /* entity AuthoredRecord, encoded */
    struct view descriptor; /* of a credential change: the row to store in the same commit; else empty */
    struct view sealed;
};
struct keeper_pending {
    struct entity_list records; /* of struct keeper_pending_record, at most 16; log them and ask again until empty */
};
struct keeper_pending_from {
    uint8_t author; /* with sequence: where to go on in a longer list; zero = from the start */
    uint64_t sequence;
};
struct keeper_log_append {
    uint64_t first;
    struct view leaves; /* each u16-counted, in order */
    uint8_t state[32];  /* multiset digest over the live rows after the last of them */
};
struct keeper_log_size {
    uint64_t size;
};
struct keeper_checkpoint {
    uint64_t size; /* the checkpoint must cover at least this many leaves */
};
struct keeper_note {
    struct view note;
};

/* A secret's value, bound to id, path and version. Sealing releases nothing, so its record is the front's own; opening
 * is authored here. */
struct keeper_secret_seal {
    uint8_t id[16];
    uint64_t version;
    struct view path;
    struct view value;
};
struct keeper_secret_open {
    uint8_t id[16];
    uint64_t version;
    struct view path;
    struct view sealed;
    struct view who;
};
struct keeper_sealed {
    struct view sealed;
    struct view authored; /* entity AuthoredRecord, encoded; empty where nothing was authored */
};
struct keeper_opened {
    struct view value;
    struct view authored;
};
struct keeper_rewrap {
    uint8_t id[16];
    uint64_t version;
    struct view path;
    struct view sealed;
};

/* A credential. The descriptor (entity CredentialDescriptor) says everything about it but the key itself, and its hash
 * is what administrators approve and what the anchor holds. */
struct credential_descriptor {
    uint8_t id[16];
    uint64_t version;       /* rises by one with each change */
    struct view path;       /* "exchange/binance/main" */
    struct view venue;      /* "binance" */
    struct view scheme;     /* "binance-hmac" */
    struct view api_key_id; /* public part, for people; may be empty */
    struct view policy;     /* JSON text, byte for byte */
    uint8_t box_hash[32];   /* SHA-256 of the box the bundle came in: the approval covers the key as well */
    struct view description;
    uint8_t environment;
    bool revoked;
};
extern const struct entity credential_descriptor_entity;
struct keeper_credential_put {
    struct view descriptor;
    uint8_t previous[32]; /* hash of the descriptor now in force, zero for a new one */
    struct view box;      /* sealed to the import key: entity Bundle. Empty: keep the bundle of `sealed` */
    struct view sealed;
    struct approval approval;
    struct view who;
    struct approval second; /* where four eyes are wanted: another administrator's; alg 0: none */
};
struct keeper_credential_freeze {
    uint8_t id[16];
    bool frozen;
    bool has_approval; /* releasing needs one, freezing does not */
    struct approval approval;
    struct view who;
    struct view descriptor; /* for its path in the record; another one than the keeper knows is ignored */
    struct approval second;
};
struct keeper_credential_of {
    uint8_t id[16];
};
struct keeper_credential_state {
    bool frozen;
};
/* The operator's: past the front, which may be somebody else's. */
struct keeper_operator_freeze {
    struct view path; /* or, if empty, the id */
    uint8_t id[16];
};
struct keeper_frozen {
    struct view ids; /* 16 bytes each */
};
struct keeper_enrol {
    struct view name, token;
    struct view who;
    bool only_check; /* is it right? It stays good, and nothing is recorded */
};

/* --- tokens: JWT access tokens (RFC 7519, RFC 9068). The front says for whom, the keeper says everything else: it
 * writes header and claims itself, caps the life and the rate, draws the id, and authors TOKEN_ISSUED before the token
 * leaves. */
#define TOKEN_ID_SIZE      16 /* the first 6 bytes are the time of issue in milliseconds, big-endian; the rest random */
#define TOKEN_SUBJECT_MAX  96
#define TOKEN_AUDIENCE_MAX 256
#define TOKEN_CLIENT_MAX   64
#define TOKEN_METHODS_MAX  4
#define TOKEN_TEXT_MAX     2048
#define TOKEN_ISSUER_MAX   256
#define TOKEN_KEYS_MAX     8
struct keeper_token_sign {
    struct view subject;      /* "user:alice", "key:<id>" */
    struct view audience;     /* empty: the issuer itself, which is what Holdfast takes */
    struct view client;       /* claim client_id */
    uint8_t grant[16];        /* claim sid; zero: none */
    uint32_t seconds;         /* 0, or more than the configured longest life: that life */
    uint64_t auth_ms;         /* claim auth_time; 0: none */
    struct text_list methods; /* claim amr (RFC 8176) */
    struct view who;
};
struct keeper_token_signed {
    struct view token;
    uint8_t id[TOKEN_ID_SIZE];
    uint64_t issued_ms, expires_ms; /* whole seconds, as in the token */
    struct view authored;
};
struct keeper_token_key {
    uint8_t alg; /* enum token_alg */
    struct view public_key;
    uint64_t created_ms;
    uint64_t until_ms; /* 0: signs now; else its last token has ended then */
};
struct keeper_token_keys {
    struct entity_list keys; /* of struct keeper_token_key, the one that signs last */
    struct view issuer;
    uint32_t max_seconds;
};
struct keeper_tokens_rotate {
    bool drop; /* former keys end now, and with them every token that they signed */
};

/* --- signer */
struct keeper_signer_welcome {
    uint8_t author_key[32];
    uint64_t next_sequence;
    uint8_t previous[32];
    uint64_t nonce_mark_ms; /* nonces up to here count as used */
    uint8_t installation[INSTALLATION_SIZE];
    uint64_t sequence_limit; /* see struct keeper_event_room */
};
struct keeper_unwrap {
    struct view descriptor;
    struct view sealed;
};
/* Reserved usage of one window, ahead of use: after a crash, what was reserved counts as used. */
struct window_mark {
    uint64_t start_ms;
    uint64_t orders;
    struct view notional; /* decimal text; empty = none */
};
extern const struct entity window_mark_entity;
struct keeper_unwrapped {
    struct view bundle; /* entity Bundle, in the clear: over this socket only */
    bool frozen;
    struct entity_list windows; /* of struct window_mark, as reserved last */
    uint64_t policy_version;
};
struct keeper_authored {
    struct view authored; /* entity AuthoredRecord, encoded */
};
struct keeper_reserve {
    uint64_t nonce_mark_ms; /* 0 = unchanged */
    bool has_credential;
    uint8_t id[16];
    struct entity_list windows; /* of struct window_mark: the reserved totals */
};
struct keeper_event_credential {
    uint8_t id[16];
    uint64_t version;
    bool frozen;
};

/* The signer may author records with sequences below limit. They are reserved in the anchor and the keeper has room to
 * keep them, so a record that has left the signer is never lost to a keeper that lives. */
struct keeper_event_room {
    uint64_t limit;
};

/* The bundle's entity, shared by the CLI that makes it, the keeper that carries it and the signer that reads it. */
struct credential_bundle {
    struct view api_key, secret, passphrase;
};
extern const struct entity credential_bundle_entity;

extern const struct entity keeper_status_entity, keeper_init_entity, keeper_init_done_entity, keeper_unseal_entity,
    keeper_admin_change_entity, keeper_admin_changed_entity, keeper_hello_entity, keeper_welcome_entity,
    keeper_pending_record_entity, keeper_pending_entity, keeper_pending_from_entity, keeper_log_append_entity,
    keeper_log_size_entity, keeper_checkpoint_entity, keeper_note_entity, keeper_secret_seal_entity,
    keeper_secret_open_entity, keeper_sealed_entity, keeper_opened_entity, keeper_rewrap_entity,
    keeper_credential_put_entity, keeper_credential_freeze_entity, keeper_credential_of_entity,
    keeper_credential_state_entity, keeper_enrol_entity, keeper_signer_welcome_entity, keeper_unwrap_entity,
    keeper_unwrapped_entity, keeper_authored_entity, keeper_reserve_entity, keeper_event_credential_entity,
    keeper_event_room_entity, keeper_operator_freeze_entity, keeper_frozen_entity, keeper_token_sign_entity,
    keeper_token_signed_entity, keeper_token_key_entity, keeper_token_keys_entity, keeper_tokens_rotate_entity,
    keeper_init_confirm_entity, keeper_four_eyes_entity, keeper_rotate_entity, keeper_emergency_entity;

#endif
