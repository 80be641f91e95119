#include "services/allinone/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_program(spanway::allinone::make_program(), argc, argv);
}
