// Traces in the shapes of Jaeger's HTTP APIs.
#pragma once

#include <optional>
#include <set>
#include <string_view>

#include "services/query/api/answer_writer.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// A list of traces as v1 JSON. The store, the context and the answer outlive it.
class V1Traces {
 public:
  V1Traces(TraceStore& store, QueryContext& context, AnswerWriter& answer) noexcept
      : store_(store), context_(context), answer_(answer) {}

  // The spans of one trace after those of another. Nothing is written without spans. An error after
  // the first bytes leaves the answer to be cut.
  Status append(BlockStreamPtr spans);
  const std::set<TraceId>& found() const noexcept { return found_; }
  // The rest of the answer; `errors` is JSON.
  Status finish(std::string_view errors);

 private:
  TraceStore& store_;
  QueryContext& context_;
  AnswerWriter& answer_;
  std::set<TraceId> found_;
};

// The same as OTLP/JSON in `result`.
class V3Traces {
 public:
  V3Traces(TraceStore& store, QueryContext& context, AnswerWriter& answer) noexcept
      : store_(store), context_(context), answer_(answer) {}

  Status append(BlockStreamPtr spans);
  bool is_empty() const noexcept { return is_empty_; }
  // NOT_FOUND without spans, as Jaeger answers.
  Status finish();

 private:
  TraceStore& store_;
  QueryContext& context_;
  AnswerWriter& answer_;
  bool is_empty_ = true;
};

// Both write the complete answer but do not finish it. NOT_FOUND, data, when there are no spans.
Status answer_trace_v1(TraceStore& store, const TraceId& id, std::optional<TimeRange> hint,
                       QueryContext& context, AnswerWriter& answer);
Status answer_trace_v3(TraceStore& store, const TraceId& id, std::optional<TimeRange> hint,
                       QueryContext& context, AnswerWriter& answer);

}  // namespace spanway::query::jaeger
