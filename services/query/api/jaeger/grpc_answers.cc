#include "services/query/api/jaeger/grpc_answers.h"

#include <algorithm>
#include <limits>

#include "services/lib/base/hex.h"
#include "services/lib/otlp/wire.h"
#include "services/lib/otlp_blocks/assemble.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/api/jaeger/jaeger_questions.h"
#include "services/query/api/trace_windows.h"

namespace spanway::query::jaeger {
namespace {

using otlp::wire::Writer;

constexpr std::size_t kMessageBytes = 2u << 20;
// Spans of a message; the first guess, and the largest one.
constexpr std::size_t kSpansGuess = 1000, kSpansMax = 8000;

// The spans of one trace after those of another, as TracesData.
class TraceMessages {
 public:
  TraceMessages(TraceStore& store, QueryContext& context, MessageWriter& writer) noexcept
      : store_(store), context_(context), writer_(writer) {}

  Status send(BlockStreamPtr spans) {
    TraceWindows windows(store_, std::move(spans), context_);
    while (true) {
      SPANWAY_ASSIGN(const auto window, windows.next());
      if (!window) return {};
      const otlp_blocks::SpanReader reader(*window);
      const auto id = [&](std::size_t row) { return reader.text("trace_id", row); };
      for (std::size_t begin = 0, end = 0; begin < reader.rows(); begin = end) {
        while (end < reader.rows() && id(end) == id(begin)) ++end;
        SPANWAY_TRY(send(*window, windows.resources(), begin, end));
      }
    }
  }

 private:
  // Rows of one trace, in as many messages as their size takes.
  Status send(const block::Block& window, const otlp_blocks::ResourceReader& resources,
              std::size_t begin, std::size_t end) {
    while (begin < end) {
      const std::size_t rows = std::min(rows_, end - begin);
      Bytes message;
      SPANWAY_TRY(otlp_blocks::append_spans(
          window, begin, begin + rows, [&](std::uint64_t id) { return resources.find(id); },
          message));
      if (message.size() > kMessageBytes && rows > 1) {
        rows_ = rows / 2;
        continue;
      }
      if (message.size() < kMessageBytes / 4 && rows == rows_)
        rows_ = std::min(2 * rows_, kSpansMax);
      SPANWAY_TRY(writer_.write(message.view()));
      begin += rows;
    }
    return {};
  }

  TraceStore& store_;
  QueryContext& context_;
  MessageWriter& writer_;
  std::size_t rows_ = kSpansGuess;
};

void append_text(Writer& writer, std::uint32_t field, std::string_view text) {
  if (!text.empty()) writer.bytes(field, text);
}
// An int32 of the message.
void append_count(Writer& writer, std::uint32_t field, std::uint64_t count) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int32_t>::max();
  if (count != 0) writer.varint(field, std::min(count, kMax));
}
void append_time(Writer& writer, std::uint32_t field, std::int64_t unix_nano) {
  if (unix_nano != 0) writer.fixed64(field, static_cast<std::uint64_t>(unix_nano));
}

void append_summary(const TraceSummary& summary, Bytes& out) {
  Writer writer(out);
  const auto mark = writer.begin(1);
  writer.bytes(1, to_hex(summary.trace_id));
  append_text(writer, 2, summary.root_service);
  append_text(writer, 3, summary.root_name);
  append_time(writer, 4, summary.begin_unix_nano);
  append_time(writer, 5, summary.end_unix_nano);
  append_count(writer, 6, summary.spans);
  append_count(writer, 7, summary.errors);
  append_count(writer, 8, summary.orphans);
  for (const ServiceSpans& service : summary.services) {
    const auto own = writer.begin(9);
    append_text(writer, 1, service.service);
    append_count(writer, 2, service.spans);
    append_count(writer, 3, service.errors);
    writer.end(own);
  }
  writer.end(mark);
}

}  // namespace

Status send_trace(TraceStore& store, const TraceRequest& request, QueryContext& context,
                  MessageWriter& writer) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(request.id, request.hint, SpanColumns::kAll, context));
  return TraceMessages(store, context, writer).send(std::move(spans));
}

Status send_search(TraceStore& store, const SearchParameters& search, QueryContext& context,
                   MessageWriter& writer) {
  SPANWAY_ASSIGN(const auto ids, ids_of(store, search, context));
  TraceMessages messages(store, context, writer);
  return in_parts(ids, [&](std::span<const TraceId> part) -> Status {
    SPANWAY_ASSIGN(auto spans, store.spans_of(part, std::nullopt, SpanColumns::kAll, context));
    return messages.send(std::move(spans));
  });
}

Status send_summaries(TraceStore& store, const SearchParameters& search, QueryContext& context,
                      MessageWriter& writer) {
  SPANWAY_ASSIGN(const auto ids, ids_of(store, search, context));
  return in_parts(ids, [&](std::span<const TraceId> part) -> Status {
    SPANWAY_ASSIGN(const auto summaries, store.summaries(part, std::nullopt, context));
    Bytes message;
    for (const TraceSummary& summary : summaries) {
      append_summary(summary, message);
      if (message.size() < kMessageBytes / 2) continue;
      SPANWAY_TRY(writer.write(message.view()));
      message = Bytes();
    }
    return message.empty() ? Status() : writer.write(message.view());
  });
}

Status send_services(TraceStore& store, QueryContext& context, MessageWriter& writer) {
  SPANWAY_ASSIGN(const auto services, services_of(store, {}, context));
  Bytes message;
  for (const std::string& service : services) Writer(message).bytes(1, service);
  return writer.write(message.view());
}

Status send_operations(TraceStore& store, const OperationsRequest& request, QueryContext& context,
                       MessageWriter& writer) {
  SPANWAY_ASSIGN(const auto operations,
                 operations_of(store, request.service, request.kind, {}, context));
  Bytes message;
  Writer fields(message);
  for (const Operation& operation : operations) {
    const auto mark = fields.begin(1);
    append_text(fields, 1, operation.name);
    append_text(fields, 2, kind_name(operation.kind));
    fields.end(mark);
  }
  return writer.write(message.view());
}

Status send_dependencies(TraceStore& store, TimeRange range, QueryContext& context,
                         MessageWriter& writer) {
  SPANWAY_ASSIGN(const auto edges, store.dependencies(range, context));
  Bytes message;
  Writer fields(message);
  for (const Dependency& edge : edges) {
    const auto mark = fields.begin(1);
    append_text(fields, 1, edge.caller);
    append_text(fields, 2, edge.callee);
    if (edge.calls != 0) fields.varint(3, edge.calls);
    fields.end(mark);
  }
  return writer.write(message.view());
}

}  // namespace spanway::query::jaeger
