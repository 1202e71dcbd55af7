/* Two threads, one plain counter inside a table's value: a race of ours. Built with TSan it must be reported, or the
 * annotations and suppressions around liburcu hide more than they should. */
#include "base/table.h"

#include <pthread.h>

static struct table *table;

static void *count(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        table_enter();
        int *n = table_find(table, VIEW_STR("n"));
        ++*n;
        table_leave();
    }
    return NULL;
}

int main(void)
{
    pthread_t a, b;
    int *n = table_value_new(sizeof *n, VIEW_STR("n"));
    if (!n || table_new(NULL, &table) != OK)
        return 1;
    table_put(table, n);
    if (pthread_create(&a, NULL, count, NULL) != 0 || pthread_create(&b, NULL, count, NULL) != 0)
        return 1;
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    table_free(table);
    return 0;
}
