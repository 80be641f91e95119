#include "services/query/api/jaeger/trace_answers.h"

#include <map>
#include <string>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp_blocks/assemble.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/api/jaeger/v1_writer.h"
#include "services/query/api/trace_windows.h"

namespace spanway::query::jaeger {
namespace {

constexpr std::size_t kIdDigits = 32;

Error not_found(const TraceId& id) {
  return data_error(Code::kNotFound, "trace " + to_hex(id) + " not found")
      .with_reason("trace_not_found");
}

// Names of processes, by resource, in the order of their appearance.
class Processes {
 public:
  const std::string& name_of(const otlp_blocks::StoredSpan& stored) {
    auto [found, is_new] = by_resource_.try_emplace(stored.resource_id);
    if (is_new)
      found->second = {"p" + std::to_string(by_resource_.size()), std::string(stored.service_name)};
    return found->second.name;
  }
  std::string json(const otlp_blocks::ResourceReader& resources) const {
    std::string out = "{";
    for (const auto& [resource, process] : by_resource_) {
      if (out.size() > 1) out += ',';
      out += '"' + process.name + "\":";
      append_process(resources.find(resource), process.service_name, out);
    }
    return out + "}";
  }

 private:
  struct Process {
    std::string name;
    std::string service_name;
  };
  std::map<std::uint64_t, Process> by_resource_;
};

}  // namespace

Result<TraceId> parse_trace_id(std::string_view text) {
  std::string digits(text);
  bool is_id = !digits.empty() && digits.size() <= kIdDigits;
  for (const char digit : digits) is_id = is_id && hex_value(digit) >= 0;
  is_id = is_id && digits.find_first_not_of('0') != std::string::npos;
  if (!is_id)
    return invalid_argument("a trace id has 1 to 32 hexadecimal digits and is not zero")
        .with_reason("bad_trace_id");
  digits.insert(0, kIdDigits - digits.size(), '0');
  TraceId id;
  for (std::size_t i = 0; i < kIdDigits; i += 2)
    id += static_cast<char>(hex_value(digits[i]) << 4 | hex_value(digits[i + 1]));
  return id;
}

Status answer_trace_v1(TraceStore& store, const TraceId& id, QueryContext& context,
                       AnswerWriter& answer) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(id, std::nullopt, SpanColumns::kAll, context));
  TraceWindows windows(store, std::move(spans), context);
  Processes processes;
  bool is_first = true;
  std::string text;
  while (true) {
    SPANWAY_ASSIGN(const auto window, windows.next());
    if (!window) break;
    otlp_blocks::SpanReader reader(*window);
    for (std::size_t row = 0; row < reader.rows(); ++row) {
      const otlp_blocks::StoredSpan* stored = reader.read(row);
      if (stored == nullptr)
        return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
            .with_reason("stored_value_unreadable");
      text = is_first ? "{\"data\":[{\"traceID\":\"" + to_hex(id) + "\",\"spans\":[" : ",";
      is_first = false;
      append_span(*stored, processes.name_of(*stored), text);
      SPANWAY_TRY(answer.write(text));
    }
  }
  if (is_first) return not_found(id);
  return answer.write("],\"processes\":" + processes.json(windows.resources()) +
                      ",\"warnings\":null}],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}");
}

Status answer_trace_v3(TraceStore& store, const TraceId& id, QueryContext& context,
                       AnswerWriter& answer) {
  constexpr std::string_view kBegin = "{\"resourceSpans\":[", kEnd = "]}";
  SPANWAY_ASSIGN(auto spans, store.spans_of(id, std::nullopt, SpanColumns::kAll, context));
  TraceWindows windows(store, std::move(spans), context);
  bool is_first = true;
  while (true) {
    SPANWAY_ASSIGN(const auto window, windows.next());
    if (!window) break;
    Bytes request;
    SPANWAY_TRY(otlp_blocks::append_spans(
        *window, [&](std::uint64_t resource) { return windows.resources().find(resource); },
        request));
    SPANWAY_ASSIGN(const std::string json,
                   otlp::protobuf_to_json(otlp::Signal::kTraces, request.view()));
    SPANWAY_CHECK(json.starts_with(kBegin) && json.ends_with(kEnd));
    SPANWAY_TRY(answer.write(is_first ? "{\"result\":{\"resourceSpans\":[" : ","));
    is_first = false;
    SPANWAY_TRY(answer.write(
        std::string_view(json).substr(kBegin.size(), json.size() - kBegin.size() - kEnd.size())));
  }
  if (is_first) return not_found(id);
  return answer.write("]}}");
}

}  // namespace spanway::query::jaeger
