#include "services/query/api/parameters.h"

#include <algorithm>

#include "services/lib/base/percent_encoding.h"

namespace spanway::query {
namespace {

std::optional<std::string> decoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

}  // namespace

Status Parameters::parse(std::string_view text) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto name = decoded(pair.substr(0, equals));
    auto value = decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!name || !value)
      return invalid_argument("a parameter has a broken percent escape")
          .with_reason("bad_parameters");
    if (all_.size() >= kCountMax)
      return invalid_argument("a request has at most " + std::to_string(kCountMax) + " parameters")
          .with_reason("bad_parameters");
    add(std::move(*name), std::move(*value));
  }
  return {};
}

std::optional<std::string_view> Parameters::find(std::string_view name) const {
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [&](const auto& parameter) { return parameter.first == name; });
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string_view> Parameters::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [own, value] : all_)
    if (own == name) values.emplace_back(value);
  return values;
}

}  // namespace spanway::query
