#include "key_table.h"

#include "bench.h"

#include <stdio.h>

void key_table_init(struct key_table *t)
{
    AUTO(keyring_free) struct keyring *ring = NULL;
    *t = (struct key_table){0};
    bench_must(keyring_new(KEY_CLASS_STATE, &ring), "a ring");
    bench_must(keyring_rotate(ring, KEY_TABLE_NOW, random_system()), "a ring");
    bench_must(row_keys_new(ring, AEAD_XAES_256_GCM, &t->row_keys), "keys of rows");
    bench_must(api_keys_new(&t->keys), "a table");
}

void key_table_done(struct key_table *t)
{
    api_keys_free(t->keys);
    row_keys_free(t->row_keys);
    free(t->texts);
}

const char *key_table_id(const struct key_table *t, unsigned i)
{
    return t->texts[i].text + KEY_TABLE_ID_AT;
}

static void make_key(struct key_table *t, unsigned i, struct arena *arena)
{
    static struct view roles[] = {VIEW_STR("trader")};
    static struct view paths[] = {VIEW_STR("exchange/binance/main")};
    struct key_text *text = &t->texts[i];
    struct api_key_parts parts;
    struct txn_change c;
    char name[32], owner[16];
    (void)snprintf(name, sizeof name, "bot-%06u", i);
    (void)snprintf(owner, sizeof owner, "user%u", i % KEY_TABLE_OWNERS);
    bench_must(api_key_make(random_system(), 3, text->text, &parts), "a key");
    text->len = (uint8_t)strlen(text->text);
    struct api_key k = {.id = view_str(parts.id),
                        .name = view_str(name),
                        .owner = view_str(owner),
                        .environment = 3,
                        .status = KEY_ACTIVE,
                        .usage = KEY_EXECUTE_ONLY,
                        .roles = {roles, 1},
                        .credentials = {paths, 1},
                        .pepper_epoch = 1,
                        .created_ms = KEY_TABLE_NOW,
                        .term_ms = KEY_TABLE_NOW,
                        .expires_ms = KEY_TABLE_NOW + 86400000,
                        .per_hour = 1000,
                        .per_day = 10000,
                        .burst = 100};
    bench_must(api_key_verifier(t->row_keys, 1, parts.hash, k.verifier), "its verifier");
    bench_must(api_key_put(t->row_keys, &k, NULL, arena, &c), "its row");
    bench_must(api_keys_applied(t->keys, &c), "the table");
}

void key_table_grow(struct key_table *t, unsigned count, struct arena *arena)
{
    struct key_text *texts = realloc(t->texts, count * sizeof *texts);
    bench_must(texts ? OK : ERR_NO_MEMORY, "memory");
    t->texts = texts;
    for (; t->count < count; t->count++, arena_reset(arena))
        make_key(t, t->count, arena);
}
