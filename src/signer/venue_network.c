#include "signer/venue_model.h"

RESULT venue_network_host(const struct venue *v, struct view network, struct view host, struct view path,
                          struct view *ret)
{
    const struct venue_host *hosts = v->decl.hosts.items;
    for (size_t i = 0; i < v->decl.hosts.count; i++) {
        if (!view_eq(hosts[i].network, network) || (host.len && !view_eq(hosts[i].name, host)))
            continue;
        for (size_t k = 0; k < hosts[i].serves.count; k++) {
            struct view begin = hosts[i].serves.items[k];
            if (path.len < begin.len || !view_eq(VIEW(path.ptr, begin.len), begin))
                continue;
            *ret = hosts[i].name;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}
