#include "signer/scheme.h"

#include "signer/hyperliquid.h"
#include "signer/rest.h"

static const struct scheme *const schemes[] = {
    &scheme_binance_hmac,
    &scheme_binance_rsa,
    &scheme_binance_ed25519,
    &scheme_binance_wsapi_hmac,
    &scheme_binance_wsapi_rsa,
    &scheme_binance_wsapi_ed25519,
    &scheme_binance_apikey_only,
    &scheme_phemex,
    &scheme_phemex_ws,
    &scheme_hl_l1,
    &scheme_hl_user,
    &scheme_hl_multisig,
};

const struct scheme *scheme_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (view_is(name, schemes[i]->name))
            return schemes[i];
    return NULL;
}

void scheme_form_done(struct scheme_form *f)
{
    if (f->read)
        f->done(f->read);
    *f = (struct scheme_form){0};
}

size_t scheme_count(void)
{
    return ARRAY_LEN(schemes);
}

struct view scheme_name_at(size_t i)
{
    return view_str(schemes[i]->name);
}
