#include "services/query/api/prometheus/result_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "services/lib/base/json_writer.h"

namespace spanway::query::prometheus {
namespace {

constexpr std::size_t kNotesMax = 10;
constexpr std::int64_t kMsPerSecond = 1000;

// A value, or a histogram.
void append_value(std::int64_t t, double f, const promql::HistogramPtr& h, std::string& out) {
  out += '[';
  append_time(t, out);
  out += ',';
  if (h)
    append_histogram(*h, out);
  else
    append_number(f, out);
  out += ']';
}

// Both bounds inclusive = 3, the lower one alone = 1, the upper one alone = 0.
int boundaries_of(const promql::Histogram& histogram, const promql::BoundedBucket& bucket) {
  if (histogram.is_custom()) return std::isinf(bucket.lower) ? 3 : 0;
  if (bucket.lower < 0) return bucket.upper > 0 ? 3 : 1;
  // The zero bucket of a width of 0.
  return bucket.lower == 0 && bucket.upper == 0 ? 3 : 0;
}

// `"values":[..]` of the numbers, or `"histograms":[..]` of the others; nothing without any.
void append_points(const std::vector<promql::Point>& points, bool histograms, std::string& out) {
  bool is_first = true;
  for (const promql::Point& point : points) {
    if ((point.h != nullptr) != histograms) continue;
    if (is_first)
      out += histograms ? ",\"histograms\":[" : ",\"values\":[";
    else
      out += ',';
    is_first = false;
    append_value(point.t, point.f, point.h, out);
  }
  if (!is_first) out += ']';
}

void append_notes(std::string_view name, std::vector<std::string> notes, std::string& out) {
  if (notes.empty()) return;
  if (notes.size() > kNotesMax) {
    const std::size_t more = notes.size() - kNotesMax;
    notes.resize(kNotesMax);
    notes.push_back(std::to_string(more) + " more " + (name == "warnings" ? "warning" : "info") +
                    " annotations omitted");
  }
  out += ",\"" + std::string(name) + "\":";
  append_texts(notes, out);
}

}  // namespace

void append_time(std::int64_t ms, std::string& out) {
  if (ms < 0) out += '-';
  const std::int64_t size = ms < 0 ? -ms : ms;
  out += std::to_string(size / kMsPerSecond);
  const std::int64_t fraction = size % kMsPerSecond;
  if (fraction == 0) return;
  const std::string digits = std::to_string(fraction);
  out += '.' + std::string(3 - digits.size(), '0') + digits;
}

void append_number(double value, std::string& out) {
  out += '"';
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    const double size = std::fabs(value);
    const bool is_fixed = size == 0 || (size >= 1e-6 && size < 1e21);
    std::array<char, 64> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value,
                      is_fixed ? std::chars_format::fixed : std::chars_format::scientific)
            .ptr;
    out.append(text.data(), end);
  }
  out += '"';
}

void append_histogram(const promql::Histogram& histogram, std::string& out) {
  out += "{\"count\":";
  append_number(histogram.count, out);
  out += ",\"sum\":";
  append_number(histogram.sum, out);
  bool is_first = true;
  for (const promql::BoundedBucket& bucket : histogram.buckets()) {
    if (bucket.count == 0) continue;
    out += is_first ? ",\"buckets\":[[" : ",[";
    is_first = false;
    out += std::to_string(boundaries_of(histogram, bucket));
    for (const double number : {bucket.lower, bucket.upper, bucket.count}) {
      out += ',';
      append_number(number, out);
    }
    out += ']';
  }
  out += is_first ? "}" : "]}";
}

void append_labels(const Labels& labels, std::string& out) {
  out += '{';
  bool is_first = true;
  for (const auto& [name, value] : labels) {
    if (!is_first) out += ',';
    is_first = false;
    out += json_quoted(name) + ':' + json_quoted(value);
  }
  out += '}';
}

void append_texts(const std::vector<std::string>& texts, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) out += (i > 0 ? "," : "") + json_quoted(texts[i]);
  out += ']';
}

Status write_result(const promql::QueryResult& result, AnswerWriter& writer) {
  std::string text;
  switch (result.type) {
    case promql::ValueType::kScalar:
      text = "{\"resultType\":\"scalar\",\"result\":";
      append_value(result.time_ms, result.scalar, nullptr, text);
      return writer.write(text + "}");
    case promql::ValueType::kString:
      text = "{\"resultType\":\"string\",\"result\":[";
      append_time(result.time_ms, text);
      return writer.write(text + "," + json_quoted(result.text) + "]}");
    case promql::ValueType::kVector:
      SPANWAY_TRY(writer.write("{\"resultType\":\"vector\",\"result\":["));
      for (std::size_t i = 0; i < result.vector.size(); ++i) {
        const promql::Element& one = result.vector[i];
        text = i > 0 ? ",{\"metric\":" : "{\"metric\":";
        append_labels(one.labels, text);
        text += one.h ? ",\"histogram\":" : ",\"value\":";
        append_value(result.time_ms, one.f, one.h, text);
        SPANWAY_TRY(writer.write(text + "}"));
      }
      return writer.write("]}");
    default:
      break;
  }
  SPANWAY_TRY(writer.write("{\"resultType\":\"matrix\",\"result\":["));
  for (std::size_t i = 0; i < result.matrix.size(); ++i) {
    const promql::PointSeries& one = result.matrix[i];
    text = i > 0 ? ",{\"metric\":" : "{\"metric\":";
    append_labels(one.labels, text);
    append_points(one.points, false, text);
    append_points(one.points, true, text);
    SPANWAY_TRY(writer.write(text + "}"));
  }
  return writer.write("]}");
}

std::string notes_json(std::vector<std::string> warnings, std::vector<std::string> infos) {
  std::string out;
  append_notes("warnings", std::move(warnings), out);
  append_notes("infos", std::move(infos), out);
  return out;
}

}  // namespace spanway::query::prometheus
