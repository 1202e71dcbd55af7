/* What strangers are refused is added up by source prefix, reason and second, and written within a budget: none of
 * them can fill the disk or the log. */
#include "api/inside.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define QUARTERS 4 /* of a record, each second */
#define LARGEST  (QUARTERS * ANONYMOUS_SLOTS)
#define AT_ONCE  8

/* IPv4 by /24, IPv6 by /48; a Unix user as he is. */
static void prefix_of(const struct http_peer *p, char out[static PREFIX_SIZE])
{
    uint8_t a[16];
    char text[INET6_ADDRSTRLEN];
    bool v4 = memcmp(p->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

    memcpy(a, p->address, sizeof a);
    if (v4)
        a[15] = 0;
    else
        memset(a + 6, 0, 10);
    if (p->is_unix)
        (void)snprintf(out, PREFIX_SIZE, "%s", p->text);
    else if (v4)
        (void)snprintf(out, PREFIX_SIZE, "%s/24", inet_ntop(AF_INET, a + 12, text, sizeof text));
    else
        (void)snprintf(out, PREFIX_SIZE, "%s/48", inet_ntop(AF_INET6, a, text, sizeof text));
}

static void count_in(struct api_inside *in, const char *prefix, enum err code, uint64_t second)
{
    struct api_anonymous *a;

    for (size_t i = 0; i < in->anonymous_count; i++) {
        a = &in->anonymous[i];
        if (a->code == code && a->second == second && strcmp(a->prefix, prefix) == 0) {
            a->count++;
            return;
        }
    }
    /* The last slot takes everybody for whom there is no room. */
    if (in->anonymous_count == ANONYMOUS_SLOTS) {
        a = &in->anonymous[ANONYMOUS_SLOTS - 1];
        (void)snprintf(a->prefix, sizeof a->prefix, "many");
        a->last_second = second;
        a->count++;
        return;
    }
    a = &in->anonymous[in->anonymous_count++];
    *a = (struct api_anonymous){.code = code, .second = second, .last_second = second, .count = 1};
    (void)snprintf(a->prefix, sizeof a->prefix, "%s", prefix);
}

void anonymous_count(struct api_thread *t, const struct http_request *req, enum err code)
{
    char prefix[PREFIX_SIZE];

    if (atomic_load(&t->shared->state) != API_SERVING)
        return; /* nothing can be recorded, and the answer says so */
    prefix_of(&req->peer, prefix);
    count_in(t->inside, prefix, code, req->wall_ms / 1000);
}

bool anonymous_budget(struct api_thread *t)
{
    struct api_inside *in = t->inside;

    if (in->budget < QUARTERS)
        return false;
    in->budget -= QUARTERS;
    return true;
}

/* --- those who are known, and refused again and again */

#define REFUSED_WINDOW_MS (5 * 60 * 1000u)

/* Who shares a slot with somebody else has to make do with the budget, so many identities don't lead around it. */
bool anonymous_first(struct api_thread *t, struct view who, enum err code, uint64_t now_ms)
{
    struct api_inside *in = t->inside;
    struct sip_seed seed = in->refused_seed;
    uint32_t window = (uint32_t)(now_ms / REFUSED_WINDOW_MS), *named;

    seed.k[1] ^= (uint64_t)code;
    named = &in->refused[sip_hash(&seed, who) % REFUSED_SLOTS];
    if (*named == window)
        return false;
    *named = window;
    return true;
}

bool anonymous_names(struct api_thread *t, struct view who, enum err code, uint64_t now_ms)
{
    return anonymous_first(t, who, code, now_ms) || anonymous_budget(t);
}

/* --- writing them down */

struct flush {
    struct api_thread *thread;
    struct txn txn;
    struct record records[AT_ONCE];
    char details[AT_ONCE][96];
    char sources[AT_ONCE][PREFIX_SIZE];
};

static void on_done(void *context, struct txn *txn)
{
    struct flush *f = context;
    struct arena *arena = txn->arena;

    f->thread->inside->anonymous_busy = false;
    f->thread->inside->under_way--;
    (void)change_noted(f->thread->shared, txn->result);
    arena_free(arena);
}

static void fill(struct flush *f, size_t i, const struct api_anonymous *a)
{
    struct record *r = &f->records[i];

    memcpy(f->sources[i], a->prefix, sizeof a->prefix);
    (void)snprintf(f->details[i], sizeof f->details[i], "{\"count\":%u,\"from\":%llu,\"to\":%llu}", (unsigned)a->count,
                   (unsigned long long)a->second, (unsigned long long)a->last_second);
    *r = (struct record){.type = EVENT_ANONYMOUS_REFUSALS,
                         .outcome = OUTCOME_REFUSED,
                         .who.source = view_str(f->sources[i]),
                         .what = {.resource = VIEW_STR("anonymous"),
                                  .detail = view_str(f->details[i]),
                                  .error = view_str(err_code(a->code))}};
}

static size_t affordable(struct api_inside *in)
{
    size_t n = in->anonymous_count < AT_ONCE ? in->anonymous_count : AT_ONCE;

    in->budget = in->budget + 1 > LARGEST ? LARGEST : in->budget + 1;
    if (n > in->budget / QUARTERS)
        n = in->budget / QUARTERS;
    return n;
}

void anonymous_flush(struct api_thread *t)
{
    struct api_inside *in = t->inside;
    size_t n = affordable(in);
    AUTO(arena_free) struct arena *arena = NULL;
    struct flush *f;

    if (n == 0 || in->anonymous_busy || !t->shared->ledger || atomic_load(&t->shared->state) != API_SERVING)
        return;
    if (arena_new(16384, 1u << 20, &arena) != OK || !(f = arena_alloc(arena, sizeof *f)))
        return;
    f->thread = t;
    for (size_t i = 0; i < n; i++)
        fill(f, i, &in->anonymous[i]);
    f->txn = (struct txn){.arena = arena, .records = f->records, .record_count = n, .done = on_done, .context = f};
    if (ledger_prepare(t->shared->ledger, &f->txn) != OK ||
        ledger_submit(t->shared->ledger, &f->txn, 1, t->mailbox) != OK)
        return;   /* counted on, and tried again in a second */
    arena = NULL; /* on_done's */
    in->anonymous_busy = true;
    in->under_way++;
    in->budget -= (uint32_t)n * QUARTERS;
    memmove(in->anonymous, in->anonymous + n, (in->anonymous_count - n) * sizeof *in->anonymous);
    in->anonymous_count -= n;
}
