// proto/openapi.yaml has every path and method of every API, and no other.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "services/query/configured_apis.h"
#include "services/query/store/absent_stores.h"
#include "services/query/store/memory/memory_trace_store.h"

namespace spanway::query {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text;
}

// "GET /spans" for each operation. The document has one key a line, two spaces a level.
std::set<std::string> documented() {
  static const std::regex kPath(R"(^  (/[^:]*):.*$)"), kMethod(R"(^    (get|post):.*$)");
  std::ifstream file("proto/openapi.yaml");
  std::set<std::string> found;
  std::string line, path;
  std::smatch match;
  while (std::getline(file, line)) {
    if (std::regex_match(line, match, kPath)) path = match[1];
    if (std::regex_match(line, match, kMethod)) found.insert(upper(match[1]) + " " + path);
  }
  return found;
}

std::set<std::string> served() {
  MemoryTraceStore traces;
  AbsentLogStore logs;
  AbsentMetricStore metrics;
  const ApiRegistry apis =
      make_apis({}, {traces, logs, metrics, system_clock(), [] { return rest::Figures{}; }, nullptr,
                     [] { return std::string(); }});
  std::set<std::string> found;
  for (const ApiRoute* route : apis.routes()) {
    const std::string path =
        std::regex_replace(std::string(route->pattern), std::regex(R"(\.\.\.\})"), "}");
    const std::string methods(route->methods);
    const std::regex word("[A-Z]+");
    for (auto one = std::sregex_iterator(methods.begin(), methods.end(), word);
         one != std::sregex_iterator(); ++one)
      found.insert(one->str() + " " + path);
  }
  return found;
}

TEST(OpenApi, HasEveryRouteAndNoOther) {
  const std::set<std::string> in_document = documented(), in_code = served();
  for (const std::string& one : in_code)
    EXPECT_TRUE(in_document.contains(one)) << one << ": add it to proto/openapi.yaml";
  for (const std::string& one : in_document)
    EXPECT_TRUE(in_code.contains(one)) << one << " is served by no API";
}

}  // namespace
}  // namespace spanway::query
