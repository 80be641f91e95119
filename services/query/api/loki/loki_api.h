// Loki's HTTP API over a store of logs.
#pragma once

#include "services/query/api/loki/log_answers.h"
#include "services/query/api/loki/tails.h"
#include "services/query/api/query_api.h"

namespace spanway::query::loki {

// Thread-safe. The store and the clock outlive it.
class LokiApi final : public QueryApi {
 public:
  LokiApi(LogStore& logs, const Clock& clock) : parts_{logs, clock, engine_}, tails_(logs, clock) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;
  void open_web_socket(ApiRequest request, std::string tenant, http::Responder responder,
                       QueryRunner& runner) override;
  void shut_down() override { tails_.shut_down(); }

 private:
  const logql::Engine engine_;
  const QueryParts parts_;
  Tails tails_;
};

}  // namespace spanway::query::loki
