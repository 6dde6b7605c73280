/* A program that shows everything it can see of itself, and one that arranges what it is to see.
 *
 *   probe view FILE            writes the view to FILE, as stable text lines
 *   probe start OPTION… -- C   arranges a situation, then becomes C
 *   probe print                argv and environment to stdout, each entry ended by a NUL
 *   probe wait                 says `ready` on stdout and waits for a signal
 *   probe signals              says `ready` and each signal that it gets, and ends at SIGTERM
 *   probe repeat N -- C        runs C so many times, and prints how long each took
 *   probe pause N -- C         becomes C, and stops where the Nth program from there begins
 *   probe fault LOG KIND …     becomes a command of which one call that writes goes wrong
 *
 * It is linked statically, so that it runs in an empty image, and knows nothing of inject.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int view(int argc, char **argv);
int start(int argc, char **argv);
int repeat(int argc, char **argv);
int fault(int argc, char **argv);
int pause_at(int argc, char **argv);

extern char **environ;

static int print(char **argv)
{
    for (; *argv; argv++)
        fwrite(*argv, 1, strlen(*argv) + 1, stdout);
    putchar('\0');
    for (char **entry = environ; *entry; entry++)
        fwrite(*entry, 1, strlen(*entry) + 1, stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* As process 1 it gets only what it asks for (pid_namespaces(7)). */
static int signals(void)
{
    sigset_t set;
    int number = 0;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("ready %d\n", getpid());
    while (number != SIGTERM) {
        fflush(stdout);
        if (sigwait(&set, &number) != 0)
            return 1;
        printf("signal %d\n", number);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *face = argc > 1 ? argv[1] : "";
    if (strcmp(face, "view") == 0)
        return view(argc, argv);
    if (strcmp(face, "start") == 0)
        return start(argc, argv);
    if (strcmp(face, "repeat") == 0)
        return repeat(argc, argv);
    if (strcmp(face, "fault") == 0)
        return fault(argc, argv);
    if (strcmp(face, "pause") == 0)
        return pause_at(argc, argv);
    if (strcmp(face, "signals") == 0)
        return signals();
    if (strcmp(face, "print") == 0)
        return print(argv);
    if (strcmp(face, "wait") == 0) {
        printf("ready %d\n", getpid());
        fflush(stdout);
        pause();
        return 0;
    }
    fputs("usage: probe view|start|print|wait|signals|repeat|fault|pause\n", stderr);
    return 2;
}
