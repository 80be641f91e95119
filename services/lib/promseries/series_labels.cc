#include "services/lib/promseries/series_labels.h"

#include <algorithm>
#include <array>

#include "services/lib/promseries/attribute_text.h"
#include "services/lib/promseries/names.h"

namespace spanway::promseries {
namespace {

constexpr std::string_view kMetricName = "__name__";
constexpr std::string_view kTargetInfo = "target_info";
constexpr std::array<std::string_view, 3> kIdentifying = {"service.namespace", "service.name",
                                                          "service.instance.id"};

bool is_before(const Label& a, const Label& b) noexcept { return a.name < b.name; }

bool has(const std::vector<Label>& labels, std::string_view name) noexcept {
  return std::binary_search(labels.begin(), labels.end(), Label{name, {}}, is_before);
}

bool is_one_of(std::string_view key, std::span<const std::string_view> keys) noexcept {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

std::string_view SeriesLabels::text_of(const otlp::ValueView& value, TextArena& texts) {
  if (value.kind == otlp::ValueKind::kString) return value.text;
  std::string& text = texts.next();
  append_text(value, text);
  return text;
}

std::string_view SeriesLabels::name_of(std::string_view key, TextArena& texts) {
  if (!escapes(options_.translation)) {
    return key.find_first_not_of('_') == std::string_view::npos ? std::string_view() : key;
  }
  key_ = key;
  if (const auto found = names_.find(key_); found != names_.end()) return found->second;
  if (names_.size() < kNamesMax)
    return names_.emplace(key_, label_name(key, options_.translation)).first->second;
  return texts.next() = label_name(key, options_.translation);
}

void SeriesLabels::put(std::vector<Label>& labels, Label label) {
  const auto place = std::lower_bound(labels.begin(), labels.end(), label, is_before);
  if (place != labels.end() && place->name == label.name) {
    place->value = label.value;
  } else {
    labels.insert(place, label);
  }
}

// Keys that become one name are joined in the order of the keys, with ';'.
template <typename Skip>
bool SeriesLabels::collect(otlp::Attributes attributes, TextArena& texts, std::vector<Label>& out,
                           Skip skip) {
  out.clear();
  for (const otlp::AttributeView& attribute : attributes)
    if (!skip(attribute.key)) out.push_back({attribute.key, text_of(attribute.value, texts)});
  std::stable_sort(out.begin(), out.end(), is_before);
  for (Label& label : out) {
    label.name = name_of(label.name, texts);
    if (label.name.empty()) return false;
  }
  if (!std::is_sorted(out.begin(), out.end(), is_before))
    std::stable_sort(out.begin(), out.end(), is_before);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (kept > 0 && out[kept - 1].name == out[i].name) {
      if (!escapes(options_.translation)) continue;  // A key that comes twice: the first one.
      std::string& joined = texts.next();
      joined = out[kept - 1].value;
      if (!joined.empty()) joined += ';';
      joined += out[i].value;
      out[kept - 1].value = joined;
    } else {
      out[kept++] = out[i];
    }
  }
  out.resize(kept);
  std::erase_if(out, [](const Label& label) { return label.value.empty(); });
  return true;
}

bool SeriesLabels::set_resource(const otlp::ResourceView& resource) {
  resource_texts_.clear();
  promoted_.clear();
  job_.clear();
  instance_ = {};
  is_resource_good_ = true;
  const auto value_of = [&](std::string_view key) -> std::string_view {
    const otlp::AttributeView* attribute = otlp::find_attribute(resource.attributes, key);
    return attribute == nullptr ? std::string_view() : text_of(attribute->value, resource_texts_);
  };
  if (const auto* service = otlp::find_attribute(resource.attributes, "service.name")) {
    if (otlp::find_attribute(resource.attributes, "service.namespace") != nullptr)
      job_ = std::string(value_of("service.namespace")) + "/";
    job_ += text_of(service->value, resource_texts_);
  }
  instance_ = value_of("service.instance.id");
  for (const std::string& key : options_.promote) {
    const std::string_view value = value_of(key);
    const std::string_view name = name_of(key, resource_texts_);
    if (value.empty()) continue;
    if (name.empty()) is_resource_good_ = false;
    put(promoted_, {name, value});
  }
  std::size_t others = 0;
  for (const otlp::AttributeView& attribute : resource.attributes)
    others += is_one_of(attribute.key, kIdentifying) ? 0 : 1;
  // An attribute whose key makes no label name is left out of target_info alone.
  const auto skip = [&](std::string_view key) {
    return is_one_of(key, kIdentifying) || name_of(key, resource_texts_).empty();
  };
  if (others == 0 || !collect(resource.attributes, resource_texts_, target_info_, skip)) {
    target_info_.clear();
    return is_resource_good_;
  }
  if (!job_.empty()) put(target_info_, {"job", job_});
  if (!instance_.empty()) put(target_info_, {"instance", instance_});
  if (!has(target_info_, "job") && !has(target_info_, "instance")) {
    target_info_.clear();
  } else {
    put(target_info_, {kMetricName, kTargetInfo});
  }
  return is_resource_good_;
}

std::optional<Labels> SeriesLabels::of_point(otlp::Attributes attributes) {
  point_texts_.clear();
  if (!is_resource_good_) return std::nullopt;
  const auto skip = [](std::string_view key) { return key == kMetricName; };
  if (!collect(attributes, point_texts_, point_, skip)) return std::nullopt;
  for (const Label& label : promoted_)
    if (!has(point_, label.name)) put(point_, label);
  if (!job_.empty()) put(point_, {"job", job_});
  if (!instance_.empty()) put(point_, {"instance", instance_});
  return Labels(point_);
}

Labels SeriesLabels::named(Labels labels, std::string_view metric_name, Label extra) {
  named_.assign(labels.begin(), labels.end());
  put(named_, {kMetricName, metric_name});
  if (!extra.name.empty()) put(named_, extra);
  return named_;
}

}  // namespace spanway::promseries
