#include "services/lib/runtime/service.h"
#include "services/query/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_program(spanway::query::make_program(), argc, argv);
}
