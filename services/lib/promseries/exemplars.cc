#include "services/lib/promseries/exemplars.h"

#include <algorithm>

#include "services/lib/base/hex.h"
#include "services/lib/promseries/attribute_text.h"
#include "services/lib/promseries/series_converter.h"

namespace spanway::promseries {
namespace {

bool is_set(std::string_view id) noexcept {
  return id.find_first_not_of('\0') != std::string_view::npos;
}

std::size_t characters_in(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

void Exemplars::append_labels(const otlp::ExemplarView& exemplar) {
  const std::size_t begin = labels_.size();
  std::size_t characters = 0;
  const auto add = [&](std::string_view name, std::string_view value) {
    characters += characters_in(name) + characters_in(value);
    if (!value.empty()) labels_.push_back({name, value});
  };
  if (is_set(exemplar.trace_id)) add("trace_id", texts_.next() = to_hex(exemplar.trace_id));
  if (is_set(exemplar.span_id)) add("span_id", texts_.next() = to_hex(exemplar.span_id));
  const std::size_t ids_end = labels_.size();
  for (const otlp::AttributeView& attribute : exemplar.attributes) {
    std::string& text = texts_.next();
    append_text(attribute.value, text);
    add(attribute.key, text);
  }
  if (characters > kCharactersMax) labels_.resize(ids_end);
  std::stable_sort(labels_.begin() + static_cast<std::ptrdiff_t>(begin), labels_.end(),
                   [](const Label& a, const Label& b) { return a.name < b.name; });
}

std::span<const Exemplar> Exemplars::of(const otlp::PointView& point) {
  texts_.clear();
  labels_.clear();
  exemplars_.clear();
  ends_.clear();
  for (const otlp::ExemplarView& exemplar : point.exemplars) {
    if (exemplar.kind == otlp::NumberKind::kNone) continue;
    append_labels(exemplar);
    ends_.push_back(labels_.size());
    exemplars_.push_back({.labels = {},
                          .value = exemplar.kind == otlp::NumberKind::kInteger
                                       ? static_cast<double>(exemplar.integer)
                                       : exemplar.real,
                          .timestamp_ms = milliseconds_of(exemplar.time_unix_nano)});
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i < exemplars_.size(); ++i) {
    exemplars_[i].labels = Labels(labels_).subspan(begin, ends_[i] - begin);
    begin = ends_[i];
  }
  return exemplars_;
}

}  // namespace spanway::promseries
