// Hand-built OTLP requests for tests: protobuf bytes from chosen fields, in the order given or with
// every message's fields reversed, as Go's encoders write them. Nothing is validated, so that
// broken requests can be built too.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/otlp/signal.h"

namespace spanway::fakes {

// One protobuf message. Its fields are kept apart until encode(), so that they can be reversed at
// every depth.
class ProtoMessage {
 public:
  ProtoMessage& varint(std::uint32_t field, std::uint64_t value) {
    return raw(encode_varint(field << 3) + encode_varint(value));
  }
  ProtoMessage& fixed64(std::uint32_t field, std::uint64_t value) {
    return raw(encode_varint(field << 3 | 1) + little_endian(value, 8));
  }
  ProtoMessage& fixed32(std::uint32_t field, std::uint32_t value) {
    return raw(encode_varint(field << 3 | 5) + little_endian(value, 4));
  }
  ProtoMessage& real(std::uint32_t field, double value) {
    return fixed64(field, std::bit_cast<std::uint64_t>(value));
  }
  ProtoMessage& bytes(std::uint32_t field, std::string_view value) {
    return raw(encode_varint(field << 3 | 2) + encode_varint(value.size()) + std::string(value));
  }
  ProtoMessage& message(std::uint32_t field, ProtoMessage value) {
    fields_.push_back(
        {.tag = encode_varint(field << 3 | 2), .text = {}, .child = {std::move(value)}});
    return *this;
  }
  // Any bytes, as one field.
  ProtoMessage& raw(std::string field) {
    fields_.push_back({.tag = {}, .text = std::move(field), .child = {}});
    return *this;
  }

  std::string encode(bool reversed = false) const {
    std::string out;
    const auto append = [&](const Part& part) {
      if (part.child.empty()) {
        out += part.text;
      } else {
        const std::string body = part.child.front().encode(reversed);
        out += part.tag + encode_varint(body.size()) + body;
      }
    };
    if (reversed) {
      std::for_each(fields_.rbegin(), fields_.rend(), append);
    } else {
      std::for_each(fields_.begin(), fields_.end(), append);
    }
    return out;
  }

  static std::string encode_varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
    return out;
  }

 private:
  struct Part {
    std::string tag;
    std::string text;
    std::vector<ProtoMessage> child;  // None or one.
  };
  static std::string little_endian(std::uint64_t value, int size) {
    std::string out;
    for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  }
  std::vector<Part> fields_;
};

// --- Values and attributes ---

inline ProtoMessage otlp_string(std::string_view text) { return ProtoMessage().bytes(1, text); }
inline ProtoMessage otlp_int(std::int64_t value) {
  return ProtoMessage().varint(3, static_cast<std::uint64_t>(value));
}
inline ProtoMessage otlp_array(const std::vector<ProtoMessage>& values) {
  ProtoMessage list;
  for (const ProtoMessage& value : values) list.message(1, value);
  return ProtoMessage().message(5, list);
}
inline ProtoMessage otlp_attribute(std::string_view key, ProtoMessage value) {
  return ProtoMessage().bytes(1, key).message(2, std::move(value));
}
inline ProtoMessage otlp_attribute(std::string_view key, std::string_view value) {
  return otlp_attribute(key, otlp_string(value));
}
inline ProtoMessage otlp_kvlist(const std::vector<ProtoMessage>& attributes) {
  ProtoMessage list;
  for (const ProtoMessage& attribute : attributes) list.message(1, attribute);
  return ProtoMessage().message(6, list);
}

// --- Items ---

// 16 and 8 bytes that hold `n`, big-endian, as most ids are.
inline std::string otlp_trace_id(std::uint64_t n) {
  std::string id(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) id[15 - i] = static_cast<char>(n >> (8 * i));
  return id;
}
inline std::string otlp_span_id(std::uint64_t n) { return otlp_trace_id(n).substr(8); }

inline ProtoMessage otlp_span(std::string_view trace_id, std::string_view span_id,
                              std::string_view name = "GET /",
                              const std::vector<ProtoMessage>& attributes = {}) {
  ProtoMessage span;
  span.bytes(1, trace_id).bytes(2, span_id).bytes(5, name).varint(6, 2);
  span.fixed64(7, 1'767'225'600'000'000'000ULL).fixed64(8, 1'767'225'600'001'000'000ULL);
  for (const ProtoMessage& attribute : attributes) span.message(9, attribute);
  return span;
}
inline ProtoMessage otlp_span(std::uint64_t trace, std::uint64_t span,
                              std::string_view name = "GET /",
                              const std::vector<ProtoMessage>& attributes = {}) {
  return otlp_span(otlp_trace_id(trace), otlp_span_id(span), name, attributes);
}

// `trace_id` and `span_id` may be empty: a record outside of any trace.
inline ProtoMessage otlp_log_record(std::string_view body, std::string_view trace_id = {},
                                    std::string_view span_id = {},
                                    const std::vector<ProtoMessage>& attributes = {}) {
  ProtoMessage record;
  record.fixed64(1, 1'767'225'600'000'000'000ULL).varint(2, 9).bytes(3, "INFO");
  record.message(5, otlp_string(body));
  for (const ProtoMessage& attribute : attributes) record.message(6, attribute);
  if (!trace_id.empty()) record.bytes(9, trace_id);
  if (!span_id.empty()) record.bytes(10, span_id);
  return record;
}

// A data point of a gauge or a sum.
inline ProtoMessage otlp_number_point(std::int64_t value,
                                      const std::vector<ProtoMessage>& attributes = {}) {
  ProtoMessage point;
  point.fixed64(3, 1'767'225'600'000'000'000ULL).fixed64(6, static_cast<std::uint64_t>(value));
  for (const ProtoMessage& attribute : attributes) point.message(7, attribute);
  return point;
}

// The field number of Metric is the kind.
enum class MetricKind : std::uint32_t {
  kGauge = 5,
  kSum = 7,
  kHistogram = 9,
  kExponentialHistogram = 10,
  kSummary = 11,
};
inline ProtoMessage otlp_metric(std::string_view name, MetricKind kind,
                                const std::vector<ProtoMessage>& points) {
  ProtoMessage data;
  for (const ProtoMessage& point : points) data.message(1, point);
  if (kind != MetricKind::kGauge && kind != MetricKind::kSummary) data.varint(2, 2);
  if (kind == MetricKind::kSum) data.varint(3, 1);
  return ProtoMessage().bytes(1, name).bytes(3, "1").message(static_cast<std::uint32_t>(kind),
                                                             data);
}

// --- Envelope: the same field numbers for all three signals ---

inline ProtoMessage otlp_scope(std::string_view name, const std::vector<ProtoMessage>& items) {
  ProtoMessage scope;
  scope.message(1, ProtoMessage().bytes(1, name).bytes(2, "1.0"));
  for (const ProtoMessage& item : items) scope.message(2, item);
  return scope;
}
inline ProtoMessage otlp_resource(std::string_view service,
                                  const std::vector<ProtoMessage>& scopes) {
  ProtoMessage resource;
  resource.message(1, ProtoMessage().message(1, otlp_attribute("service.name", service)));
  for (const ProtoMessage& scope : scopes) resource.message(2, scope);
  return resource.bytes(3, "https://opentelemetry.io/schemas/1.30.0");
}
inline ProtoMessage otlp_request(const std::vector<ProtoMessage>& resources) {
  ProtoMessage request;
  for (const ProtoMessage& resource : resources) request.message(1, resource);
  return request;
}
// The usual request: one resource, one scope.
inline std::string otlp_request_of(const std::vector<ProtoMessage>& items,
                                   std::string_view service = "shop") {
  return otlp_request({otlp_resource(service, {otlp_scope("test", items)})}).encode();
}

}  // namespace spanway::fakes
