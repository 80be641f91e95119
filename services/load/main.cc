#include "services/load/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_tool(spanway::load::make_tool(), argc, argv);
}
