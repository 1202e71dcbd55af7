/* A child as small as one can be that speaks the supervisor's protocol. It appends what happens to it to
 * <data_dir>/events: "<role> serves <pid>", "<role> hears <role> <which>", "<role> stops" … */
#ifndef HOLDFAST_TEST_SUPERVISOR_CHILD_H
#define HOLDFAST_TEST_SUPERVISOR_CHILD_H

#include <stddef.h>

/* argv0 is "holdfast-<role>". With a file <data_dir>/fail-<role> it ends before it serves; with unsealed in
 * <data_dir>/unsealed at its first start, a keeper counts as unsealed and has a state to hand over. A front takes those
 * files that begin with "good". */
int child_main(const char *argv0);
void child_event(const char *data_dir, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
