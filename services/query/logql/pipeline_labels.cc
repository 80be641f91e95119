#include "services/query/logql/pipeline_labels.h"

#include <algorithm>
#include <utility>

namespace spanway::query::logql {
namespace {

template <class List>
auto find(List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.first == name; });
}
template <class List>
bool contains(const List& list, std::string_view name) {
  return find(list, name) != list.end();
}
template <class List>
void remove(List& list, std::string_view name) {
  std::erase_if(list, [&](const auto& one) { return one.first == name; });
}

bool is_in(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool ParserHints::should_extract(std::string_view name) const {
  return required.empty() || is_in(required, name);
}

bool ParserHints::should_extract_prefix(std::string_view prefix) const {
  return required.empty() || std::any_of(required.begin(), required.end(),
                                         [&](const auto& one) { return one.starts_with(prefix); });
}

void PipelineLabels::begin(const Labels& stream, const Labels& metadata) {
  stream_ = &stream;
  for (List& list : added_) list.clear();
  erased_.clear();
  extracted_.clear();
  error_.clear();
  error_details_.clear();
  for (const auto& [name, value] : metadata) {
    std::string own = name;
    if (contains(*stream_, name)) own += kExtractedSuffix;
    if (own == kErrorLabel)
      error_ = value;
    else if (own == kErrorDetailsLabel)
      error_details_ = value;
    else
      set_metadata(own, value);
  }
}

void PipelineLabels::set_metadata(std::string_view name, const std::string& value) {
  List& own = added(Category::kMetadata);
  const auto found = find(own, name);
  if (found != own.end())
    found->second = value;
  else
    own.emplace_back(name, value);
}

void PipelineLabels::set_parsed(std::string_view name, std::string value) {
  remove(added(Category::kMetadata), name);
  remove(added(Category::kStream), name);
  List& own = added(Category::kParsed);
  const auto found = find(own, name);
  if (found != own.end()) {
    found->second = std::move(value);
    return;
  }
  own.emplace_back(name, std::move(value));
  extracted_.emplace(name);
}

bool PipelineLabels::is_erased(std::string_view name) const { return is_in(erased_, name); }

std::optional<std::string_view> PipelineLabels::get(std::string_view name) const {
  for (const List& list : added_)
    if (const auto found = find(list, name); found != list.end()) return found->second;
  if (is_erased(name)) return std::nullopt;
  const std::string_view value = value_of(*stream_, name);
  return value.empty() ? std::nullopt : std::optional(value);
}

bool PipelineLabels::is_taken(std::string_view name) const {
  return contains(*stream_, name) || contains(added(Category::kMetadata), name);
}

void PipelineLabels::erase(std::string_view name) {
  for (List& list : added_) remove(list, name);
  erased_.emplace_back(name);
}

bool PipelineLabels::all_extracted() const {
  return !hints_.required.empty() &&
         std::all_of(hints_.required.begin(), hints_.required.end(),
                     [&](const std::string& name) { return extracted_.contains(name); });
}

bool PipelineLabels::needs_no_more() const { return hints_.no_labels || all_extracted(); }

void PipelineLabels::set_error(std::string_view error, std::string details) {
  error_ = error;
  error_details_ = std::move(details);
}

void PipelineLabels::set_parser_error(std::string_view error, std::string details) {
  error_ = error;
  if (!details.empty()) error_details_ = std::move(details);
  if (hints_.preserve_error) set_parsed(kPreserveErrorLabel, "true");
}

void PipelineLabels::append_errors(Labels& out) const {
  if (!error_.empty()) out.emplace_back(kErrorLabel, error_);
  if (!error_details_.empty()) out.emplace_back(kErrorDetailsLabel, error_details_);
}

bool PipelineLabels::is_changed() const {
  return !erased_.empty() ||
         std::any_of(added_.begin(), added_.end(), [](const List& list) { return !list.empty(); });
}

EntryLabels PipelineLabels::categorized() const {
  EntryLabels result;
  const List& metadata = added(Category::kMetadata);
  const List& parsed = added(Category::kParsed);
  for (const auto& label : *stream_)
    if (!is_erased(label.first) && !contains(metadata, label.first) &&
        !contains(parsed, label.first))
      result.stream.push_back(label);
  for (const auto& label : metadata)
    if (!contains(parsed, label.first)) result.metadata.push_back(label);
  result.parsed = parsed;
  // Without any other change an error without details alone shows.
  if (is_changed() || !error_.empty()) append_errors(result.parsed);
  for (Labels* labels : {&result.stream, &result.metadata, &result.parsed})
    std::sort(labels->begin(), labels->end());
  return result;
}

Labels PipelineLabels::all() const {
  EntryLabels parts = categorized();
  Labels result = std::move(parts.stream);
  for (Labels* labels : {&parts.metadata, &parts.parsed})
    std::move(labels->begin(), labels->end(), std::back_inserter(result));
  std::sort(result.begin(), result.end());
  return result;
}

Labels PipelineLabels::grouped(const std::vector<std::string>& groups, bool without,
                               bool no_labels) const {
  // Grouping would lose the error.
  if (!error_.empty()) return all();
  if (no_labels) return {};
  if (groups.empty()) return all();
  Labels result;
  if (without) {
    const Labels everything = all();
    for (const auto& label : everything)
      if (!is_in(groups, label.first) && label.first != kErrorDetailsLabel) result.push_back(label);
    return result;
  }
  for (const std::string& name : groups) {
    if (is_erased(name)) continue;
    if (const auto value = get(name); value) result.emplace_back(name, *value);
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace spanway::query::logql
