#include "services/query/logql/stage_pipeline.h"

#include <utility>

#include "services/query/logql/parser.h"

namespace spanway::query::logql {
namespace {

bool changes_line(const Stage& stage) {
  return stage.kind == StageKind::kLineFormat || stage.kind == StageKind::kUnpack ||
         stage.kind == StageKind::kDecolorize;
}

// As Loki runs them: line filters before the stages in front of them, but behind filters of labels,
// line_format and unpack.
std::vector<const Stage*> in_running_order(const std::vector<Stage>& stages,
                                           const std::vector<bool>& needed) {
  std::vector<const Stage*> result, lines, others;
  const auto flush = [&] {
    result.insert(result.end(), lines.begin(), lines.end());
    result.insert(result.end(), others.begin(), others.end());
    lines.clear();
    others.clear();
  };
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    if (!needed.empty() && !needed[i]) continue;
    if (stage.kind == StageKind::kLineFilter) {
      lines.push_back(&stage);
      continue;
    }
    if (stage.kind == StageKind::kLabelFilter) flush();
    others.push_back(&stage);
    if (stage.kind == StageKind::kLabelFilter || stage.kind == StageKind::kLineFormat ||
        stage.kind == StageKind::kUnpack)
      flush();
  }
  flush();
  return result;
}

std::optional<LineFilter> store_line(const Stage& stage) {
  if (stage.kind != StageKind::kLineFilter || stage.terms.size() != 1 || stage.terms[0].is_ip ||
      stage.terms[0].text.empty())
    return std::nullopt;
  switch (stage.line_op) {
    case LineOp::kContains:
      return LineFilter{MatchOp::kEqual, stage.terms[0].text};
    case LineOp::kLacks:
      return LineFilter{MatchOp::kNotEqual, stage.terms[0].text};
    case LineOp::kRegex:
      return LineFilter{MatchOp::kRegex, stage.terms[0].text};
    case LineOp::kNotRegex:
      return LineFilter{MatchOp::kNotRegex, stage.terms[0].text};
    default:
      return std::nullopt;
  }
}

Result<StageRunnerPtr> make(const Stage& stage) {
  switch (stage.kind) {
    case StageKind::kLineFilter:
      return make_line_filter(stage);
    case StageKind::kLabelFilter:
      return make_label_filter(*stage.filter);
    case StageKind::kLineFormat:
    case StageKind::kLabelFormat:
    case StageKind::kDecolorize:
      return make_formatter(stage);
    case StageKind::kDrop:
    case StageKind::kKeep:
      return make_label_choice(stage);
    default:
      return make_parser(stage);
  }
}

}  // namespace

Result<Pipeline> Pipeline::create(const std::vector<Stage>& stages,
                                  const std::vector<bool>& needed) {
  Pipeline result;
  bool is_own_line = true;
  for (const Stage* stage : in_running_order(stages, needed)) {
    auto runner = make(*stage);
    if (!runner.ok())
      return parse_error("stage '" + to_string(*stage) + "' : " + runner.error().message);
    result.runners_.push_back(std::move(runner).value());
    is_own_line = is_own_line && !changes_line(*stage);
    if (!is_own_line || result.store_lines_.size() == kLineFiltersMax) continue;
    if (auto line = store_line(*stage)) result.store_lines_.push_back(std::move(*line));
  }
  return result;
}

bool Pipeline::run(std::int64_t time, std::string& line, PipelineLabels& labels) const {
  for (const StageRunnerPtr& runner : runners_)
    if (!runner->run(time, line, labels)) return false;
  return true;
}

std::vector<std::string> Pipeline::required_labels() const {
  std::vector<std::string> names;
  for (const StageRunnerPtr& runner : runners_)
    for (std::string& name : runner->required_labels()) names.push_back(std::move(name));
  return names;
}

}  // namespace spanway::query::logql
