// Series as lines, for comparison.
#pragma once

#include <bit>
#include <cstdio>
#include <string>
#include <vector>

#include "services/lib/promseries/series_visitor.h"

namespace spanway::promseries {

inline std::string text_of(Labels labels) {
  std::string text = "{";
  for (const Label& label : labels) {
    if (text.size() > 1) text += ",";
    text += std::string(label.name) + "=" + std::string(label.value);
  }
  return text + "}";
}

// "{__name__=a,k=v} 1.5 @2000", with "from 1000" for a start and "# {labels} value" for exemplars.
class SeriesLines final : public SeriesVisitor {
 public:
  void on_sample(const Series& series, double value) override {
    char number[64];
    std::snprintf(number, sizeof(number), "%g", value);
    const bool is_stale = std::bit_cast<std::uint64_t>(value) == kStaleBits;
    add(series, is_stale ? "stale" : number);
  }
  void on_histogram(const Series& series, const NativeHistogram& histogram) override {
    add(series, "native schema " + std::to_string(histogram.schema) + " count " +
                    std::to_string(histogram.count));
  }
  std::vector<std::string> lines;
  std::vector<Metadata> metadata;

 private:
  void add(const Series& series, const std::string& value) {
    std::string line =
        text_of(series.labels) + " " + value + " @" + std::to_string(series.timestamp_ms);
    if (series.start_timestamp_ms != 0)
      line += " from " + std::to_string(series.start_timestamp_ms);
    for (const Exemplar& exemplar : series.exemplars) {
      char number[64];
      std::snprintf(number, sizeof(number), "%g", exemplar.value);
      line += " # " + text_of(exemplar.labels) + " " + number;
    }
    lines.push_back(line);
    metadata.push_back({.type = series.metadata.type, .family = {}, .unit = {}, .help = {}});
  }
};

}  // namespace spanway::promseries
