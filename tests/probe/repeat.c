/* Runs a command again and again, one after the other, and prints how many microseconds each run
 * took, from before the fork to after the wait. What the command prints goes nowhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int run(char **command)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, 1);
        execvp(command[0], command);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return status;
}

/* probe repeat N -- COMMAND ARG… */
int repeat(int argc, char **argv)
{
    if (argc < 5 || strcmp(argv[3], "--") != 0)
        return 2;
    for (int runs = atoi(argv[2]); runs > 0; runs--) {
        long long start = now();
        int status = run(argv + 4);
        if (status != 0) {
            fprintf(stderr, "ended with status %d\n", status);
            return 1;
        }
        printf("%lld\n", now() - start);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
