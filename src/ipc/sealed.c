#include "ipc/sealed.h"

#include "base/clock.h"
#include "base/fields.h"

#include <string.h>
#include <sys/wait.h>

static const struct field sealed_fields[] = {
    FIELD(1, struct sealed, cause, U8, 0),
    FIELD(2, struct sealed, since_ms, U64, 0),
    FIELD(3, struct sealed, wait_status, U32, 0),
};
const struct entity sealed_entity = ENTITY("Sealed", 0x0807, 1, struct sealed, sealed_fields);

static const struct {
    const char *name, *text;
} causes[] = {
    [SEALED_AT_START] = {"start", "Holdfast was started"},
    [SEALED_BY_OPERATOR] = {"operator", "an operator sealed it"},
    [SEALED_KEEPER_ENDED] = {"keeper-ended", "the keeper ended"},
    [SEALED_UPGRADE_FAILED] = {"upgrade-failed", "the upgrade did not hand the unsealed state over"},
    [SEALED_RECORD_LOST] = {"record-lost", "the keeper had no memory for the record of a signature"},
};

const char *sealed_cause_name(uint8_t cause)
{
    return cause < ARRAY_LEN(causes) ? causes[cause].name : NULL;
}

static void put_end(uint32_t wait_status, struct writer *w)
{
    int status = (int)wait_status;

    if (WIFSIGNALED(status)) {
        const char *text = sigdescr_np(WTERMSIG(status));
        writer_printf(w, " by signal %d (%s)", WTERMSIG(status), text ? text : "unknown");
    } else {
        writer_printf(w, " with code %d", WEXITSTATUS(status));
    }
}

void sealed_sentence(const struct sealed *s, struct writer *w)
{
    char since[TIME_TEXT_SIZE];

    if (!sealed_cause_name(s->cause)) {
        writer_str(w, "Sealed: run 'holdfast operator unseal' on its host.");
        return;
    }
    time_format(s->since_ms, since);
    writer_printf(w, "Sealed since %s: %s", since, causes[s->cause].text);
    if (s->cause == SEALED_KEEPER_ENDED)
        put_end(s->wait_status, w);
    writer_str(w, ". Run 'holdfast operator unseal' on its host.");
}
