#include "http/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* A peer is an IPv4 address, the /64 of an IPv6 address (what one customer gets), or a Unix user. */
struct peer_count {
    struct peer_count *next;
    uint8_t key[16];
    uint32_t count, bucket;
};

static void peer_key(const struct http_peer *p, uint8_t key[static 16])
{
    static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memset(key, 0, 16);
    if (p->is_unix) {
        key[0] = 0xff; /* multicast: no peer has it */
        memcpy(key + 8, &p->uid, sizeof p->uid);
        return;
    }
    bool v4 = !memcmp(p->address, MAPPED, sizeof MAPPED);
    memcpy(key, p->address, v4 ? 16 : 8);
}

static uint32_t bucket_of(const struct conn_table *t, const uint8_t key[static 16])
{
    uint32_t h = 2166136261u ^ t->seed; /* FNV-1a */
    for (size_t i = 0; i < 16; i++)
        h = (h ^ key[i]) * 16777619u;
    return (h ^ h >> 16) % ARRAY_LEN(t->buckets);
}

static struct peer_count *count_of(struct conn_table *t, const struct http_peer *peer)
{
    uint8_t key[16];
    peer_key(peer, key);
    uint32_t bucket = bucket_of(t, key);
    for (struct peer_count *p = t->buckets[bucket]; p; p = p->next)
        if (!memcmp(p->key, key, sizeof key))
            return p;
    struct peer_count *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    memcpy(p->key, key, sizeof key);
    p->bucket = bucket;
    p->next = t->buckets[bucket];
    t->buckets[bucket] = p;
    return p;
}

static void count_release(struct conn_table *t, struct peer_count *count)
{
    if (--count->count > 0)
        return;
    struct peer_count **at = &t->buckets[count->bucket];
    while (*at != count)
        at = &(*at)->next;
    *at = count->next;
    free(count);
}

static RESULT unix_peer(int fd, struct http_peer *p)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return ERR_IO;
    p->is_unix = true;
    p->uid = who.uid;
    p->gid = who.gid;
    p->pid = who.pid;
    snprintf(p->text, sizeof p->text, "unix:%u", (unsigned)who.uid);
    return OK;
}

static RESULT inet_peer(const struct sockaddr_storage *address, struct http_peer *p)
{
    struct sockaddr_in6 v6 = {0};
    struct sockaddr_in v4 = {0};
    if (address->ss_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        memcpy(p->address, &v6.sin6_addr, 16);
        p->port = ntohs(v6.sin6_port);
    } else if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        p->address[10] = p->address[11] = 0xff;
        memcpy(p->address + 12, &v4.sin_addr, 4);
        p->port = ntohs(v4.sin_port);
    } else {
        return ERR_IO;
    }
    struct in6_addr a;
    memcpy(&a, p->address, sizeof a);
    bool mapped = IN6_IS_ADDR_V4MAPPED(&a);
    const char *text = mapped ? inet_ntop(AF_INET, p->address + 12, p->text, sizeof p->text)
                              : inet_ntop(AF_INET6, p->address, p->text, sizeof p->text);
    return text ? OK : ERR_IO;
}

RESULT conn_peer(int fd, enum http_listener_kind kind, const struct sockaddr_storage *address, struct http_peer *ret)
{
    struct http_peer p = {.uid = (uid_t)-1, .gid = (gid_t)-1, .is_tls = kind == HTTP_LISTEN_TLS};
    TRY(kind == HTTP_LISTEN_UNIX ? unix_peer(fd, &p) : inet_peer(address, &p));
    *ret = p;
    return OK;
}

RESULT conn_add(struct conn_table *t, const struct http_peer *peer, uint32_t per_peer, struct conn **ret)
{
    struct peer_count *count = count_of(t, peer);
    if (!count)
        return ERR_NO_MEMORY;
    bool full = count->count >= per_peer;
    count->count++;
    struct conn *c = full ? NULL : calloc(1, sizeof *c);
    if (!c) {
        count_release(t, count);
        return full ? ERR_BUSY : ERR_NO_MEMORY;
    }
    c->peer = *peer;
    c->count = count;
    c->deadline_ms = UINT64_MAX;
    c->next = t->first;
    if (t->first)
        t->first->prev = c;
    t->first = c;
    t->count++;
    *ret = c;
    return OK;
}

void conn_remove(struct conn_table *t, struct conn *c)
{
    count_release(t, c->count);
    if (c->prev)
        c->prev->next = c->next;
    else
        t->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    t->count--;
    free(c->certificate);
    free(c);
}

void conn_phase(struct conn_table *t, struct conn *c, enum conn_phase phase, uint64_t deadline_ms)
{
    c->phase = phase;
    c->deadline_ms = deadline_ms;
    if (deadline_ms < t->next_ms)
        t->next_ms = deadline_ms;
}
