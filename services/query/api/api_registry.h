// All APIs of the service, and which of them answers a request.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/api/query_api.h"

namespace spanway::query {

// Thread-safe once all APIs are added.
class ApiRegistry {
 public:
  // Two routes that take the same requests are a bug and abort.
  void add(std::unique_ptr<QueryApi> api);

  struct Match {
    QueryApi* api = nullptr;  // Null when no route has the path.
    const ApiRoute* route = nullptr;
    Parameters arguments = {};
    // Methods of the routes with this path, separated by ", ", when none of them has the request's;
    // `route` is one of them then.
    std::string allow = "";
  };
  Match find(const http::RequestHead& head) const;

  std::vector<const ApiRoute*> routes() const;
  // The routes' names, each once.
  std::vector<std::string_view> names() const;
  void shut_down();

 private:
  struct Entry {
    QueryApi* api;
    const ApiRoute* route;
    std::size_t literal_bytes;
  };
  std::vector<std::unique_ptr<QueryApi>> apis_;
  std::vector<Entry> entries_;  // In the order in which they are tried.
};

}  // namespace spanway::query
