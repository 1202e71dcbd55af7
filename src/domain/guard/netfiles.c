#include "domain/guard/netfiles.h"

#include "domain/guard/whole.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

struct netfiles {
    const struct config_guard *config;
    struct networks *networks;
    struct geo *geo; /* NULL: countries are not asked about */
    struct geo_rule rule;
    atomic_size_t unheard;
    pthread_mutex_t lock; /* of what follows */
    size_t count;
    struct one {
        bool heard;
        struct netfiles_status status;
    } all[];
};

static RESULT read_rule(const struct config_guard_countries *from, struct geo_rule *ret)
{
    const struct text_list *codes = from->allow.count ? &from->allow : &from->block;
    struct geo_rule r = {.only = from->allow.count > 0,
                         .closed = from->without != CONFIG_OPEN,
                         .max_age_ms = from->max_age_days * DAY_MS};
    for (size_t i = 0; i < codes->count; i++)
        TRY(geo_countries_add(&r.countries, codes->items[i]));
    *ret = r;
    return OK;
}

RESULT netfiles_new(const struct config_guard *config, struct networks *networks, struct netfiles **ret)
{
    size_t count = config_guard_files(config);
    AUTO(netfiles_free) struct netfiles *l = calloc(1, sizeof *l + count * sizeof l->all[0]);
    if (!l)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&l->lock, NULL);
    l->config = config;
    l->networks = networks;
    l->count = count;
    atomic_init(&l->unheard, count);
    for (size_t i = 0; i < count; i++)
        l->all[i].status.state = NETFILES_NONE;
    if (config->countries.database.len) {
        TRY(read_rule(&config->countries, &l->rule));
        TRY(geo_new(&l->geo));
    }
    *ret = TAKE(l);
    return OK;
}

void netfiles_free(struct netfiles *l)
{
    if (!l)
        return;
    geo_free(l->geo);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

size_t netfiles_count(const struct netfiles *l)
{
    return l->count;
}

/* --- taking */

static RESULT check_whole(const struct whole *file, struct problem *why)
{
    if (file->len == 0)
        return problem_set(why, ERR_MALFORMED, "", "The file is empty.");
    if (file->bytes[file->len - 1] != '\n')
        return problem_set(why, ERR_MALFORMED, "", "The last line does not end: the file was cut short.");
    return OK;
}

static RESULT take_feed(struct netfiles *l, const struct config_guard_feed *feed, const struct whole *file,
                        struct netfiles_status *s, struct problem *why)
{
    char name[NETWORKS_FEED_NAME_MAX + 1];
    uint64_t from = file->changed_ms < s->loaded_ms ? file->changed_ms : s->loaded_ms;
    s->ends_ms = feed->hours ? from + feed->hours * HOUR_MS : 0;
    TRY(view_to_str(feed->name, name, sizeof name));
    TRY(check_whole(file, why));
    return networks_feed_load(l->networks, name, VIEW(file->bytes, file->len), s->ends_ms, &s->report, why);
}

/* Takes file's bytes. */
static RESULT take(struct netfiles *l, const struct config_guard_feed *feed, struct whole *file,
                   struct netfiles_status *s, struct problem *why)
{
    sha256(VIEW(file->bytes, file->len), s->sha256);
    s->bytes = file->len;
    s->changed_ms = file->changed_ms;
    if (!feed)
        return geo_load(l->geo, file->bytes, file->len, s->loaded_ms, why);
    enum err e = take_feed(l, feed, file, s, why);
    free(file->bytes);
    return e;
}

/* now: what is in force; NULL: it stays as it is, and why says so. */
static void note(struct netfiles *l, size_t which, const struct netfiles_status *now, const struct problem *why,
                 uint64_t now_ms)
{
    struct one *o = &l->all[which];
    pthread_mutex_lock(&l->lock);
    if (now) {
        o->status = *now;
    } else {
        o->status.failed = *why;
        o->status.failed_ms = now_ms;
    }
    bool first = !o->heard;
    o->heard = true;
    pthread_mutex_unlock(&l->lock);
    if (first)
        atomic_fetch_sub_explicit(&l->unheard, 1, memory_order_release);
}

RESULT netfiles_take(struct netfiles *l, size_t which, int fd, uint64_t now_ms, struct problem *why)
{
    const struct config_guard_feed *feed = config_guard_file(l->config, which).feed;
    struct netfiles_status s = {.state = NETFILES_IN_FORCE, .loaded_ms = now_ms};
    struct problem found = {0};
    struct whole file;
    enum err e = whole_read(fd, feed ? NETFILES_FEED_MAX : GEO_FILE_MAX, &file, &found);
    if (e == OK)
        e = take(l, feed, &file, &s, &found);
    if (e != OK && found.code == OK)
        (void)!problem_set(&found, e, "", "%s", err_sentence(e));
    note(l, which, e == OK ? &s : NULL, &found, now_ms);
    if (e != OK && why)
        *why = found;
    return e;
}

void netfiles_missing(struct netfiles *l, size_t which, const struct problem *why, uint64_t now_ms)
{
    note(l, which, NULL, why, now_ms);
}

bool netfiles_ready(const struct netfiles *l)
{
    return atomic_load_explicit(&l->unheard, memory_order_acquire) == 0;
}

/* --- countries */

bool netfiles_ask_countries(const struct netfiles *l)
{
    return l->geo != NULL;
}

void netfiles_judge(const struct netfiles *l, const struct address *a, uint64_t now_ms, struct geo_answer *ret)
{
    geo_judge(l->geo, &l->rule, a, now_ms, ret);
}

/* --- status */

void netfiles_status(struct netfiles *l, size_t which, uint64_t now_ms, struct netfiles_status *ret)
{
    pthread_mutex_lock(&l->lock);
    *ret = l->all[which].status;
    pthread_mutex_unlock(&l->lock);
    if (ret->state == NETFILES_NONE)
        return;
    bool old = ret->ends_ms && ret->ends_ms <= now_ms;
    if (!config_guard_file(l->config, which).feed) {
        geo_status(l->geo, &ret->database);
        old = geo_is_old(&l->rule, ret->database.built_ms, now_ms);
    }
    ret->state = old ? NETFILES_OLD : NETFILES_IN_FORCE;
}

enum netfiles_trouble netfiles_trouble(struct netfiles *l, uint64_t now_ms)
{
    enum netfiles_trouble worst = NETFILES_WELL;
    for (size_t i = 0; i < l->count && netfiles_ready(l); i++) {
        struct netfiles_status s;
        enum netfiles_trouble of = NETFILES_WELL;
        netfiles_status(l, i, now_ms, &s);
        if (s.state != NETFILES_IN_FORCE)
            of = config_guard_file(l->config, i).feed ? NETFILES_FEED_OFF : NETFILES_COUNTRIES_OFF;
        else if (s.failed.code != OK)
            of = NETFILES_NOT_TAKEN;
        worst = of > worst ? of : worst;
    }
    return worst;
}
