#include "crypto/bcrypt.h"

#include "base/text.h"
#include "crypto/secmem.h"

#include <crypt.h>
#include <stdlib.h>

#define PASSWORD_MAX 1024
#define COST_MIN     4

bool bcrypt_hash_valid(struct view hash)
{
    static const char alphabet[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const uint8_t *p = hash.ptr;

    if (hash.len != BCRYPT_HASH_LEN || p[0] != '$' || p[1] != '2' || !p[2] || !strchr("aby", p[2]) || p[3] != '$' ||
        p[6] != '$')
        return false;
    if (p[4] < '0' || p[4] > '9' || p[5] < '0' || p[5] > '9')
        return false;
    int cost = (p[4] - '0') * 10 + (p[5] - '0');
    for (size_t i = 7; i < hash.len; i++)
        if (!p[i] || !strchr(alphabet, p[i]))
            return false;
    return cost >= COST_MIN && cost <= BCRYPT_COST_MAX;
}

RESULT bcrypt_verify(const char *hash, struct view password)
{
    char text[PASSWORD_MAX + 1];

    if (!bcrypt_hash_valid(view_str(hash)) || view_to_str(password, text, sizeof text) != OK)
        return ERR_BAD_CREDENTIALS;
    struct crypt_data *work = calloc(1, sizeof *work); /* 32 KiB: too much for a thread's stack */
    const char *got = work ? crypt_rn(text, hash, work, (int)sizeof *work) : NULL;
    bool same = got && ct_eq_view(view_str(got), view_str(hash));
    wipe(text, sizeof text);
    if (!work)
        return ERR_NO_MEMORY;
    wipe(work, sizeof *work);
    free(work);
    return same ? OK : ERR_BAD_CREDENTIALS;
}
