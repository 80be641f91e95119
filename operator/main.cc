#include "operator/cli/program.h"
#include "services/lib/runtime/service.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_program(spanway::cli::make_program(), argc, argv);
}
