#include "supervisor/state.h"

#include "base/log.h"
#include "crypto/tls_cert.h"
#include "ipc/capabilities.h"
#include "ipc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES         4096
#define BESIDE_CONNECTIONS 256u /* descriptors of a process for all but connections; it has about 50 */

/* --- limits */

/* As far as it may be raised; what it is then. */
static rlim_t raise_limit(__rlimit_resource_t resource, rlim_t wanted)
{
    struct rlimit now;
    if (getrlimit(resource, &now) < 0)
        return 0;
    if (now.rlim_cur >= wanted)
        return now.rlim_cur;
    const struct rlimit all = {.rlim_cur = wanted, .rlim_max = now.rlim_max < wanted ? wanted : now.rlim_max};
    const struct rlimit most = {.rlim_cur = now.rlim_max < wanted ? now.rlim_max : wanted, .rlim_max = now.rlim_max};
    if (setrlimit(resource, &all) == 0)
        return wanted;
    return setrlimit(resource, &most) == 0 ? most.rlim_cur : now.rlim_cur;
}

void prepare_limits(const struct config *c)
{
    const rlim_t wanted = (rlim_t)c->http.connections + BESIDE_CONNECTIONS;
    (void)raise_limit(RLIMIT_MEMLOCK, (rlim_t)c->memory_lock_kib * 1024); /* the children say when it is too little */
    rlim_t files = raise_limit(RLIMIT_NOFILE, wanted);
    if (files < wanted)
        log_warn("http.connections is %u, but %llu open files are allowed (RLIMIT_NOFILE), and %u are needed for the "
                 "rest: further connections will be refused",
                 (unsigned)c->http.connections, (unsigned long long)files, BESIDE_CONNECTIONS);
}

/* --- who we will be */

static enum err find_user(const struct config *c, struct passwd **ret, struct problem *why)
{
    char name[80];
    *ret = NULL;
    if (geteuid() != 0 || c->user.len == 0)
        return OK;
    TRY(view_to_str(c->user, name, sizeof name));
    *ret = getpwnam(name);
    return *ret ? OK : problem_set(why, ERR_BAD_CONFIG, "user", "there is no user %s on this host", name);
}

RESULT prepare_identity(const struct config *c, struct problem *why)
{
    struct passwd *user = NULL;
    prepare_limits(c);
    TRY(find_user(c, &user, why));
    bool kept = !user || !config_firewall_wanted(c) || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
    if (user &&
        (!kept || initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
        return problem_set(why, ERR_IO, "user", "becoming %s: %s", user->pw_name, strerrordesc_np(errno));
    if (geteuid() != 0 && capabilities_hold(config_firewall_wanted(c) ? CAPABILITY(CAP_NET_ADMIN) : 0) != OK)
        return problem_set(why, ERR_IO, "user", "giving up capabilities: %s", strerrordesc_np(errno));
    return prepare_firewall(c, why);
}

/* The warden comes and goes, so its capability is held for it here, unused. */
RESULT prepare_firewall(const struct config *c, struct problem *why)
{
    if (!config_firewall_wanted(c) || capabilities_has(CAPABILITY(CAP_NET_ADMIN)))
        return OK;
    return problem_set(why, ERR_BAD_CONFIG, "guard.firewall",
                       "it takes the capability CAP_NET_ADMIN, which this server has not got (or gave up, having been "
                       "started without a firewall): start it as root with 'user', or let its service have it "
                       "(AmbientCapabilities=CAP_NET_ADMIN)");
}

/* --- directories */

static enum err make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int made = mkdir(path, 0755);
        *slash = '/';
        if (made < 0 && errno != EEXIST)
            return ERR_IO;
    }
    return OK;
}

static enum err check_dir(const char *path, uid_t owner, struct problem *why)
{
    struct stat s;
    if (lstat(path, &s) < 0)
        return problem_set(why, ERR_BAD_CONFIG, path, "%s: %s", path, strerrordesc_np(errno));
    if (!S_ISDIR(s.st_mode))
        return problem_set(why, ERR_BAD_CONFIG, path, "%s is not a directory (a link is not followed)", path);
    if (s.st_uid != owner)
        return problem_set(why, ERR_BAD_CONFIG, path,
                           "%s belongs to user %u, but the server runs as user %u: run 'chown %u %s'", path,
                           (unsigned)s.st_uid, (unsigned)owner, (unsigned)owner, path);
    if (s.st_mode & 077)
        return problem_set(why, ERR_BAD_CONFIG, path, "others can get at %s (mode %03o): run 'chmod 700 %s'", path,
                           (unsigned)s.st_mode & 0777, path);
    return OK;
}

static enum err make_dir(const char *path, const struct passwd *user, struct problem *why)
{
    char copy[PATH_BYTES];
    TRY(view_to_str(view_str(path), copy, sizeof copy));
    if (make_parents(copy) != OK || (mkdir(path, 0700) < 0 && errno != EEXIST))
        return problem_set(why, ERR_BAD_CONFIG, path, "making the directory %s: %s", path, strerrordesc_np(errno));
    /* Only a directory that is empty and root's own can be one that was made just now. */
    if (user && rmdir(path) == 0 && (mkdir(path, 0700) < 0 || lchown(path, user->pw_uid, user->pw_gid) < 0))
        return problem_set(why, ERR_IO, path, "giving %s to user %s: %s", path, user->pw_name, strerrordesc_np(errno));
    return check_dir(path, user ? user->pw_uid : geteuid(), why);
}

/* Whoever can change a socket's directory can put a socket of his own there, and be told the bots' keys. */
static enum err check_socket_dir(const char *dir, const char *which, const struct passwd *user, struct problem *why)
{
    struct stat s;
    if (stat(dir, &s) < 0 || !S_ISDIR(s.st_mode))
        return problem_set(why, ERR_BAD_CONFIG, which, "%s is no directory", dir);
    bool trusted = s.st_uid == 0 || s.st_uid == geteuid() || (user && s.st_uid == user->pw_uid);
    if (trusted && !(s.st_mode & 022))
        return OK;
    return problem_set(
        why, ERR_BAD_CONFIG, which,
        "others can change %s (user %u, mode %03o), and could put a socket of theirs in the place of the "
        "server's: name a path in a directory that only the server or root can write",
        dir, (unsigned)s.st_uid, (unsigned)s.st_mode & 0777);
}

RESULT prepare_socket_dir(const struct config *c, struct view socket, const char *which, struct problem *why)
{
    char dir[PATH_BYTES];
    struct passwd *user = NULL;
    TRY(view_to_str(socket, dir, sizeof dir));
    char *slash = strrchr(dir, '/');
    dir[slash == dir ? 1 : slash - dir] = 0;
    TRY(find_user(c, &user, why));
    if (mkdir(dir, 0755) == 0) {
        bool given = chmod(dir, 0755) == 0 && (!user || lchown(dir, user->pw_uid, user->pw_gid) == 0);
        if (!given)
            return problem_set(why, ERR_IO, which, "setting up %s: %s", dir, strerrordesc_np(errno));
    } else if (errno != EEXIST) {
        return problem_set(why, ERR_BAD_CONFIG, which,
                           "making the directory %s: %s. Make it as root with 'install -d -m 755 -o %u %s', or set %s",
                           dir, strerrordesc_np(errno), (unsigned)geteuid(), dir, which);
    }
    return check_socket_dir(dir, which, user, why);
}

/* --- lock and anchor */

static enum err write_pid(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    return ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n ? ERR_IO : OK;
}

static enum err take_lock(const char *dir, int *ret, struct problem *why)
{
    char path[PATH_BYTES + 8], holder[24] = {0};
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem_set(why, ERR_IO, path, "opening %s: %s", path, strerrordesc_np(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
        holder[n > 0 ? strcspn(holder, "\n") : 0] = 0;
        close(fd);
        return problem_set(why, ERR_CONFLICT, path, "another server (process %s) works in %s: stop it first", holder,
                           dir);
    }
    if (write_pid(fd) != OK) {
        close(fd);
        return problem_set(why, ERR_IO, path, "writing %s: %s", path, strerrordesc_np(errno));
    }
    *ret = fd;
    return OK;
}

static enum err open_anchor(const char *dir, const struct passwd *user, int *ret, struct problem *why)
{
    char path[PATH_BYTES + 8];
    struct stat s;
    (void)snprintf(path, sizeof path, "%s/anchor", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem_set(why, ERR_IO, path, "opening %s: %s", path, strerrordesc_np(errno));
    if (user && fchown(fd, user->pw_uid, user->pw_gid) < 0)
        s.st_mode = S_IFREG | 077;
    else if (fstat(fd, &s) < 0)
        s.st_mode = 0;
    if (!S_ISREG(s.st_mode) || (s.st_mode & 077)) {
        close(fd);
        return problem_set(why, ERR_BAD_CONFIG, path, "%s must be a file that only the server can get at (mode 600)",
                           path);
    }
    *ret = fd;
    return OK;
}

RESULT prepare_data_dir(struct supervisor *s, struct problem *why)
{
    static const char *const below[] = {"", "/run", "/tls"};
    char dir[PATH_BYTES], path[PATH_BYTES + 8];
    struct passwd *user = NULL;
    TRY(view_to_str(s->config.data_dir, dir, sizeof dir));
    TRY(find_user(&s->config, &user, why));
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        (void)snprintf(path, sizeof path, "%s%s", dir, below[i]);
        TRY(make_dir(path, user, why));
    }
    if (s->lock < 0)
        TRY(take_lock(dir, &s->lock, why));
    return open_anchor(dir, user, &s->anchor, why);
}

/* --- certificate */

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static enum err make_certificate(const struct config *c, const char *certificate, const char *key, struct problem *why)
{
    char host[256] = "localhost";
    struct view names[4 + 32] = {VIEW_STR("localhost"), VIEW_STR("127.0.0.1"), VIEW_STR("::1")};
    size_t n = 3;
    AUTO_WRITER cert_pem = writer_new(16384), key_pem = writer_new(16384);
    if (gethostname(host, sizeof host - 1) == 0 && *host && strcmp(host, "localhost") != 0)
        names[n++] = view_str(host);
    for (size_t i = 0; i < c->tls.names.count && n < ARRAY_LEN(names); i++)
        names[n++] = c->tls.names.items[i];
    uint64_t now = clock_system()->wall_ms(clock_system());
    if (tls_cert_self_signed(names, n, now, &cert_pem, &key_pem) != OK)
        return problem_set(why, ERR_CRYPTO, certificate, "making a certificate failed: check tls.names");
    TRY(file_create(key, writer_view_of(&key_pem), 0600, why));
    return file_create(certificate, writer_view_of(&cert_pem), 0644, why);
}

RESULT prepare_certificate(const struct config *c, struct problem *why)
{
    char certificate[PATH_BYTES], key[PATH_BYTES];
    struct stat s;
    TRY(view_to_str(c->tls.certificate, certificate, sizeof certificate));
    TRY(view_to_str(c->tls.key, key, sizeof key));
    if (!exists(certificate) && !exists(key))
        return make_certificate(c, certificate, key, why);
    if (stat(key, &s) < 0 || !exists(certificate))
        return problem_set(why, ERR_BAD_CONFIG, exists(key) ? certificate : key,
                           "of certificate and key only one is there: put the other beside it, or remove both");
    if (s.st_mode & 077)
        return problem_set(why, ERR_BAD_CONFIG, key, "others can read %s: run 'chmod 600 %s'", key, key);
    return OK;
}

/* --- the end of --dev */

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s;
    (void)type;
    (void)f;
    (void)remove(path);
    return 0;
}

void prepare_remove_tree(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
