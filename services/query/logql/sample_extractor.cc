#include "services/query/logql/sample_extractor.h"

#include <algorithm>
#include <utility>

#include "services/query/logql/go_text.h"

namespace spanway::query::logql {
namespace {

constexpr std::string_view kSampleError = "SampleExtractionErr";

bool reads_line(const Stage& stage) {
  switch (stage.kind) {
    case StageKind::kLineFilter:
    case StageKind::kJson:
    case StageKind::kLogfmt:
    case StageKind::kRegexp:
    case StageKind::kPattern:
    case StageKind::kUnpack:
      return true;
    default:
      return false;
  }
}

// Which stages run: a line that nothing reads any more is not formatted, nor can that fail.
std::vector<bool> needed_stages(const Expr& aggregate) {
  const auto& stages = aggregate.selector.stages;
  std::vector<bool> needed(stages.size(), true);
  if (aggregate.name.starts_with("bytes_")) return needed;
  for (std::size_t i = 0; i < stages.size(); ++i)
    if (stages[i].kind == StageKind::kLineFormat)
      needed[i] =
          std::any_of(stages.begin() + static_cast<std::ptrdiff_t>(i), stages.end(), reads_line);
  return needed;
}

// With and without the suffix that a parser may have added.
void add_names(const std::vector<std::string>& names, std::vector<std::string>& out) {
  for (const std::string& name : names) {
    if (name.empty()) continue;
    out.push_back(name);
    if (name.ends_with(kExtractedSuffix))
      out.push_back(name.substr(0, name.size() - kExtractedSuffix.size()));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace

Result<SampleExtractor> SampleExtractor::create(const Expr& aggregate, const Grouping* outer) {
  SPANWAY_ASSIGN(Pipeline pipeline,
                 Pipeline::create(aggregate.selector.stages, needed_stages(aggregate)));
  std::vector<std::string> groups;
  bool without = false;
  bool no_labels = aggregate.name == "absent_over_time";
  const Grouping* own = aggregate.grouping ? &*aggregate.grouping : nullptr;
  for (const Grouping* grouping : {own, outer}) {
    if (grouping == nullptr) continue;
    groups = grouping->labels;
    without = grouping->without;
    no_labels = no_labels || grouping->is_single();
  }
  std::vector<std::string> required;
  add_names(pipeline.required_labels(), required);
  std::vector<StageRunnerPtr> filters;
  if (aggregate.unwrap) {
    for (const LabelFilterPtr& filter : aggregate.unwrap->filters) {
      SPANWAY_ASSIGN(filters.emplace_back(), make_label_filter(*filter));
      add_names(filters.back()->required_labels(), required);
    }
    if (groups.empty() || without) {
      without = true;
      groups.push_back(aggregate.unwrap->label);
    }
    add_names({aggregate.unwrap->label}, required);
  }
  add_names(groups, required);
  ParserHints hints;
  if (no_labels && required.empty()) hints.no_labels = true;
  if (no_labels || !(without || groups.empty())) hints.required = required;
  hints.preserve_error =
      std::find(hints.required.begin(), hints.required.end(), kErrorLabel) != hints.required.end();
  SampleExtractor result(std::move(pipeline), std::move(filters), std::move(hints));
  result.groups_ = std::move(groups);
  result.without_ = without;
  result.no_labels_ = no_labels;
  if (aggregate.unwrap) {
    result.unwrapped_ = aggregate.unwrap->label;
    const std::string& conversion = aggregate.unwrap->conversion;
    result.kind_ = conversion.empty()      ? Kind::kNumber
                   : conversion == "bytes" ? Kind::kSize
                                           : Kind::kDuration;
  } else if (aggregate.name.starts_with("bytes_")) {
    result.kind_ = Kind::kBytes;
  }
  return result;
}

bool SampleExtractor::unwrap(const Entry& entry, std::string& line, double& value) {
  const auto text = labels_.get(unwrapped_);
  if (!text || text->empty()) return false;  // An entry need not have the label.
  std::string error;
  const auto take = [&](const auto& parsed, double scale) {
    if (parsed.ok())
      value = static_cast<double>(*parsed) / scale;
    else
      error = parsed.error().message;
  };
  if (kind_ == Kind::kNumber) take(parse_float(*text), 1);
  if (kind_ == Kind::kSize) take(parse_size(*text), 1);
  if (kind_ == Kind::kDuration) take(parse_go_duration(*text), 1e9);
  if (!error.empty()) labels_.set_error(kSampleError, std::move(error));
  return std::all_of(filters_.begin(), filters_.end(), [&](const StageRunnerPtr& filter) {
    return filter->run(entry.time, line, labels_);
  });
}

std::optional<SampleExtractor::Sample> SampleExtractor::extract(Entry& entry) {
  labels_.begin(*entry.stream, entry.metadata);
  if (!pipeline_.run(entry.time, entry.line, labels_)) return std::nullopt;
  Sample sample{.value = 1, .labels = {}};
  if (kind_ == Kind::kBytes) sample.value = static_cast<double>(entry.line.size());
  if (!unwrapped_.empty() && !unwrap(entry, entry.line, sample.value)) return std::nullopt;
  sample.labels = labels_.grouped(groups_, without_, no_labels_);
  return sample;
}

}  // namespace spanway::query::logql
