/* How often somebody may ask (GRD-3), by GCRA (ITU-T I.371, Annex A): up to `burst` requests at once, and one more
 * every window / quota. So in no stretch of time more than burst + quota * stretch / window go through, wherever it
 * begins; no edge of a window doubles it.
 *
 * Several limits are asked at once, all or nothing: what one of them refuses costs none of them anything. Any thread
 * may ask; locks are held for some hundred nanoseconds, never across a call. Kept in memory alone.
 *
 * Memory is fixed: 64 to 128 bytes for each client of `room`, no matter how many come. A client takes up a place while
 * something of its burst is spent, so a flood of new clients fills at most (requests a second) * window / quota places.
 * Nobody's place is given to another while it is taken up: a flood never makes Holdfast forget what a client has spent.
 * When all seven places are taken where a newcomer belongs (a keyed hash says where), he shares one more with all other
 * newcomers there, as if they were one client: they may be refused early, and never let through too often. A client
 * that is known gets a stranger's place, whose debt goes to the shared one. */
#ifndef HOLDFAST_DOMAIN_GUARD_RATES_H
#define HOLDFAST_DOMAIN_GUARD_RATES_H

#include "base/clock.h"
#include "base/prefix.h"

#define RATES_AT_ONCE       8
#define RATES_NAME_MAX      32
#define RATES_ROOM          65536u /* clients, if nothing else is said */
#define RATES_ROOM_MAX      16777216u
#define RATES_MAX           1000000000u
#define RATES_WINDOW_MAX_MS UINT64_C(31622400000) /* 366 days */

struct rates_limit {
    char name[RATES_NAME_MAX + 1]; /* small letters, digits, - and _; what headers call it */
    uint32_t quota;                /* requests in a window */
    uint64_t window_ms;            /* 1000 at least */
    uint32_t burst;                /* requests at once; 0: quota */
    uint32_t room;                 /* clients; 0: RATES_ROOM */
};

struct rates;
/* ERR_BAD_VALUE: why says which member; ERR_NO_MEMORY. */
RESULT rates_new(const struct rates_limit *limit, const struct random *random, struct rates **ret, struct problem *why);
void rates_free(struct rates *r);
const struct rates_limit *rates_limit_of(const struct rates *r);

/* By address: each IPv4 address is a client, and each /64 of IPv6, since a host has a whole one to choose from. The
 * base is the key: 16 bytes. */
struct prefix rates_client(const struct address *a);

struct rates_ask {
    struct rates *rates;
    struct view key; /* of the client within these rates; no two asks have the same rates and key */
    bool known;      /* not a stranger: authenticated, or let in by the operator */
};
struct rates_state {
    bool refused;     /* there is no room in this one */
    uint32_t left;    /* requests that could come at once, after this one */
    uint64_t wait_ns; /* until there is room for one; 0: there is */
    uint64_t full_ns; /* until the whole burst is there again */
};

/* True: one request is counted in each. False: in none; those that have no room are refused. now_ns is monotonic. count
 * is at most RATES_AT_ONCE. */
bool rates_take(const struct rates_ask *asks, size_t count, uint64_t now_ns, struct rates_state *ret);
/* The same, without counting. */
bool rates_look(const struct rates_ask *asks, size_t count, uint64_t now_ns, struct rates_state *ret);
/* Takes back one request that was counted: what counts failures takes one beforehand, and gives it back on success. Of
 * those who share a place nothing is taken back. */
void rates_give(const struct rates_ask *asks, size_t count, uint64_t now_ns);

/* All that this client has spent is there again; but for those who share a place. */
void rates_forget(struct rates *r, struct view key, uint64_t now_ns);

/* Clients that have a place of their own at this time. Looks at no more than what 65536 of room take: of more room it
 * is an estimate from that part, which is as good as any since a keyed hash says where clients belong. */
size_t rates_live(struct rates *r, uint64_t now_ns);
size_t rates_bytes(const struct rates *r);

/* The values of RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10), which are lists of RFC 9651:
 * "address";q=100;w=60 and "address";r=99;t=1, where t is seconds until the whole burst is there again, or, with
 * nothing left, until one request is. */
void rates_put_policy(const struct rates_ask *asks, size_t count, struct writer *w);
void rates_put_state(const struct rates_ask *asks, const struct rates_state *states, size_t count, struct writer *w);
/* Seconds for Retry-After: until all that refused have room again, at least 1; 0 if none refused. */
uint64_t rates_retry_after(const struct rates_state *states, size_t count);

AUTO_DEFINE(struct rates *, rates_free);

#endif
