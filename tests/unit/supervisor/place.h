/* Where a test of the supervisor happens, and the server that it starts there. */
#ifndef HOLDFAST_TEST_SUPERVISOR_PLACE_H
#define HOLDFAST_TEST_SUPERVISOR_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A place for one test: root/bin with the children's names, root/venues, root/data, root/config.yaml. */
struct place {
    char root[64], data[80], config[96], bin[80];
    pid_t server;
    int ready; /* read end of --ready-fd */
    char errors[80];
};

extern char place_self[512]; /* this executable */

/* environment: further variables, or NULL; listener: becomes descriptor 3, or -1. */
void place_start(struct place *p, char *const *environment, int listener);
bool place_ready(struct place *p);
void place_show(struct place *p, const char *what);
/* The number of lines in data/events that contain text. */
int place_events(struct place *p, const char *text);
void place_wait(struct place *p, const char *text, int count);
/* Of the role's newest process. */
pid_t place_pid(struct place *p, const char *role);
/* The exit code, or 1000 and the signal. */
int place_end(struct place *p);
bool place_logged(struct place *p, const char *text);
void place_put(const char *path, const char *text);
void place_get(const char *path, char *out, size_t cap);
void place_config(struct place *p, const char *more);
void place_open(struct place *p, const char *more);
void place_done(struct place *p);
/* Opened, started, and all children have greeted each other. */
void place_serving(struct place *p, const char *more);

#endif
