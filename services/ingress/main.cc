// spanway-ingress: takes OTLP from applications and hands it to the bridge.
#include "services/ingress/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_program(spanway::ingress::make_program(), argc, argv);
}
