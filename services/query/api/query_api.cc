#include "services/query/api/query_api.h"

#include <utility>

namespace spanway::query {

void QueryApi::open_web_socket(ApiRequest request, std::string, http::Responder responder,
                               QueryRunner&) {
  constexpr int kNotImplemented = 501;
  const ErrorAnswer answer =
      error_answer(*request.route,
                   configuration_error(Code::kUnimplemented, "there is no WebSocket at this path"),
                   kNotImplemented);
  http::Response response;
  response.status = answer.status;
  response.headers.add("content-type", answer.content_type);
  response.body = Bytes(answer.body);
  responder.send(std::move(response));
}

}  // namespace spanway::query
