// Seeded random Export requests, by reflection over the published descriptors: every field of every
// message of a signal comes up.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <random>

namespace spanway::otlp {

struct RandomRequestOptions {
  // Messages inside messages; AnyValue can nest for ever.
  int depth_max = 14;
  // Bytes that no hex or base64 of the stock mapping could encode, and sizes that ids do not
  // have.
  bool odd_ids = true;
};

// Fills `message`, which should be empty. Single-thread.
void fill_randomly(google::protobuf::Message& message, std::mt19937_64& random,
                   const RandomRequestOptions& options = {});

}  // namespace spanway::otlp
