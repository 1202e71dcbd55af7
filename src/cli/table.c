/* The table of commands. */
#include "cli/table.h"

static const char *const outputs[] = {"table", "json", NULL};
static const char *const sign_outputs[] = {"json", "headers", "curl", NULL};
static const char *const environments[] = {"development", "staging", "production", NULL};
static const char *const kinds[] = {"api_key",        "private_key", "password", "certificate", "database_credentials",
                                    "encryption_key", NULL};
static const char *const levels[] = {"none", "read", "write", "admin", "emergency", NULL};
static const char *const usages[] = {"read_only", "read_write", "execute_only", "full_access", NULL};
static const char *const outcomes[] = {"allowed", "refused", NULL};
static const char *const severities[] = {"low", "medium", "high", "critical", NULL};
static const char *const networks[] = {"mainnet", "testnet", NULL};

const struct common_option command_common[] = {
    {COMMAND_API, 0, VALUE("address", TEXT, "URL", "server: https://host:port or unix:/path (HOLDFAST_ADDR)")},
    {COMMAND_API, 0, VALUE("cacert", FILE, "FILE", "PEM certificate to trust for it (HOLDFAST_CACERT)")},
    {COMMAND_API, 0,
     VALUE("token-file", FILE, "FILE", "API key or session token (HOLDFAST_TOKEN); - is standard input")},
    {COMMAND_RECORDED, 0, VALUE("reason", TEXT, "TEXT", "why, for the record (HOLDFAST_REASON)")},
    {COMMAND_OPERATOR, 0, VALUE("socket", FILE, "FILE", "the operator socket")},
    {COMMAND_OPERATOR | COMMAND_SERVER, 0,
     VALUE("config", FILE, "FILE", "the server's configuration (/etc/holdfast/holdfast.yaml)")},
    {COMMAND_OPERATOR | COMMAND_SERVER, 0,
     VALUE("data-dir", FILE, "DIR", "the server's data directory (HOLDFAST_DATA_DIR)")},
    {COMMAND_ASKS, 0, FLAG("yes", 'y', "do not ask for confirmation")},
    {0, COMMAND_PLAIN, {"output", 'o', OPTION_CHOICE, "FORM", outputs, "form of the output"}},
    {0, 0, FLAG("help", 'h', "show this help")},
};
const size_t command_common_count = ARRAY_LEN(command_common);

#define KEY_FILE    VALUE("key-file", FILE, "FILE", "administrator's key (administrator.key in the profile)")
#define KEY_PASS    VALUE("key-passphrase-file", FILE, "FILE", "its passphrase; - is standard input")
#define SHARE_FILE  VALUE("share-file", FILE, "FILE", "a share; - is standard input, one share a line")
#define PASS_FILE   VALUE("passphrase-file", FILE, "FILE", "passphrase that unseals; - is standard input")
#define PASSWORD    VALUE("password-file", FILE, "FILE", "password; - is standard input")
#define CODE        VALUE("code", TEXT, "CODE", "of your authenticator app, or a recovery code; asked for if left out")
#define PUBLIC_KEY  VALUE("key", TEXT, "HEX", "the new administrator's public key")
#define ENVIRONMENT CHOICE("environment", "NAME", environments, "where it is used")
#define VALUE_FILE  VALUE("value-file", FILE, "FILE", "the value, byte for byte; - is standard input")
#define TRIM        FLAG("trim", 0, "drop one line end at the end of the value")
#define GRACE       VALUE("grace", DURATION, "TIME", "how long the old one stays good")
#define VERSION     VALUE("version", NUMBER, "N", "version number")
#define LIMIT       VALUE("limit", NUMBER, "N", "at most so many")
#define PAGE        VALUE("after", TEXT, "TEXT", "go on behind this one"), LIMIT
#define ROLE        VALUE("role", TEXTS, "ROLE", "a role; may be repeated")
#define ROLE_PARTS                                                                                                     \
    VALUE("description", TEXT, "TEXT", "for people"),                                                                  \
        VALUE("grant", TEXTS, "PERMISSION", "such as market:read; may be repeated"),                                   \
        VALUE("deny", TEXTS, "PERMISSION", "beats every grant of any role; may be repeated"),                          \
        CHOICE("level", "LEVEL", levels, "for secrets; none if left out")
#define FILTERS                                                                                                        \
    VALUE("type", TEXT, "TYPE", "event type, such as REQUEST_SIGNED"),                                                 \
        VALUE("actor", TEXT, "WHO", "user:NAME, key:ID or unix:UID"),                                                  \
        VALUE("resource", TEXT, "WHAT", "such as secret:exchange/binance/main"),                                       \
        CHOICE("severity", "LEVEL", severities, "this severe or more")
#define BUNDLE                                                                                                         \
    VALUE("bundle-file", FILE, "FILE", "JSON {api_key, secret, passphrase}; - is standard input"),                     \
        VALUE("api-key", TEXT, "TEXT", "the public part of the venue's key"),                                          \
        VALUE("secret-file", FILE, "FILE", "the secret part (text, PEM or 0x-hex); - is standard input"),              \
        VALUE("venue-passphrase-file", FILE, "FILE", "the venue's passphrase, where it has one")
#define REQUEST                                                                                                        \
    VALUE("request", FILE, "FILE", "the whole request as JSON; - is standard input"),                                  \
        VALUE("scheme", TEXT, "NAME", "another scheme of the credential's venue"),                                     \
        VALUE("method", TEXT, "NAME", "HTTP method, or method of a WebSocket frame"),                                  \
        VALUE("host", TEXT, "NAME", "the venue's first if left out"), VALUE("path", TEXT, "PATH", "without query"),    \
        VALUE("query", TEXT, "TEXT", "exactly as it will be sent"),                                                    \
        VALUE("body-file", FILE, "FILE", "exactly as it will be sent; - is standard input"),                           \
        VALUE("params", TEXT, "JSON", "WebSocket parameters, or Hyperliquid's action"),                                \
        CHOICE("network", "NAME", networks, "Hyperliquid's"), VALUE("vault-address", TEXT, "0x…", "Hyperliquid"),      \
        VALUE("expires-after", NUMBER, "MS", "Hyperliquid: milliseconds since 1970"),                                  \
        VALUE("nonce", NUMBER, "N", "the signer's choice if left out"),                                                \
        VALUE("recv-window", NUMBER, "MS", "the venue's default if left out"),                                         \
        VALUE("proof-key", FILE, "FILE", "the bot's own Ed25519 key (PEM), to prove who asks")

#define PATH_ARGUMENT       ARGUMENT("PATH", "such as exchange/binance/main")
#define CREDENTIAL_ARGUMENT ARGUMENT("PATH", "the credential, such as exchange/binance/main")
#define CHANGES             (COMMAND_API | COMMAND_RECORDED)
#define KEY_POLICY                                                                                                     \
    VALUE("owner", TEXT, "USER", "who is responsible; you"), VALUE("description", TEXT, "TEXT", "for people"),         \
        ENVIRONMENT, CHOICE("usage", "USAGE", usages, "what for; execute_only with --credential, else read_write"),    \
        ROLE, VALUE("credential", TEXTS, "PATH", "it may sign with; * at the end; may be repeated"),                   \
        VALUE("access", TEXTS, "ENVIRONMENT", "whose secrets it may touch; may be repeated"),                          \
        VALUE("expires", DURATION, "TIME", "from now, in whole days (90d)"),                                           \
        VALUE("unix-user", TEXT, "USER", "the Unix user on the server's host that is this bot"),                       \
        VALUE("proof-key", FILE, "FILE", "the bot's Ed25519 key (PEM): its public half is noted"),                     \
        VALUE("per-hour", NUMBER, "COUNT", "requests in an hour of UTC (1000)"),                                       \
        VALUE("per-day", NUMBER, "COUNT", "requests in a day of UTC (10000)"),                                         \
        VALUE("burst", NUMBER, "COUNT", "requests at once (100)"),                                                     \
        VALUE("allow-network", TEXTS, "NETWORK", "works from there alone, as 192.0.2.0/24; may be repeated"),          \
        VALUE("block-network", TEXTS, "NETWORK", "never from there; may be repeated"),                                 \
        VALUE("allow-endpoint", TEXTS, "ENDPOINT", "for these alone, as 'GET /api/v1/secrets'; may be repeated"),      \
        VALUE("block-endpoint", TEXTS, "ENDPOINT", "never for these; may be repeated"),                                \
        FLAG("renewable", 0, "its end can be put off in the last 7 days"),                                             \
        FLAG("mfa-required", 0, "works only for some hours after you unlocked it with a second factor")
#define KEY_REQUEST                                                                                                    \
    VALUE("source", TEXT, "ADDRESS", "from there, for rules of keys: 192.0.2.1 or unix:1000"),                         \
        VALUE("endpoint", TEXT, "ENDPOINT", "for this, for rules of keys: 'GET /api/v1/secrets'")
#define SECRETS (CHANGES | COMMAND_REASON)

#define SORTED_HELP                                                                                                    \
    "A table is in the order of the paths if all of it fits one page. Pages of a longer list, and -o json, come in "   \
    "the "                                                                                                             \
    "order in which paths are stored, which is blinded."

#define SECOND_HELP "Where that takes two administrators ('operator four-eyes'), it is left for another one to approve."
#define PAST        (COMMAND_OPERATOR | COMMAND_API) /* past the API; a second approval is asked for over it */
#define APPROVAL_HELP                                                                                                  \
    "The change is shown, then signed with the administrator's key; keeper and signer take nothing without that "      \
    "signature. The server is asked for a signed checkpoint that covers the change; it is verified and kept in the "   \
    "profile. " SECOND_HELP

const struct cli_command command_table[] = {
    COMMAND(
        "server", server_run, COMMAND_SERVER | COMMAND_PLAIN, "run the server",
        "Starts keeper, signer and front, and restarts what ends. Stop it with SIGTERM; SIGHUP reads the configuration "
        "and "
        "venue files again; SIGUSR2 upgrades in place.\n\n"
        "--dev runs it all in a temporary directory that is removed at the end, initialised and unsealed, and prints a "
        "log-in that is made for this run. With --data-dir that directory is used and kept.",
        OPTIONS(FLAG("dev", 0, "a throw-away server, initialised and unsealed"),
                VALUE("ready-fd", NUMBER, "N", "open descriptor that is told 'ready' once all serve"),
                VALUE("libexec-dir", FILE, "DIR", "where holdfast-keeper and the others are")),
        NO_ARGUMENTS, "holdfast server --dev"),
    COMMAND(
        "operator init", operator_init, COMMAND_OPERATOR, "make the root key, once",
        "Makes the root key, the first administrator's approval key and the administrator's enrolment token. Shares "
        "and "
        "token are shown this once and are stored nowhere. By default any 3 of 5 shares unseal; --passphrase takes a "
        "passphrase instead.\n\n"
        "The approval key is kept in the profile, encrypted under a passphrase of its own.",
        OPTIONS(VALUE("shares", NUMBER, "N", "shares to make (5)"),
                VALUE("threshold", NUMBER, "N", "shares that unseal (3)"),
                FLAG("passphrase", 0, "unseal by a passphrase instead of shares"), PASS_FILE,
                VALUE("administrator", TEXT, "NAME", "the first administrator (admin)"), KEY_FILE, KEY_PASS),
        NO_ARGUMENTS, "holdfast operator init --shares 5 --threshold 3"),
    COMMAND(
        "operator unseal", operator_unseal, COMMAND_OPERATOR, "open the root key after a start",
        "Asks for the passphrase, or for share after share until enough are given. Several people may each give their "
        "share from a terminal of their own: what was given stays.",
        OPTIONS(PASS_FILE, SHARE_FILE), NO_ARGUMENTS, NULL),
    COMMAND("operator seal", operator_seal, COMMAND_OPERATOR | COMMAND_ASKS, "forget the root key at once", NULL, NULL,
            NO_ARGUMENTS, NULL),
    COMMAND("operator status", operator_status, COMMAND_OPERATOR, "what the keeper says of itself",
            "Also shows the fingerprints to compare at a first log-in. Exits with 7 while sealed or not initialised.",
            NULL, NO_ARGUMENTS, NULL),
    COMMAND("operator rotate", operator_rotate, PAST | COMMAND_RECORDED, "begin a new epoch of the data keys",
            "Serving goes on. Older values are rewrapped in the background, also across restarts. " SECOND_HELP,
            OPTIONS(KEY_FILE, KEY_PASS), NO_ARGUMENTS, NULL),
    COMMAND(
        "operator four-eyes", operator_four_eyes, PAST | COMMAND_RECORDED | COMMAND_ASKS,
        "what takes two administrators",
        "Without an argument says what holds. To turn it on or off takes two administrators itself: you approve it "
        "first, and another one with 'holdfast approval approve'. Off, and where there is one administrator, each "
        "decides alone.",
        OPTIONS(VALUE("for", TEXTS, "WHAT", "policy, administrators (always), rekey, emergency; may be repeated; all"),
                KEY_FILE, KEY_PASS),
        ARGUMENTS(ARGUMENT_OPTIONAL("SWITCH", "on or off")),
        "holdfast operator four-eyes on --reason \"two of us since May\""),
    COMMAND(
        "emergency begin", emergency_begin, SECRETS | COMMAND_ASKS, "touch every secret for a while: break glass",
        "For who holds emergency:override, when no role lets him. Works in this session alone, needs a reason, ends by "
        "itself and is recorded as EMERGENCY_ACCESS before it begins. Where 'operator four-eyes' names emergencies, an "
        "administrator is asked first.",
        OPTIONS(VALUE("for", DURATION, "TIME", "how long, 1m to 4h; 1h if left out"),
                VALUE("request", TEXT, "ID", "the request that was approved")),
        NO_ARGUMENTS, "holdfast emergency begin --for 30m --reason \"exchange down, admin unreachable\""),
    COMMAND("emergency end", emergency_end, CHANGES, "end it before its time", NULL, NULL, NO_ARGUMENTS, NULL),
    COMMAND("approval list", approvals_list, COMMAND_API, "changes that wait for a second administrator", NULL, NULL,
            NO_ARGUMENTS, NULL),
    COMMAND("approval show", approvals_show, COMMAND_API, "one of them, whole", NULL, NULL,
            ARGUMENTS(ARGUMENT("REQUEST", "as 'approval list' says it")), NULL),
    COMMAND("approval approve", approvals_approve, PAST | COMMAND_RECORDED | COMMAND_ASKS,
            "approve it as the second administrator, and put it in force",
            "Shows what the first one approved, checks his signature over exactly that, and signs the same. What goes "
            "past the API then needs the operator socket: see 'approval run'.",
            OPTIONS(KEY_FILE, KEY_PASS), ARGUMENTS(ARGUMENT("REQUEST", "as 'approval list' says it")), NULL),
    COMMAND("approval reject", approvals_reject, CHANGES, "reject it, or take back your own", NULL, NULL,
            ARGUMENTS(ARGUMENT("REQUEST", "as 'approval list' says it")), NULL),
    COMMAND("approval run", approvals_run, PAST | COMMAND_RECORDED, "put in force what both have approved",
            "For what goes past the API, on the server's host, when the second one approved it elsewhere.", NULL,
            ARGUMENTS(ARGUMENT("REQUEST", "as 'approval list' says it")), NULL),
    COMMAND("operator freeze", operator_freeze, COMMAND_OPERATOR, "stop all signing with a credential, past the API",
            "Asks the keeper itself, so that whoever owns the API can't prevent it. Needs no approval; 'credential "
            "release' does.",
            NULL, ARGUMENTS(ARGUMENT("CREDENTIAL", "its path, or its id as 'credential show' says it")),
            "holdfast operator freeze exchange/binance/main"),
    COMMAND("operator tokens rotate", tokens_rotate, COMMAND_OPERATOR, "begin a new key for tokens",
            "Serving goes on: the former key stays published until its last token has ended. With --drop it is gone at "
            "once, and with it every token that it signed: for a host that was broken into.",
            OPTIONS(FLAG("drop", 0, "end all former keys and their tokens now")), NO_ARGUMENTS, NULL),
    COMMAND("operator admin list", administrators_list, COMMAND_OPERATOR, "whose keys approve changes", NULL, NULL,
            NO_ARGUMENTS, NULL),
    COMMAND("operator admin key", administrators_key, 0, "make an approval key for yourself",
            "The key stays in your profile, encrypted under a passphrase. Its public half is shown, for an "
            "administrator to "
            "add.",
            OPTIONS(KEY_FILE, KEY_PASS), ARGUMENTS(ARGUMENT("NAME", "your user name")), NULL),
    COMMAND("operator admin add", administrators_add, PAST | COMMAND_RECORDED, "add an administrator, approved by you",
            "Signs the new set of administrators with your key and prints a one-time enrolment token for the new "
            "one. " SECOND_HELP,
            OPTIONS(PUBLIC_KEY, KEY_FILE, KEY_PASS), ARGUMENTS(ARGUMENT("NAME", "the new administrator's user name")),
            "holdfast operator admin add bob --key 3b6a…29"),
    COMMAND("operator admin remove", administrators_remove, PAST | COMMAND_RECORDED | COMMAND_ASKS,
            "take somebody the right to approve", SECOND_HELP, OPTIONS(KEY_FILE, KEY_PASS),
            ARGUMENTS(ARGUMENT("NAME", "an administrator")), NULL),
    COMMAND("operator admin recover", administrators_recover, COMMAND_OPERATOR | COMMAND_ASKS,
            "make an administrator when all keys are lost",
            "Needs what unseals: the passphrase, or as many shares as the threshold says, at once. Makes a new "
            "approval key "
            "in "
            "the profile unless --key names one.",
            OPTIONS(FLAG("replace-all", 0, "the new one is the only administrator afterwards"), PUBLIC_KEY, SHARE_FILE,
                    PASS_FILE, KEY_FILE, KEY_PASS),
            ARGUMENTS(ARGUMENT("NAME", "the new administrator's user name")), NULL),
    COMMAND("enrol", sessions_enrol, CHANGES | COMMAND_ASKS, "choose your first password with a one-time token",
            "Signs in as well. The first time a server is met, its certificate and keys are shown and pinned.",
            OPTIONS(VALUE("enrolment-file", FILE, "FILE", "the one-time token; - is standard input"), PASSWORD, CODE),
            ARGUMENTS(ARGUMENT("NAME", "your user name")), "holdfast enrol admin"),
    COMMAND("login", sessions_login, COMMAND_API | COMMAND_ASKS, "sign in and keep the session",
            "The first time a server is met, its certificate and keys are shown and pinned; a later change is refused.",
            OPTIONS(PASSWORD, CODE,
                    FLAG("new-password", 0, "choose a new password as well, as one that is too old needs"),
                    VALUE("new-password-file", FILE, "FILE", "the new one; - is standard input")),
            ARGUMENTS(ARGUMENT_OPTIONAL("NAME", "your user name; the last one if left out")), "holdfast login admin"),
    COMMAND("logout", sessions_logout, COMMAND_API, "end the session", NULL, NULL, NO_ARGUMENTS, NULL),
    COMMAND("session list", sessions_list, COMMAND_API, "your sessions, or others'", NULL,
            OPTIONS(VALUE("user", TEXT, "NAME", "of this user"), FLAG("all", 0, "everybody's"), PAGE), NO_ARGUMENTS,
            NULL),
    COMMAND("session revoke", sessions_revoke, CHANGES | COMMAND_ASKS, "end sessions at once",
            "One by its id, or all that an option names; the tokens that came from them end, too. --all ends all "
            "access tokens "
            "as well.",
            OPTIONS(FLAG("others", 0, "all of yours but this one"), VALUE("user", TEXT, "NAME", "all of this user"),
                    FLAG("all", 0, "everybody's")),
            ARGUMENTS(ARGUMENT_OPTIONAL("ID", "as 'session list' shows it")), "holdfast session revoke --others"),
    COMMAND("profile", profile_show, COMMAND_API, "your own profile", "With --email it is changed first.",
            OPTIONS(VALUE("email", TEXT, "ADDRESS", "your new e-mail address")), NO_ARGUMENTS, NULL),
    COMMAND("password", sessions_password, COMMAND_API, "change your own password",
            "The present one is asked for first. All other sessions end; wrong guesses count as at a login.",
            OPTIONS(VALUE("password-file", FILE, "FILE", "the present password; - is standard input"),
                    VALUE("new-password-file", FILE, "FILE", "the new one; - is standard input")),
            NO_ARGUMENTS, NULL),
    COMMAND("mfa totp", mfa_totp, COMMAND_API, "set up one-time passwords of an authenticator app",
            "Shows a QR code, then asks for the first code. All your other sessions and tokens end, and the first time "
            "ten recovery codes are shown.",
            OPTIONS(VALUE("password-file", FILE, "FILE", "your password; - is standard input"),
                    VALUE("code-file", FILE, "FILE", "the first code; - is standard input")),
            NO_ARGUMENTS, NULL),
    COMMAND("mfa recovery", mfa_recovery, COMMAND_API | COMMAND_ASKS, "ten new recovery codes",
            "All former ones become void. They are shown once.", NULL, NO_ARGUMENTS, NULL),
    COMMAND("mfa list", mfa_list, COMMAND_API, "your second factors", NULL, NULL, NO_ARGUMENTS, NULL),
    COMMAND("mfa passkeys", mfa_passkeys, COMMAND_API, "your passkeys",
            "They are made in a browser, on the server's page /account.", NULL, NO_ARGUMENTS, NULL),
    COMMAND("mfa rename", mfa_rename, COMMAND_API, "call a passkey something else", NULL, NULL,
            ARGUMENTS(ARGUMENT("ID", "the passkey's id"), ARGUMENT("NAME", "what you call it from now on")), NULL),
    COMMAND("mfa remove", mfa_remove, COMMAND_API | COMMAND_ASKS, "give a second factor up", NULL, NULL,
            ARGUMENTS(ARGUMENT("WHAT", "totp, or a passkey's id")), NULL),
    COMMAND("mfa verify", mfa_verify, COMMAND_API, "show a second factor anew",
            "What is dangerous asks for one that was shown a short while ago.", OPTIONS(CODE), NO_ARGUMENTS, NULL),
    COMMAND("whoami", sessions_whoami, COMMAND_API, "who the server takes you for, and what you may do", NULL, NULL,
            NO_ARGUMENTS, NULL),
    COMMAND(
        "status", status_show, COMMAND_API, "is the server up, unsealed and healthy",
        "Exits with 7 while it does not serve: sealed, starting, stopping, or not there, which -o json tells as the "
        "state 'unreachable'. More is shown to those who are signed in.",
        NULL, NO_ARGUMENTS, NULL),
    COMMAND(
        "secret put", secrets_put, SECRETS, "store a new secret",
        "The value is asked for, or read from --value-file. It is never an argument: those can be seen by everybody on "
        "the "
        "host.",
        OPTIONS(VALUE_FILE, TRIM, CHOICE("kind", "KIND", kinds, "what it is; a password if left out"), ENVIRONMENT,
                VALUE("description", TEXT, "TEXT", "for people"),
                VALUE("owner", TEXT, "NAME", "who is responsible; you"), VALUE("tag", TEXTS, "TEXT", "may be repeated"),
                VALUE("rotation-days", NUMBER, "N", "remind to rotate after so many days")),
        ARGUMENTS(PATH_ARGUMENT),
        "pass show binance | holdfast secret put exchange/binance/login \\\n    --value-file - --reason \"moved from "
        "pass\""),
    COMMAND("secret get", secrets_get, SECRETS, "read a secret", NULL,
            OPTIONS(VERSION, FLAG("raw", 0, "the value alone, byte for byte"),
                    FLAG("metadata", 0, "everything but the value"),
                    FLAG("recover", 0, "an older version, past its grace period")),
            ARGUMENTS(PATH_ARGUMENT), "holdfast secret get exchange/binance/login --raw --reason \"log in\""),
    COMMAND("secret list", secrets_list, SECRETS, "secrets below a path", SORTED_HELP, OPTIONS(PAGE),
            ARGUMENTS(ARGUMENT_OPTIONAL("PREFIX", "such as exchange/; all if left out")), NULL),
    COMMAND("secret rotate", secrets_rotate, SECRETS, "give a secret a new value",
            "The old value stays readable for the grace period. --version makes it a compare-and-set.",
            OPTIONS(VALUE_FILE, TRIM, GRACE, VALUE("version", NUMBER, "N", "only if this is the current version")),
            ARGUMENTS(PATH_ARGUMENT),
            "holdfast secret rotate database/main --value-file new.txt --grace 1h \\\n    --reason \"quarterly\""),
    COMMAND("secret revoke", secrets_revoke, SECRETS | COMMAND_ASKS, "take a secret out of use at once", NULL, NULL,
            ARGUMENTS(PATH_ARGUMENT), NULL),
    COMMAND("secret history", secrets_history, SECRETS, "versions of a secret", NULL, NULL, ARGUMENTS(PATH_ARGUMENT),
            NULL),
    COMMAND("secret delete", secrets_delete, SECRETS | COMMAND_ASKS, "hide a version; it can be undeleted", NULL,
            OPTIONS(VERSION), ARGUMENTS(PATH_ARGUMENT), NULL),
    COMMAND("secret undelete", secrets_undelete, SECRETS, "bring a deleted version back", NULL, OPTIONS(VERSION),
            ARGUMENTS(PATH_ARGUMENT), NULL),
    COMMAND("secret destroy", secrets_destroy, SECRETS | COMMAND_ASKS, "remove a version for good", NULL,
            OPTIONS(VERSION), ARGUMENTS(PATH_ARGUMENT), NULL),
    COMMAND(
        "credential put", credentials_put, CHANGES | COMMAND_ASKS, "store a venue's key, for signing only",
        "The key is encrypted here to the keeper's import key, whose fingerprint is pinned in the profile. Nobody can "
        "read "
        "it back, and what it may sign is what the policy says. Putting a path that exists replaces its "
        "key.\n\n" APPROVAL_HELP,
        OPTIONS(VALUE("venue", TEXT, "NAME", "see 'credential venues'"), VALUE("scheme", TEXT, "NAME", "how it signs"),
                VALUE("policy", FILE, "FILE", "the signing policy, JSON"), BUNDLE, ENVIRONMENT,
                VALUE("description", TEXT, "TEXT", "for people"), KEY_FILE, KEY_PASS),
        ARGUMENTS(CREDENTIAL_ARGUMENT),
        "holdfast credential put exchange/binance/main --venue binance \\\n"
        "    --scheme binance-hmac --policy policy.json --bundle-file bundle.json"),
    COMMAND("credential policy", credentials_policy, CHANGES | COMMAND_ASKS, "change what a credential may sign",
            "Without --policy the present one is printed.\n\n" APPROVAL_HELP,
            OPTIONS(VALUE("policy", FILE, "FILE", "the new signing policy, JSON"), KEY_FILE, KEY_PASS),
            ARGUMENTS(CREDENTIAL_ARGUMENT), NULL),
    COMMAND("credential list", credentials_list, CHANGES, "credentials", SORTED_HELP, OPTIONS(PAGE),
            ARGUMENTS(ARGUMENT_OPTIONAL("PREFIX", "such as exchange; all if left out")), NULL),
    COMMAND("credential show", credentials_show, CHANGES, "one credential and its policy", NULL, NULL,
            ARGUMENTS(CREDENTIAL_ARGUMENT), NULL),
    COMMAND("credential freeze", credentials_freeze, CHANGES, "stop all signing with it at once",
            "Needs no approval. Releasing does.", NULL, ARGUMENTS(CREDENTIAL_ARGUMENT), NULL),
    COMMAND("credential release", credentials_release, CHANGES | COMMAND_ASKS, "let a frozen credential sign again",
            APPROVAL_HELP, OPTIONS(KEY_FILE, KEY_PASS), ARGUMENTS(CREDENTIAL_ARGUMENT), NULL),
    COMMAND("credential revoke", credentials_revoke, CHANGES | COMMAND_ASKS, "take a credential out of use",
            APPROVAL_HELP, OPTIONS(KEY_FILE, KEY_PASS), ARGUMENTS(CREDENTIAL_ARGUMENT), NULL),
    COMMAND("credential test", credentials_test, CHANGES, "would this request be signed, and which rule decides",
            "A dry run: nothing is signed and no limit is used up. Exits with 4 when the policy refuses.",
            OPTIONS(REQUEST), ARGUMENTS(CREDENTIAL_ARGUMENT),
            "holdfast credential test exchange/binance/main --method POST \\\n"
            "    --path /api/v3/order --query 'symbol=BTCUSDT&side=BUY&…'"),
    COMMAND("credential venues", credentials_venues, COMMAND_API, "venues and their schemes", NULL, NULL, NO_ARGUMENTS,
            NULL),
    COMMAND(
        "sign", signing_run, CHANGES | COMMAND_PLAIN, "have a request signed",
        "Prints what the venue accepts: everything as JSON, the headers alone, or a curl command. What is signed is "
        "exactly "
        "the text that is given.",
        OPTIONS(REQUEST, FLAG("dry-run", 0, "only say what the policy decides"),
                {"output", 'o', OPTION_CHOICE, "FORM", sign_outputs, "json if left out"}),
        ARGUMENTS(CREDENTIAL_ARGUMENT), "holdfast sign exchange/binance/main --request order.json -o curl"),
    COMMAND(
        "key create", keys_create, CHANGES, "make an API key for a bot or a service",
        "The key is shown once. It may sign with the credentials that are named, and holds the roles that are given, "
        "never "
        "more than you do.",
        OPTIONS(KEY_POLICY), ARGUMENTS(ARGUMENT("NAME", "for people")),
        "holdfast key create market-maker --role trader \\\n    --credential exchange/binance/main"),
    COMMAND("key import", keys_import, CHANGES, "take over an API key that was issued elsewhere",
            "Only the SHA-256 of its text is sent and kept; the text itself is asked for, or read with --key-file. It "
            "should have "
            "at least 128 bits from a random generator: nobody can tell from its SHA-256.",
            OPTIONS(VALUE("key-file", FILE, "FILE", "the key's text, one line; - is standard input"),
                    VALUE("sha256", TEXT, "HEX", "instead: the SHA-256 of its text"), KEY_POLICY),
            ARGUMENTS(ARGUMENT("NAME", "for people")),
            "holdfast key import old-feed --role viewer --key-file old-feed.key"),
    COMMAND("key list", keys_list, CHANGES, "API keys", NULL,
            OPTIONS(VALUE("owner", TEXT, "USER", "of this user alone"),
                    VALUE("expires-within", DURATION, "TIME", "those that will have expired by then, in whole days"),
                    FLAG("rotation-due", 0, "those whose secret is 30 days old or older"), PAGE),
            NO_ARGUMENTS, NULL),
    COMMAND("key show", keys_show, CHANGES, "one API key", NULL, NULL, ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key usage", keys_usage, CHANGES, "how much an API key is used, from where and what for", NULL, NULL,
            ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key rotate", keys_rotate, CHANGES, "replace a key; the old one stays good for a while",
            "The new key is shown once.", OPTIONS(GRACE), ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key verify", keys_verify, COMMAND_API, "is this API key good, whose is it, and what may it do",
            "As other programs of the desk ask; it counts as one request of the key. Exits with 4 if it is not valid.",
            OPTIONS(VALUE("key-file", FILE, "FILE", "the key; - is standard input"),
                    VALUE("permission", TEXT, "NAME", "that is needed, such as market:read"), KEY_REQUEST),
            NO_ARGUMENTS, "holdfast key verify --key-file - --permission market:read"),
    COMMAND("key renew", keys_renew, CHANGES, "put off the end of a renewable key that expires within 7 days", NULL,
            NULL, ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key unlock", keys_unlock, CHANGES, "let a key work that demands your second factor",
            "'holdfast mfa verify' first, if it was not shown a short while ago.",
            OPTIONS(VALUE("hours", NUMBER, "COUNT", "for so long, up to 24 (8)")),
            ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key suspend", keys_suspend, CHANGES, "stop a key until it is reactivated", NULL, NULL,
            ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key reactivate", keys_reactivate, CHANGES, "let a suspended key work again", NULL, NULL,
            ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("key revoke", keys_revoke, CHANGES | COMMAND_ASKS, "end a key for good", NULL, NULL,
            ARGUMENTS(ARGUMENT("ID", "the key's id")), NULL),
    COMMAND("token create", tokens_create, CHANGES, "an access token (JWT) for who asks",
            "With a session a refresh token comes along, which is good once. Both are shown this once.",
            OPTIONS(VALUE("client", TEXT, "NAME", "the program it is for, as lists show it"),
                    VALUE("audience", TEXT, "NAME", "for whom, if not for Holdfast"),
                    VALUE("life", DURATION, "TIME", "how long, if shorter than the longest that is configured")),
            NO_ARGUMENTS, "holdfast token create --client grafana --life 10m"),
    COMMAND("token refresh", tokens_refresh, COMMAND_API, "the next access token and refresh token",
            "The refresh token is used up. Shown again it ends all that came from it.",
            OPTIONS(VALUE("refresh-file", FILE, "FILE", "the refresh token; - is standard input"),
                    VALUE("audience", TEXT, "NAME", "for whom, if not for Holdfast"),
                    VALUE("life", DURATION, "TIME", "how long, if shorter than the longest that is configured")),
            NO_ARGUMENTS, NULL),
    COMMAND("token list", tokens_list, COMMAND_API, "what refresh tokens stand for", NULL,
            OPTIONS(VALUE("user", TEXT, "NAME", "of this user"), FLAG("all", 0, "of everybody"), PAGE), NO_ARGUMENTS,
            NULL),
    COMMAND(
        "token revoke", tokens_end_now, CHANGES | COMMAND_ASKS, "end tokens now",
        "Without an option: what came from this session. --issued-since is for a host that was broken into: it ends "
        "every token issued from then to now, and every grant, whoever signed for it.",
        OPTIONS(VALUE("issued-since", TIME, "TIME", "everybody's: a time, a date, or how long ago"),
                VALUE("user", TEXT, "NAME", "all of this user"), VALUE("key", TEXT, "ID", "all of this API key"),
                VALUE("grant", TEXT, "ID", "all that came from one refresh token"),
                VALUE("id", TEXT, "ID", "one token, by its jti"),
                VALUE("ended-file", FILE, "FILE", "the token to end; - is standard input")),
        NO_ARGUMENTS, "holdfast token revoke --issued-since 2h"),
    COMMAND("token jwks", tokens_jwks, COMMAND_API | COMMAND_PLAIN, "the keys to check access tokens with", NULL, NULL,
            NO_ARGUMENTS, NULL),
    COMMAND("user list", users_list, CHANGES, "people", NULL, OPTIONS(PAGE), NO_ARGUMENTS, NULL),
    COMMAND(
        "user create", users_create, CHANGES, "add a person", "The first password is asked for, or read from a file.",
        OPTIONS(ROLE, VALUE("email", TEXT, "ADDRESS", "for people"),
                VALUE("environment", TEXTS, "NAME", "where he may touch secrets and sign; may be repeated"), PASSWORD),
        ARGUMENTS(ARGUMENT("NAME", "user name")), "holdfast user create bob --role trader --environment production"),
    COMMAND("user search", users_search, CHANGES, "people whose name or e-mail address begins so", NULL, OPTIONS(PAGE),
            ARGUMENTS(ARGUMENT("TEXT", "beginning of a name or an address")), NULL),
    COMMAND(
        "user invite", users_invite, CHANGES, "let a person set his password himself",
        "Prints a one-time token, and a link with it to the log-in page if --address is https. With either (in a "
        "terminal by 'holdfast enrol') he sets his password and is signed in. Who is not there yet is added; who is, "
        "keeps his password until the token is used.",
        OPTIONS(ROLE, VALUE("email", TEXT, "ADDRESS", "for people"),
                VALUE("environment", TEXTS, "NAME", "where he may touch secrets and sign; may be repeated")),
        ARGUMENTS(ARGUMENT("NAME", "user name")), "holdfast user invite bob --role trader --environment production"),
    COMMAND(
        "user import", users_import, CHANGES, "add people from a list",
        "CSV with a first line that names the columns name, email, roles, environments and password_hash (several "
        "roles "
        "are parted by ';'), or a JSON array of objects with these members. password_hash is a bcrypt hash; his first "
        "log-in replaces it by Argon2id. Who is refused is named, and the others are added: the exit code is 1 then.",
        NULL, ARGUMENTS(ARGUMENT_FILE("FILE", "the list; - is standard input")), "holdfast user import people.csv"),
    COMMAND("user delete", users_delete, CHANGES | COMMAND_ASKS, "remove a person",
            "Sessions and tokens end, API keys that he owns are revoked. The record keeps what he did.", NULL,
            ARGUMENTS(ARGUMENT("NAME", "user name")), NULL),
    COMMAND("user show", users_show, CHANGES, "one person", NULL, NULL, ARGUMENTS(ARGUMENT("NAME", "user name")), NULL),
    COMMAND("user change", users_change, CHANGES, "roles, e-mail, password, or disabling of a person", NULL,
            OPTIONS(ROLE, VALUE("email", TEXT, "ADDRESS", "for people"),
                    VALUE("environment", TEXTS, "NAME", "where he may touch secrets and sign; may be repeated"),
                    FLAG("disable", 0, "may not sign in"), FLAG("enable", 0, "may sign in again; also unlocks"),
                    FLAG("new-password", 0, "ask for a new password"), PASSWORD),
            ARGUMENTS(ARGUMENT("NAME", "user name")), NULL),
    COMMAND("user reset-mfa", mfa_reset, CHANGES | COMMAND_ASKS, "take the second factors off a person who lost them",
            "All sessions and tokens of that person end.", NULL, ARGUMENTS(ARGUMENT("NAME", "user name")), NULL),
    COMMAND("role list", roles_list, CHANGES, "roles, built-in and defined", NULL, NULL, NO_ARGUMENTS, NULL),
    COMMAND("role show", roles_show, CHANGES, "what one role grants and denies", NULL, NULL,
            ARGUMENTS(ARGUMENT("NAME", "role")), NULL),
    COMMAND("role create", roles_create, CHANGES, "define a role", NULL, OPTIONS(ROLE_PARTS),
            ARGUMENTS(ARGUMENT("NAME", "role")),
            "holdfast role create night-desk --grant market:read --grant risk:view \\\n    --deny orders:place"),
    COMMAND("role change", roles_change, CHANGES, "replace what a defined role grants and denies",
            "What is not given again is gone. It counts from the next request of everybody who has the role.",
            OPTIONS(ROLE_PARTS), ARGUMENTS(ARGUMENT("NAME", "role")), NULL),
    COMMAND("role delete", roles_delete, CHANGES | COMMAND_ASKS, "delete a defined role that nobody has", NULL, NULL,
            ARGUMENTS(ARGUMENT("NAME", "role")), NULL),
    COMMAND("mapping list", mappings_list, CHANGES, "whom certificates and Unix groups stand for", NULL, OPTIONS(PAGE),
            NO_ARGUMENTS, NULL),
    COMMAND(
        "mapping create", mappings_create, CHANGES, "let a certificate or a Unix group stand for somebody",
        "What is matched: dns:NAME, uri:URI or email:ADDRESS among the subject alternative names of a client's "
        "certificate, sha256:FINGERPRINT of the certificate itself, or gid:NUMBER, the group of a process that "
        "connects "
        "to the Unix socket, which stands for API keys alone.",
        OPTIONS(VALUE("comment", TEXT, "TEXT", "for people")),
        ARGUMENTS(ARGUMENT("MATCH", "such as uri:spiffe://desk/grid-bot"), ARGUMENT("IDENTITY", "user:NAME or key:ID")),
        "holdfast mapping create dns:grid.bots.desk.example key:0123456789abcdef"),
    COMMAND("mapping delete", mappings_delete, CHANGES | COMMAND_ASKS, "end a mapping",
            "It counts from the next request on, also on connections that are open.", NULL,
            ARGUMENTS(ARGUMENT("ID", "as 'mapping list' shows it")), NULL),
    COMMAND(
        "guard status", guard_status, COMMAND_API,
        "what the guard knows of networks and attacks, and how full its limits are",
        "Networks by who said something of them, the database of countries, feeds with their files, limits with the "
        "clients that have spent something of theirs.",
        NULL, NO_ARGUMENTS, NULL),
    COMMAND("guard networks", guard_list, CHANGES, "networks that the guard lets in or keeps out", NULL, NULL,
            NO_ARGUMENTS, NULL),
    COMMAND(
        "guard block", guard_block, CHANGES | COMMAND_ASKS, "keep a network out, from the next request on",
        "For a day, if nothing else is said. It ends by itself, and survives a restart until then. Of a network wider "
        "than /16 it asks first.",
        OPTIONS(VALUE("minutes", NUMBER, "N", "how long; 1440 if left out")),
        ARGUMENTS(ARGUMENT("NETWORK", "an address, or a network such as 192.0.2.0/24")),
        "holdfast guard block 192.0.2.0/24 --minutes 60"),
    COMMAND("guard allow", guard_allow, CHANGES | COMMAND_ASKS, "let a network in, from the next request on",
            "Of a network wider than /16 it asks first.",
            OPTIONS(VALUE("minutes", NUMBER, "N", "how long; for good if left out")),
            ARGUMENTS(ARGUMENT("NETWORK", "an address, or a network such as 192.0.2.0/24")), NULL),
    COMMAND("guard unblock", guard_unblock, CHANGES, "take back what was said of a network",
            "What the configuration says of it holds again.", NULL,
            ARGUMENTS(ARGUMENT("NETWORK", "as 'guard networks' shows it")), NULL),
    COMMAND("guard blocks", guard_blocks, COMMAND_API, "networks that are kept out now, and what that refused",
            "But for those of feeds. Of automatic blocks the reason, and how often in a row.", NULL, NO_ARGUMENTS,
            NULL),
    COMMAND("guard top", guard_top, COMMAND_API, "who was refused most, and who asked most, in the last minutes",
            "Addresses and identities, of verdicts and log-ins.",
            OPTIONS(VALUE("limit", NUMBER, "N", "at most so many; 20 if left out, 100 at most")), NO_ARGUMENTS, NULL),
    COMMAND("guard live", guard_live, COMMAND_API, "verdicts and log-ins as they are decided",
            "Until it is interrupted. With -o json, one object a line. Who reads too slowly is told how many he "
            "missed.",
            OPTIONS(CHOICE("outcome", "OUTCOME", outcomes, "these alone"),
                    VALUE("network", TEXT, "NETWORK", "of clients in it alone"),
                    VALUE("identity", TEXT, "IDENTITY", "such as user:alice or key:ID")),
            NO_ARGUMENTS, "holdfast guard live --outcome refused --network 192.0.2.0/24"),
    COMMAND("guard test", guard_test, CHANGES, "what becomes of requests from an address, and by which rule", NULL,
            NULL, ARGUMENTS(ARGUMENT("ADDRESS", "of a client")), NULL),
    COMMAND("guard check-request", guard_check_request, COMMAND_API, "what the rules against attacks say of a request",
            "Of one that nobody sent: whether it would be refused, and by which rules, in which part and parameter of "
            "it. An "
            "exclusion in guard.patterns of the configuration mends what is no attack.",
            OPTIONS(VALUE("header", TEXTS, "HEADER", "such as 'Content-Type: application/json'; may be repeated"),
                    VALUE("body", FILE, "FILE", "its body")),
            ARGUMENTS(ARGUMENT("TARGET", "path and query, as a client sends them")),
            "holdfast guard check-request '/api/v1/notes?text=1%27+or+1=1--'"),
    COMMAND("policy check", policy_check, 0, "is a policy right, and what should be looked at",
            "Of the server's configuration, also inside a Kubernetes ConfigMap, or of a credential's signing policy "
            "(JSON). What is wrong is said with its line and column, and exits with 2; so do warnings with --strict.",
            OPTIONS(FLAG("strict", 0, "warnings count as errors")),
            ARGUMENTS(ARGUMENT_FILE("FILE", "the policy; - is standard input")), "holdfast policy check holdfast.yaml"),
    COMMAND(
        "policy diff", policy_compare, CHANGES, "what a file would change of the guard's policy",
        "Compared with what is in force, or with a second file that would follow the first. Exits with 0 if nothing "
        "differs, 1 if something does, and 2 if that can't be told.",
        NULL,
        ARGUMENTS(ARGUMENT_FILE("FILE", "configuration, or a ConfigMap that holds it; - is standard input"),
                  ARGUMENT_FILE_OPTIONAL("FILE", "what would follow it")),
        "holdfast policy diff holdfast.yaml"),
    COMMAND(
        "who-can", explain_who_can, COMMAND_API, "users and API keys that may do something, and why",
        "One page of users, or of keys: who of them may. With -o json, next is what --after of the next page takes.",
        OPTIONS(PAGE, CHOICE("level", "LEVEL", levels, "of a secret; read"), KEY_REQUEST),
        ARGUMENTS(ARGUMENT("PERMISSION", "such as secrets:access"),
                  ARGUMENT_OPTIONAL("RESOURCE", "secret:PATH or credential:PATH")),
        "holdfast who-can secrets:access secret:database/main --limit 500"),
    COMMAND("explain", explain_run, COMMAND_API, "may somebody do something, and which rule says so", NULL,
            OPTIONS(CHOICE("level", "LEVEL", levels, "of a secret; read"), KEY_REQUEST),
            ARGUMENTS(ARGUMENT("IDENTITY", "user:NAME or key:ID"), ARGUMENT("PERMISSION", "such as market:read"),
                      ARGUMENT_OPTIONAL("RESOURCE", "secret:PATH or credential:PATH")),
            "holdfast explain user:bob orders:place"),
    COMMAND("audit tail", audit_tail, COMMAND_API, "the newest records, and those that follow",
            "Goes on until it is stopped; --once ends after what is there.",
            OPTIONS(FILTERS, LIMIT, FLAG("once", 0, "do not wait for more")), NO_ARGUMENTS, NULL),
    COMMAND("audit search", audit_search, COMMAND_API, "find records, newest first", NULL,
            OPTIONS(FILTERS, VALUE("from", TIME, "TIME", "not before: a time, a date, or how long ago"),
                    VALUE("to", TIME, "TIME", "before it"), VALUE("before", NUMBER, "INDEX", "only below this index"),
                    LIMIT),
            NO_ARGUMENTS, "holdfast audit search --type SIGNING_REFUSED --from 24h"),
    COMMAND("audit show", audit_show, COMMAND_API, "one record", NULL, NULL,
            ARGUMENTS(ARGUMENT("INDEX", "the record's number")), NULL),
    COMMAND("audit verify", audit_verify, 0, "prove an exported log, offline",
            "Checks each record, the signed checkpoint and the chains of keeper and signer, and names the first record "
            "that "
            "is "
            "wrong. The verifier is the one pinned in the profile, or --verifier. --against proves as well that "
            "nothing that "
            "an earlier checkpoint covers was altered or removed. Exits with 8 when the proof fails.",
            OPTIONS(VALUE("against", FILE, "FILE", "an earlier checkpoint"),
                    VALUE("verifier", TEXT, "TEXT", "name+hash+key, as 'operator status' shows it")),
            ARGUMENTS(ARGUMENT_FILE("FILE", "an exported log; - is standard input")),
            "holdfast audit verify log.jsonl --against checkpoint.txt"),
    COMMAND("audit export", audit_export, COMMAND_API | COMMAND_PLAIN, "the whole log, for verifying and keeping",
            "One JSON object a line, with everything that 'audit verify' needs.", NULL,
            ARGUMENTS(ARGUMENT_FILE_OPTIONAL("FILE", "where to write; standard output if left out")),
            "holdfast audit export log.jsonl"),
    COMMAND("audit checkpoint", audit_checkpoint, COMMAND_API | COMMAND_PLAIN, "the newest signed checkpoint",
            "A C2SP signed note, verified against the pinned key. Keep it elsewhere: it proves later that nothing was "
            "altered.",
            NULL, NO_ARGUMENTS, "holdfast audit checkpoint > checkpoint.txt"),
    COMMAND(
        "completion", completion_run, COMMAND_PLAIN, "completion for your shell",
        "bash: holdfast completion bash > /etc/bash_completion.d/holdfast. zsh: the same into a file _holdfast in a "
        "directory of $fpath. fish: into ~/.config/fish/completions/holdfast.fish.",
        NULL, ARGUMENTS(ARGUMENT("SHELL", "bash, zsh or fish")), "source <(holdfast completion bash)"),
    COMMAND("help", help_run, COMMAND_PLAIN, "help for a command",
            "--markdown and --man write the reference of all commands.",
            OPTIONS(FLAG("markdown", 0, "every command, as in docs/cli.md"), FLAG("man", 0, "the manual page")),
            ARGUMENTS(ARGUMENT_OPTIONAL("VERB", "such as secret"), ARGUMENT_OPTIONAL("VERB", "such as put"),
                      ARGUMENT_OPTIONAL("VERB", "a third one")),
            NULL),
    COMMAND("version", help_version, 0, "the version of this program", NULL, NULL, NO_ARGUMENTS, NULL),
};
const size_t command_count = ARRAY_LEN(command_table);
