#include "base/rcu.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>

#include <urcu/urcu-memb.h>

#define PILE 254

struct rcu_pile {
    struct rcu_head head;
    size_t count;
    void *memory[PILE];
};

/* --- readers */

static struct {
    pthread_once_t once;
    pthread_key_t key; /* its destructor signs the thread off */
    bool failed;
    char grace; /* an address for the annotations: readers are done before memory goes */
} readers = {.once = PTHREAD_ONCE_INIT};

static _Thread_local struct {
    bool registered;
    unsigned depth;
} me;

static void sign_off(void *unused)
{
    (void)unused;
    RCU_SHOWS(&readers.grace);
    urcu_memb_unregister_thread();
    me.registered = false;
}

static void make_key(void)
{
    readers.failed = pthread_key_create(&readers.key, sign_off) != 0;
}

static void sign_on(void)
{
    pthread_once(&readers.once, make_key);
    /* A thread that ended while signed on would hold up all memory for ever, so this is no error to go on with. */
    if (readers.failed || pthread_setspecific(readers.key, &me) != 0)
        abort();
    urcu_memb_register_thread();
    me.registered = true;
}

void rcu_enter(void)
{
    if (!me.registered)
        sign_on();
    if (me.depth++ == 0)
        urcu_memb_read_lock();
}

void rcu_leave(void)
{
    if (--me.depth > 0)
        return;
    RCU_SHOWS(&readers.grace);
    urcu_memb_read_unlock();
}

bool rcu_inside(void)
{
    return me.depth > 0;
}

void rcu_readers_ended(void)
{
    RCU_SEES(&readers.grace);
}

/* --- what was thrown away */

/* In liburcu's own thread, after every reader's section has ended. */
static void release(struct rcu_head *head)
{
    rcu_readers_ended();
    struct rcu_pile *p = (struct rcu_pile *)((uintptr_t)head - offsetof(struct rcu_pile, head));
    RCU_SEES(p);
    for (size_t i = 0; i < p->count; i++)
        free(p->memory[i]);
    free(p);
}

void rcu_bin_empty(struct rcu_bin *bin)
{
    struct rcu_pile *p = bin->pile;
    if (!p)
        return;
    bin->pile = NULL;
    RCU_SHOWS(p);
    rcu_enter(); /* liburcu wants a reader here */
    urcu_memb_call_rcu(&p->head, release);
    rcu_leave();
}

void rcu_synchronise(void)
{
    assert(!rcu_inside());
    urcu_memb_synchronize_rcu();
    rcu_readers_ended();
}

void rcu_bin_put(struct rcu_bin *bin, void *memory)
{
    assert(!rcu_inside());
    if (!memory)
        return;
    if (!bin->pile && (bin->pile = malloc(sizeof *bin->pile)) != NULL)
        bin->pile->count = 0;
    if (!bin->pile) {
        rcu_synchronise();
        free(memory);
        return;
    }
    bin->pile->memory[bin->pile->count++] = memory;
    if (bin->pile->count == PILE)
        rcu_bin_empty(bin);
}

void rcu_wait(void)
{
    urcu_memb_barrier();
}
