/* Grants by the many: listed, and taken out when they are over. There may be as many as there are people, so a request
 * looks at all and keeps the few that it needs. */
#include "domain/tokens/inside.h"

#define DAY_MS 86400000u /* no access token lives longer */

/* By time alone nothing can be had by it: no refresh, and no access token that came from it is good. Revoked ones wait
 * for their time as well, since what is distrusted for want of memory is good again after a start. */
static bool is_dead(const struct known_grant *k, uint64_t now_ms)
{
    return now_ms >= k->expires_ms || (now_ms >= k->idle_at_ms && now_ms - k->idle_at_ms >= DAY_MS);
}

static bool is_over(struct tokens *t, const struct known_grant *k, uint64_t now_ms)
{
    return now_ms >= k->idle_at_ms || !tokens_grant_lives(t, k, now_ms);
}

static bool is_of(const struct known_grant *k, struct view user)
{
    return user.len == 0 || view_eq(view_str(k->subject + 5), user);
}

static int compare(const struct grant_place *a, const struct grant_place *b)
{
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return memcmp(a->id, b->id, sizeof a->id);
}

/* --- a page of them */

struct paging {
    struct tokens *t;
    const struct grants_range *range;
    const struct known_grant **first; /* the oldest so far, in order */
    size_t count;
};

static bool is_wanted(const struct paging *p, const struct known_grant *k)
{
    const struct grants_range *r = p->range;

    return is_of(k, r->user) && compare(&k->place, &r->after) > 0 && !is_over(p->t, k, r->now_ms);
}

static bool page_grant(void *context, void *value)
{
    struct paging *p = context;
    const struct known_grant *k = value;
    size_t at = p->count;

    if (!is_wanted(p, k) || (at == p->range->limit && compare(&k->place, &p->first[at - 1]->place) > 0))
        return true;
    at -= at == p->range->limit; /* the last one has to go */
    p->count = at + 1;
    while (at > 0 && compare(&k->place, &p->first[at - 1]->place) < 0) {
        p->first[at] = p->first[at - 1];
        at--;
    }
    p->first[at] = k;
    return true;
}

static RESULT copy_page(const struct paging *p, struct arena *arena, struct grant *out)
{
    for (size_t n = 0; n < p->count; n++) {
        struct grant_found f;
        TRY(tokens_copy_grant(p->first[n], arena, &f));
        out[n] = f.grant;
    }
    return OK;
}

RESULT tokens_grants(struct tokens *t, const struct grants_range *range, struct arena *arena, struct entity_list *ret)
{
    struct paging p = {.t = t, .range = range};
    struct grant *out = arena_alloc(arena, (range->limit + 1) * sizeof *out);

    p.first = arena_alloc(arena, (range->limit + 1) * sizeof *p.first);
    if (!out || !p.first || range->limit == 0)
        return range->limit ? ERR_NO_MEMORY : ERR_OUT_OF_RANGE;
    table_enter();
    table_visit(t->grants, page_grant, &p);
    enum err e = copy_page(&p, arena, out);
    table_leave();
    TRY(e);
    *ret = (struct entity_list){out, p.count};
    return OK;
}

/* --- whether there is one */

struct seeking {
    struct view user;
    bool found;
};

static bool seek(void *context, void *value)
{
    struct seeking *s = context;

    s->found = is_of(value, s->user);
    return !s->found;
}

bool tokens_has_grant(struct tokens *t, struct view user)
{
    struct seeking s = {.user = user};

    table_enter();
    table_visit(t->grants, seek, &s);
    table_leave();
    return s.found;
}

/* --- taking them out */

struct taking {
    struct tokens *t;
    const struct row_keys *keys;
    struct view user; /* or empty: whatever is dead */
    uint64_t now_ms;
    struct arena *arena;
    const struct known_grant *live[GRANTS_PER_USER]; /* of the user, the newest last */
    size_t live_count;
    struct txn_change *out;
    size_t count;
    enum err error;
};

static bool take(struct taking *x, const struct known_grant *k)
{
    struct grant_found f;

    if (x->count == TOKENS_ENDED_MAX)
        return false;
    x->error = tokens_copy_grant(k, x->arena, &f);
    if (x->error == OK)
        x->error = grant_remove(x->keys, &f, x->arena, &x->out[x->count]);
    x->count += x->error == OK;
    return x->error == OK;
}

/* Keeps the newest but one place; what does not fit goes. */
static bool take_oldest(struct taking *x, const struct known_grant *k)
{
    const size_t room = GRANTS_PER_USER - 1;
    size_t at = x->live_count;

    for (; at > 0 && compare(&k->place, &x->live[at - 1]->place) < 0; at--)
        x->live[at] = x->live[at - 1];
    x->live[at] = k;
    if (++x->live_count <= room)
        return true;
    k = x->live[0];
    memmove(&x->live[0], &x->live[1], room * sizeof x->live[0]);
    x->live_count = room;
    return take(x, k);
}

static bool look(void *context, void *value)
{
    struct taking *x = context;
    const struct known_grant *k = value;

    if (x->user.len == 0)
        return !is_dead(k, x->now_ms) || take(x, k);
    if (!is_of(k, x->user))
        return true;
    return is_over(x->t, k, x->now_ms) ? take(x, k) : take_oldest(x, k);
}

static RESULT take_all(struct taking *x)
{
    x->out = arena_alloc(x->arena, TOKENS_ENDED_MAX * sizeof *x->out);
    if (!x->out)
        return ERR_NO_MEMORY;
    table_enter();
    table_visit(x->t->grants, look, x);
    table_leave();
    return x->error;
}

RESULT tokens_make_room(struct tokens *t, const struct row_keys *keys, struct view user, uint64_t now_ms,
                        struct arena *arena, struct txn_change **ret, size_t *ret_count)
{
    struct taking x = {.t = t, .keys = keys, .user = user, .now_ms = now_ms, .arena = arena};

    if (user.len == 0)
        return ERR_BAD_VALUE;
    TRY(take_all(&x));
    *ret = x.out;
    *ret_count = x.count;
    return OK;
}

RESULT tokens_end_over(struct tokens *t, const struct row_keys *keys, uint64_t now_ms, struct arena *arena,
                       struct txn_change **ret, size_t *ret_count)
{
    struct taking x = {.t = t, .keys = keys, .now_ms = now_ms, .arena = arena};

    TRY(take_all(&x));
    *ret = x.out;
    *ret_count = x.count;
    return x.count ? OK : ERR_NOT_FOUND;
}
