/* How the guard stands: what it knows of networks and attacks, from which files, and how full its limits are. */
#include "api/inspect.h"
#include "api/people.h"
#include "api/routes.h"
#include "api/strikes.h"
#include "base/fields.h"

#include "domain/guard/guard.h"

#define DAY_MS    UINT64_C(86400000)
#define SHOWN_MAX (CONFIG_GUARD_RATES_MAX + CONFIG_GUARD_ENDPOINTS_MAX)

static const char *const states[] = {"unset", "none", "old", "in-force", NULL}; /* by enum netfiles_state */

#define FAILURE(number, type)                                                                                          \
    FIELD(number, type, failure, TEXT, 0, .doc = "Why the newest file was not taken; absent if it was."),              \
        FIELD_AS((number) + 1, type, failed_ms, "failed", TIME, 0)

/* --- networks */

struct said {
    uint64_t let_in, kept_out, configured_let_in, configured_kept_out, automatic, put_off, damaged, feeds, bytes;
    bool others;
};
static const struct field said_fields[] = {
    FIELD(1, struct said, let_in, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "By people, at run time."),
    FIELD(2, struct said, kept_out, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Likewise."),
    FIELD(3, struct said, automatic, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Kept out by Holdfast itself."),
    FIELD(4, struct said, configured_let_in, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "By the configuration."),
    FIELD(5, struct said, configured_kept_out, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Likewise."),
    FIELD(6, struct said, feeds, U64, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Listed by feeds; a network of two feeds counts twice."),
    FIELD_AS(7, struct said, others, "others_let_in", BOOL, 0, .flags = FIELD_PRINT_ZERO,
             .doc = "Whether those are let in of whom nothing is said."),
    FIELD(8, struct said, bytes, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Of memory, for all of them."),
    FIELD_AS(9, struct said, put_off, "automatic_put_off", U64, 0, .flags = FIELD_PRINT_ZERO,
             .doc = "How often an automatic block found no room, since the start: its next refusal asks again."),
    FIELD(10, struct said, damaged, U64, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Rows that were altered, added, removed or put back outside Holdfast: the records TAMPERING_FOUND "
                 "name them."),
};
static const struct entity said_entity = ENTITY("GuardNetworks", 0x07d0, 1, struct said, said_fields);

/* --- countries */

struct countries {
    struct text_list allow, block;
    uint8_t without, state;
    uint32_t max_age_days, age_days;
    struct view file, type, failure;
    uint64_t built_ms, loaded_ms, failed_ms, bytes;
};
static const struct field countries_fields[] = {
    FIELD(1, struct countries, state, ENUM, 0, .min = NETFILES_NONE, .flags = FIELD_REQUIRED, .names = states,
          .doc = "Of the database; unless it is in force, `without` decides."),
    FIELD(2, struct countries, allow, TEXTS, 256, .doc = "These alone are let in."),
    FIELD(3, struct countries, block, TEXTS, 256, .doc = "All but these are let in."),
    FIELD(4, struct countries, without, ENUM, 0, .min = CONFIG_CLOSED, .flags = FIELD_REQUIRED,
          .names = config_without_names),
    FIELD(5, struct countries, file, TEXT, 0, .flags = FIELD_REQUIRED),
    FIELD(6, struct countries, type, TEXT, 0, .doc = "As the database calls itself."),
    FIELD_AS(7, struct countries, built_ms, "built", TIME, 0),
    FIELD(8, struct countries, age_days, U32, 0, .doc = "Since it was built."),
    FIELD(9, struct countries, max_age_days, U32, 0, .doc = "Up to this age it is relied on; any, if absent."),
    FIELD_AS(10, struct countries, loaded_ms, "loaded", TIME, 0),
    FIELD(11, struct countries, bytes, U64, 0),
    FAILURE(12, struct countries),
};
static const struct entity countries_entity = ENTITY("GuardCountries", 0x07d1, 1, struct countries, countries_fields);

/* --- feeds */

struct feed {
    struct view name, file, failure;
    uint8_t state;
    uint64_t networks, bad_lines, first_bad_line, changed_ms, loaded_ms, ends_ms, failed_ms;
};
static const struct field feed_fields[] = {
    FIELD(1, struct feed, name, TEXT, 0, .flags = FIELD_REQUIRED),
    FIELD(2, struct feed, state, ENUM, 0, .min = NETFILES_NONE, .flags = FIELD_REQUIRED, .names = states),
    FIELD(3, struct feed, networks, U64, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(4, struct feed, bad_lines, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "That name no network."),
    FIELD(5, struct feed, first_bad_line, U64, 0, .doc = "Its number."),
    FIELD(6, struct feed, file, TEXT, 0, .flags = FIELD_REQUIRED),
    FIELD_AS(7, struct feed, changed_ms, "changed", TIME, 0, .doc = "When the file was changed last."),
    FIELD_AS(8, struct feed, loaded_ms, "loaded", TIME, 0),
    FIELD_AS(9, struct feed, ends_ms, "ends", TIME, 0, .doc = "Unless a new file comes; never, if absent."),
    FAILURE(10, struct feed),
};
static const struct entity feed_entity = ENTITY("GuardFeed", 0x07d2, 1, struct feed, feed_fields);

/* --- limits */

struct limit {
    struct view name, path;
    uint8_t by;
    uint32_t requests, seconds, burst, room;
    uint64_t taken;
};
static const char *const bys[] = {"none", "address", "identity", NULL};
static const struct field limit_fields[] = {
    FIELD(1, struct limit, name, TEXT, 0, .flags = FIELD_REQUIRED),
    FIELD(2, struct limit, path, TEXT, 0, .doc = "Of the endpoint whose limit it is."),
    FIELD(3, struct limit, by, ENUM, 0, .min = CONFIG_BY_ADDRESS, .flags = FIELD_REQUIRED, .names = bys),
    FIELD(4, struct limit, requests, U32, 0, .flags = FIELD_REQUIRED),
    FIELD(5, struct limit, seconds, U32, 0, .flags = FIELD_REQUIRED),
    FIELD(6, struct limit, burst, U32, 0, .flags = FIELD_REQUIRED),
    FIELD(7, struct limit, room, U32, 0, .flags = FIELD_REQUIRED, .doc = "Clients that are told apart."),
    FIELD(8, struct limit, taken, U64, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Clients that have spent something of theirs; an estimate beyond 65536 of room."),
};
static const struct entity limit_entity = ENTITY("GuardLimit", 0x07d3, 1, struct limit, limit_fields);

/* --- attack patterns */

struct patterns_shown {
    uint8_t mode, longer;
    uint32_t threshold, body_bytes, rules;
    struct entity_list files;
};
static const struct field patterns_fields[] = {
    FIELD(1, struct patterns_shown, mode, ENUM, 0, .min = CONFIG_PATTERNS_BLOCK, .flags = FIELD_REQUIRED,
          .names = config_patterns_modes),
    FIELD(2, struct patterns_shown, rules, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "That requests are searched for."),
    FIELD(3, struct patterns_shown, threshold, U32, 0, .flags = FIELD_REQUIRED,
          .doc = "Score from which a request is refused."),
    FIELD(4, struct patterns_shown, body_bytes, U32, 0, .flags = FIELD_REQUIRED,
          .doc = "Of a body, or of one value, that are looked at."),
    FIELD(5, struct patterns_shown, longer, ENUM, 0, .min = CONFIG_LONGER_REFUSE, .flags = FIELD_REQUIRED,
          .names = config_patterns_longers, .doc = "What becomes of a request that has more."),
    FIELD(6, struct patterns_shown, files, LIST, INSPECT_FILES_MAX, .flags = FIELD_PRINT_ZERO,
          .nested = &inspect_file_entity, .doc = "Where the rules came from."),
};
static const struct entity patterns_entity = ENTITY("GuardPatterns", 0x07d6, 1, struct patterns_shown, patterns_fields);

/* --- all of it */

struct status {
    struct said networks;
    struct countries countries;
    struct entity_list feeds, limits;
    uint8_t record;
    struct view firewall;
    uint32_t firewall_left_out;
    struct patterns_shown patterns;
    struct config_guard_allowance authentication, failures;
    uint8_t automatic;
};
static const char *const records[] = {"default", "durable", "behind", NULL};
static const struct field status_fields[] = {
    FIELD(1, struct status, networks, ENTITY, 0, .flags = FIELD_REQUIRED, .nested = &said_entity),
    FIELD(2, struct status, countries, ENTITY, 0, .nested = &countries_entity,
          .doc = "Absent where countries are not asked about."),
    FIELD(3, struct status, feeds, LIST, CONFIG_GUARD_FEEDS_MAX, .flags = FIELD_PRINT_ZERO, .nested = &feed_entity),
    FIELD(4, struct status, limits, LIST, SHOWN_MAX, .flags = FIELD_PRINT_ZERO, .nested = &limit_entity),
    FIELD(5, struct status, record, ENUM, 0, .min = CONFIG_GUARD_DURABLE, .flags = FIELD_REQUIRED, .names = records,
          .doc = "Of what is allowed: durable before the answer, or behind it."),
    FIELD(6, struct status, firewall, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "off, starting, working or failing: whether what is blocked is dropped in the kernel."),
    FIELD(7, struct status, firewall_left_out, U32, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Blocks that the firewall does not have: the guard alone refuses them."),
    FIELD(8, struct status, patterns, ENTITY, 0, .flags = FIELD_REQUIRED, .nested = &patterns_entity),
    FIELD(9, struct status, authentication, ENTITY, 0, .flags = FIELD_REQUIRED,
          .nested = &config_guard_allowance_entity, .doc = "How often one address may sign in."),
    FIELD(10, struct status, failures, ENTITY, 0, .flags = FIELD_REQUIRED, .nested = &config_guard_allowance_entity,
          .doc = "How often it may be wrong about that."),
    FIELD(11, struct status, automatic, ENUM, 0, .min = CONFIG_AUTOMATIC_OFF, .flags = FIELD_REQUIRED,
          .names = config_automatic_modes, .doc = "Whether addresses are blocked without anybody's doing."),
};
static const struct entity status_entity = ENTITY("GuardStatus", 0x07d4, 1, struct status, status_fields);

/* A failure's text lives as long as the request. */
static struct view failure_of(const struct netfiles_status *s, struct arena *arena)
{
    struct view text = {0};
    if (s->failed.code != OK)
        (void)!arena_copy(arena, view_str(s->failed.detail), &text); /* without memory there is no answer either */
    return text;
}

static RESULT fill_countries(const struct config_guard_countries *c, const struct netfiles_status *s, uint64_t now_ms,
                             struct arena *arena, struct countries *ret)
{
    uint64_t age = s->database.loaded && now_ms > s->database.built_ms ? now_ms - s->database.built_ms : 0;
    *ret = (struct countries){.allow = c->allow,
                              .block = c->block,
                              .without = c->without,
                              .max_age_days = c->max_age_days,
                              .file = c->database,
                              .state = (uint8_t)s->state,
                              .built_ms = s->database.built_ms,
                              .age_days = (uint32_t)(age / DAY_MS),
                              .loaded_ms = s->loaded_ms,
                              .bytes = s->bytes,
                              .failure = failure_of(s, arena),
                              .failed_ms = s->failed_ms};
    return arena_copy(arena, view_str(s->database.type), &ret->type);
}

static struct feed feed_of(const struct config_guard_feed *f, const struct netfiles_status *s, struct arena *arena)
{
    return (struct feed){.name = f->name,
                         .file = f->file,
                         .state = (uint8_t)s->state,
                         .networks = s->report.prefixes,
                         .bad_lines = s->report.bad,
                         .first_bad_line = s->report.first_bad,
                         .changed_ms = s->changed_ms,
                         .loaded_ms = s->loaded_ms,
                         .ends_ms = s->ends_ms,
                         .failure = failure_of(s, arena),
                         .failed_ms = s->failed_ms};
}

static RESULT fill_files(const struct config_guard *c, struct netfiles *files, uint64_t now_ms, struct arena *arena,
                         struct status *ret)
{
    struct feed *feeds = arena_alloc(arena, CONFIG_GUARD_FEEDS_MAX * sizeof *feeds);
    size_t count = 0;
    if (!feeds)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < netfiles_count(files); i++) {
        const struct config_guard_feed *feed = config_guard_file(c, i).feed;
        struct netfiles_status s;
        netfiles_status(files, i, now_ms, &s);
        if (!feed) {
            TRY(fill_countries(&c->countries, &s, now_ms, arena, &ret->countries));
            continue;
        }
        feeds[count] = feed_of(feed, &s, arena);
        ret->networks.feeds += s.report.prefixes;
        count++;
    }
    ret->feeds = (struct entity_list){feeds, count};
    return OK;
}

static void fill_networks(const struct config_guard *c, struct networks *n, struct said *ret)
{
    const struct networks_count k = networks_count(n);
    *ret = (struct said){.let_in = k.let_in,
                         .kept_out = k.kept_out,
                         .configured_let_in = k.configured_let_in,
                         .configured_kept_out = k.configured_kept_out,
                         .automatic = k.automatic,
                         .bytes = k.bytes,
                         .others = c->networks.others == CONFIG_OTHERS_ALLOW};
}

struct shown {
    struct limit *items;
    size_t count;
};

static void add_limit(void *context, const struct often_limit *o)
{
    struct shown *l = context;
    const struct rates_limit *r = o->limit;
    if (l->count < SHOWN_MAX)
        l->items[l->count++] = (struct limit){.name = view_str(r->name),
                                              .path = o->row ? o->row->path : (struct view){0},
                                              .by = o->by,
                                              .requests = r->quota,
                                              .seconds = (uint32_t)(r->window_ms / 1000),
                                              .burst = r->burst,
                                              .room = r->room,
                                              .taken = o->taken};
}

static RESULT fill_limits(struct often *often, uint64_t now_ns, struct arena *arena, struct entity_list *ret)
{
    struct shown l = {.items = arena_alloc(arena, SHOWN_MAX * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    often_each(often, now_ns, add_limit, &l);
    *ret = (struct entity_list){l.items, l.count};
    return OK;
}

static RESULT fill_patterns(const struct api_shared *s, struct arena *arena, struct patterns_shown *ret)
{
    const struct config_patterns *c = &s->config->guard.patterns;
    *ret = (struct patterns_shown){.mode = c->mode,
                                   .rules = s->patterns ? (uint32_t)patterns_count(s->patterns) : 0,
                                   .threshold = c->threshold,
                                   .body_bytes = c->body_bytes,
                                   .longer = c->longer};
    return inspect_files(s, arena, &ret->files);
}

static enum http_outcome status_get(struct http_request *req)
{
    const struct api_shared *s = api_of(req)->shared;
    const struct config_guard *c = &s->config->guard;
    struct status *status = arena_alloc(req->arena, sizeof *status);
    if (!status)
        return http_answer_error(req, ERR_NO_MEMORY);
    *status = (struct status){.record = c->record,
                              .authentication = c->authentication,
                              .failures = c->failures,
                              .automatic = c->automatic.mode,
                              .firewall = view_str(api_firewall_names[atomic_load(&s->health.firewall)]),
                              .firewall_left_out = atomic_load(&s->health.firewall_left_out)};
    fill_networks(c, guard_networks(s->guard), &status->networks);
    status->networks.put_off = strikes_put_off(s->strikes);
    status->networks.damaged = guard_damaged(s->guard);
    enum err e = fill_files(c, guard_netfiles(s->guard), people_now(req), req->arena, status);
    if (e == OK)
        e = fill_patterns(s, req->arena, &status->patterns);
    if (e == OK)
        e = fill_limits(guard_often(s->guard), s->clock->mono_ms(s->clock) * 1000000, req->arena, &status->limits);
    return e == OK ? http_answer_entity(req, 200, &status_entity, status) : http_answer_error(req, e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/guard/status", PERMISSION_AUDIT_VIEW, status_get, .name = "guard-status",
          .summary = "What the guard knows of networks and attacks, from which files, and how full its limits are",
          .tag = "networks", .ways = WAYS_ALL, .durability = DURABLE_NONE, .response = &status_entity),
};
const struct route_table guard_status_routes = {routes, ARRAY_LEN(routes)};
