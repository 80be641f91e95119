#include "services/demo/student/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_tool(spanway::demo::make_tool(), argc, argv);
}
