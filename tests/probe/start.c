/* Arranges a situation and becomes a command in it. Each option acts at once, in its order. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "probe start: %s: %s\n", what, strerror(errno));
    exit(99);
}

static int signal_number(const char *name)
{
    const struct { const char *name; int number; } known[] = {
        {"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"USR1", SIGUSR1},
        {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"CHLD", SIGCHLD},
        {"WINCH", SIGWINCH}, {"XFSZ", SIGXFSZ}, {"RT5", 39}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].number;
    errno = EINVAL;
    must(0, name);
    return 0;
}

/* The file's entries, each ended by a NUL, become the environment as they are. */
static void environment(const char *path)
{
    FILE *in = fopen(path, "re");
    must(in != NULL, path);
    static char bytes[8 << 20];
    static char *entries[1 << 16];
    size_t length = fread(bytes, 1, sizeof bytes - 1, in), count = 0;
    fclose(in);
    for (size_t at = 0; at < length; at += strlen(bytes + at) + 1)
        entries[count++] = bytes + at;
    entries[count] = NULL;
    environ = entries;
}

static void limit(const char *argument)
{
    int which;
    long long soft, hard;
    must(sscanf(argument, "%d:%lld:%lld", &which, &soft, &hard) == 3, "--limit N:SOFT:HARD");
    struct rlimit value = {(rlim_t)soft, (rlim_t)hard};
    must(setrlimit(which, &value) == 0, "setrlimit");
}

/* FD:PATH, read-only, kept over exec, its offset moved to 3. */
static void descriptor(const char *argument)
{
    int wanted = atoi(argument);
    int fd = open(strchr(argument, ':') + 1, O_RDONLY);
    must(fd >= 0 && (fd == wanted || dup2(fd, wanted) >= 0), argument);
    if (fd != wanted)
        close(fd);
    lseek(wanted, 3, SEEK_SET);
}

static void mask(const char *name, int pending)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number(name));
    must(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
    if (pending)
        must(kill(getpid(), signal_number(name)) == 0, "kill");
}

static void gone_directory(const char *path)
{
    must(mkdir(path, 0700) == 0 && chdir(path) == 0 && rmdir(path) == 0, path);
}

static void oom(const char *value)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "we");
    must(file && fputs(value, file) >= 0 && fclose(file) == 0, "oom_score_adj");
}

static void user(const char *id)
{
    must(setgroups(0, NULL) == 0, "setgroups");
    must(setgid((gid_t)atoi(id)) == 0 && setuid((uid_t)atoi(id)) == 0, "setuid");
}

static int process_option(const char *name, const char *value)
{
    if (strcmp(name, "--umask") == 0)
        umask((mode_t)strtol(value, NULL, 8));
    else if (strcmp(name, "--alarm") == 0)
        alarm((unsigned)atoi(value));
    else if (strcmp(name, "--nice") == 0)
        must(setpriority(PRIO_PROCESS, 0, atoi(value)) == 0, name);
    else if (strcmp(name, "--oom") == 0)
        oom(value);
    else if (strcmp(name, "--user") == 0)
        user(value);
    else if (strcmp(name, "--personality") == 0)
        must(personality(strtoul(value, NULL, 16)) >= 0, name);
    else if (strcmp(name, "--parent-death") == 0)
        must(prctl(PR_SET_PDEATHSIG, signal_number(value)) == 0, name);
    else if (strcmp(name, "--timer-slack") == 0)
        must(prctl(PR_SET_TIMERSLACK, atoi(value)) == 0, name);
    else if (strcmp(name, "--no-new-privileges") == 0)
        must(prctl(PR_SET_NO_NEW_PRIVS, atoi(value), 0, 0, 0) == 0, name);
    else if (strcmp(name, "--subreaper") == 0)
        must(prctl(PR_SET_CHILD_SUBREAPER, atoi(value)) == 0, name);
    else if (strcmp(name, "--huge-pages-off") == 0)
        must(prctl(PR_SET_THP_DISABLE, atoi(value), 0, 0, 0) == 0, name);
    else if (strcmp(name, "--terminal") == 0)
        must(setsid() > 0 && ioctl(atoi(value), TIOCSCTTY, 0) == 0, name);
    else if (strcmp(name, "--session") == 0)
        must(strcmp(value, "own") == 0 && setsid() > 0, name);
    else
        return 0;
    return 1;
}

static void option(const char *name, const char *value)
{
    if (process_option(name, value))
        return;
    if (strcmp(name, "--environment") == 0)
        environment(value);
    else if (strcmp(name, "--limit") == 0)
        limit(value);
    else if (strcmp(name, "--open") == 0)
        descriptor(value);
    else if (strcmp(name, "--close") == 0)
        must(close(atoi(value)) == 0, name);
    else if (strcmp(name, "--close-on-exec") == 0)
        must(fcntl(atoi(value), F_SETFD, FD_CLOEXEC) == 0, name);
    else if (strcmp(name, "--append") == 0)
        must(fcntl(atoi(value), F_SETFL, fcntl(atoi(value), F_GETFL) | O_APPEND) == 0, name);
    else if (strcmp(name, "--nonblocking") == 0)
        must(fcntl(atoi(value), F_SETFL, fcntl(atoi(value), F_GETFL) | O_NONBLOCK) == 0, name);
    else if (strcmp(name, "--ignore") == 0)
        must(signal(signal_number(value), SIG_IGN) != SIG_ERR, name);
    else if (strcmp(name, "--default") == 0)
        must(signal(signal_number(value), SIG_DFL) != SIG_ERR, name);
    else if (strcmp(name, "--block") == 0)
        mask(value, 0);
    else if (strcmp(name, "--pending") == 0)
        mask(value, 1);
    else if (strcmp(name, "--directory") == 0)
        must(chdir(value) == 0, value);
    else if (strcmp(name, "--gone-directory") == 0)
        gone_directory(value);
    else
        must(0, name);
}

int start(int argc, char **argv)
{
    int at = 2;
    for (; at + 1 < argc && strcmp(argv[at], "--") != 0; at += 2)
        option(argv[at], argv[at + 1]);
    must(at + 1 < argc, "no command");
    execvp(argv[at + 1], argv + at + 1);
    int code = errno == ENOENT ? 127 : 126;
    fprintf(stderr, "probe start: %s: %s\n", argv[at + 1], strerror(errno));
    return code;
}
