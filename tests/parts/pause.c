/* Holds a pod's namespaces open, as the image of that name does elsewhere. */
#include <signal.h>
#include <unistd.h>

static void stop(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  signal(SIGTERM, stop);
  signal(SIGINT, stop);
  signal(SIGCHLD, SIG_IGN); /* Reaps, should a pod share its PID namespace. */
  for (;;) pause();
}
