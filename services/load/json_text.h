// Writes the one-line JSON objects of the load tool's reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/load/latency_histogram.h"

namespace spanway::load {

// External lock. Keys are literals of ours and are not escaped.
class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::uint64_t value);
  JsonObject& add(std::string_view key, double value);  // Three decimals.
  JsonObject& add(std::string_view key, std::string_view value);
  JsonObject& add(std::string_view key, const char* value) {
    return add(key, std::string_view(value));
  }
  // A value that is JSON already.
  JsonObject& add_raw(std::string_view key, std::string_view json);
  std::string text() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

// {"count":..,"p50":..,"p90":..,"p99":..,"p99_9":..,"max":..,"mean":..} in milliseconds.
std::string latency_json(const LatencyHistogram& latency);

}  // namespace spanway::load
