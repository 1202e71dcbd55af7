/* networks_lookup: nanoseconds to look up an address among a million prefixes, against a binary search in a sorted
 * array of them, which finds no longer prefix and can't change. rates_check: nanoseconds to ask three limits at once,
 * against three keyed hashes of the same keys. How both grow goes to standard error; docs/performance.md has the table.
 */
#include "bench.h"
#include "prefixes.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/rcu.h"
#include "base/sip.h"
#include "domain/guard/networks.h"
#include "domain/guard/rates.h"

#define NOW     UINT64_C(1790000000000)
#define LOOKUPS 1000000u
#define LARGEST 1000000u
#define TURN    50u /* look-ups in one section */

static int by_base(const void *x, const void *y)
{
    return memcmp(((const struct prefix *)x)->base.b, ((const struct prefix *)y)->base.b, 16);
}

static struct prefix *sorted(size_t count, bool six)
{
    struct prefix *all = calloc(count, sizeof *all);
    bench_must(all ? OK : ERR_NO_MEMORY, "prefixes");
    for (size_t i = 0; i < count; i++)
        all[i] = prefixes_random(six);
    qsort(all, count, sizeof *all, by_base);
    return all;
}

/* Half of them are listed. */
static struct address *addresses(const struct prefix *all, size_t count)
{
    struct address *a = calloc(LOOKUPS, sizeof *a);
    bench_must(a ? OK : ERR_NO_MEMORY, "addresses");
    for (size_t i = 0; i < LOOKUPS; i++)
        a[i] = prefixes_address(all, count, i % 2);
    return a;
}

static double search_round(const struct prefix *all, size_t count, const struct address *a)
{
    size_t found = 0;
    double start = bench_cpu();
    for (size_t i = 0; i < LOOKUPS; i++) {
        size_t low = 0, high = count;
        while (low < high) {
            size_t mid = (low + high) / 2;
            if (memcmp(all[mid].base.b, a[i].b, 16) <= 0)
                low = mid + 1;
            else
                high = mid;
        }
        found += low && prefix_holds(&all[low - 1], &a[i]);
    }
    bench_must(found >= LOOKUPS / 3 ? OK : ERR_INTERNAL, "the search");
    return (bench_cpu() - start) * 1e9 / LOOKUPS;
}

static double lookup_round(struct networks *n, const struct address *a)
{
    size_t found = 0;
    struct networks_rule r;
    double start = bench_cpu();
    for (size_t i = 0; i < LOOKUPS; i++) {
        if (i % TURN == 0) /* a section for each look-up would cost some 40 ns more */
            rcu_enter();
        networks_look_up(n, &a[i], NOW, &r);
        found += r.action == NETWORKS_BLOCK;
        if (i % TURN == TURN - 1)
            rcu_leave();
    }
    bench_must(found >= LOOKUPS / 3 ? OK : ERR_INTERNAL, "the look-up");
    return (bench_cpu() - start) * 1e9 / LOOKUPS;
}

static double change_round(struct networks *n)
{
    struct networks_rule r = {.action = NETWORKS_BLOCK, .origin = NETWORKS_AUTOMATIC, .ends_ms = NOW + 1};
    double start = bench_cpu();
    for (unsigned i = 0; i < 20000; i++) {
        r.network = prefixes_random(false);
        bench_must(networks_put(n, &r), "a block");
    }
    double ns = (bench_cpu() - start) * 1e9 / 20000;
    while (networks_count(n).automatic) {
        struct networks_rule ended[512];
        size_t found = networks_ended(n, NOW + 1, 1u << 20, ended, ARRAY_LEN(ended));
        for (size_t i = 0; i < found; i++)
            bench_must(networks_remove(n, &ended[i].network, ended[i].origin), "the end of a block");
    }
    return ns;
}

static void networks_at(size_t count, bool six, struct writer *json)
{
    double ours[BENCH_ROUNDS], theirs[BENCH_ROUNDS];
    struct prefix *all = sorted(count, six);
    struct address *a = addresses(all, count);
    struct networks *n = NULL;
    bench_must(networks_new(&n), "networks");
    double seconds = prefixes_load(n, all, count);
    const struct networks_count c = networks_count(n);
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        ours[i] = lookup_round(n, a);
        theirs[i] = search_round(all, count, a);
    }
    double value = bench_median(ours, BENCH_ROUNDS), baseline = bench_median(theirs, BENCH_ROUNDS);
    fprintf(stderr,
            "%s, %8zu prefixes: look-up %5.0f ns, binary search %5.0f ns, a block added %5.0f ns, loaded in %.3f s, "
            "%.0f bytes each\n",
            six ? "IPv6" : "IPv4", c.prefixes, value, baseline, change_round(n), seconds,
            (double)c.bytes / (double)c.prefixes);
    if (count == LARGEST && !six)
        bench_result(json, "networks_lookup", value, baseline, "ns");
    networks_free(n);
    free(all);
    free(a);
}

/* --- rates */

static struct rates *limit(const char *name, uint32_t quota, uint32_t room)
{
    struct rates_limit l = {.quota = quota, .window_ms = 60000, .room = room};
    struct rates *r = NULL;
    (void)snprintf(l.name, sizeof l.name, "%s", name);
    bench_must(rates_new(&l, random_system(), &r, NULL), "a limit");
    return r;
}

static double check_round(struct rates *const r[3], size_t clients, uint64_t *now)
{
    struct rates_state s[3];
    double start = bench_cpu();
    for (size_t i = 0; i < LOOKUPS; i++) {
        uint64_t client[2] = {i * UINT64_C(0x9e3779b97f4a7c15) % clients, 0}, key = client[0] % 1000;
        const struct rates_ask asks[] = {{r[0], VIEW(client, sizeof client), false},
                                         {r[1], VIEW(&key, sizeof key), true},
                                         {r[2], VIEW_STR("/api/v1/execute"), true}};
        (void)rates_take(asks, 3, *now += 1000, s);
    }
    return (bench_cpu() - start) * 1e9 / LOOKUPS;
}

static double hash_round(size_t clients)
{
    const struct sip_seed seed = {{1, 2}};
    uint64_t sum = 0;
    double start = bench_cpu();
    for (size_t i = 0; i < LOOKUPS; i++) {
        uint64_t client[2] = {i * UINT64_C(0x9e3779b97f4a7c15) % clients, 0}, key = client[0] % 1000;
        sum += sip_hash(&seed, VIEW(client, sizeof client)) + sip_hash(&seed, VIEW(&key, sizeof key)) +
               sip_hash(&seed, VIEW_STR("/api/v1/execute"));
    }
    bench_must(sum ? OK : ERR_INTERNAL, "the hash");
    return (bench_cpu() - start) * 1e9 / LOOKUPS;
}

static void rates_at(size_t clients, struct writer *json)
{
    double ours[BENCH_ROUNDS], theirs[BENCH_ROUNDS];
    struct rates *r[] = {limit("address", 100, 65536), limit("key", 1000000, 65536), limit("endpoint", 100000000, 16)};
    uint64_t now = NOW;
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        ours[i] = check_round(r, clients, &now);
        theirs[i] = hash_round(clients);
    }
    double value = bench_median(ours, BENCH_ROUNDS), baseline = bench_median(theirs, BENCH_ROUNDS);
    fprintf(
        stderr,
        "three limits, %8zu clients: %5.0f ns, their hashes alone %5.0f ns, %zu clients with a place of %zu bytes\n",
        clients, value, baseline, rates_live(r[0], now), rates_bytes(r[0]));
    if (clients == LARGEST)
        bench_result(json, "rates_check", value, baseline, "ns");
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        rates_free(r[i]);
}

int main(void)
{
    AUTO_WRITER json = writer_new(1024);
    for (size_t count = 100; count <= LARGEST; count *= 100)
        networks_at(count, false, &json);
    for (size_t count = 100; count <= LARGEST; count *= 100)
        networks_at(count, true, &json);
    for (size_t clients = 100; clients <= LARGEST; clients *= 100)
        rates_at(clients, &json);
    bench_print(&json);
    return 0;
}
