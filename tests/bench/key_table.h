/* API keys as a desk with many bots has them, and what the client of each shows. */
#ifndef HOLDFAST_BENCH_KEY_TABLE_H
#define HOLDFAST_BENCH_KEY_TABLE_H

#include "domain/keys/keys.h"

#define KEY_TABLE_NOW    UINT64_C(1790000000000) /* when they were made */
#define KEY_TABLE_OWNERS 1000u                   /* "user0", … */
#define KEY_TABLE_ID_AT  9u                      /* behind "hfk_live_" */

struct key_text {
    char text[API_KEY_TEXT_SIZE];
    uint8_t len;
};
struct key_table {
    struct api_keys *keys;
    struct row_keys *row_keys;
    struct key_text *texts;
    unsigned count;
};

/* Empty, and later with as many keys as wanted. Both exit where something fails. arena is reset. */
void key_table_init(struct key_table *t);
void key_table_grow(struct key_table *t, unsigned count, struct arena *arena);
void key_table_done(struct key_table *t);
const char *key_table_id(const struct key_table *t, unsigned i); /* API_KEY_ID_LEN characters, not terminated */

#endif
