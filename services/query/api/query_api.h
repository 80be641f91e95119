// An API as the query service sees it: its routes, its answers and its errors.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/message.h"
#include "services/lib/http/server.h"
#include "services/query/api/answer_writer.h"
#include "services/query/api/parameters.h"
#include "services/query/store/cancel_token.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

// Requests that are answered alike. The texts are literals.
struct ApiRoute {
  // Methods, separated by a space: "GET POST". A body is read for POST only.
  std::string_view methods;
  // "/api/traces/{id}": {name} is one segment; {name...} also takes slashes, as in
  // "/api/v1/label/{name...}/values", and occurs once. Of several patterns that match a path, the
  // one with the most literal text is taken.
  std::string_view pattern;
  // The label `api` of metrics; several routes may share it.
  std::string_view name;
  // The API's own number of the question.
  int question = 0;
  // Longest time of a query, if it is below limits.query_time.
  Duration time_max = Duration::max();
  // When it is set, only requests whose header Accept has this text are taken, before routes of the
  // same pattern without it.
  std::string_view accept = "";
  // Answered by open_web_socket().
  bool is_web_socket = false;
};

// A request that has a route, a valid token and a tenant.
struct ApiRequest {
  const ApiRoute* route = nullptr;
  std::string method;
  Parameters arguments;   // The path's, decoded.
  Parameters parameters;  // A form's in the body, then the URL's.
  std::string body;       // A POST's that is no form; at most kBodyBytesMax.
  http::Headers headers;

  static constexpr std::size_t kBodyBytesMax = 1u << 20;
};

struct ErrorAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

// Runs queries that are no answers to requests, for WebSockets.
class QueryRunner {
 public:
  using Work = std::function<void(QueryContext& context)>;
  virtual ~QueryRunner() = default;
  // Runs `work` on a query worker, with the limits of one query of the tenant. False when too many
  // queries wait; `work` does not run then. Thread-safe. `cancel` ends the query.
  [[nodiscard]] virtual bool run(const std::string& tenant, const CancelToken& cancel,
                                 Work work) = 0;
};

// Thread-safe. Knows stores only by their interfaces, which outlive it.
class QueryApi {
 public:
  virtual ~QueryApi() = default;

  // Constant.
  virtual std::span<const ApiRoute> routes() const = 0;
  // Writes the whole answer but does not finish it. On a query worker, which it may block. An error
  // becomes error_answer(); after the first bytes it leaves the answer to be cut.
  virtual Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) = 0;
  // An error in the API's shape. `http_status` is the one of http_status_of(), or of a request that
  // was refused before it ran: 400, 401, 403, 405, 413, 429. An API may choose another.
  virtual ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                                   int http_status) const = 0;
  // A WebSocket request of a route with is_web_socket, on an io thread: must not block. The runner
  // outlives what the API does with it until shut_down().
  virtual void open_web_socket(ApiRequest request, std::string tenant, http::Responder responder,
                               QueryRunner& runner);
  // Ends WebSockets, and refuses those that come afterwards. Before workers and runner end; more
  // than once.
  virtual void shut_down() {}
};

}  // namespace spanway::query
