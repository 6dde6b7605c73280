/* Becomes a command whose calls that change a file are counted, and lets one of them go wrong.
 *
 *   probe fault LOG KIND FIRST LAST -- C
 *
 * The calls are numbered from 1, over all threads and children of C, in the order in which they
 * begin. KIND says what happens to those from FIRST to LAST: `none`; `kill`, before it is done;
 * `torn`, after half of its bytes are written; `short`, half of them, and it says so; `error:N`,
 * the errno, and nothing is done. LOG gets a line for each call: number, name, bytes, what it is
 * done to. `met` stands behind what went wrong, and `end` behind the end of C.
 *
 * It sees what strace sees. Unlike there, calls have one number whoever makes them, and half a
 * write is half a write.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* After the kernel's own, which has the enumeration. */
long ptrace(int request, ...);

#ifndef __x86_64__
#error "say here in which registers this processor has a call's arguments"
#endif

/* How a call says what it is done to: a descriptor, a path, a path that it may make; or nothing. */
enum kind { DESCRIPTOR, PATH, OPEN, ANY };

struct call {
    int number;
    const char *name;
    enum kind kind;
    /* Which argument that is, and which says how many bytes: 0 is none. */
    int what, bytes;
};

#define CALL(name, kind, what, bytes) {SYS_##name, #name, kind, what, bytes}

/* All that changes a file or a folder, and what would hide that. */
static const struct call CALLS[] = {
    CALL(write, DESCRIPTOR, 0, 2), CALL(pwrite64, DESCRIPTOR, 0, 2),
    CALL(writev, DESCRIPTOR, 0, 0), CALL(pwritev, DESCRIPTOR, 0, 0),
    CALL(pwritev2, DESCRIPTOR, 0, 0), CALL(sendfile, DESCRIPTOR, 0, 3),
    CALL(copy_file_range, DESCRIPTOR, 2, 4), CALL(splice, DESCRIPTOR, 2, 4),
    CALL(fsync, DESCRIPTOR, 0, 0), CALL(fdatasync, DESCRIPTOR, 0, 0),
    CALL(syncfs, DESCRIPTOR, 0, 0), CALL(sync_file_range, DESCRIPTOR, 0, 0),
    CALL(ftruncate, DESCRIPTOR, 0, 0), CALL(fallocate, DESCRIPTOR, 0, 0),
    CALL(fchmod, DESCRIPTOR, 0, 0), CALL(fchown, DESCRIPTOR, 0, 0),
    CALL(ioctl, ANY, 0, 0), CALL(truncate, PATH, 0, 0), CALL(msync, ANY, 0, 0),
    CALL(fsetxattr, DESCRIPTOR, 0, 0), CALL(setxattr, PATH, 0, 0), CALL(rename, PATH, 1, 0),
    CALL(renameat, PATH, 3, 0), CALL(renameat2, PATH, 3, 0), CALL(link, PATH, 1, 0),
    CALL(linkat, PATH, 3, 0), CALL(symlink, PATH, 1, 0), CALL(symlinkat, PATH, 2, 0),
    CALL(unlink, PATH, 0, 0), CALL(unlinkat, PATH, 1, 0), CALL(rmdir, PATH, 0, 0),
    CALL(mkdir, PATH, 0, 0), CALL(mkdirat, PATH, 1, 0), CALL(mknod, PATH, 0, 0),
    CALL(mknodat, PATH, 1, 0), CALL(chmod, PATH, 0, 0), CALL(fchmodat, PATH, 1, 0),
    CALL(chown, PATH, 0, 0), CALL(lchown, PATH, 0, 0), CALL(fchownat, PATH, 1, 0),
    CALL(utimensat, PATH, 1, 0), CALL(creat, PATH, 0, 0), CALL(open, OPEN, 0, 0),
    CALL(openat, OPEN, 1, 0), CALL(openat2, ANY, 0, 0), CALL(io_uring_setup, ANY, 0, 0),
};
enum { CALLS_COUNT = sizeof CALLS / sizeof *CALLS };

static int log_file;
static pid_t command;
static const char *kind;
static unsigned long first, last, count;
/* A call that writes half of what it was told to: who makes it, and the register as it was. */
static struct { pid_t thread; int argument; unsigned long long bytes; } half;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "probe fault: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void say(const char *line)
{
    must(write(log_file, line, strlen(line)) == (ssize_t)strlen(line), "the log");
}

/* Only those calls stop the command; all others are as fast as ever (seccomp(2)). */
static void install_filter(void)
{
    static struct sock_filter filter[CALLS_COUNT + 3];
    size_t at = 0;
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS_COUNT; i++, at++)
        filter[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                  (unsigned)CALLS[i].number, CALLS_COUNT - i, 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {(unsigned short)at, filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        return;
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "PR_SET_SECCOMP");
}

/* The registers of arguments 0 to 5 (syscall(2)). */
static unsigned long long *argument(struct user_regs_struct *registers, int number)
{
    unsigned long long *all[] = {&registers->rdi, &registers->rsi, &registers->rdx,
                                 &registers->r10, &registers->r8,  &registers->r9};
    return all[number];
}

static void path_of(pid_t thread, unsigned long long address, char *path, size_t size)
{
    memset(path, 0, size);
    for (size_t at = 0; at + 8 < size; at += 8) {
        errno = 0;
        long word = ptrace(PTRACE_PEEKDATA, thread, address + at, NULL);
        if (errno != 0)
            return;
        memcpy(path + at, &word, sizeof word);
        if (memchr(&word, 0, sizeof word) != NULL)
            return;
    }
}

/* Whether a descriptor is of something that is kept: no socket, no pipe, no memory, no device. */
static int is_kept(pid_t thread, int descriptor, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, descriptor);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = '\0';
    return path[0] == '/' && strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/memfd:", 7) != 0;
}

/* Whether this call changes something that is kept, and what that is. */
static int changes(pid_t thread, const struct call *call, struct user_regs_struct *registers,
                   char *path, size_t size)
{
    /* FICLONE and FICLONERANGE fill a file without a write. */
    const unsigned long long clone = 0x40049409, clone_range = 0x4020940d;
    unsigned long long what = *argument(registers, call->what);
    switch (call->kind) {
    case DESCRIPTOR:
        return is_kept(thread, (int)what, path, size);
    case PATH:
        path_of(thread, what, path, size);
        return 1;
    case OPEN: {
        path_of(thread, what, path, size);
        unsigned long long flags = *argument(registers, call->what + 1);
        int may_make = (flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE;
        return may_make && strncmp(path, "/dev/", 5) != 0;
    }
    default:
        path[0] = '\0';
        return call->number != SYS_ioctl || registers->rsi == clone ||
               registers->rsi == clone_range;
    }
}

/* Whoever starts a server waits for the line that it prints; without it, it serves all the same. */
static int is_spared(const char *path)
{
    const char *end = strstr(path, "/server.out");
    return end != NULL && strncmp(kind, "error:", 6) == 0;
}

static void answer(pid_t thread, struct user_regs_struct *registers, int error)
{
    registers->orig_rax = (unsigned long long)-1;
    registers->rax = (unsigned long long)-error;
    must(ptrace(PTRACE_SETREGS, thread, NULL, registers) == 0, "PTRACE_SETREGS");
}

static void end_it(pid_t thread)
{
    kill(thread, SIGKILL);
    kill(command, SIGKILL);
}

/* Lets this call go wrong. How the thread goes on from here. */
static int go_wrong(pid_t thread, const struct call *call, struct user_regs_struct *registers)
{
    unsigned long long *bytes = call->bytes ? argument(registers, call->bytes) : NULL;
    if (strcmp(kind, "kill") == 0) {
        end_it(thread);
    } else if (strncmp(kind, "error:", 6) == 0) {
        answer(thread, registers, atoi(kind + 6));
    } else if (bytes != NULL && *bytes > 1) {
        half.thread = thread;
        half.argument = call->bytes;
        half.bytes = *bytes;
        *bytes /= 2;
        must(ptrace(PTRACE_SETREGS, thread, NULL, registers) == 0, "PTRACE_SETREGS");
        say("met\n");
        return PTRACE_SYSCALL;
    } else {
        return PTRACE_CONT;
    }
    say("met\n");
    return PTRACE_CONT;
}

/* A call begins. How the thread goes on from here. */
static int begins(pid_t thread)
{
    struct user_regs_struct registers;
    char path[512], line[1024];
    /* It is gone where it was killed meanwhile. */
    if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0)
        return PTRACE_CONT;
    const struct call *call = CALLS;
    while (call < CALLS + CALLS_COUNT && (unsigned)call->number != registers.orig_rax)
        call++;
    if (call == CALLS + CALLS_COUNT || !changes(thread, call, &registers, path, sizeof path))
        return PTRACE_CONT;
    count++;
    unsigned long long bytes = call->bytes ? *argument(&registers, call->bytes) : 0;
    snprintf(line, sizeof line, "%lu %s %llu %s\n", count, call->name, bytes, path);
    say(line);
    if (strcmp(kind, "none") == 0 || count < first || count > last || is_spared(path))
        return PTRACE_CONT;
    return go_wrong(thread, call, &registers);
}

/* A call that wrote half of it ends: what it was told is as it was, for who looks again. */
static void ends(pid_t thread)
{
    struct user_regs_struct registers;
    if (thread != half.thread || ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0)
        return;
    *argument(&registers, half.argument) = half.bytes;
    half.thread = 0;
    ptrace(PTRACE_SETREGS, thread, NULL, &registers);
    if (strcmp(kind, "torn") == 0)
        end_it(thread);
}

static int is_stop(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Until all are gone (ptrace(2)). */
static void trace(void)
{
    int status;
    pid_t thread;
    while ((thread = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (thread <= 0 || !WIFSTOPPED(status))
            continue;
        int signal = WSTOPSIG(status), event = status >> 16, then = PTRACE_CONT, pass = 0;
        if (event == PTRACE_EVENT_SECCOMP)
            then = begins(thread);
        else if (event == PTRACE_EVENT_STOP)
            then = is_stop(signal) ? PTRACE_LISTEN : PTRACE_CONT;
        else if (event == 0 && signal == (SIGTRAP | 0x80))
            ends(thread);
        else if (event == 0)
            pass = signal;
        ptrace(then, thread, NULL, pass);
    }
    say("end\n");
}

/* The tracer is nobody's child, so that the command is its starter's and has none that it did not
   start itself. */
static void start_tracer(void)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
    int ready[2];
    char byte = 0;
    must(pipe2(ready, O_CLOEXEC) == 0, "pipe2");
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    command = getpid();
    pid_t middle = fork();
    must(middle >= 0, "fork");
    if (middle == 0) {
        if (fork() != 0)
            _exit(0);
        must(ptrace(PTRACE_SEIZE, command, NULL, options) == 0, "PTRACE_SEIZE");
        must(write(ready[1], &byte, 1) == 1, "the pipe");
        trace();
        _exit(0);
    }
    must(waitpid(middle, NULL, 0) == middle, "waitpid");
    close(ready[1]);
    must(read(ready[0], &byte, 1) == 1, "no tracer");
    close(ready[0]);
}

int fault(int argc, char **argv)
{
    must(argc > 7 && strcmp(argv[6], "--") == 0, "LOG KIND FIRST LAST -- C");
    log_file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    must(log_file >= 0, argv[2]);
    kind = argv[3];
    first = strtoul(argv[4], NULL, 10);
    last = strtoul(argv[5], NULL, 10);
    start_tracer();
    install_filter();
    execvp(argv[7], argv + 7);
    must(0, argv[7]);
    return 99;
}
