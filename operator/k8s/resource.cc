#include "operator/k8s/resource.h"

#include "operator/k8s/url_encode.h"

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
  if (type.namespaced && !name_space.empty()) path += "/namespaces/" + url_encode(name_space);
  path += '/';
  path += type.plural;
  if (!name.empty()) path += "/" + url_encode(name);
  if (!subresource.empty()) path += "/" + url_encode(subresource);
  return path;
}

}  // namespace spanway::kube
