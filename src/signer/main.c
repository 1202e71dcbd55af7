/* holdfast-signer: started by the supervisor, never by hand. */
#include "base/log.h"
#include "crypto/sign.h"
#include "ipc/config.h"
#include "ipc/sandbox.h"
#include "signer/wiring.h"

struct threads {
    struct loop *loop;
    struct worker *worker;
};

static RESULT begin_threads(void *context)
{
    struct threads *t = context;

    return worker_new(t->loop, &t->worker);
}

static RESULT run(void)
{
    AUTO(loop_free) struct loop *loop = NULL;
    AUTO(worker_free) struct worker *worker = NULL;
    AUTO(signer_wiring_free) struct signer_wiring *wiring = NULL;
    struct sandbox_report report;
    struct threads threads;
    struct start start;
    bool locked;
    enum err e;

    TRY(sandbox_prepare());
    TRY(start_receive(&start));
    TRY(crypto_init(&locked));
    TRY(crypto_pk_init());
    TRY(loop_new(clock_system(), &loop));
    threads = (struct threads){.loop = loop};
    e = sandbox_enter_with(SANDBOX_SIGNER, begin_threads, &threads, &report);
    worker = threads.worker;
    TRY(e);
    TRY(signer_wiring_new(loop, &start, worker, &wiring));
    TRY(signer_wiring_ready(wiring, &report));
    return loop_run(loop);
}

int main(void)
{
    enum err e;

    log_init("signer", LOG_INFO);
    e = run();
    if (e != OK)
        log_error("the signer ends: %s (%s)", err_sentence(e), err_code(e));
    return e == OK ? 0 : 1;
}
