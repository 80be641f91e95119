#include "services/query/api/tempo/trace_answer.h"

#include <functional>
#include <string>

#include "services/lib/base/hex.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/wire.h"
#include "services/lib/otlp_blocks/assemble.h"
#include "services/query/api/tempo/search_parameters.h"
#include "services/query/api/trace_windows.h"

namespace spanway::query::tempo {
namespace {

constexpr std::size_t kIdDigits = 32;

Error bad_id(std::string what) {
  return invalid_argument(std::move(what)).with_reason("bad_trace_id");
}

Result<TraceId> parse_id(std::string_view text) {
  if (text.empty()) return bad_id("please provide a traceID");
  for (std::size_t i = 0; i < text.size(); ++i)
    if (hex_value(text[i]) < 0)
      return bad_id("trace IDs can only contain hex characters: invalid character '" +
                    std::string(1, text[i]) + "' at position " + std::to_string(i + 1));
  if (text.size() > kIdDigits) return bad_id("trace IDs can't be larger than 128 bits");
  std::string digits(kIdDigits - text.size(), '0');
  digits += text;
  TraceId id;
  for (std::size_t i = 0; i < kIdDigits; i += 2)
    id += static_cast<char>(hex_value(digits[i]) << 4 | hex_value(digits[i + 1]));
  return id;
}

// Calls `write` with the ResourceSpans of each window, as an ExportTraceServiceRequest.
Status for_each_window(TraceStore& store, const TraceId& trace, QueryContext& context,
                       const std::function<Status(std::string_view)>& write) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(trace, std::nullopt, SpanColumns::kAll, context));
  TraceWindows windows(store, std::move(spans), context);
  bool is_empty = true;
  while (true) {
    SPANWAY_ASSIGN(const auto window, windows.next());
    if (!window) break;
    is_empty = false;
    Bytes request;
    SPANWAY_TRY(otlp_blocks::append_spans(
        *window, [&](std::uint64_t resource) { return windows.resources().find(resource); },
        request));
    SPANWAY_TRY(write(request.view()));
  }
  if (is_empty)
    return data_error(Code::kNotFound, "trace not found").with_reason("trace_not_found");
  return {};
}

}  // namespace

Result<TraceId> parse_trace_question(const ApiRequest& request) {
  SPANWAY_ASSIGN(TraceId id, parse_id(request.arguments.get("id")));
  SPANWAY_TRY(parse_range(request.parameters));
  for (const char* name : {"q", "span_pruning"})
    if (!request.parameters.get(name).empty())
      return data_error(Code::kUnimplemented,
                        "the parameter " + std::string(name) +
                            " is not supported: leave it out to get all spans of the trace")
          .with_reason("bad_parameters");
  return id;
}

Status answer_trace_json(TraceStore& store, const TraceId& trace, bool is_v2, QueryContext& context,
                         AnswerWriter& answer) {
  constexpr std::string_view kBegin = "{\"resourceSpans\":[", kEnd = "]}";
  const std::string_view begin = is_v2 ? "{\"trace\":{\"resourceSpans\":[" : "{\"batches\":[";
  bool is_first = true;
  const auto write = [&](std::string_view request) -> Status {
    SPANWAY_ASSIGN(const std::string json, otlp::protobuf_to_json(otlp::Signal::kTraces, request));
    SPANWAY_CHECK(json.starts_with(kBegin) && json.ends_with(kEnd));
    SPANWAY_TRY(answer.write(is_first ? begin : ","));
    is_first = false;
    return answer.write(
        std::string_view(json).substr(kBegin.size(), json.size() - kBegin.size() - kEnd.size()));
  };
  SPANWAY_TRY(for_each_window(store, trace, context, write));
  return answer.write(is_v2 ? "]},\"metrics\":{}}" : "]}");
}

Status answer_trace_protobuf(TraceStore& store, const TraceId& trace, bool is_v2,
                             QueryContext& context, AnswerWriter& answer) {
  answer.set_content_type(std::string(kProtobuf));
  return for_each_window(store, trace, context, [&](std::string_view request) -> Status {
    // A Trace has its resource spans in the same field. TraceByIDResponse has it in field 1;
    // several of them are merged by every reader of protobuf.
    if (!is_v2) return answer.write(request);
    char header[16];
    constexpr std::uint32_t kTraceTag = 1u << 3 | 2;
    const char* end = otlp::wire::put_header(header, kTraceTag, request.size());
    SPANWAY_TRY(answer.write({header, static_cast<std::size_t>(end - header)}));
    return answer.write(request);
  });
}

}  // namespace spanway::query::tempo
