/* holdfast-warden: started by the supervisor, never by hand. It alone holds CAP_NET_ADMIN, and writes one table of the
 * kernel's packet filter. */
#include "base/log.h"
#include "ipc/capabilities.h"
#include "warden/wiring.h"

#include <linux/capability.h>

#define CONFIG_ARENA (4u << 20)

static RESULT check_capability(void)
{
    if (capabilities_has(CAPABILITY(CAP_NET_ADMIN)))
        return OK;
    log_error("guard.firewall takes the capability CAP_NET_ADMIN, and this process has not got it: start the server as "
              "root, or let its service have it (AmbientCapabilities=CAP_NET_ADMIN), or leave guard.firewall out");
    return ERR_FORBIDDEN;
}

static RESULT begin_table(struct table *t)
{
    struct problem why = {0};
    enum err e = table_begin(t, &why);
    if (e != OK)
        log_error("the kernel does not take the rules of guard.firewall (%s): it must have nftables (CONFIG_NF_TABLES, "
                  "CONFIG_NF_TABLES_INET); in a container, the capability counts only for a network of its own",
                  *why.detail ? why.detail : err_sentence(e));
    return e;
}

static RESULT run(void)
{
    AUTO(loop_free) struct loop *loop = NULL;
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(table_free) struct table *table = NULL;
    AUTO(warden_free) struct warden *warden = NULL;
    AUTO(wiring_free) struct wiring *wiring = NULL;
    struct sandbox_report report;
    struct config config;
    struct problem why = {0};
    struct start start;

    TRY(sandbox_prepare());
    TRY(start_receive(&start));
    TRY(arena_new(16384, CONFIG_ARENA, &arena));
    TRY(entity_decode(&config_entity, start.config, arena, &config));
    log_init("warden", (enum log_level)config_log_level(&config));
    TRY(loop_new(clock_system(), &loop));
    TRY(table_new(&config.guard.firewall, &table));
    TRY(warden_new(&config.guard, clock_system(), table, &warden, &why));
    TRY(check_capability());
    TRY(sandbox_enter(SANDBOX_WARDEN, NULL, &report));
    TRY(begin_table(table));
    TRY(wiring_new(loop, &start, warden, table, config.guard.firewall.at_stop == CONFIG_AT_STOP_KEEP, &wiring));
    TRY(wiring_ready(wiring, &report));
    return loop_run(loop);
}

int main(void)
{
    log_init("warden", LOG_INFO);
    enum err e = run();
    if (e != OK)
        log_error("the warden ends: %s (%s)", err_sentence(e), err_code(e));
    return e == OK ? 0 : 1;
}
