// The stages of a query, compiled. Private to this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/query/logql/ast.h"
#include "services/query/logql/pipeline_labels.h"
#include "services/query/store/log_query.h"

namespace spanway::query::logql {

// One stage. Immutable and thread-safe.
class StageRunner {
 public:
  virtual ~StageRunner() = default;
  // May change the line and the labels; false drops the entry.
  virtual bool run(std::int64_t time, std::string& line, PipelineLabels& labels) const = 0;
  // The labels that it reads, for ParserHints.
  virtual std::vector<std::string> required_labels() const { return {}; }
};
using StageRunnerPtr = std::unique_ptr<StageRunner>;

// Immutable and thread-safe.
class Pipeline {
 public:
  // The query outlives it. INVALID_ARGUMENT, data, "bad_query": "parse error : stage '..' : ..".
  // `needed`: false for a stage that does not run; empty = all run.
  static Result<Pipeline> create(const std::vector<Stage>& stages,
                                 const std::vector<bool>& needed = {});
  bool run(std::int64_t time, std::string& line, PipelineLabels& labels) const;
  std::vector<std::string> required_labels() const;
  // Conditions that every entry fulfils which comes through, for the store.
  const std::vector<LineFilter>& store_lines() const noexcept { return store_lines_; }

 private:
  std::vector<StageRunnerPtr> runners_;
  std::vector<LineFilter> store_lines_;
};

Result<StageRunnerPtr> make_line_filter(const Stage& stage);
Result<StageRunnerPtr> make_label_filter(const LabelFilter& filter);
Result<StageRunnerPtr> make_parser(const Stage& stage);
Result<StageRunnerPtr> make_formatter(const Stage& stage);
// drop and keep.
Result<StageRunnerPtr> make_label_choice(const Stage& stage);

}  // namespace spanway::query::logql
