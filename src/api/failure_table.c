#include "api/failure_table.h"

#include <string.h>

const char *const failure_names[FAILURE_COUNT] = {
    [FAILURE_NONE] = "nothing",
    [FAILURE_NOT_INITIALISED] = "not initialised",
    [FAILURE_SEALED] = "sealed",
    [FAILURE_KEEPER_DEAD] = "keeper dead",
    [FAILURE_SIGNER_DEAD] = "signer dead",
    [FAILURE_DISK_FULL] = "disk full",
    [FAILURE_CLOCK_JUMPED] = "clock jumped",
    [FAILURE_LOG_UNWRITABLE] = "log unwritable",
    [FAILURE_LOG_MISMATCH] = "log does not match",
};

const char *const request_class_names[CLASS_COUNT] = {
    [CLASS_HEALTH] = "health",    [CLASS_LOGIN] = "login",     [CLASS_SECRET] = "read secret",
    [CLASS_CHANGE] = "change",    [CLASS_SIGN] = "sign",       [CLASS_AUDIT] = "audit query",
    [CLASS_READ] = "other reads", [CLASS_VERDICT] = "verdict",
};

#define ALL(code)                                                                                                      \
    {                                                                                                                  \
        [CLASS_LOGIN] = (code), [CLASS_SECRET] = (code), [CLASS_CHANGE] = (code), [CLASS_SIGN] = (code),               \
        [CLASS_AUDIT] = (code), [CLASS_READ] = (code), [CLASS_VERDICT] = (code)                                        \
    }
/* What leaves a record waits for it; what only reads goes on. */
#define RECORDED(code)                                                                                                 \
    {                                                                                                                  \
        [CLASS_LOGIN] = (code), [CLASS_SECRET] = (code), [CLASS_CHANGE] = (code), [CLASS_SIGN] = (code),               \
        [CLASS_VERDICT] = (code)                                                                                       \
    }

static const enum err answers[FAILURE_COUNT][CLASS_COUNT] = {
    [FAILURE_NOT_INITIALISED] = ALL(ERR_NOT_INITIALISED),
    [FAILURE_SEALED] = ALL(ERR_SEALED),
    [FAILURE_KEEPER_DEAD] = ALL(ERR_SEALED),
    [FAILURE_SIGNER_DEAD] = {[CLASS_SIGN] = ERR_UNAVAILABLE},
    [FAILURE_DISK_FULL] = RECORDED(ERR_NO_SPACE),
    [FAILURE_CLOCK_JUMPED] = {[CLASS_SIGN] = ERR_CLOCK_JUMPED},
    [FAILURE_LOG_UNWRITABLE] = RECORDED(ERR_LOG_UNWRITABLE),
    [FAILURE_LOG_MISMATCH] = ALL(ERR_TAMPERED),
};

enum err failure_answer(enum failure f, enum request_class c)
{
    return answers[f][c];
}

/* By the row's own words: a new route of a known kind needs no entry. */
static const struct {
    const char *tag, *name; /* NULL: any */
    bool reads_only;
    enum request_class is;
} kinds[] = {
    {"system", NULL, false, CLASS_HEALTH},
    {NULL, "login", false, CLASS_LOGIN},
    {NULL, "enrol", false, CLASS_LOGIN},
    {NULL, "sign", false, CLASS_SIGN},
    {NULL, "key-verify", false, CLASS_VERDICT},
    {"guard", NULL, false, CLASS_VERDICT},
    {"secrets", NULL, true, CLASS_SECRET},
    {"audit", NULL, true, CLASS_AUDIT},
    {NULL, NULL, true, CLASS_READ},
};

enum request_class failure_class_of(const struct route *r)
{
    bool reads = r->method == HTTP_GET || r->method == HTTP_HEAD || r->method == HTTP_LIST;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].tag && (!r->tag || strcmp(kinds[i].tag, r->tag) != 0))
            continue;
        if (kinds[i].name && (!r->name || strcmp(kinds[i].name, r->name) != 0))
            continue;
        if (!kinds[i].reads_only || reads)
            return kinds[i].is;
    }
    return CLASS_CHANGE;
}
