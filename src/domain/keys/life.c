#include "domain/keys/keys.h"

#define DAY_MS (24ull * 3600 * 1000)

uint64_t api_key_secret_ms(const struct api_key *k)
{
    return k->rotated_ms ? k->rotated_ms : k->created_ms;
}

struct api_key_times api_key_times_of(const struct api_key *k)
{
    return (struct api_key_times){.begun_ms = k->term_ms ? k->term_ms : api_key_secret_ms(k),
                                  .expires_ms = k->expires_ms,
                                  .status = k->status,
                                  .told = k->told};
}

static uint64_t life_of(const struct api_key_times *t)
{
    return t->expires_ms > t->begun_ms ? t->expires_ms - t->begun_ms : 0;
}

static void last(struct api_key *k, uint64_t from_ms)
{
    struct api_key_times t = api_key_times_of(k);
    k->term_ms = from_ms;
    k->expires_ms = from_ms + life_of(&t);
    k->told = NOTICE_NONE;
}

void api_key_begin(struct api_key *k, uint64_t now_ms)
{
    last(k, now_ms);
}

RESULT api_key_renew(struct api_key *k, uint64_t now_ms)
{
    if (now_ms >= k->expires_ms || k->expires_ms - now_ms > API_KEY_RENEW_DAYS * DAY_MS)
        return ERR_OUT_OF_RANGE;
    last(k, k->expires_ms);
    return OK;
}

bool api_key_rotation_due(const struct api_key *k, uint64_t now_ms)
{
    uint64_t since = api_key_secret_ms(k);
    return api_key_status_at(k, now_ms) == KEY_ACTIVE && now_ms > since &&
           now_ms - since >= API_KEY_ROTATION_DAYS * DAY_MS;
}

bool api_key_locked(const struct api_key *k, uint64_t now_ms)
{
    return k->mfa_required && now_ms >= k->unlocked_ms;
}

enum api_key_notice api_key_notice_due(const struct api_key_times *t, uint64_t now_ms)
{
    static const struct {
        enum api_key_notice notice;
        uint64_t ahead_ms;
    } notices[] = {
        {NOTICE_EXPIRED, 0}, {NOTICE_1_DAY, DAY_MS}, {NOTICE_7_DAYS, 7 * DAY_MS}, {NOTICE_14_DAYS, 14 * DAY_MS}};
    if (t->status != KEY_ACTIVE)
        return NOTICE_NONE;
    for (size_t i = 0; i < ARRAY_LEN(notices); i++) {
        bool due = now_ms + notices[i].ahead_ms >= t->expires_ms;
        if (due && (i == 0 || life_of(t) > notices[i].ahead_ms))
            return notices[i].notice > t->told ? notices[i].notice : NOTICE_NONE;
    }
    return NOTICE_NONE;
}
