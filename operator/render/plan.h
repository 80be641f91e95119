// Describes what applying a Pipeline would change: for `spanway-operator plan` and Events.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/render/render.h"

namespace spanway::render {

struct Change {
  enum class Kind { kCreate, kUpdate, kDelete, kNone } kind = Kind::kNone;
  Manifest manifest;
  std::vector<std::string> fields;  // Paths that differ: "spec/template/spec/containers/0/image"
  bool restarts_pods = false;
  std::string why;  // "configuration: limits.body_bytes_max", "image", "Secret otlp-tls changed"
};

// `live` has the live objects, in any order.
std::vector<Change> plan(const Rendering& desired, const std::vector<Json>& live);
std::string to_text(const std::vector<Change>& changes);

}  // namespace spanway::render
