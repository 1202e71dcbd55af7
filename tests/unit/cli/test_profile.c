/* Files of the profile: private, whole or not there, and a server that changed is refused. */
#include "support.h"

#include "cli/api.h"
#include "cli/approver.h"
#include "cli/grant.h"
#include "crypto/hash.h"
#include "ledger/note.h"

#include <sys/stat.h>
#include <unistd.h>

struct desk {
    struct cli c;
    FILE *quiet;
};

static void open_desk(struct desk *d, const struct cli_command *cmd)
{
    bool locked;

    *d = (struct desk){.quiet = fopen("/dev/null", "we")};
    assert_non_null(d->quiet);
    assert_int_equal(crypto_init(&locked), OK);
    d->c = (struct cli){.out = d->quiet, .err = d->quiet, .clock = clock_system(), .random = random_system()};
    d->c.args.command = cmd;
    assert_int_equal(arena_new(4096, 8 << 20, &d->c.arena), OK);
}

static void close_desk(struct desk *d)
{
    (void)fclose(d->quiet);
    arena_free(d->c.arena);
}

static void say_yes(struct desk *d)
{
    static const struct cli_option yes = {.name = "yes"};

    d->c.args.given[d->c.args.given_count++].option = &yes;
}

static struct profile_pin pin_of(uint8_t seed)
{
    struct profile_pin pin = {.verifier = VIEW_STR("holdfast/00/log/0+11223344+AQ==")};

    memset(pin.installation, seed, sizeof pin.installation);
    memset(pin.import_key, seed + 1, sizeof pin.import_key);
    return pin;
}

static void files_are_private(void **state)
{
    char path[256];
    struct stat st;
    struct desk d;
    const char *home = support_home();
    struct profile *p;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/deeper", home);
    assert_int_equal(setenv("HOLDFAST_HOME", path, 1), 0);
    open_desk(&d, &command_table[0]);
    assert_int_equal(profile_of(&d.c, &p), OK);
    assert_int_equal(profile_put(&d.c, "session", VIEW_STR("hfs_x\n")), OK);
    assert_int_equal(profile_put(&d.c, "session", VIEW_STR("hfs_y\n")), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof path, "%s/deeper/session", home);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *text = support_read(path);
    assert_string_equal(text, "hfs_y\n");
    free(text);
    assert_int_equal(profile_remove(&d.c, "session"), OK);
    assert_int_equal(profile_remove(&d.c, "session"), OK);
    (void)snprintf(path, sizeof path, "%s/deeper", home);
    assert_int_equal(rmdir(path), 0);
    close_desk(&d);
    support_home_done();
}

/* Whoever can write there chooses what is trusted. */
static void a_profile_that_others_can_write_is_refused(void **state)
{
    static const struct {
        const char *file;
        mode_t mode;
        const char *mend; /* NULL: it is used */
    } rows[] = {
        {"", 0700, NULL},
        {"", 0755, NULL},
        {"", 0770, "chmod go-w "},
        {"", 0702, "chmod go-w "},
        {"profile.json", 0644, NULL},
        {"profile.json", 0664, "chmod go-w "},
        {"ca.pem", 0644, NULL},
        {"ca.pem", 0646, "chmod go-w "},
        {"checkpoint", 0662, "chmod go-w "},
        {"session", 0600, NULL},
        {"session", 0640, "chmod 600 "},
        {"administrator.key", 0604, "chmod 600 "},
    };
    char path[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *home = support_home();
        struct desk d;
        struct profile *p;
        open_desk(&d, &command_table[0]);
        if (*rows[i].file)
            assert_int_equal(profile_put(&d.c, rows[i].file, VIEW_STR("{}")), OK);
        d.c.profile = NULL; /* as the next run meets it */
        (void)snprintf(path, sizeof path, *rows[i].file ? "%s/%s" : "%s", home, rows[i].file);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        assert_int_equal(profile_of(&d.c, &p), rows[i].mend ? ERR_UNSAFE_PROFILE : OK);
        if (rows[i].mend)
            assert_non_null(strstr(d.c.why.detail, rows[i].mend));
        assert_int_equal(chmod(home, 0700), 0);
        close_desk(&d);
        support_home_done();
    }
}

static void pins_hold(void **state)
{
    struct desk d;
    struct profile_pin first = pin_of(1), other = pin_of(1);
    struct profile *p;

    (void)state;
    (void)support_home();
    open_desk(&d, &command_table[0]);
    say_yes(&d);
    assert_int_equal(profile_check_pin(&d.c, &first), OK);
    close_desk(&d);
    open_desk(&d, &command_table[0]); /* another run, and nobody says yes */
    assert_int_equal(profile_of(&d.c, &p), OK);
    assert_true(profile_pinned(p));
    assert_int_equal(profile_check_pin(&d.c, &first), OK);
    other.import_key[31] ^= 1;
    assert_int_equal(profile_check_pin(&d.c, &other), ERR_PIN_MISMATCH);
    assert_non_null(strstr(d.c.why.detail, "import key"));
    other = pin_of(1);
    other.installation[0] ^= 1;
    assert_int_equal(profile_check_pin(&d.c, &other), ERR_PIN_MISMATCH);
    other = pin_of(1);
    other.verifier = VIEW_STR("holdfast/00/log/0+11223344+AR==");
    assert_int_equal(profile_check_pin(&d.c, &other), ERR_PIN_MISMATCH);
    assert_int_equal(err_exit(ERR_PIN_MISMATCH), 8);
    close_desk(&d);
    support_home_done();
}

/* The session is a password for one server: naming another address must not send it there. */
static void session_stays_with_its_server(void **state)
{
    struct desk d;
    struct profile p = {.address = VIEW_STR("https://desk.example:8450")};
    struct secret *token = NULL;

    (void)state;
    (void)support_home();
    open_desk(&d, &command_table[0]);
    assert_int_equal(profile_save(&d.c, &p), OK);
    assert_int_equal(profile_put(&d.c, "session", VIEW_STR("hfs_abc\n")), OK);
    d.c.profile = NULL;
    assert_int_equal(api_token(&d.c, &token), OK);
    assert_non_null(token);
    assert_true(view_is(secret_view(token), "hfs_abc"));
    secret_free(token);
    assert_int_equal(setenv("HOLDFAST_ADDR", "https://desk.example:8451", 1), 0);
    assert_int_equal(api_token(&d.c, &token), OK);
    assert_null(token);
    assert_int_equal(setenv("HOLDFAST_ADDR", "http://desk.example", 1), 0);
    assert_int_equal(api_token(&d.c, &token), ERR_USAGE);
    assert_int_equal(setenv("HOLDFAST_TOKEN", "hfk_x", 1), 0);
    assert_int_equal(api_token(&d.c, &token), OK);
    assert_true(view_is(secret_view(token), "hfk_x"));
    secret_free(token);
    close_desk(&d);
    (void)unsetenv("HOLDFAST_ADDR");
    (void)unsetenv("HOLDFAST_TOKEN");
    support_home_done();
}

static void damaged_profile(void **state)
{
    char path[256];
    const char *home = support_home();

    (void)state;
    (void)snprintf(path, sizeof path, "%s/profile.json", home);
    support_write(path, "{\"address\":", 11);
    struct ran r = RUN("secret", "list", "--reason", "x");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, path));
    support_done(&r);
    support_home_done();
}

/* --- the administrator's key */

#define CHEAP ((struct argon2_cost){.passes = 1, .memory_kib = 8192})

static void key_opens_with_its_passphrase_alone(void **state)
{
    struct desk d;
    struct approver made, key;
    AUTO_WRITER text = writer_new(8192);
    struct secret *seed = NULL;
    struct problem why = {0};
    uint8_t public_key[32];

    (void)state;
    open_desk(&d, &command_table[0]);
    assert_int_equal(
        approver_make(VIEW_STR("alice"), VIEW_STR("correct horse battery"), CHEAP, random_system(), &made, &text), OK);
    assert_int_equal(approver_read(writer_view_of(&text), d.c.arena, &key, &why), OK);
    assert_true(view_is(key.name, "alice"));
    assert_int_equal(approver_open(&key, VIEW_STR("correct horse batterz"), &seed, &why), ERR_BAD_CREDENTIALS);
    assert_null(seed);
    assert_int_equal(approver_open(&key, VIEW_STR("correct horse battery"), &seed, &why), OK);
    assert_int_equal(ed25519_public(secret_ptr(seed), public_key), OK);
    assert_memory_equal(public_key, made.public_key, 32);
    secret_free(seed);
    close_desk(&d);
}

/* Whatever digit of the file changes, it is told from a wrong passphrase, and no key comes out. */
static void damaged_key_is_told(void **state)
{
    struct desk d;
    struct approver made, key;
    AUTO_WRITER text = writer_new(8192);
    struct problem why = {0};
    size_t tried = 0;

    (void)state;
    open_desk(&d, &command_table[0]);
    assert_int_equal(
        approver_make(VIEW_STR("alice"), VIEW_STR("correct horse battery"), CHEAP, random_system(), &made, &text), OK);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t before = text.ptr[i];
        if (before < '0' || before > '9')
            continue;
        text.ptr[i] = before == '1' ? '2' : '1';
        assert_int_not_equal(approver_read(writer_view_of(&text), d.c.arena, &key, &why), OK);
        text.ptr[i] = before;
        arena_reset(d.c.arena);
        tried++;
    }
    assert_true(tried > 100);
    assert_int_not_equal(approver_read(VIEW(text.ptr, text.len / 2), d.c.arena, &key, &why), OK);
    close_desk(&d);
}

static void approval_is_over_exactly_this(void **state)
{
    struct approver made;
    AUTO_WRITER text = writer_new(8192), message = writer_new(512);
    struct secret *seed = NULL;
    struct approval approval;
    uint8_t installation[32] = {7}, object[32];
    struct approver_change change = {
        .installation = installation, .kind = APPROVE_RELEASE, .object_name = VIEW_STR("x"), .expiry_ms = 99};
    bool locked;

    (void)state;
    assert_int_equal(crypto_init(&locked), OK);
    assert_int_equal(
        approver_make(VIEW_STR("alice"), VIEW_STR("correct horse battery"), CHEAP, random_system(), &made, &text), OK);
    assert_int_equal(approver_open(&made, VIEW_STR("correct horse battery"), &seed, NULL), OK);
    change.previous[0] = 1;
    change.next[0] = 2;
    assert_int_equal(approver_sign(&made, seed, &change, &approval), OK);
    sha256(VIEW_STR("x"), object);
    approval_message(installation, APPROVE_RELEASE, object, change.previous, change.next, 99, &message);
    assert_int_equal(ed25519_verify(approval.key, writer_view_of(&message), VIEW_OF(approval.signature)), OK);
    message.ptr[message.len - 1] ^= 1;
    assert_int_equal(ed25519_verify(approval.key, writer_view_of(&message), VIEW_OF(approval.signature)),
                     ERR_BAD_SIGNATURE);
    secret_free(seed);
}

static void key_command(void **state)
{
    char path[256], file[300];
    const char *home = support_home();

    (void)state;
    (void)snprintf(path, sizeof path, "%s/administrator.key", home);
    (void)snprintf(file, sizeof file, "%s/pass", home);
    struct ran r = RUN_WITH("short\n", "operator", "admin", "key", "bob", "--key-passphrase-file", "-");
    assert_int_equal(r.code, 2);
    assert_int_not_equal(access(path, F_OK), 0);
    support_done(&r);
    r = RUN_WITH("a long enough one\n", "operator", "admin", "key", "bob", "--key-passphrase-file", "-");
    assert_int_equal(r.code, 0);
    assert_null(strstr(r.out, "a long enough one"));
    support_done(&r);
    char *text = support_read(path);
    assert_null(strstr(text, "a long enough one"));
    free(text);
    r = RUN_WITH("a long enough one\n", "operator", "admin", "key", "bob", "--key-passphrase-file", "-");
    assert_int_equal(r.code, 6); /* it is never overwritten */
    support_done(&r);
    support_home_done();
}

/* --- checkpoints that a server answers with */

static void checkpoints_must_be_of_the_pinned_key(void **state)
{
    struct desk d;
    uint8_t seed[32] = {1}, wrong[32] = {2}, key[32], installation[32] = {3};
    char origin[NOTE_ORIGIN_MAX] = "";
    struct writer o = writer_fixed(origin, sizeof origin - 1);
    AUTO_WRITER verifier = writer_new(512), good = writer_new(NOTE_MAX), bad = writer_new(NOTE_MAX);
    struct checkpoint point = {.size = 5};
    struct profile_pin pin = pin_of(1);
    uint64_t size = 0;

    (void)state;
    (void)support_home();
    open_desk(&d, &command_table[0]);
    say_yes(&d);
    assert_int_equal(grant_check_note(&d.c, VIEW_STR("x"), &size), ERR_USAGE); /* nothing is pinned yet */
    log_origin_put(installation, &o);
    memcpy(point.origin, origin, sizeof point.origin);
    assert_int_equal(ed25519_public(seed, key), OK);
    assert_int_equal(note_verifier_put(origin, key, &verifier), OK);
    pin.verifier = writer_view_of(&verifier);
    assert_int_equal(profile_check_pin(&d.c, &pin), OK);
    assert_int_equal(note_sign(&point, seed, &good), OK);
    assert_int_equal(note_sign(&point, wrong, &bad), OK);
    assert_int_equal(grant_check_note(&d.c, writer_view_of(&good), &size), OK);
    assert_int_equal(size, 5);
    assert_int_equal(grant_check_note(&d.c, writer_view_of(&bad), &size), ERR_BAD_CHECKPOINT);
    close_desk(&d);
    support_home_done();
}

/* Whoever approves sees all of it, and of a change that which changes, however the files are laid out. */
static void an_approval_shows_what_changes(void **state)
{
    struct grant g = {.exists = true,
                      .before = {.path = VIEW_STR("a/b"),
                                 .environment = 3,
                                 .policy = VIEW_STR("{\"classes\": [\"read\", \"order\"],\n\"max_notional\": \"2\"}"),
                                 .version = 1}};
    char *text = NULL;
    size_t len = 0;
    struct desk d;

    (void)state;
    open_desk(&d, &command_table[0]);
    g.next = g.before;
    g.next.environment = 1;
    g.next.policy = VIEW_STR("{\"classes\":[\"read\",\"withdraw\"],\"max_notional\":\"2\"}");
    d.c.err = open_memstream(&text, &len);
    assert_non_null(d.c.err);
    grant_show(&d.c, &g);
    (void)fclose(d.c.err);
    assert_non_null(strstr(text, "  Path         a/b\n"));
    assert_non_null(strstr(text, "- Environment  production\n+ Environment  development\n"));
    assert_non_null(strstr(text, "  Policy       {\n"));
    assert_non_null(strstr(text, "-                  \"order\"\n+                  \"withdraw\"\n"));
    assert_non_null(strstr(text, "                   \"read\",\n"));
    assert_non_null(strstr(text, "                 \"max_notional\": \"2\"\n"));
    assert_null(strstr(text, "-                  \"read\""));
    free(text);
    close_desk(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_private),
        cmocka_unit_test(a_profile_that_others_can_write_is_refused),
        cmocka_unit_test(an_approval_shows_what_changes),
        cmocka_unit_test(pins_hold),
        cmocka_unit_test(session_stays_with_its_server),
        cmocka_unit_test(damaged_profile),
        cmocka_unit_test(key_opens_with_its_passphrase_alone),
        cmocka_unit_test(damaged_key_is_told),
        cmocka_unit_test(approval_is_over_exactly_this),
        cmocka_unit_test(key_command),
        cmocka_unit_test(checkpoints_must_be_of_the_pinned_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
