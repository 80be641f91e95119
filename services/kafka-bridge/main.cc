// spanway-kafka-bridge: writes OTLP to Kafka, and delivers what lies in Kafka.
#include "services/kafka-bridge/program.h"

int main(int argc, char** argv) {
  return spanway::runtime::run_program(spanway::kafka_bridge::make_program(), argc, argv);
}
