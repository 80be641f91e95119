// The labels of one entry on its way through a pipeline. Private to this folder.
// Source: Loki's LabelsBuilder, whose order of precedence and of deletion is kept.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/logql/entry.h"

namespace spanway::query::logql {

inline constexpr std::string_view kErrorLabel = "__error__";
inline constexpr std::string_view kErrorDetailsLabel = "__error_details__";
inline constexpr std::string_view kPreserveErrorLabel = "__preserve_error__";
inline constexpr std::string_view kExtractedSuffix = "_extracted";

enum class Category : unsigned char { kStream, kMetadata, kParsed };

// The names that a metric query needs of what parsers extract: others are not extracted, and the
// errors of a parser that nothing is needed of are not seen.
struct ParserHints {
  bool no_labels = false;
  bool preserve_error = false;
  std::vector<std::string> required;  // Empty = all.

  bool should_extract(std::string_view name) const;
  bool should_extract_prefix(std::string_view prefix) const;
};

// Belongs to one thread.
class PipelineLabels {
 public:
  explicit PipelineLabels(ParserHints hints = {}) : hints_(std::move(hints)) {}
  // Begins an entry; its labels outlive the work on it.
  void begin(const Labels& stream, const Labels& metadata);

  std::optional<std::string_view> get(std::string_view name) const;
  // True for a label of the stream or the metadata: a parser adds the suffix to such a name.
  bool is_taken(std::string_view name) const;
  void set_parsed(std::string_view name, std::string value);
  void erase(std::string_view name);
  bool was_extracted(std::string_view name) const { return extracted_.contains(name); }

  const ParserHints& hints() const noexcept { return hints_; }
  // Nothing is left to extract.
  bool needs_no_more() const;
  bool all_extracted() const;

  const std::string& error() const noexcept { return error_; }
  const std::string& error_details() const noexcept { return error_details_; }
  void set_error(std::string_view error, std::string details);
  // By a parser: with the label that keeps a query with this error alive, where it is requested.
  void set_parser_error(std::string_view error, std::string details);
  void clear_error() { error_.clear(); }
  void clear_error_details() { error_details_.clear(); }

  // All labels by name; those of one category only.
  Labels all() const;
  EntryLabels categorized() const;
  // The labels of the group that a sample belongs to; with an error, all.
  Labels grouped(const std::vector<std::string>& groups, bool without, bool no_labels) const;

 private:
  using List = std::vector<std::pair<std::string, std::string>>;
  List& added(Category category) { return added_[static_cast<std::size_t>(category)]; }
  const List& added(Category category) const { return added_[static_cast<std::size_t>(category)]; }
  void set_metadata(std::string_view name, const std::string& value);
  bool is_erased(std::string_view name) const;
  bool is_changed() const;
  void append_errors(Labels& out) const;

  const ParserHints hints_;
  const Labels* stream_ = nullptr;
  std::array<List, 3> added_;
  std::vector<std::string> erased_;
  std::set<std::string, std::less<>> extracted_;
  std::string error_;
  std::string error_details_;
};

}  // namespace spanway::query::logql
