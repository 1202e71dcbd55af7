/* The feed of a front between a real ledger and a real keeper, all in one loop; the channel between them can be cut,
 * and its answers held back. */
#ifndef HOLDFAST_TESTS_FRONT_FEED_WORLD_H
#define HOLDFAST_TESTS_FRONT_FEED_WORLD_H

#include "../keeper/rig.h"
#include "front/front.h"

struct world {
    struct front front;
    struct rig *keeper;
    struct channel *desk;  /* the keeper's end */
    struct row_keys *keys; /* of the first hello */
    int64_t wall_shift_ms; /* what somebody set the clock by */
    uint64_t skipped_ms;   /* time that the test let pass */
    bool deaf;             /* the keeper reads and does not answer */
    enum err refuse_note;  /* what a checkpoint is refused with; OK: it is signed */
    bool forge_note;       /* it is signed by somebody else */
    unsigned notes, appends, hellos;
    bool refused; /* life_refuse was called */
    char sentence[200];
    unsigned answers;
    enum err last; /* result of the last transaction */
};

extern struct world *world; /* the test's own */

/* url: of the store. fed: the feed is subscribed and on. */
void world_new(const char *url);
void world_feed(void); /* subscribes, and says hello */
void world_free(void);
void world_connect(void); /* a channel to the keeper, and hello */
void world_cut(void);     /* the keeper's process is gone */
void world_revive(void);  /* a new one on the same anchor, unsealed */

void world_turn(void);
void world_skip(uint64_t ms); /* time passes */
/* Turns until condition() holds; fails the test after some seconds. */
void world_until(bool (*condition)(void));
bool world_caught_up(void);           /* the keeper has everything, and the feed knows */
enum err world_record(void);          /* one record of the front's, awaited */
void world_records(size_t n);         /* many, at once, awaited */
void world_log_pending(void);         /* what the keeper authored, as the front brings it */
enum err world_submit(struct txn *t); /* awaited */
void world_same_root(void);           /* keeper and store agree on every byte */
uint64_t world_keeper_size(void);
uint64_t world_stored_checkpoint(void); /* size of the newest one in the store; 0 = none */

#endif
