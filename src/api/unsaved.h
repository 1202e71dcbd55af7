/* Automatic blocks that are in force and have no row yet. Rows and records go together, up to UNSAVED_TOGETHER blocks
 * to a record, which names each of them: at once while there are few; beyond a budget as soon as there are so many, or
 * after UNSAVED_MS. A crash loses the blocks, and the record, of that time and of the commit under way. What can't be
 * committed is taken back: no block outlives the moment without its record.
 *
 * Bounded: UNSAVED_MAX of them. Thread 0's, but for unsaved_withdraw. */
#ifndef HOLDFAST_API_UNSAVED_H
#define HOLDFAST_API_UNSAVED_H

#include "api/context.h"

#define UNSAVED_MAX      512
#define UNSAVED_TOGETHER RECORD_THINGS_MAX
#define UNSAVED_MS       500

struct unsaved;
/* room: is called when there is some again. For s->first, once it is set; before the threads run. */
RESULT unsaved_new(struct api_shared *s, void (*room)(void *context), void *context, struct unsaved **ret);
void unsaved_free(struct unsaved *u); /* after the ledger was closed, and the loop freed */

size_t unsaved_room(const struct unsaved *u);
bool unsaved_has(const struct unsaved *u, const struct prefix *network);
/* It comes into force. before: its row as kept_get gave it, version 0 if there is none. ERR_LIMIT_REACHED,
 * ERR_NO_MEMORY. */
RESULT unsaved_add(struct unsaved *u, const struct kept *block, const struct kept *before);
/* After those that came at once. */
void unsaved_save(struct unsaved *u);
/* Somebody takes it back; in memory it is his to end. Any thread. Version 0 in *ret: it gets no row any more, and its
 * record says so. Else it is on its way, and *ret is that row, which a change that is submitted from now on finds.
 * ERR_NOT_FOUND; ERR_BUSY: it is handed in at this moment. */
RESULT unsaved_withdraw(struct unsaved *u, const struct prefix *network, struct kept *ret);

AUTO_DEFINE(struct unsaved *, unsaved_free);

#endif
