/* A disk for tests: a VFS over SQLite's default one, which remembers what was not synced yet. At the cut each write
 * that was not synced is kept, dropped or torn into 512-byte sectors of which some are kept, on its own and by a seeded
 * generator, as a disk's cache may do. It can fail operations, too: a failed sync loses what it should have saved,
 * although later syncs succeed (as Linux does), and a failed write has written its first half.
 *
 * An operation is a write, truncation, sync or deletion. Use it with store_open("sqlite:/path?vfs=name", …). Files that
 * exist when first opened count as durable. All calls are thread-safe unless they say otherwise. */
#ifndef HOLDFAST_TESTS_VFS_POWERCUT_H
#define HOLDFAST_TESTS_VFS_POWERCUT_H

#include <stdbool.h>
#include <stdint.h>

struct powercut;

/* Registers the VFS; NULL on failure. name must outlive it. */
struct powercut *powercut_new(const char *name, uint64_t seed);
/* For a test that needs one end of the range: everything, or nothing, that was not synced is kept. */
enum powercut_luck { POWERCUT_RANDOM, POWERCUT_ALL_KEPT, POWERCUT_ALL_DROPPED };
void powercut_set_luck(struct powercut *p, enum powercut_luck luck);
void powercut_free(struct powercut *p); /* all connections closed */

unsigned long powercut_operations(struct powercut *p); /* so far */

/* The power goes at the n-th operation from now (1 is the next), during which it counts as begun. From then on every
 * operation fails. then (may be NULL) is called in the thread of that operation: a server would powercut_restore() and
 * _exit() there. */
void powercut_at(struct powercut *p, unsigned long n, void (*then)(void *context), void *context);
void powercut_now(struct powercut *p);
bool powercut_is_off(struct powercut *p);
/* Writes what the disk holds into the real files and turns the power on. Connections must be closed before, or die. */
bool powercut_restore(struct powercut *p);

/* The n-th operation from now and the count - 1 after it fail with SQLite's code (SQLITE_FULL, SQLITE_IOERR). */
void powercut_fail(struct powercut *p, unsigned long n, unsigned long count, int code);
/* Ends that, and says how many have failed since. */
unsigned long powercut_fail_end(struct powercut *p);

#endif
