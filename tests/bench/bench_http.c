/* A load generator over a Unix socket: bench_http SOCKET REQUEST_FILE CONNECTIONS SECONDS [LINES_FILE]. Each connection
 * sends the same request again as soon as it has the whole answer; "@@" in it becomes the connection's number. With a
 * file of lines, all of one length, each request gets another line, from all over the file, in place of as many "#".
 * Prints {"rate":…,"median_us":…,"p99_us":…,"p999_us":…}; an answer other than 200 ends it. The same program drives
 * both sides of a comparison. */
#include "bench.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX  65536
#define SAMPLES_MAX 4000000

#define STRIDE 611953 /* a prime: all lines come in turn, and no two that lie near each other */

struct connection {
    int fd;
    struct view request;
    uint8_t *line; /* in it; NULL: it stays as it is */
    double sent;
    size_t have;
    char answer[ANSWER_MAX + 1];
};

struct load {
    const char *socket;
    uint8_t *lines;
    size_t line_len, line_count, line; /* the next one's number */
    int epoll;
    double *samples;
    size_t count;
    double until;
};

static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    bench_must(view_to_str(view_str(path), a.sun_path, sizeof a.sun_path), path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        bench_must(ERR_UNAVAILABLE, path);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        bench_must(ERR_IO, path);
    return fd;
}

static void join(struct load *l, struct connection *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

    c->fd = dial(l->socket);
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        bench_must(ERR_IO, "epoll");
}

static void send_request(struct load *l, struct connection *c)
{
    if (c->line) {
        memcpy(c->line, l->lines + l->line * (l->line_len + 1), l->line_len);
        l->line = (l->line + STRIDE) % l->line_count;
    }
    c->have = 0;
    c->sent = bench_now();
    if (send(c->fd, c->request.ptr, c->request.len, MSG_NOSIGNAL) != (ssize_t)c->request.len)
        bench_must(ERR_IO, "send");
}

/* Whole answer: head, and as many bytes as Content-Length says. */
static bool complete(const struct connection *c)
{
    const char *end = strstr(c->answer, "\r\n\r\n"), *length;

    if (!end)
        return false;
    length = strcasestr(c->answer, "\r\nContent-Length:");
    if (!length || length > end)
        bench_must(ERR_MALFORMED, "an answer without Content-Length");
    return c->have >= (size_t)(end + 4 - c->answer) + strtoul(length + 17, NULL, 10);
}

static void readable(struct load *l, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->have, ANSWER_MAX - c->have, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        bench_must(ERR_UNAVAILABLE, "the server closed a connection");
    c->have += (size_t)n;
    c->answer[c->have] = '\0';
    if (!complete(c))
        return;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "bench: %s\n", c->answer);
        exit(1);
    }
    if (l->count < SAMPLES_MAX)
        l->samples[l->count++] = bench_now() - c->sent;
    if (strcasestr(c->answer, "\r\nConnection: close")) { /* after many thousand requests */
        close(c->fd);
        join(l, c);
    }
    send_request(l, c);
}

static void run(struct load *l, struct connection *connections, size_t count)
{
    struct epoll_event events[256];

    for (size_t i = 0; i < count; i++)
        send_request(l, &connections[i]);
    while (bench_now() < l->until) {
        int n = epoll_wait(l->epoll, events, ARRAY_LEN(events), 100);
        for (int i = 0; i < n; i++)
            readable(l, events[i].data.ptr);
    }
}

static struct view read_request(const char *path)
{
    static uint8_t bytes[65536];
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f)
        bench_must(ERR_IO, path);
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return VIEW(bytes, n);
}

static void read_lines(struct load *l, const char *path)
{
    FILE *f = fopen(path, "rb");
    bench_must(f && fseek(f, 0, SEEK_END) == 0 ? OK : ERR_IO, path);
    long size = ftell(f);
    rewind(f);
    l->lines = size > 0 ? malloc((size_t)size + 1) : NULL;
    bench_must(l->lines && fread(l->lines, 1, (size_t)size, f) == (size_t)size ? OK : ERR_IO, path);
    fclose(f);
    l->lines[size] = '\0';
    l->line_len = strcspn((const char *)l->lines, "\n");
    l->line_count = (size_t)size / (l->line_len + 1);
    bench_must(l->line_len && l->line_count ? OK : ERR_MALFORMED, "lines of one length, each with its end");
}

/* Where the line of a file goes. */
static uint8_t *line_in(const struct load *l, struct view request)
{
    uint8_t *marks = malloc(l->line_len);
    bench_must(marks ? OK : ERR_NO_MEMORY, "marks");
    memset(marks, '#', l->line_len);
    uint8_t *at = memmem((void *)(uintptr_t)request.ptr, request.len, marks, l->line_len);
    bench_must(at ? OK : ERR_MALFORMED, "no place for a line in the request");
    free(marks);
    return at;
}

/* A copy with the number of the connection, in two digits. */
static struct view numbered(struct view request, size_t number)
{
    uint8_t *copy = malloc(request.len), *at;

    if (!copy)
        bench_must(ERR_NO_MEMORY, "request");
    memcpy(copy, request.ptr, request.len);
    while ((at = memmem(copy, request.len, "@@", 2))) {
        at[0] = (uint8_t)('0' + number / 10 % 10);
        at[1] = (uint8_t)('0' + number % 10);
    }
    return VIEW(copy, request.len);
}

int main(int argc, char **argv)
{
    struct load l = {0};
    struct connection *connections;
    struct view request;
    size_t count;
    double start, took, median;

    if (argc != 5 && argc != 6)
        bench_must(ERR_USAGE, "bench_http SOCKET REQUEST_FILE CONNECTIONS SECONDS [LINES_FILE]");
    if (argc == 6)
        read_lines(&l, argv[5]);
    count = strtoul(argv[3], NULL, 10);
    l.socket = argv[1];
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    request = read_request(argv[2]);
    l.samples = calloc(SAMPLES_MAX, sizeof *l.samples);
    connections = calloc(count, sizeof *connections);
    if (!l.samples || !connections)
        bench_must(ERR_NO_MEMORY, "samples");
    for (size_t i = 0; i < count; i++) {
        join(&l, &connections[i]);
        connections[i].request = numbered(request, i);
        connections[i].line = l.lines ? line_in(&l, connections[i].request) : NULL;
    }
    start = bench_now();
    l.until = start + strtod(argv[4], NULL);
    run(&l, connections, count);
    took = bench_now() - start;
    median = bench_median(l.samples, l.count);
    printf("{\"rate\":%.1f,\"median_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}\n", (double)l.count / took,
           median * 1e6, l.samples[l.count * 99 / 100] * 1e6, l.samples[l.count * 999 / 1000] * 1e6);
    return 0;
}
