/* holdfast-keeper: started by the supervisor, never by hand. */
#include "base/log.h"
#include "crypto/secmem.h"
#include "ipc/config.h"
#include "ipc/sandbox.h"
#include "keeper/wiring.h"

static RESULT run(void)
{
    AUTO(loop_free) struct loop *loop = NULL;
    AUTO(wiring_free) struct wiring *wiring = NULL;
    struct sandbox_report report;
    struct start start;
    bool locked;

    TRY(sandbox_prepare());
    TRY(start_receive(&start));
    TRY(crypto_init(&locked));
    TRY(loop_new(clock_system(), &loop));
    TRY(sandbox_enter(SANDBOX_KEEPER, NULL, &report));
    TRY(wiring_new(loop, &start, locked && report.locked_memory, &wiring));
    TRY(wiring_ready(wiring, &report));
    return loop_run(loop);
}

int main(void)
{
    enum err e;

    log_init("keeper", LOG_INFO);
    e = run();
    if (e != OK)
        log_error("the keeper ends: %s (%s)", err_sentence(e), err_code(e));
    return e == OK ? 0 : 1;
}
