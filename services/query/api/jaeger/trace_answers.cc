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

Status V1Traces::append(BlockStreamPtr spans) {
  TraceWindows windows(store_, std::move(spans), context_);
  Processes processes;
  TraceId current;
  std::string text;
  const auto end_trace = [&] {
    text += "],\"processes\":" + processes.json(windows.resources()) + ",\"warnings\":null}";
    processes = Processes();
  };
  while (true) {
    SPANWAY_ASSIGN(const auto window, windows.next());
    if (!window) break;
    otlp_blocks::SpanReader reader(*window);
    for (std::size_t row = 0; row < reader.rows(); ++row) {
      const otlp_blocks::StoredSpan* stored = reader.read(row);
      if (stored == nullptr)
        return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
            .with_reason("stored_value_unreadable");
      text.clear();
      if (stored->span.trace_id == current) {
        text = ",";
      } else {
        if (!current.empty()) end_trace();
        current = stored->span.trace_id;
        text += found_.empty() ? "{\"data\":[" : ",";
        text += "{\"traceID\":\"" + to_hex(current) + "\",\"spans\":[";
        found_.insert(current);
      }
      append_span(*stored, processes.name_of(*stored), text);
      SPANWAY_TRY(answer_.write(text));
    }
  }
  text.clear();
  if (!current.empty()) end_trace();
  return answer_.write(text);
}

Status V1Traces::finish(std::string_view errors) {
  return answer_.write(std::string(found_.empty() ? "{\"data\":[" : "") +
                       "],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":" + std::string(errors) +
                       "}");
}

Status answer_trace_v1(TraceStore& store, const TraceId& id, std::optional<TimeRange> hint,
                       QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(id, hint, SpanColumns::kAll, context));
  V1Traces traces(store, context, answer);
  SPANWAY_TRY(traces.append(std::move(spans)));
  if (traces.found().empty()) return not_found(id);
  return traces.finish("null");
}

Status V3Traces::append(BlockStreamPtr spans) {
  constexpr std::string_view kBegin = "{\"resourceSpans\":[", kEnd = "]}";
  TraceWindows windows(store_, std::move(spans), context_);
  while (true) {
    SPANWAY_ASSIGN(const auto window, windows.next());
    if (!window) return {};
    Bytes request;
    SPANWAY_TRY(otlp_blocks::append_spans(
        *window, [&](std::uint64_t resource) { return windows.resources().find(resource); },
        request));
    SPANWAY_ASSIGN(const std::string json,
                   otlp::protobuf_to_json(otlp::Signal::kTraces, request.view()));
    SPANWAY_CHECK(json.starts_with(kBegin) && json.ends_with(kEnd));
    SPANWAY_TRY(answer_.write(is_empty_ ? "{\"result\":{\"resourceSpans\":[" : ","));
    is_empty_ = false;
    SPANWAY_TRY(answer_.write(
        std::string_view(json).substr(kBegin.size(), json.size() - kBegin.size() - kEnd.size())));
  }
}

Status V3Traces::finish() {
  if (is_empty_)
    return data_error(Code::kNotFound, "No traces found").with_reason("trace_not_found");
  return answer_.write("]}}");
}

Status answer_trace_v3(TraceStore& store, const TraceId& id, std::optional<TimeRange> hint,
                       QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(id, hint, SpanColumns::kAll, context));
  V3Traces traces(store, context, answer);
  SPANWAY_TRY(traces.append(std::move(spans)));
  if (traces.is_empty()) return not_found(id);
  return traces.finish();
}

}  // namespace spanway::query::jaeger
