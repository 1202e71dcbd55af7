/* holdfast-signer: started by the supervisor, never by hand. */
#include "base/log.h"
#include "crypto/sign.h"
#include "ipc/config.h"
#include "ipc/sandbox.h"
#include "signer/wiring.h"

static RESULT run(void)
{
    AUTO(loop_free) struct loop *loop = NULL;
    AUTO(signer_wiring_free) struct signer_wiring *wiring = NULL;
    struct sandbox_report report;
    struct start start;
    bool locked;

    TRY(sandbox_prepare());
    TRY(start_receive(&start));
    TRY(crypto_init(&locked));
    TRY(crypto_pk_init());
    TRY(loop_new(clock_system(), &loop));
    TRY(sandbox_enter(SANDBOX_SIGNER, NULL, &report));
    TRY(signer_wiring_new(loop, &start, &wiring));
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
