#include "operator/k8s/resource.h"

#include <algorithm>

#include "services/lib/base/percent_encoding.h"

namespace spanway::kube {

std::string ResourceType::api_version() const {
  std::string text(group);
  if (!text.empty()) text += '/';
  text += version;
  return text;
}

std::string resource_path(const ResourceType& type, std::string_view name_space,
                          std::string_view name, std::string_view subresource) {
  std::string path = type.group.empty() ? "/api/" : "/apis/";
  path += type.api_version();
  if (type.namespaced && !name_space.empty())
    path += "/namespaces/" + percent_encode_segment(name_space);
  path += '/';
  path += type.plural;
  if (!name.empty()) path += "/" + percent_encode_segment(name);
  if (!subresource.empty()) path += "/" + percent_encode_segment(subresource);
  return path;
}

std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b) {
  const auto is_number = [](std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!is_number(a) || !is_number(b)) return std::nullopt;
  const auto significant = [](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('0'), text.size()));
  };
  a = significant(a);
  b = significant(b);
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

}  // namespace spanway::kube
