#include "api/newcomer.h"

#include "api/inside.h"

static void on_hashed(struct password_task *task)
{
    struct newcomer *n = task->context;
    struct http_request *req = n->login.req;
    api_of(req)->inside->under_way--;
    enum http_outcome o = task->result == OK ? n->hashed(n) : people_not_hashed(req, task, "/password");
    if (o == HTTP_ANSWER)
        http_request_finish(req);
}

static RESULT read_request(struct http_request *req, struct newcomer_request *q, struct problem *why)
{
    TRY(http_request_entity(req, q, why));
    TRY(login_check_cookie(req, q->cookie, why));
    return password_acceptable(q->password, q->name, people_rules(req), why);
}

static RESULT start(struct http_request *req, const struct newcomer_kind *kind, const struct newcomer_request *q)
{
    struct newcomer *n = arena_alloc(req->arena, kind->size);
    if (!n)
        return ERR_NO_MEMORY;
    n->token = q->token;
    n->hashed = kind->hashed;
    TRY(login_fill(&n->login, req, q->name, q->password));
    n->login.cookie = q->cookie;
    n->login.task.context = n;
    n->login.task.done = on_hashed;
    TRY(kind->prepare(n));
    return passwords_hash(api_of(req)->shared->passwords, &n->login.task);
}

enum http_outcome newcomer_begin(struct http_request *req, const struct newcomer_kind *kind)
{
    struct newcomer_request q = {0};
    struct problem why;
    if (read_request(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = start(req, kind, &q);
    if (e == ERR_BUSY)
        api_retry_after(req, 2);
    if (e != OK)
        return http_answer_error(req, e);
    api_of(req)->inside->under_way++;
    return HTTP_LATER;
}
