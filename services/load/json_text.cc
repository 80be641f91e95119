#include "services/load/json_text.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace spanway::load {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      // Whatever is not plain ASCII came from a peer: shown byte by byte.
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(byte));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

double milliseconds(Duration duration) noexcept {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

JsonObject& JsonObject::add_raw(std::string_view key, std::string_view json) {
  if (text_.size() > 1) text_ += ',';
  text_ += '"';
  text_ += key;
  text_ += "\":";
  text_ += json;
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, std::uint64_t value) {
  return add_raw(key, std::to_string(value));
}

JsonObject& JsonObject::add(std::string_view key, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  return add_raw(key, text.data());
}

JsonObject& JsonObject::add(std::string_view key, std::string_view value) {
  return add_raw(key, quoted(value));
}

std::string latency_json(const LatencyHistogram& latency) {
  return JsonObject()
      .add("count", latency.count())
      .add("p50", milliseconds(latency.quantile(0.5)))
      .add("p90", milliseconds(latency.quantile(0.9)))
      .add("p99", milliseconds(latency.quantile(0.99)))
      .add("p99_9", milliseconds(latency.quantile(0.999)))
      .add("max", milliseconds(latency.max()))
      .add("mean", milliseconds(latency.mean()))
      .text();
}

}  // namespace spanway::load
