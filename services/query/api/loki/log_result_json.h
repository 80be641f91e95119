// Results of LogQL in the JSON of Loki's API. Pure; thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/json_writer.h"
#include "services/query/logql/engine.h"

namespace spanway::query::loki {

// Figures of an answer, for `stats`.
struct AnswerStats {
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  std::size_t entries = 0;  // In the answer.
  double seconds = 0;
};

// Takes pieces of the answer as they become ready.
using Sink = std::function<Status(std::string_view text)>;

// {"status":"success","data":{"resultType":..,"result":..,"stats":..}}, with "warnings" in front of
// the data where there is one. `categorized`: labels of the stream alone in "stream", the others
// beside each line.
Status write_result(const logql::QueryResult& result, bool categorized, const AnswerStats& stats,
                    const std::string& warning, const Sink& sink);
// {"stream":{..},"values":[[..]]} for each label set, by its labels.
Status write_streams(const std::vector<logql::ResultEntry>& entries, bool categorized,
                     const Sink& sink);
void append_stats(JsonWriter& json, const AnswerStats& stats);
void append_labels(JsonWriter& json, const Labels& labels);
// [1700000000.123,"1.5"]
void append_sample(JsonWriter& json, std::int64_t time_ms, double value);

}  // namespace spanway::query::loki
