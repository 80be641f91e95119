#include "services/query/api/api_registry.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::query {
namespace {

constexpr std::string_view kWithSlashes = "...";

// The text up to the next space, which is removed with it.
std::string_view next_method(std::string_view& methods) {
  const std::string_view method = methods.substr(0, methods.find(' '));
  methods.remove_prefix(std::min(method.size() + 1, methods.size()));
  return method;
}

bool has_method(const ApiRoute& route, std::string_view method) {
  std::string_view rest = route.methods;
  while (!rest.empty())
    if (next_method(rest) == method) return true;
  return false;
}

// No method is a part of another one.
void allow(std::string_view methods, std::string& list) {
  while (!methods.empty()) {
    const std::string_view method = next_method(methods);
    if (list.find(method) == std::string::npos)
      list.append(list.empty() ? "" : ", ").append(method);
  }
}

std::size_t literal_bytes(std::string_view pattern) {
  std::size_t bytes = 0;
  bool is_argument = false;
  for (const char c : pattern) {
    if (c == '{') is_argument = true;
    bytes += is_argument ? 0 : 1;
    if (c == '}') is_argument = false;
  }
  return bytes;
}

// The arguments of a path that the pattern matches.
std::optional<Parameters> match(std::string_view pattern, std::string_view path) {
  Parameters arguments;
  while (true) {
    const std::size_t open = pattern.find('{');
    const std::string_view literal = pattern.substr(0, open);
    if (!path.starts_with(literal)) return std::nullopt;
    path.remove_prefix(literal.size());
    if (open == std::string_view::npos) {
      if (!path.empty()) return std::nullopt;
      return arguments;
    }
    const std::size_t close = pattern.find('}', open);
    std::string_view name = pattern.substr(open + 1, close - open - 1);
    pattern.remove_prefix(close + 1);
    std::string_view value = path.substr(0, path.find('/'));
    if (name.ends_with(kWithSlashes)) {
      // The rest of the pattern is literal.
      name.remove_suffix(kWithSlashes.size());
      value = path.ends_with(pattern) ? path.substr(0, path.size() - pattern.size()) : "";
    }
    if (value.empty()) return std::nullopt;
    arguments.add(std::string(name), std::string(value));
    path.remove_prefix(value.size());
  }
}

}  // namespace

void ApiRegistry::add(std::unique_ptr<QueryApi> api) {
  for (const ApiRoute& route : api->routes()) {
    for (const Entry& other : entries_)
      SPANWAY_CHECK(other.route->pattern != route.pattern || other.route->accept != route.accept ||
                    other.route->methods != route.methods);
    entries_.push_back({api.get(), &route, literal_bytes(route.pattern)});
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.literal_bytes != b.literal_bytes ? a.literal_bytes > b.literal_bytes
                                              : a.route->accept.size() > b.route->accept.size();
  });
  apis_.push_back(std::move(api));
}

ApiRegistry::Match ApiRegistry::find(const http::RequestHead& head) const {
  Match refused;
  for (const Entry& entry : entries_) {
    const ApiRoute& route = *entry.route;
    if (!route.accept.empty() &&
        head.headers.get("accept").find(route.accept) == std::string_view::npos)
      continue;
    auto arguments = match(route.pattern, head.path);
    if (!arguments) continue;
    if (has_method(route, head.method)) return {entry.api, &route, std::move(*arguments)};
    if (refused.api == nullptr) {
      refused.api = entry.api;
      refused.route = &route;
    }
    allow(route.methods, refused.allow);
  }
  return refused;
}

std::vector<const ApiRoute*> ApiRegistry::routes() const {
  std::vector<const ApiRoute*> routes;
  for (const Entry& entry : entries_) routes.push_back(entry.route);
  return routes;
}

std::vector<std::string_view> ApiRegistry::names() const {
  std::vector<std::string_view> names;
  for (const auto& api : apis_)
    for (const ApiRoute& route : api->routes())
      if (std::find(names.begin(), names.end(), route.name) == names.end())
        names.push_back(route.name);
  return names;
}

void ApiRegistry::shut_down() {
  for (const auto& api : apis_) api->shut_down();
}

}  // namespace spanway::query
