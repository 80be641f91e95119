"""Memory of a process that its account of permits does not know, while the binary stays as built."""
import pathlib
import shutil
import subprocess

SOURCE = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Holds as many MiB as the last line of the pipe says.
static void* hold(void* unused) {
  const char* path = getenv("BALLAST_PIPE");
  char* held = NULL;
  size_t held_bytes = 0;
  for (;;) {
    FILE* pipe = fopen(path, "r");
    if (pipe == NULL) return unused;
    long mebibytes = 0;
    while (fscanf(pipe, "%ld", &mebibytes) == 1) {
      if (held != NULL) munmap(held, held_bytes);
      held = NULL;
      held_bytes = (size_t)mebibytes << 20;
      if (held_bytes == 0) continue;
      held = mmap(NULL, held_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      memset(held, 1, held_bytes);
    }
    fclose(pipe);
  }
}

__attribute__((constructor)) static void begin(void) {
  pthread_t thread;
  sigset_t all, before;
  if (getenv("BALLAST_PIPE") == NULL) return;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_create(&thread, NULL, hold, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}
"""


class Ballast:
    """Preloaded into one process by its environment; `hold(n)` makes it hold n MiB, 0 gives all back."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        compiler = next((path for path in map(shutil.which, ("cc", "gcc", "clang")) if path), None)
        assert compiler, "no C compiler, and the services were built with one"
        source, library, self.pipe = folder / "ballast.c", folder / "ballast.so", folder / "ballast.pipe"
        source.write_text(SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-lpthread"], check=True)
        subprocess.run(["mkfifo", self.pipe], check=True)
        self.environment = {"LD_PRELOAD": str(library), "BALLAST_PIPE": str(self.pipe)}

    def hold(self, mebibytes):
        with open(self.pipe, "w") as pipe:
            pipe.write(f"{mebibytes}\n")
