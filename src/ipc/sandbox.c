#include "ipc/sandbox.h"

#include "ipc/capabilities.h"
#include "ipc/landlock.h"
#include "ipc/sandbox_calls.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool entered;

#if SANDBOX_SANITIZED
/* The leak checker attaches to the process with ptrace at its end, which a sandboxed process must not allow. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return entered;
}
#endif

RESULT sandbox_prepare(void)
{
    const struct rlimit none = {0, 0};
    umask(077);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error to be answered, not a death */
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return ERR_IO;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return ERR_IO;
    return OK;
}

/* --- the filter */

static int add_call(scmp_filter_ctx filter, const struct sandbox_call *c)
{
    /* Names, since the numbers differ by architecture and one that does not exist there is no hole. */
    int number = seccomp_syscall_resolve_name(c->name);
    if (number == __NR_SCMP_ERROR || number < 0)
        return 0;
    uint32_t action = c->error ? SCMP_ACT_ERRNO((uint16_t)c->error) : SCMP_ACT_ALLOW;
    if (c->test == CALL_ANY)
        return seccomp_rule_add(filter, action, number, 0);
    uint64_t value = c->value == CALL_OWN_PID ? (uint64_t)getpid() : c->value;
    const struct scmp_arg_cmp both[] = {
        {.arg = c->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = c->mask, .datum_b = value},
        {.arg = c->argument2, .op = SCMP_CMP_MASKED_EQ, .datum_a = c->mask, .datum_b = c->value2}};
    return seccomp_rule_add_array(filter, action, number, c->test == CALL_BOTH ? 2 : 1, both);
}

static int fill_filter(scmp_filter_ctx filter, unsigned profile)
{
    int e = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (e == 0)
        e = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* The busiest calls are looked up by a tree instead of one by one. */
    if (e == 0)
        e = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; e == 0 && i < sandbox_call_count; i++)
        if (sandbox_calls[i].profiles & (1u << profile))
            e = add_call(filter, &sandbox_calls[i]);
    return e == 0 ? seccomp_load(filter) : e;
}

static enum err enter_filter(enum sandbox_profile profile)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return ERR_NO_MEMORY;
    int e = fill_filter(filter, profile);
    seccomp_release(filter);
    return e == 0 ? OK : ERR_UNAVAILABLE;
}

/* --- all of it */

static enum err enter_landlock(const char *data_dir, struct sandbox_report *report)
{
    report->landlock_abi = landlock_abi();
    enum err e = landlock_enter(report->landlock_abi, data_dir);
    report->landlock = e == OK;
    return e == ERR_UNAVAILABLE ? OK : e; /* the system call filter stands without it */
}

static void take_note(struct sandbox_report *r)
{
    const char *landlock = !r->landlock          ? "this kernel has no Landlock: files are held by permissions alone"
                           : r->landlock_abi < 3 ? "this kernel's Landlock is old and does not guard truncation"
                                                 : "";
    const char *memory = r->locked_memory ? "" : "RLIMIT_MEMLOCK is too small to keep secrets out of swap";
    const char *between = *landlock && *memory ? "; " : "";
    (void)snprintf(r->note, sizeof r->note, "%s%s%s", landlock, between, memory);
}

struct threads {
    enum err (*begin)(void *context);
    void *context;
};

static enum err enter(enum sandbox_profile profile, const char *data_dir, struct threads threads,
                      struct sandbox_report *ret)
{
    struct sandbox_report report = {0};
    struct rlimit lock = {0};
    if (profile > SANDBOX_WARDEN || (profile == SANDBOX_FRONT) != (data_dir != NULL))
        return ERR_OUT_OF_RANGE;
    if (entered)
        return ERR_EXISTS;
    TRY(sandbox_prepare());
    if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0)
        report.locked_memory = lock.rlim_cur >= SANDBOX_LOCK_LEAST;
    TRY(enter_landlock(data_dir, &report));
    TRY(capabilities_keep(profile == SANDBOX_WARDEN ? CAPABILITY(CAP_NET_ADMIN) : 0));
    take_note(&report);
    entered = true;
    if (threads.begin)
        TRY(threads.begin(threads.context));
    TRY(enter_filter(profile));
    *ret = report;
    return OK;
}

RESULT sandbox_enter(enum sandbox_profile profile, const char *data_dir, struct sandbox_report *ret)
{
    return enter(profile, data_dir, (struct threads){0}, ret);
}

RESULT sandbox_enter_with(enum sandbox_profile profile, enum err (*begin)(void *context), void *context,
                          struct sandbox_report *ret)
{
    return enter(profile, NULL, (struct threads){begin, context}, ret);
}
