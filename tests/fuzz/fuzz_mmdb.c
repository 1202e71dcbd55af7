/* A MaxMind DB file. What opens can be asked for any address, and says two capital letters or nothing. */
#include "domain/guard/mmdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mmdb db;
    struct problem why = {0};
    if (mmdb_open(VIEW(data, size), &db, &why) != OK) {
        if (why.detail[0] == '\0')
            abort();
        return 0;
    }
    for (unsigned i = 0; i < 512; i++) {
        char country[MMDB_COUNTRY_SIZE] = "";
        struct address a = {.b = {(uint8_t)i, (uint8_t)(i >> 8)}};
        if (i >= 256) {
            a = (struct address){.b = {[10] = 0xff, [11] = 0xff, [12] = (uint8_t)i}};
        }
        enum err e = mmdb_country(&db, &a, country);
        if (e == OK && (country[0] < 'A' || country[0] > 'Z' || country[1] < 'A' || country[1] > 'Z' || country[2]))
            abort();
    }
    mmdb_close(&db);
    return 0;
}
