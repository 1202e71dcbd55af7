#include "supervisor/state.h"

#include "crypto/x509.h"
#include "ipc/file.h"
#include "ipc/sealed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DECLARED_MAX   256
#define DECLARED_BYTES (1024u * 1024)
#define PEM_BYTES      65536
#define CRL_BYTES      (4u * 1024 * 1024)
#define FILES_BYTES    (24u * 1024 * 1024)
#define ENDING         ".yaml"

static enum err put_file(const char *path, const char *name, size_t max, struct writer *w, struct problem *why)
{
    AUTO_WRITER text = writer_new(max);
    TRY(file_read(path, max, &text, why));
    writer_var(w, view_str(name));
    writer_var(w, writer_view_of(&text));
    return writer_done(w);
}

static int is_yaml(const struct dirent *d)
{
    size_t len = strlen(d->d_name), ending = sizeof ENDING - 1;
    return d->d_name[0] != '.' && len > ending && strcmp(d->d_name + len - ending, ENDING) == 0;
}

/* Declarations that are installed with the program. */
struct declared {
    const char *setting, *beside[2];
};
static const struct declared venues = {"venues_dir", {"/../share/holdfast/venues", "/../../../spec/venues"}};
static const struct declared patterns = {"patterns_dir", {"/../share/holdfast/patterns", "/../../../spec/patterns"}};

/* Where none are configured or installed, a program finds those beside it: of its own installed tree, or of the source
 * that it was built from. */
static enum err find_dir(const char *program, const struct declared *d, struct view configured, char *out, size_t cap)
{
    const char *slash = strrchr(program, '/');
    TRY(view_to_str(configured, out, cap));
    if (!slash)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(d->beside) && access(out, F_OK) != 0; i++) {
        char dir[4096];
        int n = snprintf(dir, sizeof dir, "%.*s%s", (int)(slash - program), program, d->beside[i]);
        char *real = n > 0 && (size_t)n < sizeof dir ? realpath(dir, NULL) : NULL; /* as messages are to name it */
        enum err e = real ? view_to_str(view_str(real), out, cap) : OK;
        free(real);
        TRY(e);
    }
    return OK;
}

/* In the order of names, so that each start is the same. */
static enum err put_dir(const char *dir, const char *setting, bool whole_names, struct writer *w, struct problem *why)
{
    char path[4096 + 300];
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, is_yaml, alphasort);
    enum err e = OK;
    if (n < 0)
        e = problem_set(why, ERR_BAD_CONFIG, setting,
                        "reading the directory %s: %s; set %s to where *" ENDING " files are", dir,
                        strerrordesc_np(errno), setting);
    else if (n < 1 || n > DECLARED_MAX)
        e = problem_set(why, ERR_BAD_CONFIG, setting,
                        "%s must hold between 1 and %d files (*" ENDING "); set %s to where they are", dir,
                        DECLARED_MAX, setting);
    for (int i = 0; i < n; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        if (e == OK)
            e = put_file(path, whole_names ? path : entries[i]->d_name, DECLARED_BYTES, w, why);
        free(entries[i]);
    }
    free(entries);
    return e;
}

static enum err put_venues(const struct supervisor *s, struct writer *w, struct problem *why)
{
    char dir[4096];
    TRY(find_dir(s->program, &venues, s->config.venues_dir, dir, sizeof dir));
    return put_dir(dir, venues.setting, false, w, why);
}

RESULT files_patterns(const struct config *c, const char *program, struct writer *w, struct problem *why)
{
    struct view further = c->guard.patterns.further_dir;
    char dir[4096];
    *w = writer_new(FILES_BYTES);
    TRY(find_dir(program, &patterns, c->patterns_dir, dir, sizeof dir));
    TRY(put_dir(dir, patterns.setting, true, w, why));
    if (further.len == 0)
        return OK;
    TRY(view_to_str(further, dir, sizeof dir));
    return put_dir(dir, "guard.patterns.further_dir", true, w, why);
}

struct named {
    const char *setting, *file;
};

/* PEM that the front could not use is refused here, where a reload can still leave everything as it was. */
static enum err put_certificates(struct view from, struct named as, struct writer *w, struct problem *why)
{
    char path[4096];
    AUTO_WRITER text = writer_new(PEM_BYTES);
    AUTO(arena_free) struct arena *arena = NULL;
    struct x509_list found;
    if (from.len == 0)
        return OK;
    TRY(view_to_str(from, path, sizeof path));
    TRY(file_read(path, PEM_BYTES, &text, why));
    TRY(arena_new(4096, 2 * PEM_BYTES, &arena));
    enum err e = x509_pem(writer_view_of(&text), arena, &found);
    if (e != OK)
        return problem_set(why, e == ERR_NO_MEMORY ? e : ERR_BAD_CONFIG, as.setting,
                           "%s is no PEM file of certificates", path);
    writer_var(w, view_str(as.file));
    writer_var(w, writer_view_of(&text));
    return writer_done(w);
}

/* A list that is half written, or another authority's, must not replace one that is good. */
static enum err put_lists(const struct config_tls *tls, struct writer *w, struct problem *why)
{
    char path[4096];
    AUTO_WRITER ca = writer_new(PEM_BYTES), lists = writer_new(CRL_BYTES);
    TRY(view_to_str(tls->client_ca, path, sizeof path));
    TRY(file_read(path, PEM_BYTES, &ca, why));
    TRY(view_to_str(tls->client_crl, path, sizeof path));
    TRY(file_read(path, CRL_BYTES, &lists, why));
    enum err e = x509_lists(writer_view_of(&lists), writer_view_of(&ca));
    if (e != OK)
        return problem_set(why, ERR_BAD_CONFIG, "tls.client_crl", "%s %s", path,
                           e == ERR_BAD_SIGNATURE ? "has a revocation list that none of tls.client_ca signed"
                                                  : "is no PEM file of revocation lists that name their next update");
    writer_var(w, VIEW_STR("client-crl.pem"));
    writer_var(w, writer_view_of(&lists));
    return writer_done(w);
}

/* Of clients' certificates: nothing where none are asked for. */
static enum err put_clients(const struct config_tls *tls, struct writer *w, struct problem *why)
{
    if (tls->client_crl.len && tls->client_ca.len == 0)
        return problem_set(why, ERR_BAD_CONFIG, "tls.client_crl", "it needs tls.client_ca, which says who signs it");
    TRY(put_certificates(tls->client_ca, (struct named){"tls.client_ca", "client-ca.pem"}, w, why));
    return tls->client_crl.len ? put_lists(tls, w, why) : OK;
}

static enum err put_tls(const struct supervisor *s, struct writer *w, struct problem *why)
{
    char path[4096];
    TRY(view_to_str(s->config.tls.certificate, path, sizeof path));
    TRY(put_file(path, "server.crt", PEM_BYTES, w, why));
    TRY(put_clients(&s->config.tls, w, why));
    TRY(view_to_str(s->config.tls.key, path, sizeof path));
    return put_file(path, "server.key", PEM_BYTES, w, why);
}

static enum err put_front(const struct supervisor *s, struct writer *w, struct problem *why)
{
    TRY(put_tls(s, w, why));
    return put_certificates(s->config.passkeys.roots_file, (struct named){"passkeys.roots_file", "passkey-roots.pem"},
                            w, why);
}

static enum err put_sealed(const struct supervisor *s, struct writer *w, struct problem *why)
{
    AUTO_WRITER text = writer_new(256);
    (void)why;
    TRY(entity_encode(&sealed_entity, &s->sealed, &text));
    writer_var(w, VIEW_STR(SEALED_FILE));
    writer_var(w, writer_view_of(&text));
    return writer_done(w);
}

RESULT files_of_role(const struct supervisor *s, enum start_role role, struct writer *w, struct problem *why)
{
    static enum err (*const put[ROLE_COUNT])(const struct supervisor *, struct writer *, struct problem *) = {
        [ROLE_KEEPER] = put_sealed, [ROLE_SIGNER] = put_venues, [ROLE_FRONT] = put_front};
    *w = writer_new(FILES_BYTES);
    return put[role] ? put[role](s, w, why) : OK;
}

/* What would be of no use at all is refused here, where a reload can still leave everything as it was; the front looks
 * closer. */
static enum err check_breached(int fd, const char *path, struct problem *why)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    char first[41] = {0};
    struct stat s;
    if (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode))
        return problem_set(why, ERR_BAD_CONFIG, "passwords.breached_file", "%s is not a file", path);
    bool line = pread(fd, first, sizeof first, 0) == (ssize_t)sizeof first && first[40] == ':';
    first[40] = '\0';
    if (!line || strspn(first, hex) != 40)
        return problem_set(why, ERR_BAD_CONFIG, "passwords.breached_file",
                           "%s does not begin with a SHA-1 hash as 40 hex digits and a colon", path);
    return OK;
}

RESULT files_breached(const struct config *c, int *ret, struct problem *why)
{
    char path[4096];
    *ret = -1;
    if (c->passwords.breached_file.len == 0)
        return OK;
    TRY(view_to_str(c->passwords.breached_file, path, sizeof path));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return problem_set(why, ERR_BAD_CONFIG, "passwords.breached_file", "opening %s: %s", path,
                           strerrordesc_np(errno));
    enum err e = check_breached(fd, path, why);
    if (e != OK) {
        close(fd);
        return e;
    }
    *ret = fd;
    return OK;
}
