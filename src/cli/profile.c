#include "cli/profile.h"

#include "base/fields.h"
#include "base/text.h"
#include "cli/ask.h"
#include "crypto/hash.h"
#include "ipc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Schema numbers 0x05xx belong to files of the command line. */

#define FILE_MAX 65536

static const struct field profile_fields[] = {
    FIELD(1, struct profile, address, TEXT, 512),    FIELD(2, struct profile, operator_socket, TEXT, 512),
    FIELD(3, struct profile, user, TEXT, 128),       FIELD(4, struct profile, installation, FIXED, 32),
    FIELD(5, struct profile, import_key, FIXED, 32), FIELD(6, struct profile, verifier, TEXT, 512),
};
const struct entity profile_entity = ENTITY("Profile", 0x0a01, 1, struct profile, profile_fields);

static RESULT find_dir(struct cli *c, const char **ret)
{
    const char *home = getenv("HOLDFAST_HOME");
    const struct passwd *user;

    if (home && *home) {
        *ret = cli_text(c, "%s", home);
        return *ret ? OK : ERR_NO_MEMORY;
    }
    home = getenv("HOME");
    if (!home || !*home) {
        user = getpwuid(getuid());
        home = user ? user->pw_dir : NULL;
    }
    if (!home)
        return cli_fail(c, ERR_USAGE, "HOME", "no home directory is known; set HOLDFAST_HOME");
    *ret = cli_text(c, "%s/.config/holdfast", home);
    return *ret ? OK : ERR_NO_MEMORY;
}

static RESULT read_profile(struct cli *c, struct profile *p)
{
    AUTO_WRITER text = writer_new(FILE_MAX);
    const char *path = cli_text(c, "%s/profile.json", p->dir);
    struct problem why = {0};
    enum err e;

    if (!path)
        return ERR_NO_MEMORY;
    e = file_read(path, FILE_MAX, &text, &why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e == OK) {
        const char *dir = p->dir;
        e = entity_parse(&profile_entity, writer_view_of(&text), c->arena, p, &why);
        p->dir = dir;
    }
    return e == OK ? OK : cli_fail(c, e, path, "%s (%s)", why.detail, path);
}

/* What is pinned here decides whom this user trusts, and what is kept here signs for him: nobody else may write the one
 * or read the other. */
static const struct {
    const char *name; /* "": the directory */
    unsigned others;  /* what neither group nor others may have of it */
    const char *can, *mend;
} guarded[] = {
    {"", S_IWGRP | S_IWOTH, "write to", "go-w"},
    {"profile.json", S_IWGRP | S_IWOTH, "write to", "go-w"},
    {"ca.pem", S_IWGRP | S_IWOTH, "write to", "go-w"},
    {"checkpoint", S_IWGRP | S_IWOTH, "write to", "go-w"},
    {"session", S_IRWXG | S_IRWXO, "read or write", "600"},
    {"administrator.key", S_IRWXG | S_IRWXO, "read or write", "600"},
};

static RESULT check_guarded(struct cli *c, const char *dir)
{
    for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
        const char *path = cli_text(c, *guarded[i].name ? "%s/%s" : "%s", dir, guarded[i].name);
        struct stat s;

        if (!path)
            return ERR_NO_MEMORY;
        if (stat(path, &s) < 0)
            continue; /* made when something is kept, or the reading says why not */
        if (s.st_uid != geteuid() && s.st_uid != 0)
            return cli_fail(c, ERR_UNSAFE_PROFILE, path,
                            "%s belongs to another user; set HOLDFAST_HOME to a directory "
                            "of yours",
                            path);
        if (s.st_mode & guarded[i].others)
            return cli_fail(c, ERR_UNSAFE_PROFILE, path, "others can %s %s; mend it with: chmod %s %s", guarded[i].can,
                            path, guarded[i].mend, path);
    }
    return OK;
}

RESULT profile_of(struct cli *c, struct profile **ret)
{
    struct profile *p = c->profile;

    if (!p) {
        p = arena_alloc(c->arena, sizeof *p);
        if (!p)
            return ERR_NO_MEMORY;
        TRY(find_dir(c, &p->dir));
        TRY(check_guarded(c, p->dir));
        TRY(read_profile(c, p));
        c->profile = p;
    }
    *ret = p;
    return OK;
}

bool profile_pinned(const struct profile *p)
{
    static const uint8_t none[32];

    return memcmp(p->installation, none, sizeof none) != 0;
}

RESULT profile_path(struct cli *c, const char *name, const char **ret)
{
    struct profile *p;

    TRY(profile_of(c, &p));
    *ret = cli_text(c, "%s/%s", p->dir, name);
    return *ret ? OK : ERR_NO_MEMORY;
}

/* --- writing */

static RESULT make_dirs(struct cli *c, const char *dir)
{
    char path[4096];
    size_t len = strlen(dir);

    if (len >= sizeof path)
        return cli_fail(c, ERR_TOO_LONG, dir, "this path is too long");
    for (size_t i = 1; i <= len; i++) {
        if (dir[i] != '/' && dir[i] != '\0')
            continue;
        memcpy(path, dir, i);
        path[i] = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return cli_fail(c, ERR_IO, path, "making the directory %s: %s", path, strerrordesc_np(errno));
    }
    return OK;
}

RESULT profile_remove(struct cli *c, const char *name)
{
    const char *path;

    TRY(profile_path(c, name, &path));
    if (unlink(path) < 0 && errno != ENOENT)
        return cli_fail(c, ERR_IO, path, "removing %s: %s", path, strerrordesc_np(errno));
    return OK;
}

RESULT profile_put(struct cli *c, const char *name, struct view contents)
{
    struct profile *p;
    const char *path, *fresh;

    TRY(profile_of(c, &p));
    TRY(make_dirs(c, p->dir));
    TRY(profile_path(c, name, &path));
    fresh = cli_text(c, "%s.%d.new", path, (int)getpid());
    if (!fresh)
        return ERR_NO_MEMORY;
    (void)unlink(fresh);
    TRY(file_create(fresh, contents, 0600, &c->why));
    if (rename(fresh, path) < 0) {
        int code = errno;
        (void)unlink(fresh);
        return cli_fail(c, ERR_IO, path, "writing %s: %s", path, strerrordesc_np(code));
    }
    return OK;
}

RESULT profile_save(struct cli *c, const struct profile *p)
{
    AUTO_WRITER text = writer_new(FILE_MAX);

    entity_to_json(&profile_entity, p, &text);
    writer_u8(&text, '\n');
    TRY(writer_done(&text));
    return profile_put(c, "profile.json", writer_view_of(&text));
}

/* --- pins */

RESULT profile_fingerprint(struct cli *c, struct view bytes, const char **ret)
{
    uint8_t hash[SHA256_SIZE];
    char text[16 * 5] = "";
    struct writer w = writer_fixed(text, sizeof text);

    sha256(bytes, hash);
    for (size_t i = 0; i < sizeof hash; i += 2) {
        if (i)
            writer_u8(&w, ':');
        hex_put(&w, VIEW(hash + i, 2));
    }
    TRY(writer_done(&w));
    *ret = cli_text(c, "%.*s", (int)w.len, text);
    return *ret ? OK : ERR_NO_MEMORY;
}

static RESULT pem_to_der(struct view pem, struct writer *der)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    AUTO_WRITER text = writer_new(FILE_MAX);
    AUTO_WRITER packed = writer_new(FILE_MAX);
    const char *from, *to;

    writer_view(&text, pem);
    writer_u8(&text, 0);
    TRY(writer_done(&text));
    from = strstr((const char *)text.ptr, begin);
    to = from ? strstr(from, end) : NULL;
    if (!to)
        return ERR_MALFORMED;
    for (from += sizeof begin - 1; from < to; from++)
        if (*from > ' ')
            writer_u8(&packed, (uint8_t)*from);
    TRY(writer_done(&packed));
    return base64_get(writer_view_of(&packed), der);
}

RESULT profile_certificate(struct cli *c, struct view pem, const char **ret)
{
    AUTO_WRITER der = writer_new(FILE_MAX);

    if (pem_to_der(pem, &der) != OK)
        return cli_fail(c, ERR_MALFORMED, "certificate", "the server's certificate can't be read");
    return profile_fingerprint(c, writer_view_of(&der), ret);
}

static RESULT compare(struct cli *c, const struct profile *p, const struct profile_pin *pin)
{
    static const char other[] = "the server is not the one that is pinned in %s: its %s is another. Do not send it "
                                "anything. If you know that it was set up anew, remove that file and log in again";
    const char *what = NULL;

    if (memcmp(p->installation, pin->installation, 32) != 0)
        what = "installation";
    else if (memcmp(p->import_key, pin->import_key, 32) != 0)
        what = "import key";
    else if (!view_eq(p->verifier, pin->verifier))
        what = "checkpoint key";
    if (!what)
        return OK;
    const char *path = cli_text(c, "%s/profile.json", p->dir);
    return cli_fail(c, ERR_PIN_MISMATCH, what, other, path ? path : p->dir, what);
}

RESULT profile_check_pin(struct cli *c, const struct profile_pin *pin)
{
    struct profile *p;
    const char *installation, *import;

    TRY(profile_of(c, &p));
    if (profile_pinned(p))
        return compare(c, p, pin);
    TRY(profile_fingerprint(c, VIEW_OF(pin->installation), &installation));
    TRY(profile_fingerprint(c, VIEW_OF(pin->import_key), &import));
    cli_note(c,
             "This server is met for the first time. Compare with what 'holdfast operator status' shows on its host:");
    cli_note(c, "  installation  %s", installation);
    cli_note(c, "  import key    %s", import);
    cli_note(c, "  checkpoints   %.*s", (int)pin->verifier.len, (const char *)pin->verifier.ptr);
    TRY(ask_confirm(c, "Trust this server from now on?"));
    memcpy(p->installation, pin->installation, 32);
    memcpy(p->import_key, pin->import_key, 32);
    TRY(arena_copy(c->arena, pin->verifier, &p->verifier));
    return profile_save(c, p);
}
