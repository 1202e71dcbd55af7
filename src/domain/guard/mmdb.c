#include "domain/guard/mmdb.h"

#include "base/text.h"

#include <endian.h>

#define SEPARATOR  16            /* zero bytes between tree and data */
#define META_MAX   (128u * 1024) /* the marker is in that much at the end */
#define YEAR_9999  UINT64_C(253402300799)
#define VALUES_MAX 2000 /* of one record that are looked at */
#define IPV4_DEPTH 96
#define LETTERS    26

static const uint8_t marker[] = {0xab, 0xcd, 0xef, 'M', 'a', 'x', 'M', 'i', 'n', 'd', '.', 'c', 'o', 'm'};

enum type {
    EXTENDED,
    POINTER,
    TEXT,
    DOUBLE,
    BYTES,
    UINT16,
    UINT32,
    MAP,
    INT32,
    UINT64,
    UINT128,
    ARRAY,
    CACHE,
    END,
    BOOLEAN,
    FLOAT
};

/* --- the data format: a control byte (and more, as it says), then the value */

struct value {
    enum type type;
    uint32_t size;    /* bytes; of a map pairs, of an array values; of a pointer where it points */
    struct view rest; /* of the section, behind the control bytes */
};

/* Behind v.rest.ptr[0 .. size) the next value begins; maps and arrays are followed by what is in them. */
static struct view advance(struct view v, size_t n)
{
    return VIEW(v.ptr + n, v.len - n);
}

static bool read_big_endian(struct reader *r, size_t bytes, uint32_t *ret)
{
    struct view v;
    uint32_t n = 0;
    if (reader_bytes(r, bytes, &v) != OK)
        return false;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | v.ptr[i];
    *ret = n;
    return true;
}

static bool read_pointer(struct reader *r, uint8_t control, uint32_t *ret)
{
    static const uint32_t base[] = {0, 2048, 526336, 0};
    unsigned form = control >> 3 & 3;
    uint32_t low;
    if (!read_big_endian(r, form + 1, &low))
        return false;
    *ret = form == 3 ? low : ((uint32_t)(control & 7) << (8 * (form + 1)) | low) + base[form];
    return true;
}

static bool read_size(struct reader *r, uint8_t control, uint32_t *ret)
{
    static const uint32_t base[] = {29, 285, 65821};
    unsigned n = control & 31;
    uint32_t more;
    *ret = n;
    if (n < 29)
        return true;
    if (!read_big_endian(r, n - 28, &more))
        return false;
    *ret = base[n - 29] + more;
    return true;
}

static bool read_value(struct view section, struct value *ret)
{
    struct reader r = reader_new(section);
    struct value v = {0};
    uint8_t control = 0, extended = 0;
    if (reader_u8(&r, &control) != OK)
        return false;
    v.type = control >> 5;
    if (v.type == EXTENDED) {
        if (reader_u8(&r, &extended) != OK || extended < INT32 - 7 || extended > FLOAT - 7)
            return false;
        v.type = extended + 7u;
    }
    if (v.type == POINTER ? !read_pointer(&r, control, &v.size) : !read_size(&r, control, &v.size))
        return false;
    v.rest = VIEW(r.ptr, r.left);
    bool inside = v.type == TEXT || v.type == BYTES || (v.type >= DOUBLE && v.type <= UINT128 && v.type != MAP) ||
                  v.type == FLOAT;
    if (inside && v.size > r.left)
        return false;
    *ret = v;
    return true;
}

/* The value itself, where there is a pointer to it. A pointer to a pointer is none. */
static bool follow(struct view section, struct value *v)
{
    if (v->type != POINTER)
        return true;
    return v->size < section.len && read_value(advance(section, v->size), v) && v->type != POINTER;
}

static size_t own_bytes(const struct value *v)
{
    bool none = v->type == POINTER || v->type == MAP || v->type == ARRAY || v->type == BOOLEAN || v->type == CACHE ||
                v->type == END;
    return none ? 0 : v->size;
}

/* Behind one value with all that is in it. What is in it follows it, so no depth needs to be kept. */
static bool skip(struct view *at, unsigned *budget)
{
    struct value v;
    for (uint64_t left = 1; left > 0; left--) {
        if ((*budget)-- == 0 || !read_value(*at, &v)) {
            *budget = 0;
            return false;
        }
        *at = advance(v.rest, own_bytes(&v));
        left += v.type == MAP ? 2 * (uint64_t)v.size : v.type == ARRAY ? v.size : 0;
    }
    return true;
}

static bool text_is(const struct value *v, const char *text)
{
    return v->type == TEXT && view_is(VIEW(v->rest.ptr, v->size), text);
}

/* ERR_NOT_FOUND: the map has no such key. */
static RESULT map_find(struct view section, const struct value *map, const char *key, unsigned *budget,
                       struct value *ret)
{
    struct view at = map->rest;
    struct value k, v;
    if (map->type != MAP)
        return ERR_MALFORMED;
    for (uint32_t i = 0; i < map->size; i++) {
        if (!read_value(at, &k))
            return ERR_MALFORMED;
        at = advance(k.rest, own_bytes(&k));
        if (!follow(section, &k) || k.type != TEXT)
            return ERR_MALFORMED;
        if (text_is(&k, key)) {
            if (!read_value(at, &v) || !follow(section, &v))
                return ERR_MALFORMED;
            *ret = v;
            return OK;
        }
        if (!skip(&at, budget))
            return ERR_MALFORMED;
    }
    return ERR_NOT_FOUND;
}

/* --- what the file says of itself */

static bool number_of(struct view section, const struct value *meta, const char *key, uint64_t *ret)
{
    unsigned budget = VALUES_MAX;
    struct value v;
    uint64_t n = 0;
    if (map_find(section, meta, key, &budget, &v) != OK || v.size > 8 ||
        (v.type != UINT16 && v.type != UINT32 && v.type != UINT64))
        return false;
    for (uint32_t i = 0; i < v.size; i++)
        n = n << 8 | v.rest.ptr[i];
    *ret = n;
    return true;
}

static const uint8_t *find_marker(struct view file)
{
    size_t range = file.len < META_MAX ? file.len : META_MAX;
    for (size_t back = sizeof marker; back <= range; back++)
        if (memcmp(file.ptr + file.len - back, marker, sizeof marker) == 0)
            return file.ptr + file.len - back;
    return NULL;
}

static void copy_type(struct view section, const struct value *meta, struct mmdb *db)
{
    unsigned budget = VALUES_MAX;
    struct value v;
    if (map_find(section, meta, "database_type", &budget, &v) == OK && v.type == TEXT && v.size <= MMDB_TYPE_MAX &&
        text_printable(VIEW(v.rest.ptr, v.size)))
        (void)snprintf(db->type, sizeof db->type, "%.*s", (int)v.size, (const char *)v.rest.ptr);
}

static RESULT read_meta(struct view section, struct mmdb *db, struct problem *why)
{
    uint64_t nodes, record, version, major, epoch;
    struct value meta;
    if (!read_value(section, &meta) || meta.type != MAP || !number_of(section, &meta, "node_count", &nodes) ||
        !number_of(section, &meta, "record_size", &record) || !number_of(section, &meta, "ip_version", &version) ||
        !number_of(section, &meta, "binary_format_major_version", &major) ||
        !number_of(section, &meta, "build_epoch", &epoch))
        return problem_set(why, ERR_MALFORMED, "", "What the file says of itself can't be read.");
    if (major != 2)
        return problem_set(why, ERR_TOO_NEW, "", "It has version %llu of the format; version 2 is read here.",
                           (unsigned long long)major);
    if (nodes == 0 || nodes >= UINT32_MAX || (record != 24 && record != 28 && record != 32) ||
        (version != 4 && version != 6) || epoch > YEAR_9999)
        return problem_set(why, ERR_MALFORMED, "", "What the file says of itself makes no sense.");
    db->nodes = (uint32_t)nodes;
    db->record_bits = (unsigned)record;
    db->has_ipv6 = version == 6;
    db->built_ms = epoch * 1000;
    copy_type(section, &meta, db);
    return OK;
}

/* --- the tree */

static uint32_t word_at(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return be32toh(word);
}

/* Behind the last record of 24 bits, of which four bytes are read, there is the separator. */
static uint32_t record_of(const struct mmdb *db, uint32_t node, unsigned bit)
{
    const uint8_t *p = db->tree.ptr + (size_t)node * db->record_bits / 4;
    if (db->record_bits == 24)
        return word_at(p + 3 * bit) >> 8;
    if (db->record_bits == 32)
        return word_at(p + 4 * bit);
    /* the byte in the middle has the upper bits of both */
    return bit ? word_at(p + 3) & 0x0fffffff : word_at(p) >> 8 | (uint32_t)(p[3] & 0xf0) << 20;
}

/* The node, or what is no node, that so many bits lead to; *ret_place: the number of the last record on the way. */
static uint32_t walk(const struct mmdb *db, uint32_t node, const uint8_t *bytes, unsigned bits, uint64_t *ret_place)
{
    for (unsigned i = 0; i < bits && node < db->nodes; i++) {
        unsigned bit = bytes[i / 8] >> (7 - i % 8) & 1;
        *ret_place = 2 * (uint64_t)node + bit;
        node = record_of(db, node, bit);
    }
    return node;
}

/* 0: the database says none. */
static RESULT country_at(const struct mmdb *db, uint32_t record, uint16_t *ret)
{
    unsigned budget = VALUES_MAX;
    struct value v;
    uint64_t offset = (uint64_t)record - db->nodes;
    *ret = 0;
    if (offset == 0)
        return OK;
    if (offset < SEPARATOR || offset - SEPARATOR >= db->data.len ||
        !read_value(advance(db->data, offset - SEPARATOR), &v) || !follow(db->data, &v))
        return ERR_MALFORMED;
    enum err e = v.type == MAP ? map_find(db->data, &v, "country", &budget, &v) : ERR_NOT_FOUND;
    if (e == OK && v.type == MAP)
        e = map_find(db->data, &v, "iso_code", &budget, &v);
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    if (v.type != TEXT || v.size != 2)
        return ERR_MALFORMED;
    const uint8_t *code = v.rest.ptr;
    if (code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z')
        return ERR_MALFORMED;
    *ret = (uint16_t)(1 + (code[0] - 'A') * LETTERS + (code[1] - 'A'));
    return OK;
}

RESULT mmdb_country(const struct mmdb *db, const struct address *a, char ret[static MMDB_COUNTRY_SIZE])
{
    bool four = address_is_ipv4(a);
    if (!four && !db->has_ipv6)
        return ERR_NOT_FOUND;
    uint64_t place = four ? db->ipv4_place : 0;
    (void)(four ? walk(db, db->ipv4_root, a->b + IPV4_DEPTH / 8, 32, &place) : walk(db, 0, a->b, ADDRESS_BITS, &place));
    if (db->countries[place] == 0)
        return ERR_NOT_FOUND;
    unsigned n = db->countries[place] - 1u;
    ret[0] = (char)('A' + n / LETTERS);
    ret[1] = (char)('A' + n % LETTERS);
    ret[2] = '\0';
    return OK;
}

/* --- the whole file */

/* Neighbours mostly have the same record, which then is read once. */
static RESULT read_records(struct mmdb *db, struct problem *why)
{
    bool found = false;
    uint32_t last = db->nodes;
    uint16_t country = 0;
    for (uint64_t i = 0; i < 2 * (uint64_t)db->nodes; i++) {
        uint32_t record = record_of(db, (uint32_t)(i / 2), i & 1);
        if (record <= db->nodes)
            continue;
        if (record != last && country_at(db, record, &country) != OK)
            return problem_set(why, ERR_MALFORMED, "",
                               "It is damaged: record %llu of its tree leads to none, or to no country's code.",
                               (unsigned long long)i);
        last = record;
        db->countries[i] = country;
        found |= country != 0;
    }
    if (!found)
        return problem_set(why, ERR_BAD_VALUE, "", "It says no countries (%s); give a country or city database.",
                           db->type);
    return OK;
}

void mmdb_close(struct mmdb *db)
{
    free(db->countries);
    *db = (struct mmdb){0};
}

RESULT mmdb_open(struct view file, struct mmdb *ret, struct problem *why)
{
    static const uint8_t zero[IPV4_DEPTH / 8];
    struct mmdb db = {0};
    const uint8_t *mark = find_marker(file);
    if (!mark)
        return problem_set(why, ERR_MALFORMED, "", "This is no MaxMind DB file, or it is not whole.");
    size_t before = (size_t)(mark - file.ptr), end = before + sizeof marker;
    TRY(read_meta(advance(file, end), &db, why));
    uint64_t size = (uint64_t)db.nodes * db.record_bits / 4;
    if (db.nodes == 0 || size + SEPARATOR > before)
        return problem_set(why, ERR_MALFORMED, "", "The file is too short for its tree.");
    db.tree = VIEW(file.ptr, size);
    db.data = VIEW(file.ptr + size + SEPARATOR, before - size - SEPARATOR);
    db.ipv4_root = db.has_ipv6 ? walk(&db, 0, zero, IPV4_DEPTH, &db.ipv4_place) : 0;
    db.countries = calloc(2 * (size_t)db.nodes, sizeof *db.countries);
    enum err e = db.countries ? read_records(&db, why) : problem_set(why, ERR_NO_MEMORY, "", "No memory for it.");
    if (e == OK)
        *ret = db;
    else
        mmdb_close(&db);
    return e;
}
