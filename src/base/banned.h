/* Included before every file: calls that are banned here do not compile. What to use instead: struct writer and
 * struct view (base/buf.h), random_system() (base/clock.h), time_format() (base/clock.h). */
#ifndef HOLDFAST_BASE_BANNED_H
#define HOLDFAST_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With fortified headers clang sees these as macros, and would warn that they are poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strncpy strcat strncat sprintf vsprintf gets strtok strtok_r rand srand srandom drand48
#pragma GCC poison atoi atol atof system popen mktemp tmpnam asctime ctime gmtime localtime

#endif
