#include "ipc/landlock.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are those of every architecture (include/uapi/asm-generic/unistd.h of Linux 5.13). */
#define CREATE_RULESET 444
#define ADD_RULE       445
#define RESTRICT_SELF  446
#define ASK_VERSION    1u
#define PATH_BENEATH   1

/* include/uapi/linux/landlock.h of Linux 6.12; older kernels take the shorter form. */
struct ruleset {
    uint64_t files, net, scoped;
};
struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

enum {
    MAY_EXECUTE = 1 << 0,
    MAY_WRITE = 1 << 1,
    MAY_READ = 1 << 2,
    MAY_LIST = 1 << 3,
    MAY_REMOVE_DIR = 1 << 4,
    MAY_REMOVE_FILE = 1 << 5,
    MAY_MAKE_DIR = 1 << 7,
    MAY_MAKE_FILE = 1 << 8,
    MAY_TRUNCATE = 1 << 14,
};
#define BELOW_DATA_DIR                                                                                                 \
    (MAY_WRITE | MAY_READ | MAY_LIST | MAY_REMOVE_DIR | MAY_REMOVE_FILE | MAY_MAKE_DIR | MAY_MAKE_FILE | MAY_TRUNCATE)

/* What each version added: size of struct ruleset that it knows, and the rights it can deny. */
static const struct {
    size_t size;
    struct ruleset rights;
} versions[] = {
    [1] = {8, {.files = 0x1fff}},
    [2] = {8, {.files = 0x3fff}},
    [3] = {8, {.files = 0x7fff}},
    [4] = {16, {.files = 0x7fff, .net = 3}},
    [5] = {16, {.files = 0xffff, .net = 3}},
    [6] = {24, {.files = 0xffff, .net = 3, .scoped = 3}},
};

int landlock_abi(void)
{
    long abi = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static enum err allow_below(int rules, const char *dir, uint64_t known)
{
    struct path_beneath below = {.allowed = BELOW_DATA_DIR & known};
    below.parent = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (below.parent < 0)
        return ERR_IO;
    long added = syscall(ADD_RULE, rules, PATH_BENEATH, &below, 0);
    close(below.parent);
    return added < 0 ? ERR_IO : OK;
}

RESULT landlock_enter(int abi, const char *dir)
{
    if (abi < 1)
        return ERR_UNAVAILABLE;
    size_t version = (size_t)abi < ARRAY_LEN(versions) ? (size_t)abi : ARRAY_LEN(versions) - 1;
    const struct ruleset *rights = &versions[version].rights;
    int rules = (int)syscall(CREATE_RULESET, rights, versions[version].size, 0);
    if (rules < 0)
        return ERR_UNAVAILABLE;
    enum err e = dir ? allow_below(rules, dir, rights->files) : OK;
    if (e == OK && syscall(RESTRICT_SELF, rules, 0) < 0)
        e = ERR_IO;
    close(rules);
    return e;
}
