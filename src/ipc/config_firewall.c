/* The firewall of the guard: which packets of who is blocked the kernel drops. */
#include "base/fields.h"
#include "base/yaml.h"
#include "ipc/config.h"

#include <stdio.h>

#define ALL "all"

/* One way to write each: what is said here goes into the kernel's rules. */
static bool is_port(struct view v)
{
    uint32_t n = 0;
    for (size_t i = 0; i < v.len && v.len <= 5; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
        n = n * 10 + (v.ptr[i] - '0');
    }
    return v.len > 0 && v.len <= 5 && v.ptr[0] != '0' && n <= 65535;
}

static bool is_ports(struct view v)
{
    return view_is(v, ALL) || is_port(v);
}

/* By its name nobody else's table can be meant. */
static bool is_table(struct view v)
{
    const size_t own = sizeof CONFIG_FIREWALL_TABLE - 1;
    if (v.len < own || memcmp(v.ptr, CONFIG_FIREWALL_TABLE, own) != 0)
        return false;
    for (size_t i = own; i < v.len; i++)
        if (!(v.ptr[i] >= 'a' && v.ptr[i] <= 'z') && !(v.ptr[i] >= '0' && v.ptr[i] <= '9') && v.ptr[i] != '_')
            return false;
    return true;
}

static const char *const hooks[] = {"default", "input", "prerouting", NULL};

static const char *const stops[] = {"default", "remove", "keep", NULL};

static const struct field firewall_fields[] = {
    FIELD(1, struct config_guard_firewall, ports, TEXTS, CONFIG_FIREWALL_PORTS_MAX, .flags = FIELD_REQUIRED,
          .check = is_ports, .rule = "port numbers from 1 to 65535, or all",
          .doc = "of TCP and UDP that are closed to who is blocked"),
    FIELD(2, struct config_guard_firewall, hook, ENUM, 0, .names = hooks, .doc = "where the kernel looks"),
    FIELD(3, struct config_guard_firewall, table, TEXT, CONFIG_FIREWALL_TABLE_MAX, .check = is_table,
          .rule = "holdfast, and behind it small letters, digits and _", .doc = "the only one that is touched"),
    FIELD(4, struct config_guard_firewall, at_stop, ENUM, 0, .names = stops,
          .doc = "what becomes of the table while the server is stopped"),
};
const struct entity config_guard_firewall_entity = ENTITY("ConfigGuardFirewall", 0x0830, 1,
                                                          struct config_guard_firewall, firewall_fields);

bool config_firewall_wanted(const struct config *c)
{
    return c->guard.firewall.ports.count > 0;
}

void config_firewall_complete(struct config_guard_firewall *f)
{
    f->hook = f->hook ? f->hook : CONFIG_HOOK_INPUT;
    f->at_stop = f->at_stop ? f->at_stop : CONFIG_AT_STOP_REMOVE;
    f->table = f->table.len ? f->table : VIEW_STR(CONFIG_FIREWALL_TABLE);
}

/* root: the file's; NULL where the configuration came otherwise. */
RESULT config_firewall_check(const struct config_guard_firewall *f, const struct yaml_node *root, struct problem *why)
{
    const char *const sentence = f->ports.count
                                     ? "all stands alone: it means every port, and everything but TCP and UDP too"
                                     : "say which ports blocks close, such as [80, 443], or [all]";
    const struct yaml_node *firewall = yaml_get(yaml_get(root, "guard"), "firewall");
    bool all = false;
    for (size_t i = 0; i < f->ports.count; i++)
        all = all || view_is(f->ports.items[i], ALL);
    if (f->ports.count == 0 ? !firewall : !all || f->ports.count == 1)
        return OK;
    if (firewall)
        return yaml_refuse(why, ERR_BAD_CONFIG, firewall, "%s", sentence);
    return problem_set(why, ERR_BAD_CONFIG, "guard.firewall.ports", "%s", sentence);
}
