#include "tests/unit/traceql/stored_traces.h"

#include <gtest/gtest.h>

#include "tests/fakes/otlp_builder.h"

namespace spanway::query::traceql::naive {
namespace {

using fakes::ProtoMessage;

constexpr std::int64_t kSecond = 1'000'000'000;

std::string span_id(int position) {
  return fakes::otlp_span_id(static_cast<std::uint64_t>(position + 1));
}

ProtoMessage proto_of(const AnyValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fakes::otlp_int(*integer);
  if (const auto* real = std::get_if<double>(&value)) return ProtoMessage().real(4, *real);
  if (const auto* text = std::get_if<std::string>(&value)) return fakes::otlp_string(*text);
  if (const auto* boolean = std::get_if<bool>(&value))
    return ProtoMessage().varint(2, *boolean ? 1 : 0);
  std::vector<ProtoMessage> elements;
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value))
    for (const auto one : *integers) elements.push_back(fakes::otlp_int(one));
  else
    for (const auto& one : std::get<std::vector<std::string>>(value))
      elements.push_back(fakes::otlp_string(one));
  return fakes::otlp_array(elements);
}

ProtoMessage span_of(const NaiveSpan& own, int position, std::size_t number) {
  const std::int64_t start = kBegin + static_cast<std::int64_t>(number) * kSecond + own.start;
  ProtoMessage span;
  span.bytes(1, trace_id_of(number)).bytes(2, span_id(position));
  if (own.parent != -1) span.bytes(4, span_id(own.parent == -2 ? 40'000 : own.parent));
  span.bytes(5, own.name).varint(6, static_cast<std::uint64_t>(own.kind));
  span.fixed64(7, static_cast<std::uint64_t>(start));
  span.fixed64(8, static_cast<std::uint64_t>(start + own.duration));
  for (const auto& [key, value] : own.own)
    span.message(9, fakes::otlp_attribute(key, proto_of(value)));
  for (const std::string& event : own.events)
    span.message(11, ProtoMessage().fixed64(1, static_cast<std::uint64_t>(start)).bytes(2, event));
  span.message(15, ProtoMessage().varint(3, static_cast<std::uint64_t>(own.status)));
  return span;
}

}  // namespace

std::string trace_id_of(std::size_t number) { return fakes::otlp_trace_id(number + 1); }

std::string request_of(const NaiveTrace& trace, std::size_t number) {
  std::vector<ProtoMessage> resources;
  for (std::size_t i = 0; i < trace.spans.size(); ++i) {
    const NaiveSpan& span = trace.spans[i];
    ProtoMessage resource;
    resource.message(1, fakes::otlp_attribute("service.name", "s" + std::to_string(span.service)));
    ProtoMessage spans;
    spans.message(2, span_of(span, static_cast<int>(i), number));
    resources.push_back(ProtoMessage().message(1, resource).message(2, spans));
  }
  return fakes::otlp_request(resources).encode();
}

void add_to(MemoryTraceStore& store, const std::vector<NaiveTrace>& traces) {
  for (std::size_t i = 0; i < traces.size(); ++i)
    ASSERT_TRUE(store.add("t", request_of(traces[i], i)).ok());
}

}  // namespace spanway::query::traceql::naive
