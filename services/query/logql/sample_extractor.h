// Entries to samples of a metric. Private to this folder.
#pragma once

#include <string>
#include <vector>

#include "services/query/logql/stage_pipeline.h"

namespace spanway::query::logql {

// Belongs to one thread.
class SampleExtractor {
 public:
  // For an aggregation over a range. `outer`: the grouping of the sum around it, which limits the
  // labels that are needed; null for none. The query outlives it. Errors as of Pipeline.
  static Result<SampleExtractor> create(const Expr& aggregate, const Grouping* outer);

  struct Sample {
    double value = 0;
    Labels labels;
  };
  // Nothing for an entry that is no sample.
  std::optional<Sample> extract(Entry& entry);
  const std::vector<LineFilter>& store_lines() const noexcept { return pipeline_.store_lines(); }

 private:
  enum class Kind : unsigned char { kCount, kBytes, kNumber, kDuration, kSize };
  SampleExtractor(Pipeline pipeline, std::vector<StageRunnerPtr> filters, ParserHints hints)
      : pipeline_(std::move(pipeline)), filters_(std::move(filters)), labels_(std::move(hints)) {}
  bool unwrap(const Entry& entry, std::string& line, double& value);

  Pipeline pipeline_;
  std::vector<StageRunnerPtr> filters_;  // Behind unwrap.
  PipelineLabels labels_;
  Kind kind_ = Kind::kCount;
  std::string unwrapped_;
  std::vector<std::string> groups_;
  bool without_ = false;
  bool no_labels_ = false;
};

}  // namespace spanway::query::logql
