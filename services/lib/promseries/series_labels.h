// The labels of series: of each point of a resource, and of the resource's target_info.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/otlp/reader.h"
#include "services/lib/promseries/conversion_options.h"

namespace spanway::promseries {

struct Label {
  std::string_view name;
  std::string_view value;  // Never empty.
};
// Ascending by name, each name once.
using Labels = std::span<const Label>;

// Strings that live until clear(); their memory is used again.
class TextArena {
 public:
  std::string& next() {
    if (used_ == texts_.size()) texts_.emplace_back();
    std::string& text = texts_[used_++];
    text.clear();
    return text;
  }
  void clear() noexcept { used_ = 0; }

 private:
  std::deque<std::string> texts_;  // References stay valid when it grows.
  std::size_t used_ = 0;
};

// Single-thread; keeps its scratch memory. Values are views into the request, or live here until
// the next point (the next resource for those of a resource).
class SeriesLabels {
 public:
  // Keys whose label names are remembered.
  static constexpr std::size_t kNamesMax = 4096;

  explicit SeriesLabels(const Options& options) : options_(options) {}

  // False when an attribute has no label name: no point of the resource can have labels.
  bool set_resource(const otlp::ResourceView& resource);
  // Without a metric name: attributes, promoted attributes, job and instance. Nothing when an
  // attribute has no label name. Valid until the next call.
  std::optional<Labels> of_point(otlp::Attributes attributes);
  // `labels` with __name__ and, unless `extra` has no name, one more label; both replace labels of
  // their names. Valid until the next call.
  Labels named(Labels labels, std::string_view metric_name, Label extra = {});
  // Empty when the resource has nothing beside what identifies it, or nothing that does.
  Labels target_info() const noexcept { return target_info_; }

 private:
  // False when a key has no label name. Keys for which `skip` is true are left out.
  template <typename Skip>
  bool collect(otlp::Attributes attributes, TextArena& texts, std::vector<Label>& out, Skip skip);
  std::string_view name_of(std::string_view key, TextArena& texts);
  static std::string_view text_of(const otlp::ValueView& value, TextArena& texts);
  static void put(std::vector<Label>& labels, Label label);

  const Options options_;
  std::unordered_map<std::string, std::string> names_;  // By key.
  std::string key_;                                     // Scratch for its lookups.
  TextArena resource_texts_, point_texts_;
  std::string job_;
  std::string_view instance_;
  bool is_resource_good_ = false;
  std::vector<Label> promoted_, target_info_, point_, named_;
};

}  // namespace spanway::promseries
