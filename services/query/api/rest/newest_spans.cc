#include "services/query/api/rest/newest_spans.h"

#include <charconv>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/otlp_blocks/span_reader.h"

namespace spanway::query::rest {
namespace {

constexpr std::string_view kKinds[] = {"unspecified", "internal", "server",
                                       "client",      "producer", "consumer"};
constexpr std::string_view kStatuses[] = {"unset", "ok", "error"};

template <std::size_t N>
std::string_view name_of(const std::string_view (&names)[N], int number) {
  return number >= 0 && number < static_cast<int>(N) ? names[number] : names[0];
}

void append_span(const otlp_blocks::StoredSpan& stored, std::string& out) {
  const otlp::SpanView& span = stored.span;
  JsonWriter json(out);
  json.begin_object().member("traceId", to_hex(span.trace_id));
  json.member("spanId", to_hex(span.span_id)).member("parentSpanId", to_hex(span.parent_span_id));
  json.member("serviceName", stored.service_name).member("name", span.name);
  json.member("kind", name_of(kKinds, static_cast<int>(span.kind)));
  json.member("status", name_of(kStatuses, static_cast<int>(span.status_code)));
  // As OTLP/JSON has it: JavaScript's numbers are too small.
  json.member("startTimeUnixNano", std::to_string(span.start_time_unix_nano));
  json.member("durationNano", std::to_string(span.end_time_unix_nano - span.start_time_unix_nano));
  json.end_object();
}

}  // namespace

Result<std::size_t> parse_limit(const Parameters& parameters) {
  std::size_t limit = kSpansDefault;
  const auto value = parameters.find("limit");
  if (!value) return limit;
  const auto parsed = std::from_chars(value->data(), value->data() + value->size(), limit);
  if (parsed.ec != std::errc() || parsed.ptr != value->data() + value->size() || limit == 0 ||
      limit > kSpansMax)
    return invalid_argument("limit must be a number from 1 to " + std::to_string(kSpansMax))
        .with_reason("bad_limit");
  return limit;
}

Status answer_spans(TraceStore& store, std::size_t limit, QueryContext& context,
                    AnswerWriter& answer) {
  SpanQuery query;
  query.limit = limit;
  SPANWAY_ASSIGN(const auto stream, store.newest(query, SpanColumns::kNarrow, context));
  bool is_first = true;
  std::string text;
  while (true) {
    SPANWAY_ASSIGN(const auto block, stream->next());
    if (!block) break;
    SPANWAY_TRY(context.budget.keep(block->memory_bytes()));
    otlp_blocks::SpanReader reader(*block);
    for (std::size_t row = 0; row < reader.rows(); ++row) {
      const otlp_blocks::StoredSpan* stored = reader.read(row);
      if (stored == nullptr)
        return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
            .with_reason("stored_value_unreadable");
      text = is_first ? "{\"spans\":[" : ",";
      is_first = false;
      append_span(*stored, text);
      SPANWAY_TRY(answer.write(text));
    }
  }
  return answer.write(is_first ? "{\"spans\":[]}" : "]}");
}

}  // namespace spanway::query::rest
