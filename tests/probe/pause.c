/* Becomes a command that stops before the first instruction of a program on its way.
 *
 *   probe pause N -- C
 *
 * That is the Nth program from C on, C the first. It goes on with SIGCONT, and nobody traces it
 * then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "probe pause: %s: %s\n", what, strerror(errno));
    exit(99);
}

/* Lets all pass but that exec, behind which the stop comes first (ptrace(2)). */
static void follow(pid_t command, int programs)
{
    int status;
    while (waitpid(command, &status, __WALL) == command && WIFSTOPPED(status)) {
        int event = status >> 16, signal = event == 0 ? WSTOPSIG(status) : 0;
        if (event == PTRACE_EVENT_EXEC && --programs == 0) {
            kill(command, SIGSTOP);
            ptrace(PTRACE_DETACH, command, NULL, NULL);
            return;
        }
        ptrace(PTRACE_CONT, command, NULL, signal);
    }
}

int pause_at(int argc, char **argv)
{
    int ready[2];
    char byte = 0;
    pid_t command = getpid();
    must(argc > 4 && strcmp(argv[3], "--") == 0, "N -- C");
    must(pipe(ready) == 0, "pipe");
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    /* The tracer is nobody's child: the command has none that it did not start. */
    pid_t middle = fork();
    must(middle >= 0, "fork");
    if (middle == 0) {
        if (fork() != 0)
            _exit(0);
        must(ptrace(PTRACE_SEIZE, command, NULL, PTRACE_O_TRACEEXEC) == 0, "PTRACE_SEIZE");
        must(write(ready[1], &byte, 1) == 1, "the pipe");
        close(ready[0]);
        close(ready[1]);
        follow(command, atoi(argv[2]));
        _exit(0);
    }
    must(waitpid(middle, NULL, 0) == middle, "waitpid");
    close(ready[1]);
    must(read(ready[0], &byte, 1) == 1, "no tracer");
    close(ready[0]);
    execvp(argv[4], argv + 4);
    must(0, argv[4]);
    return 99;
}
