#include "crs.h"

#include "bench.h"

#include <dlfcn.h>

/* As in ModSecurity's headers. */
struct intervention {
    int status, pause;
    char *url, *log;
    int disruptive;
};

struct crs {
    void *library, *engine, *rules;
    void *(*new_transaction)(void *engine, void *rules, void *data);
    int (*connection)(void *t, const char *client, int client_port, const char *server, int server_port);
    int (*uri)(void *t, const char *uri, const char *method, const char *version);
    int (*add_header)(void *t, const unsigned char *name, size_t name_len, const unsigned char *value,
                      size_t value_len);
    int (*headers)(void *t);
    int (*append_body)(void *t, const unsigned char *body, size_t len);
    int (*body)(void *t);
    int (*intervention)(void *t, struct intervention *i);
    void (*cleanup)(void *t);
};

static void no_log(void *data, const void *text)
{
    (void)data;
    (void)text;
}

static void *symbol(const struct crs *c, const char *name)
{
    void *p = dlsym(c->library, name);
    bench_must(p ? OK : ERR_NOT_FOUND, name);
    return p;
}

static void symbols(struct crs *c)
{
    const struct {
        const char *name;
        void *function; /* where the pointer goes; copied as bytes, since ISO C has no cast between the two kinds */
    } wanted[] = {
        {"msc_new_transaction", &c->new_transaction},
        {"msc_process_connection", &c->connection},
        {"msc_process_uri", &c->uri},
        {"msc_add_n_request_header", &c->add_header},
        {"msc_process_request_headers", &c->headers},
        {"msc_append_request_body", &c->append_body},
        {"msc_process_request_body", &c->body},
        {"msc_intervention", &c->intervention},
        {"msc_transaction_cleanup", &c->cleanup},
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        void *p = symbol(c, wanted[i].name);
        memcpy(wanted[i].function, &p, sizeof p);
    }
}

struct crs *crs_new(const char *rules_file)
{
    struct crs *c = calloc(1, sizeof *c);
    const char *error = NULL;
    void *(*init)(void);
    void *(*make_rules)(void);
    void (*set_log)(void *, void (*)(void *, const void *));
    int (*add_file)(void *, const char *, const char **);
    void *p;
    bench_must(c ? OK : ERR_NO_MEMORY, "memory");
    c->library = dlopen("libmodsecurity.so.3", RTLD_NOW);
    bench_must(c->library ? OK : ERR_NOT_FOUND, "libmodsecurity3");
    symbols(c);
    memcpy(&init, (p = symbol(c, "msc_init"), &p), sizeof p);
    memcpy(&make_rules, (p = symbol(c, "msc_create_rules_set"), &p), sizeof p);
    memcpy(&set_log, (p = symbol(c, "msc_set_log_cb"), &p), sizeof p);
    memcpy(&add_file, (p = symbol(c, "msc_rules_add_file"), &p), sizeof p);
    c->engine = init();
    set_log(c->engine, no_log);
    c->rules = make_rules();
    if (add_file(c->rules, rules_file, &error) < 0) {
        fprintf(stderr, "%s\n", error ? error : "?");
        exit(1);
    }
    return c;
}

static bool refused(struct crs *c, void *t)
{
    struct intervention i = {.status = 200};
    bool yes = c->intervention(t, &i) && i.disruptive;
    free(i.url);
    free(i.log);
    return yes;
}

static void *begin(struct crs *c, const char *method, const struct patterns_request *r)
{
    void *t = c->new_transaction(c->engine, c->rules, NULL);
    char *uri = strndup((const char *)r->target.ptr, r->target.len);
    bench_must(t && uri ? OK : ERR_NO_MEMORY, "a transaction");
    c->connection(t, "192.0.2.1", 50000, "192.0.2.2", 443);
    c->uri(t, uri, method, "1.1");
    free(uri);
    for (size_t i = 0; i < r->header_count; i++)
        c->add_header(t, r->headers[i].name.ptr, r->headers[i].name.len, r->headers[i].value.ptr,
                      r->headers[i].value.len);
    c->headers(t);
    return t;
}

bool crs_blocks(struct crs *c, const char *method, const struct patterns_request *r)
{
    void *t = begin(c, method, r);
    bool blocks = refused(c, t);
    if (!blocks) {
        if (r->body.len)
            c->append_body(t, r->body.ptr, r->body.len);
        c->body(t);
        blocks = refused(c, t);
    }
    c->cleanup(t);
    return blocks;
}
