#include "services/query/api/loki/log_result_json.h"

#include <algorithm>
#include <map>
#include <utility>

#include "services/query/logql/go_text.h"

namespace spanway::query::loki {
namespace {

constexpr std::size_t kPieceBytes = 16u << 10;

// Collects text and hands it on in pieces.
class Pieces {
 public:
  explicit Pieces(const Sink& sink) : sink_(sink) {}
  std::string& text() { return text_; }
  Status flush(bool is_end = false) {
    if (text_.size() < kPieceBytes && !is_end) return {};
    SPANWAY_TRY(sink_(text_));
    text_.clear();
    return {};
  }

 private:
  const Sink& sink_;
  std::string text_;
};

Labels merged(const logql::EntryLabels& labels) {
  Labels all = labels.stream;
  all.insert(all.end(), labels.metadata.begin(), labels.metadata.end());
  all.insert(all.end(), labels.parsed.begin(), labels.parsed.end());
  std::sort(all.begin(), all.end());
  return all;
}

void append_entry(const logql::ResultEntry& entry, bool categorized, std::string& out) {
  JsonWriter json(out);
  json.begin_array().value(std::to_string(entry.time)).value(entry.line);
  if (categorized) {
    json.begin_object();
    for (const auto& [name, labels] : {std::pair("structuredMetadata", &entry.labels.metadata),
                                       std::pair("parsed", &entry.labels.parsed)}) {
      if (labels->empty()) continue;
      json.key(name);
      append_labels(json, *labels);
    }
    json.end_object();
  }
  json.end_array();
}

std::string_view type_of(logql::ResultType type) {
  switch (type) {
    case logql::ResultType::kStreams:
      return "streams";
    case logql::ResultType::kScalar:
      return "scalar";
    case logql::ResultType::kVector:
      return "vector";
    case logql::ResultType::kMatrix:
      return "matrix";
  }
  return "";
}

Status write_series(const logql::QueryResult& result, Pieces& pieces) {
  const bool is_matrix = result.type == logql::ResultType::kMatrix;
  for (std::size_t i = 0; i < result.series.size(); ++i) {
    const logql::ResultSeries& series = result.series[i];
    if (i > 0) pieces.text() += ',';
    JsonWriter json(pieces.text());
    json.begin_object().key("metric");
    append_labels(json, series.labels);
    json.key(is_matrix ? "values" : "value");
    if (is_matrix) json.begin_array();
    for (const logql::ResultPoint& point : series.points)
      append_sample(json, point.time_ms, point.value);
    if (is_matrix) json.end_array();
    json.end_object();
    SPANWAY_TRY(pieces.flush());
  }
  return {};
}

}  // namespace

void append_labels(JsonWriter& json, const Labels& labels) {
  json.begin_object();
  for (const auto& [name, value] : labels) json.member(name, value);
  json.end_object();
}

void append_sample(JsonWriter& json, std::int64_t time_ms, double value) {
  json.begin_array().raw(logql::print_fixed(static_cast<double>(time_ms) / 1000));
  json.value(logql::print_fixed(value)).end_array();
}

void append_stats(JsonWriter& json, const AnswerStats& stats) {
  const auto rate = [&](std::uint64_t count) {
    return stats.seconds > 0
               ? static_cast<std::uint64_t>(static_cast<double>(count) / stats.seconds)
               : std::uint64_t{0};
  };
  json.begin_object().begin_object("summary");
  json.member("bytesProcessedPerSecond", rate(stats.bytes));
  json.member("linesProcessedPerSecond", rate(stats.lines));
  json.member("totalBytesProcessed", stats.bytes).member("totalLinesProcessed", stats.lines);
  json.member("execTime", stats.seconds).member("queueTime", 0).member("subqueries", 0);
  json.member("totalEntriesReturned", static_cast<std::uint64_t>(stats.entries));
  json.member("splits", 0).member("shards", 0).member("totalPostFilterLines", 0);
  json.member("totalStructuredMetadataBytesProcessed", 0);
  json.end_object().end_object();
}

Status write_streams(const std::vector<logql::ResultEntry>& entries, bool categorized,
                     const Sink& sink) {
  std::map<Labels, std::vector<const logql::ResultEntry*>> streams;
  for (const logql::ResultEntry& entry : entries)
    streams[categorized ? entry.labels.stream : merged(entry.labels)].push_back(&entry);
  Pieces pieces(sink);
  pieces.text() += '[';
  bool is_first = true;
  for (const auto& [labels, own] : streams) {
    pieces.text() += is_first ? "{\"stream\":" : ",{\"stream\":";
    is_first = false;
    JsonWriter json(pieces.text());
    append_labels(json, labels);
    pieces.text() += ",\"values\":[";
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (i > 0) pieces.text() += ',';
      append_entry(*own[i], categorized, pieces.text());
      SPANWAY_TRY(pieces.flush());
    }
    pieces.text() += "]}";
  }
  pieces.text() += ']';
  return pieces.flush(true);
}

Status write_result(const logql::QueryResult& result, bool categorized, const AnswerStats& stats,
                    const std::string& warning, const Sink& sink) {
  Pieces pieces(sink);
  std::string& text = pieces.text();
  text = "{\"status\":\"success\",";
  if (!warning.empty()) text += "\"warnings\":[" + json_quoted(warning) + "],";
  text += "\"data\":{\"resultType\":\"" + std::string(type_of(result.type)) + "\",";
  if (categorized) text += "\"encodingFlags\":[\"categorize-labels\"],";
  text += "\"result\":";
  switch (result.type) {
    case logql::ResultType::kStreams:
      SPANWAY_TRY(pieces.flush(true));
      SPANWAY_TRY(write_streams(result.entries, categorized, sink));
      break;
    case logql::ResultType::kScalar: {
      JsonWriter json(text);
      append_sample(json, result.time_ms, result.scalar);
      break;
    }
    case logql::ResultType::kVector:
    case logql::ResultType::kMatrix:
      text += '[';
      SPANWAY_TRY(write_series(result, pieces));
      text += ']';
      break;
  }
  text += ",\"stats\":";
  JsonWriter json(text);
  append_stats(json, stats);
  text += "}}\n";
  return pieces.flush(true);
}

}  // namespace spanway::query::loki
