#include "services/testapp/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_tool(spanway::testapp::make_tool(), argc, argv);
}
