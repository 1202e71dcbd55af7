/* How Holdfast is: for load balancers (health) and for its operators (status). Both answer while it is sealed. */
#include "api/change_gate.h"
#include "api/people.h"
#include "api/routes.h"
#include "base/fields.h"
#include "domain/guard/guard.h"

struct health {
    struct view state, keeper, signer, log, sentence, sealed_cause, firewall;
    uint64_t log_size, checkpoint_size, sealed_since_ms;
};

static const char *const state_names[] = {"sealed", "starting", "serving", "stopping"};
static const char *const keeper_names[] = {"unknown", "dead", "not-initialised", "sealed", "unsealed"};
const char *const api_firewall_names[] = {"off", "starting", "working", "failing"};
static const char *const log_names[] = {"good", "disk-full", "unwritable", "mismatch", "damaged", "too-new"};

static const struct field health_fields[] = {
    FIELD(1, struct health, state, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "serving, starting, sealed or stopping."),
    FIELD(2, struct health, keeper, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "unsealed, sealed, not-initialised, dead or unknown."),
    FIELD(3, struct health, signer, TEXT, 32, .flags = FIELD_PRINT_ZERO, .doc = "alive or dead."),
    FIELD(4, struct health, log, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "good, disk-full, unwritable, mismatch, damaged or too-new."),
    FIELD(5, struct health, sentence, TEXT, 256, .flags = FIELD_PRINT_ZERO, .doc = "The same for a person."),
    FIELD(6, struct health, log_size, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Durable records."),
    FIELD(7, struct health, checkpoint_size, U64, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Records that the newest checkpoint of this run covers."),
    FIELD(8, struct health, sealed_cause, TEXT, 32,
          .doc = "While sealed: start, operator, keeper-ended, upgrade-failed or record-lost."),
    FIELD_AS(9, struct health, sealed_since_ms, "sealed_since", TIME, 0, .doc = "Since when."),
    FIELD(10, struct health, firewall, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "off, starting, working or failing: whether what is blocked is dropped in the kernel."),
};
static const struct entity health_entity = ENTITY("Health", 0x0610, 1, struct health, health_fields);

struct status {
    struct view state, keeper, signer, log, sentence;
    uint64_t log_size, keeper_size, checkpoint_size, indexed;
    uint64_t commits, transactions, records, commit_failures;
    uint32_t largest_batch, epoch;
    uint64_t store_bytes, records_under_way;
    bool rewrapping, tampered;
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t import_key[32], checkpoint_key[32];
    uint8_t front_threads;
    uint8_t policy[CONFIG_POLICY_HASH];
    struct view config_refused;
    struct view firewall;
    uint32_t firewall_left_out;
};
#define STATUS_U64(no, member, text) FIELD(no, struct status, member, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = (text))
static const struct field status_fields[] = {
    FIELD(1, struct status, state, TEXT, 32, .flags = FIELD_PRINT_ZERO),
    FIELD(2, struct status, keeper, TEXT, 32, .flags = FIELD_PRINT_ZERO),
    FIELD(3, struct status, signer, TEXT, 32, .flags = FIELD_PRINT_ZERO),
    FIELD(4, struct status, log, TEXT, 32, .flags = FIELD_PRINT_ZERO),
    FIELD(5, struct status, sentence, TEXT, 256, .flags = FIELD_PRINT_ZERO),
    STATUS_U64(6, log_size, "Durable records."),
    STATUS_U64(7, keeper_size, "Records that the keeper has taken into its own tree."),
    STATUS_U64(8, checkpoint_size, "Records that the newest checkpoint of this run covers."),
    STATUS_U64(9, indexed, "Records that can be searched."),
    STATUS_U64(10, commits, "Commits of this run."),
    STATUS_U64(11, transactions, "Transactions in them."),
    STATUS_U64(12, records, "Records in them."),
    STATUS_U64(13, commit_failures, "Commits that failed."),
    FIELD(14, struct status, largest_batch, U32, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Transactions in the largest commit."),
    FIELD(15, struct status, epoch, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "Epoch of the data key."),
    STATUS_U64(16, store_bytes, "Size of the store on disk."),
    STATUS_U64(17, records_under_way, "Records of keeper and signer on their way into the log."),
    FIELD(18, struct status, rewrapping, BOOL, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Rows are being sealed under the newest epoch."),
    FIELD(19, struct status, tampered, BOOL, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "The check of the stored rows found something: see the record TAMPERING_FOUND."),
    FIELD(20, struct status, installation, FIXED, INSTALLATION_SIZE),
    FIELD(21, struct status, import_key, FIXED, 32, .doc = "X25519 public key that credentials are encrypted to."),
    FIELD(22, struct status, checkpoint_key, FIXED, 32, .doc = "Ed25519 public key of the log's checkpoints."),
    FIELD(23, struct status, front_threads, U8, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(24, struct status, policy, FIXED, CONFIG_POLICY_HASH, .doc = "SHA-256 of the guard's policy in force."),
    FIELD(25, struct status, config_refused, TEXT, 512,
          .doc = "Why the newest configuration file is not in force; absent if it is."),
    FIELD(26, struct status, firewall, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "off, starting, working or failing: whether what is blocked is dropped in the kernel."),
    FIELD(27, struct status, firewall_left_out, U32, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Blocks that the firewall does not have: the guard alone refuses them."),
};
static const struct entity status_entity = ENTITY("Status", 0x0611, 1, struct status, status_fields);

struct reading {
    int state, keeper, log, firewall;
    bool signer, tampered;
    enum netfiles_trouble files;
    uint64_t size;
    struct sealed sealed; /* what the keeper says of it */
    char sealed_text[257];
};

static const char *const file_sentences[] = {
    [NETFILES_NOT_TAKEN] =
        "A newer file of the guard's countries or feeds is not taken: 'holdfast guard status' says why.",
    [NETFILES_FEED_OFF] = "A feed of the guard is not in force and keeps out nobody: 'holdfast guard status' says why.",
    [NETFILES_COUNTRIES_OFF] = "The guard has no database of countries to rely on, so guard.countries.without decides: "
                               "'holdfast guard status' says why.",
};

/* The first that holds says it. */
static const char *sentence_of(const struct reading *r)
{
    if (r->log == API_LOG_MISMATCH)
        return "The log does not match the keeper: records are missing or were altered. Nothing is served.";
    if (r->log == API_LOG_DAMAGED)
        return "The store is damaged: the server's own log says where. Nothing is served.";
    if (r->log == API_LOG_TOO_NEW)
        return "The store was written by a newer Holdfast. Nothing is served.";
    if (r->keeper == API_KEEPER_DEAD)
        return "Sealed: the keeper is dead. It comes back sealed; run 'holdfast operator unseal' on its host.";
    if (r->keeper == API_KEEPER_UNINITIALISED)
        return "Not initialised: run 'holdfast operator init' on its host.";
    if (r->keeper == API_KEEPER_SEALED)
        return r->sealed_text;
    if (r->state != API_SERVING)
        return r->state == API_STOPPING ? "Holdfast is stopping." : "Holdfast is starting.";
    if (r->log == API_LOG_FULL)
        return "The disk is full: nothing that leaves a record is done.";
    if (r->log == API_LOG_UNWRITABLE)
        return "The log can't be written: nothing that leaves a record is done.";
    if (r->tampered)
        return "Stored rows were changed outside Holdfast: the records TAMPERING_FOUND name them.";
    if (r->firewall == API_FIREWALL_FAILING)
        return "The firewall fails: what is blocked is refused by the guard alone.";
    if (r->files != NETFILES_WELL)
        return file_sentences[r->files];
    return r->signer ? "All is well." : "The signer is restarting: nothing is signed for a moment.";
}

static void read_sealed(struct api_health *h, struct reading *r)
{
    struct writer w = writer_fixed(r->sealed_text, sizeof r->sealed_text - 1);

    r->sealed = (struct sealed){.cause = (uint8_t)atomic_load(&h->sealed_cause),
                                .since_ms = atomic_load(&h->sealed_since_ms),
                                .wait_status = atomic_load(&h->sealed_wait_status)};
    sealed_sentence(&r->sealed, &w);
    r->sealed_text[w.len] = '\0';
}

static struct reading read_health(const struct http_request *req)
{
    struct api_shared *s = api_of(req)->shared;
    struct api_health *h = &s->health;
    struct reading r = {.state = atomic_load(&s->state),
                        .keeper = atomic_load(&h->keeper),
                        .log = atomic_load(&h->log),
                        .firewall = atomic_load(&h->firewall),
                        .signer = atomic_load(&h->signer),
                        .tampered = atomic_load(&h->tampered)};

    if (r.state == API_SEALED && r.keeper == API_KEEPER_UNKNOWN)
        r.state = API_STARTING; /* the keeper has not been heard yet */
    /* The ledger is there for good once the state has left SEALED. */
    if (r.state == API_SERVING) {
        r.size = ledger_size(s->ledger);
        r.files = netfiles_trouble(guard_netfiles(s->guard), people_now(req));
    }
    if (r.keeper == API_KEEPER_SEALED)
        read_sealed(h, &r);
    return r;
}

static bool is_well(const struct reading *r)
{
    return r->state == API_SERVING && r->log == API_LOG_GOOD && r->keeper == API_KEEPER_UNSEALED;
}

static enum http_outcome health_get(struct http_request *req)
{
    struct api_shared *s = api_of(req)->shared;
    struct reading r = read_health(req);
    struct health h = {.state = view_str(state_names[r.state]),
                       .keeper = view_str(keeper_names[r.keeper]),
                       .signer = view_str(r.signer ? "alive" : "dead"),
                       .log = view_str(log_names[r.log]),
                       .firewall = view_str(api_firewall_names[r.firewall]),
                       .sentence = view_str(sentence_of(&r)),
                       .log_size = r.size,
                       .checkpoint_size = atomic_load(&s->health.checkpoint_size)};
    const char *cause = sealed_cause_name(r.sealed.cause);

    if (cause) {
        h.sealed_cause = view_str(cause);
        h.sealed_since_ms = r.sealed.since_ms;
    }
    return http_answer_entity(req, is_well(&r) ? 200 : 503, &health_entity, &h);
}

static void status_of_ledger(struct api_thread *t, struct status *st)
{
    struct api_shared *s = t->shared;
    struct ledger_stats stats;

    ledger_get_stats(s->ledger, &stats);
    st->commits = stats.commits;
    st->transactions = stats.transactions;
    st->records = stats.records;
    st->largest_batch = stats.largest_batch;
    st->indexed = ledger_indexed(s->ledger);
    st->store_bytes = t->reader ? store_size(t->reader) : 0;
    st->epoch = keyring_epoch(row_keys_ring(atomic_load(&s->keys)));
    memcpy(st->installation, s->installation, sizeof st->installation);
    memcpy(st->import_key, s->import_key, sizeof st->import_key);
    memcpy(st->checkpoint_key, s->checkpoint_key, sizeof st->checkpoint_key);
}

/* While sealed nobody can be known, so it says then what health says. */
static enum http_outcome status_get(struct http_request *req)
{
    struct api_thread *t = api_of(req);
    struct api_shared *s = t->shared;
    struct reading r = read_health(req);
    struct status st = {.state = view_str(state_names[r.state]),
                        .keeper = view_str(keeper_names[r.keeper]),
                        .signer = view_str(r.signer ? "alive" : "dead"),
                        .log = view_str(log_names[r.log]),
                        .sentence = view_str(sentence_of(&r)),
                        .log_size = r.size,
                        .keeper_size = atomic_load(&s->health.keeper_size),
                        .checkpoint_size = atomic_load(&s->health.checkpoint_size),
                        .commit_failures = atomic_load(&s->health.commit_failures),
                        .rewrapping = atomic_load(&s->health.rewrapping),
                        .tampered = r.tampered,
                        .firewall = view_str(api_firewall_names[r.firewall]),
                        .firewall_left_out = atomic_load(&s->health.firewall_left_out),
                        .front_threads = s->config->front_threads};

    if (r.state != API_SERVING)
        return health_get(req);
    st.records_under_way = gate_under_way(s->gate);
    memcpy(st.policy, s->policy_hash, sizeof st.policy);
    if (api_news_get(&s->news, req->arena, &st.config_refused) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    status_of_ledger(t, &st);
    return http_answer_entity(req, 200, &status_entity, &st);
}

static const struct route rows[] = {
    ROUTE(HTTP_GET, "/api/v1/health", PERMISSION_PUBLIC, health_get, .name = "health",
          .summary = "Whether Holdfast serves: 200, or 503 with the reason", .tag = "system",
          .flags = ROUTE_WHEN_SEALED, .durability = DURABLE_NONE, .response = &health_entity),
    ROUTE(HTTP_GET, "/api/v1/status", PERMISSION_AUTHENTICATED, status_get, .name = "status",
          .summary = "How Holdfast is, in figures; while sealed the same as health", .tag = "system", .ways = WAYS_ALL,
          .flags = ROUTE_WHEN_SEALED, .durability = DURABLE_NONE, .response = &status_entity),
};
const struct route_table system_routes = {rows, ARRAY_LEN(rows)};
