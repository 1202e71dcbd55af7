/* What the files of the supervisor share. */
#ifndef HOLDFAST_SUPERVISOR_STATE_H
#define HOLDFAST_SUPERVISOR_STATE_H

#include "crypto/hash.h"
#include "ipc/channel.h"
#include "ipc/sealed.h"
#include "ipc/start.h"
#include "ipc/supervisor_msg.h"
#include "supervisor/supervisor.h"

#define SUPERVISOR_ARENA (8u * 1024 * 1024) /* of a configuration */
#define LINKS_MAX        (2 + 2 * CONFIG_FRONT_THREADS_MAX)

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_SERVING, CHILD_STOPPING };

struct supervisor;
struct child {
    struct supervisor *s;
    enum start_role role;
    enum child_state state;
    pid_t pid;               /* 0: none */
    struct channel *channel; /* NULL: none */
    int spare;               /* its descriptor once more, for an upgrade; -1: none */
    uint64_t due_ms;         /* DOWN: not started before; else: killed if the state lasts until then (0: never) */
    uint64_t serving_ms;     /* since when */
    unsigned failures;       /* ends in a row */
    uint64_t said_ms;        /* when it may say as much as at first again, for the service manager */
};

/* A socket pair between two children. An end waits here while its process is not running. */
struct link {
    enum start_role roles[2];
    uint8_t which;
    int ends[2];
};

enum goal { GOAL_SERVE, GOAL_STOP, GOAL_RELOAD, GOAL_UPGRADE };

struct listeners {
    int https, api, operator;
    bool api_made, operator_made; /* their paths were bound here, and are ours to remove */
};

/* Rules against attack patterns, which nobody can change any more. */
struct compiled {
    int fd;                             /* -1: none are asked */
    uint8_t source[SHA256_SIZE];        /* of the rules' files, and of what the configuration says of them */
    uint8_t policy[CONFIG_POLICY_HASH]; /* of the guard's policy that they are part of, also where none are asked */
};

struct supervisor {
    const struct supervisor_options *options;
    struct loop *loop;
    struct loop_timer *timer;
    struct arena *arena; /* of config */
    struct config config;
    struct {
        struct arena *former_arena;      /* NULL: none */
        struct config former;            /* in force again if no front starts with the new one, … */
        struct compiled former_patterns; /* … and this, as long as there is a former_arena */
        bool fresh;                      /* no front was told of the new one yet */
        bool asked;                      /* once more, when this one is done */
        uint8_t before[CONFIG_POLICY_HASH];
        char refused[SUPERVISOR_REFUSED_MAX + 1]; /* why the newest file is not in force; "": it is */
        bool told;
    } reload;
    struct listeners listeners;
    int lock, anchor;
    struct compiled patterns;
    struct child children[ROLE_COUNT];
    struct child old_keeper; /* during an upgrade, until its state is handed over */
    bool handing_over;
    struct watched *watched;
    struct sealed sealed; /* why the next keeper begins without the root key */
    struct link links[LINKS_MAX];
    size_t link_count;
    enum goal goal;
    bool announced; /* that all serve, once */
    bool upgraded;  /* this process goes on with what another left */
    pid_t helper;   /* runs on_ready */
    int signals;
    int exit_code;
    char program[4096]; /* this program's file, for an upgrade */
    char temporary[64]; /* directory of --dev; "": none */
};

/* prepare.c: directories, lock, anchor, certificate */
RESULT prepare_data_dir(struct supervisor *s, struct problem *why);
/* Raises what the children may lock in memory and how many files they may open to what the configuration needs, as far
 * as this process may; logs where that is too few files. */
void prepare_limits(const struct config *c);
/* Raises those limits, becomes config.user, and gives up all capabilities but the warden's. */
RESULT prepare_identity(const struct config *c, struct problem *why);
/* With a firewall: may this process give its warden what that takes? */
RESULT prepare_firewall(const struct config *c, struct problem *why);
/* The directory that a socket will lie in, made if it is missing. ERR_BAD_CONFIG if others could change it. */
RESULT prepare_socket_dir(const struct config *c, struct view socket, const char *which, struct problem *why);
RESULT prepare_certificate(const struct config *c, struct problem *why);
void prepare_remove_tree(const char *dir);
/* listen.c */
RESULT listen_all(struct supervisor *s, struct problem *why);
void listen_unlink(const struct supervisor *s); /* the sockets' paths, but for those that somebody else made */
/* files.c: what a role gets beside its descriptors; w is to be wiped by writer_free */
RESULT files_of_role(const struct supervisor *s, enum start_role role, struct writer *w, struct problem *why);
/* The list of breached passwords, open for reading; -1 if none is configured. The caller closes it. */
RESULT files_breached(const struct config *c, int *ret, struct problem *why);
/* watched.c: the files of the guard. ERR_BAD_CONFIG where a path leads to something that is no file; a missing one is
 * told to the front, and decided there. */
RESULT watched_check(const struct config *c, struct problem *why);
RESULT watched_start(struct supervisor *s); /* looks at them each second from then on */
void watched_done(struct supervisor *s);
RESULT watched_follow(struct supervisor *s); /* those of the configuration in force, for a front that is to start */
void watched_offer(struct supervisor *s);    /* to that front */
struct supervisor_file_read;
void watched_read(struct supervisor *s, const struct supervisor_file_read *r);
/* compile.c: the rules that config asks for, compiled by a process of its own, which takes a second or two; if they are
 * those of s->patterns, these once more. The caller closes it. ERR_BAD_CONFIG with the rule's file:line:column. */
RESULT compile_patterns(const struct supervisor *s, struct compiled *ret, struct problem *why);
/* notify.c */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What a child says of itself: one line, whatever it holds, and dropped if there are very many. */
void notify_status(struct child *c, struct view text);
uint64_t notify_watchdog_ms(void); /* 0: none is wanted */
void notify_ready_fd(int fd);
/* children.c */
void children_init(struct supervisor *s);
void children_done(struct supervisor *s);
bool children_wants(const struct supervisor *s, enum start_role role); /* is there to be one? */
void children_step(struct supervisor *s);                              /* starts, stops and kills what is due */
/* The directory that has the role's program, in out; NULL if there is none. */
const char *children_program(const struct supervisor *s, enum start_role role, char *out, size_t cap);
void children_ended(struct supervisor *s, pid_t pid, int status);
void children_stop(struct child *c); /* asks it to end, and kills it when it does not */
RESULT children_tell(struct child *c, uint16_t type, const struct entity *e, const void *object, int fd);
RESULT children_adopt(struct supervisor *s, pid_t pid, int channel); /* the old keeper, after an upgrade */
/* reload.c */
void reload_files(struct supervisor *s); /* reads all anew, or goes on with what there is */
RESULT reload_read_config(const struct supervisor *s, struct arena *arena, struct config *ret, struct problem *why);
RESULT reload_check_files(const struct supervisor *s, struct problem *why); /* all that children are given is there */
void reload_front_ready(struct supervisor *s);
/* A child ended before it was ready. True: the configuration was new, and the former one is taken back. */
bool reload_failed(struct supervisor *s, const char *child);
/* upgrade.c */
RESULT upgrade_possible(const struct supervisor *s, struct problem *why);
void upgrade_exec(struct supervisor *s);             /* returns only if it failed */
void upgrade_take_descriptors(struct supervisor *s); /* if this process was started by one: s->upgraded */
void upgrade_adopt_keeper(struct supervisor *s);
void upgrade_hand_over(struct supervisor *s); /* once the new keeper serves */
void upgrade_handed_over(struct supervisor *s, bool unsealed, struct view detail);

#endif
