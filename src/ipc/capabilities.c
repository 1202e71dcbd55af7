#include "ipc/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sets {
    uint64_t effective, permitted, inheritable;
};

static bool get(struct sets *ret)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &head, data) < 0)
        return false;
    *ret = (struct sets){.effective = data[0].effective | (uint64_t)data[1].effective << 32,
                         .permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
                         .inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32};
    return true;
}

static bool set(const struct sets *to)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct data[2] = {
        {(uint32_t)to->effective, (uint32_t)to->permitted, (uint32_t)to->inheritable},
        {(uint32_t)(to->effective >> 32), (uint32_t)(to->permitted >> 32), (uint32_t)(to->inheritable >> 32)}};
    return syscall(SYS_capset, &head, data) == 0;
}

/* Sets them, and looks whether that is what there is now. */
static RESULT become(const struct sets *to)
{
    struct sets now;
    if (!set(to) || !get(&now))
        return ERR_IO;
    bool same = now.effective == to->effective && now.permitted == to->permitted && now.inheritable == to->inheritable;
    return same ? OK : ERR_IO;
}

bool capabilities_has(uint64_t wanted)
{
    struct sets now;
    return get(&now) && (now.permitted & wanted) == wanted;
}

RESULT capabilities_keep(uint64_t wanted)
{
    struct sets now;
    if (!get(&now))
        return ERR_IO;
    uint64_t kept = now.permitted & wanted;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* The bounding set needs CAP_SETPCAP. Who lacks it keeps a set that no_new_privs makes useless. */
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
            return ERR_IO;
    return become(&(struct sets){.effective = kept, .permitted = kept});
}

RESULT capabilities_hold(uint64_t wanted)
{
    struct sets now;
    if (!get(&now))
        return ERR_IO;
    uint64_t kept = now.permitted & wanted;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return become(&(struct sets){.permitted = kept, .inheritable = kept});
}

bool capabilities_pass(uint64_t wanted)
{
    struct sets now;
    if (!get(&now))
        return false;
    now.inheritable |= wanted & now.permitted;
    if ((now.permitted & wanted) != wanted || !set(&now))
        return false;
    for (unsigned long cap = 0; cap < 64; cap++)
        if ((wanted & CAPABILITY(cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            return false;
    return true;
}
