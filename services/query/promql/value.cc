#include "services/query/promql/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "services/query/store/metric_query.h"

namespace spanway::query::promql {
namespace {

constexpr std::uint64_t kStale = 0x7ff0000000000002;

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t more = c < 0x80 ? 0 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : 4;
    if (more == 4 || i + more >= text.size() + (more == 0 ? 1 : 0)) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

}  // namespace

bool is_label_name(std::string_view name) { return !name.empty() && is_utf8(name); }

void Annotations::add(bool is_warning, std::string text, Position position) {
  Note note{is_warning, std::move(text), position};
  if (notes_.size() < kNotesMax && std::find(notes_.begin(), notes_.end(), note) == notes_.end())
    notes_.push_back(std::move(note));
}

std::vector<std::string> Annotations::texts(bool is_warning, std::string_view query) const {
  std::vector<std::string> result;
  for (const Note& note : notes_) {
    if (note.is_warning != is_warning) continue;
    const std::string_view before = query.substr(0, std::min(note.position.begin, query.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::size_t first = newline == std::string_view::npos ? 0 : newline + 1;
    result.push_back(std::string(is_warning ? "PromQL warning: " : "PromQL info: ") + note.text +
                     " (" + std::to_string(line) + ":" + std::to_string(before.size() - first + 1) +
                     ")");
  }
  return result;
}

double stale_marker() { return std::bit_cast<double>(kStale); }

bool is_stale(const Point& point) {
  return std::bit_cast<std::uint64_t>(point.h ? point.h->sum : point.f) == kStale;
}

void sort_labels(Labels& labels) { std::sort(labels.begin(), labels.end()); }

void set_label(Labels& labels, std::string_view name, std::string value) {
  const auto found =
      std::lower_bound(labels.begin(), labels.end(), name,
                       [](const auto& label, std::string_view key) { return label.first < key; });
  const bool exists = found != labels.end() && found->first == name;
  if (value.empty()) {
    if (exists) labels.erase(found);
  } else if (exists) {
    found->second = std::move(value);
  } else {
    labels.insert(found, {std::string(name), std::move(value)});
  }
}

Labels only(const Labels& labels, const std::vector<std::string>& names) {
  Labels result;
  for (const auto& label : labels)
    if (std::find(names.begin(), names.end(), label.first) != names.end()) result.push_back(label);
  return result;
}

Labels without(const Labels& labels, const std::vector<std::string>& names) {
  Labels result;
  for (const auto& label : labels)
    if (label.first != kMetricName &&
        std::find(names.begin(), names.end(), label.first) == names.end())
      result.push_back(label);
  return result;
}

Labels without_name(const Labels& labels) { return without(labels, {"__type__", "__unit__"}); }

std::string to_string(const Labels& labels) {
  std::string result = "{";
  for (const auto& [name, value] : labels)
    result += (result.size() > 1 ? ", " : "") + name + "=" + quoted(value);
  return result + "}";
}

std::string_view metric_name(const Labels& labels) { return value_of(labels, kMetricName); }

}  // namespace spanway::query::promql
