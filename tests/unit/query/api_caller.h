// Calls an API as the query handler does, without HTTP.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "services/query/api/http_status.h"
#include "services/query/api/query_api.h"

namespace spanway::query {

// Single-thread. The API and the context outlive it.
class ApiCaller {
 public:
  ApiCaller(QueryApi& api, QueryContext& context) : api_(api), context_(context) {}

  struct Answer {
    int status = 0;
    std::string body;
    http::Headers headers;
  };
  // `pattern` as in the API's routes; `query` as in a URL.
  Answer call(std::string_view pattern, const std::string& query = "", Parameters arguments = {},
              std::string body = "") {
    ApiRequest request;
    for (const ApiRoute& route : api_.routes())
      if (route.pattern == pattern) request.route = &route;
    SPANWAY_CHECK(request.route != nullptr);
    SPANWAY_CHECK(request.parameters.parse(query).ok());
    request.arguments = std::move(arguments);
    request.body = std::move(body);
    const auto target = std::make_shared<Captured>();
    AnswerWriter writer(http::Responder(target), context_.cancel, context_.deadline);
    Status result = api_.answer(request, context_, writer);
    if (result.ok()) result = writer.finish();
    if (!result.ok()) {
      ErrorAnswer error =
          api_.error_answer(*request.route, result.error(), http_status_of(result.error()));
      writer.refuse(error.status, error.body);
    }
    return {target->response.status, std::string(target->response.body.view()),
            target->response.headers};
  }

 private:
  class Captured final : public http::Responder::Target {
   public:
    void respond(http::Response answer) noexcept override { response = std::move(answer); }
    http::Response response;
  };
  QueryApi& api_;
  QueryContext& context_;
};

}  // namespace spanway::query
