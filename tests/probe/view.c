/* Everything a program can see of itself. It changes nothing, and opens its output last. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The view is gathered here, so that nothing is opened while it is looked at. */
static char text[1 << 20];
static FILE *out;

static void escaped(const char *bytes)
{
    fputc('"', out);
    for (; *bytes; bytes++) {
        unsigned char byte = (unsigned char)*bytes;
        if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\')
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
    fputs("\"\n", out);
}

static void arguments(int argc, char **argv)
{
    fprintf(out, "argc %d\n", argc);
    for (int i = 0; i < argc; i++) {
        fprintf(out, "arg %d ", i);
        escaped(argv[i]);
    }
    for (int i = 0; environ[i]; i++) {
        fprintf(out, "env %d ", i);
        escaped(environ[i]);
    }
    fputs("execfn ", out);
    escaped((const char *)getauxval(AT_EXECFN));
    fprintf(out, "secure execution %lu\n", getauxval(AT_SECURE));
}

static void identity(void)
{
    fprintf(out, "pid %d\nparent %d\ngroup %d\nsession %d\n", getpid(), getppid(), getpgrp(),
            getsid(0));
}

static void link_line(const char *what, const char *path)
{
    char target[4096];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) {
        fprintf(out, "%s error %d\n", what, errno);
        return;
    }
    target[length] = '\0';
    /* The number of a pipe or socket differs from run to run. */
    if (strncmp(target, "pipe:[", 6) == 0 || strncmp(target, "socket:[", 8) == 0)
        *strchr(target, '[') = '\0';
    fprintf(out, "%s ", what);
    escaped(target);
}

static void places(void)
{
    char here[4096];
    fputs("getcwd ", out);
    escaped(getcwd(here, sizeof here) ? here : strerror(errno));
    link_line("cwd", "/proc/self/cwd");
    link_line("root", "/proc/self/root");
    link_line("exe", "/proc/self/exe");
    const char *spaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children",
                            "time", "time_for_children", "user", "uts"};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i]);
        link_line(spaces[i], path);
    }
}

static void limits(void)
{
    const char *names[] = {"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE",
                           "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE",
                           "RTPRIO", "RTTIME"};
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        fprintf(out, "limit %s %lld %lld\n", names[i], (long long)limit.rlim_cur,
                (long long)limit.rlim_max);
    }
}

static void signals(void)
{
    unsigned long blocked = 0, pending = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, 8);
    syscall(SYS_rt_sigpending, &pending, 8);
    for (int n = 1; n <= 64; n++) {
        /* The kernel's own structure: handler, flags, restorer, mask; glibc hides 32 and 33. */
        struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } act;
        memset(&act, 0, sizeof act);
        if (syscall(SYS_rt_sigaction, n, NULL, &act, 8) != 0)
            fprintf(out, "signal %d error %d\n", n, errno);
        const char *does = act.handler == (void *)SIG_IGN   ? "ignored"
                           : act.handler == (void *)SIG_DFL ? "default"
                                                            : "handled";
        fprintf(out, "signal %d %s%s%s flags %lx mask %lx\n", n, does,
                blocked >> (n - 1) & 1 ? " blocked" : "",
                pending >> (n - 1) & 1 ? " pending" : "", act.flags, act.mask);
    }
    stack_t stack;
    sigaltstack(NULL, &stack);
    fprintf(out, "alternate stack %s\n", stack.ss_flags & SS_DISABLE ? "none" : "set");
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static void descriptors(void)
{
    struct dirent **entries;
    int count = scandir("/proc/self/fd", &entries, NULL, by_number);
    for (int i = 0; i < count; i++) {
        int fd = atoi(entries[i]->d_name);
        int flags = fcntl(fd, F_GETFL);
        /* `.`, `..` and the descriptor that read this directory are not the program's. */
        if (entries[i]->d_name[0] == '.' || flags < 0)
            continue;
        char path[64], what[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        snprintf(what, sizeof what, "descriptor %d", fd);
        link_line(what, path);
        struct stat stat;
        fstat(fd, &stat);
        fprintf(out, "%s type %o flags %o descriptor flags %o offset %lld\n", what,
                stat.st_mode & S_IFMT, flags, fcntl(fd, F_GETFD),
                (long long)lseek(fd, 0, SEEK_CUR));
    }
}

static void prctls(void)
{
    const struct { const char *name; int option; } asked[] = {
        {"dumpable", PR_GET_DUMPABLE}, {"no new privileges", PR_GET_NO_NEW_PRIVS},
        {"seccomp", PR_GET_SECCOMP}, {"keep capabilities", PR_GET_KEEPCAPS},
        {"secure bits", PR_GET_SECUREBITS}, {"timer slack", PR_GET_TIMERSLACK},
        {"huge pages off", PR_GET_THP_DISABLE}, {"machine check", PR_MCE_KILL_GET}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        fprintf(out, "%s %d\n", asked[i].name, prctl(asked[i].option, 0, 0, 0, 0));
    int number = 0;
    prctl(PR_GET_PDEATHSIG, &number);
    fprintf(out, "parent death signal %d\n", number);
    prctl(PR_GET_CHILD_SUBREAPER, &number);
    fprintf(out, "subreaper %d\n", number);
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    fputs("name ", out);
    escaped(name);
}

static void scheduling(void)
{
    struct sched_param param = {0};
    sched_getparam(0, &param);
    fprintf(out, "nice %d\nscheduler %d priority %d\nio priority %ld\n",
            getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), param.sched_priority,
            syscall(SYS_ioprio_get, 1, 0));
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
        struct itimerval timer;
        getitimer(which, &timer);
        int runs = timer.it_value.tv_sec || timer.it_value.tv_usec;
        fprintf(out, "timer %d %s interval %ld\n", which, runs ? "runs" : "off",
                (long)timer.it_interval.tv_sec);
    }
}

static void children(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    int status, gone = waitpid(-1, &status, WNOHANG | __WALL);
    fprintf(out, "children %s, ever %s\n", gone < 0 && errno == ECHILD ? "none" : "some",
            usage.ru_maxrss == 0 ? "none" : "some");
}

static void file(const char *path)
{
    char line[4096];
    FILE *in = fopen(path, "r");
    if (!in)
        return;
    if (!fgets(line, sizeof line, in))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    fprintf(out, "%s ", path);
    escaped(line);
    fclose(in);
}

static void status(void)
{
    const char *wanted[] = {"Umask:", "Uid:", "Gid:", "Groups:", "Threads:", "VmLck:", "Cap",
                            "Cpus_allowed:", "Mems_allowed:", "THP_enabled:", "CoreDumping:",
                            "Speculation", "TracerPid:", "Seccomp"};
    char line[4096];
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                fputs(line, out);
    if (in)
        fclose(in);
}

/* The controlling terminal and its foreground group, fields 7 and 8 of stat(5). */
static void terminal(void)
{
    char line[1024] = "";
    FILE *in = fopen("/proc/self/stat", "r");
    if (in && fgets(line, sizeof line, in)) {
        int tty = -1, group = -1;
        sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %d %d", &tty, &group);
        fprintf(out, "terminal %s, foreground %s\n", tty ? "there" : "none",
                group == getpgrp() ? "own group" : group < 0 ? "none" : "another group");
    }
    if (in)
        fclose(in);
}

int view(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    out = fmemopen(text, sizeof text, "w");
    setvbuf(out, NULL, _IONBF, 0);
    descriptors();
    arguments(argc, argv);
    identity();
    places();
    limits();
    signals();
    prctls();
    scheduling();
    children();
    status();
    terminal();
    file("/proc/self/oom_score_adj");
    file("/proc/self/coredump_filter");
    file("/proc/self/personality");
    file("/proc/self/loginuid");
    long length = ftell(out);
    int to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (to < 0 || length <= 0 || write(to, text, (size_t)length) != length)
        return 3;
    return 0;
}
