// POST /api/v1/student: a row in PostgreSQL and a message on the topic `student`.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "services/demo/student/database.h"
#include "services/demo/student/student.h"
#include "services/demo/tracing/tracer.h"
#include "services/lib/base/executor.h"
#include "services/lib/http/server.h"
#include "services/lib/kafka/producer.h"

namespace spanway::demo {

// Thread-safe. The row is written on `worker`, one request after the other. Answers 201 with the id
// once both brokers and database have it; 400 for what is no student; 503 when one of them is away
// (the row may be there then, without fees) or kPendingMax requests wait. All parts outlive it and
// its requests.
class StudentApi final : public http::Handler {
 public:
  static constexpr std::size_t kPendingMax = 64;
  struct Parts {
    Database& database;
    kafka::Producer& producer;
    Tracer& tracer;
    Executor& worker;
  };
  explicit StudentApi(const Parts& parts) : parts_(parts) {}

  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;

 private:
  struct Request;
  class Reader;
  void submit(std::shared_ptr<Request> request);
  void store(const std::shared_ptr<Request>& request);
  void publish(const std::shared_ptr<Request>& request);

  const Parts parts_;
  std::atomic<std::size_t> pending_ = 0;
};

}  // namespace spanway::demo
