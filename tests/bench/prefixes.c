#include "prefixes.h"

#include "bench.h"

static uint64_t dice_state = 11;

uint64_t prefixes_dice(void)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return dice_state;
}

struct prefix prefixes_random(bool six)
{
    uint64_t r = prefixes_dice(), more = prefixes_dice();
    struct address a = {{[10] = 0xff, [11] = 0xff}};
    if (six)
        memset(a.b, 0, sizeof a.b);
    memcpy(a.b + (six ? 0 : 12), &r, six ? 8 : 4);
    if (six)
        a.b[0] = 0x20 | (a.b[0] & 0x1f);
    unsigned whole = six ? 64 : 128;
    return prefix_around(&a, more % 10 ? whole : whole - (unsigned)(more >> 8) % 12);
}

struct address prefixes_address(const struct prefix *all, size_t count, bool listed)
{
    const struct prefix *p = &all[prefixes_dice() % count];
    return listed ? p->base : prefixes_random(!prefix_is_ipv4(p)).base;
}

double prefixes_load(struct networks *n, const struct prefix *all, size_t count)
{
    AUTO_WRITER text = writer_new((size_t)64 << 20);
    struct networks_feed_report report;
    for (size_t i = 0; i < count; i++) {
        char line[PREFIX_TEXT_SIZE];
        prefix_format(&all[i], line);
        writer_str(&text, line);
        writer_u8(&text, '\n');
    }
    bench_must(writer_done(&text), "a feed");
    double start = bench_now();
    bench_must(networks_feed_load(n, "bench", writer_view_of(&text), 0, &report, NULL), "the feed");
    return bench_now() - start;
}
