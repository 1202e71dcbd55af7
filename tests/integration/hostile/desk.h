/* The real keeper and the real signer as processes in their sandboxes. This program is the supervisor, the operator,
 * and the front: it holds the front's ends of the sockets and may send whatever it likes. */
#ifndef HOLDFAST_TEST_HOSTILE_DESK_H
#define HOLDFAST_TEST_HOSTILE_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/keeper_msg.h"
#include "ipc/signer_msg.h"
#include "ledger/leaf.h"

#include <sys/types.h>

/* For policies: orders, with what an administrator has to accept of Binance's signatures. */
#define CLASSES                                                                                                        \
    "\"classes\":[\"read\",\"cancel\",\"order\"],\"exceptions\":["                                                     \
    "{\"endpoint\":\"* /sapi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"},"                    \
    "{\"endpoint\":\"* /papi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"}]"
#define SECRET "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

struct desk {
    char directory[64];
    int anchor, listener;
    pid_t keeper, signer;
    int keeper_control, signer_control; /* the supervisor's ends */
    int to_keeper, to_signer;           /* the front's ends */
    uint64_t next_id;
    struct arena *arena;
    struct keeper_init_done init;
    uint8_t admin_seed[32];
    uint64_t logged;
    const char *venue, *scheme, *secret; /* of the credential that desk_put stores */
};

struct desk *desk_new(void); /* started, initialised, unsealed */
void desk_free(struct desk *d);
void desk_kill(struct desk *d);  /* power off: both processes die at once */
void desk_start(struct desk *d); /* again, on the same anchor */
void desk_unseal(struct desk *d);

/* A raw frame, exactly these bytes. false if the socket takes no more now. */
bool desk_raw(int fd, const void *bytes, size_t len);
/* One frame within ms, or false. */
bool desk_receive(int fd, int ms, uint8_t *out, size_t cap, size_t *ret_len);
/* A proper request; the answer's error, and its entity decoded into ret (may be NULL). Events on the way are dropped.
 */
enum err desk_keeper(struct desk *d, uint16_t type, const void *request, void *ret);
enum err desk_signer(struct desk *d, uint16_t type, const void *request, void *ret);
enum err desk_operator(struct desk *d, uint16_t type, const void *request, void *ret, uint64_t timeout_ms);
bool desk_alive(struct desk *d);
/* What the supervisor does when a front has started anew: the process at the other end of control gets one end of a new
 * channel, the caller the other. */
int desk_give_channel(int control);
/* The supervisor gives keeper and signer channels to a new front. The former one's ends are the caller's. */
void desk_new_front(struct desk *d, int *ret_former_keeper, int *ret_former_signer);
void desk_log_pending(struct desk *d);

struct credential_row {
    struct view descriptor, sealed;
    uint8_t hash[32];
};
/* An administrator's change, approved with his key; previous is NULL for a new credential. */
struct credential_row desk_put(struct desk *d, uint64_t version, const char *policy,
                               const struct credential_row *previous);
enum err desk_load(struct desk *d, const struct credential_row *row);
/* Signs; returns the decision's code as text in out->decision. */
enum err desk_sign(struct desk *d, const struct signer_sign *q, struct signer_signed *out);
struct signer_sign desk_order(void);

#endif
