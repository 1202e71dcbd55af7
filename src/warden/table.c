#include "warden/table.h"

#include <errno.h>
#include <malloc.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX (32u << 20) /* bytes: of a whole table, 70 for each element at most */
#define CHAIN       "blocks"

/* By enum config_firewall_hook. Ahead of the host's own filters; before routing also ahead of connection tracking,
 * which a flood would fill, and of the translation of addresses and ports. */
static const struct {
    const char *name;
    int priority;
} hooks[] = {[CONFIG_HOOK_INPUT] = {"input", -10}, [CONFIG_HOOK_PREROUTING] = {"prerouting", -310}};

struct table {
    struct nft_ctx *nft;
    const struct config_guard_firewall *settings;
    char name[CONFIG_FIREWALL_TABLE_MAX + 1];
};

RESULT table_new(const struct config_guard_firewall *f, struct table **ret)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    t->settings = f;
    enum err e = f->hook < ARRAY_LEN(hooks) && hooks[f->hook].name ? view_to_str(f->table, t->name, sizeof t->name)
                                                                   : ERR_OUT_OF_RANGE;
    t->nft = e == OK ? nft_ctx_new(NFT_CTX_DEFAULT) : NULL;
    if (e == OK && (!t->nft || nft_ctx_buffer_output(t->nft) != 0 || nft_ctx_buffer_error(t->nft) != 0))
        e = ERR_NO_MEMORY;
    if (e != OK) {
        table_free(t);
        return e;
    }
    nft_ctx_output_set_flags(t->nft, NFT_CTX_OUTPUT_NUMERIC_ALL); /* names would be looked up in files */
    *ret = t;
    return OK;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    if (t->nft)
        nft_ctx_free(t->nft);
    free(t);
}

/* --- commands */

/* The library tells the kernel's error by its text alone. */
static const struct {
    int number;
    enum err error;
} known[] = {{ENFILE, ERR_LIMIT_REACHED}, {ENOENT, ERR_NOT_FOUND}};

/* "Error: Could not process rule: Operation not permitted\n…": the first line, without what is in front of every one.
 */
static RESULT failed(struct table *t, struct problem *why)
{
    static const char *const front[] = {"Error: ", "Could not process rule: "};
    const char *text = nft_ctx_get_error_buffer(t->nft);
    enum err e = ERR_IO;
    for (size_t i = 0; i < ARRAY_LEN(front); i++)
        if (strncmp(text, front[i], strlen(front[i])) == 0)
            text += strlen(front[i]);
    int len = (int)strcspn(text, "\n");
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *said = strerrordesc_np(known[i].number);
        if (strncmp(text, said, strlen(said)) == 0)
            e = known[i].error;
    }
    return problem_set(why, e, t->name, "nftables: %.*s", len, text);
}

static RESULT run(struct table *t, struct writer *command, struct problem *why)
{
    writer_u8(command, 0);
    TRY(writer_done(command));
    if (nft_run_cmd_from_buffer(t->nft, (const char *)command->ptr) == 0)
        return OK;
    return failed(t, why);
}

static void put_ports(const struct text_list *ports, struct writer *w)
{
    /* By numbers: names of protocols are looked up in files. */
    if (view_is(ports->items[0], "all")) {
        /* Neighbour discovery, RFC 4861: whose packets it is refused, such as a router's, loses the way to everybody
         * behind him. Nobody further away can send it, by the hop limit. */
        writer_str(w, "icmpv6 type 133-137 ip6 hoplimit 255 accept\n");
        return;
    }
    writer_str(w, "meta l4proto != { 6, 17 } accept\nth dport != { ");
    for (size_t i = 0; i < ports->count; i++) {
        writer_str(w, i ? ", " : "");
        writer_view(w, ports->items[i]);
    }
    writer_str(w, " } accept\n");
}

static void put_table(const struct table *t, const struct view *elements, struct writer *w)
{
    writer_printf(w, "table inet %s {\n", t->name);
    for (size_t i = 0; i < SETS_COUNT; i++) {
        const struct sets_form *f = &sets_forms[i];
        writer_printf(w, "set %s { type %s; flags %s; size %u; ", f->name, f->type, f->flags, (unsigned)f->size);
        if (elements && elements[i].len > 0) {
            writer_str(w, "elements = { ");
            writer_view(w, elements[i]);
            writer_str(w, " }; ");
        }
        writer_str(w, "}\n");
    }
    writer_printf(w, "chain " CHAIN " { type filter hook %s priority %d; policy accept;\niifname \"lo\" accept\n",
                  hooks[t->settings->hook].name, hooks[t->settings->hook].priority);
    put_ports(&t->settings->ports, w);
    for (size_t i = 0; i < SETS_COUNT; i++)
        writer_printf(w, "%s @%s counter drop\n", sets_forms[i].match, sets_forms[i].name);
    writer_str(w, "}\n}\n");
}

/* Adding first makes the deletion right whether it is there or not. */
static void put_removal(const struct table *t, struct writer *w)
{
    writer_printf(w, "add table inet %s\ndelete table inet %s\n", t->name, t->name);
}

RESULT table_replace(struct table *t, const struct view elements[static SETS_COUNT], struct problem *why)
{
    AUTO_WRITER w = writer_new(COMMAND_MAX);
    put_removal(t, &w);
    put_table(t, elements, &w);
    enum err e = run(t, &w, why);
    (void)malloc_trim(0); /* what it took of memory is of no use until the next one */
    return e;
}

RESULT table_begin(struct table *t, struct problem *why)
{
    static const struct view none[SETS_COUNT];
    return table_is_there(t) ? OK : table_replace(t, none, why);
}

RESULT table_drop(struct table *t, struct problem *why)
{
    AUTO_WRITER w = writer_new(COMMAND_MAX);
    put_removal(t, &w);
    return run(t, &w, why);
}

/* "table inet holdfast {\n\tchain blocks {…": by the list of all chains, which costs the same however much is blocked.
 */
bool table_is_there(struct table *t)
{
    AUTO_WRITER command = writer_new(COMMAND_MAX);
    char table[64 + CONFIG_FIREWALL_TABLE_MAX];
    writer_str(&command, "list chains inet\n");
    if (run(t, &command, NULL) != OK)
        return false;
    (void)snprintf(table, sizeof table, "table inet %s {\n", t->name);
    const char *begin = strstr(nft_ctx_get_output_buffer(t->nft), table);
    const char *chain = begin ? strstr(begin, "\tchain " CHAIN " {\n") : NULL;
    const char *end = begin ? strstr(begin, "\n}") : NULL;
    return chain && end && chain < end;
}

/* --- sets */

static void put_element(const struct table *t, const char *verb, enum sets_which set, struct view elements,
                        struct writer *w)
{
    writer_printf(w, "%s element inet %s %s { ", verb, t->name, sets_forms[set].name);
    writer_view(w, elements);
    writer_str(w, " }\n");
}

RESULT table_fill(struct table *t, enum sets_which set, struct view elements, struct problem *why)
{
    AUTO_WRITER w = writer_new(COMMAND_MAX);
    writer_printf(&w, "flush set inet %s %s\n", t->name, sets_forms[set].name);
    if (elements.len > 0)
        put_element(t, "add", set, elements, &w);
    return run(t, &w, why);
}

RESULT table_add(struct table *t, enum sets_which set, struct view element, const char *address, struct problem *why)
{
    AUTO_WRITER w = writer_new(COMMAND_MAX);
    /* Older kernels leave an element that is there its time. So it goes first, and for that it must be there. */
    put_element(t, "add", set, view_str(address), &w);
    put_element(t, "delete", set, view_str(address), &w);
    put_element(t, "add", set, element, &w);
    return run(t, &w, why);
}

RESULT table_take(struct table *t, enum sets_which set, const char *address, struct problem *why)
{
    AUTO_WRITER w = writer_new(COMMAND_MAX);
    put_element(t, "delete", set, view_str(address), &w);
    return run(t, &w, why);
}
