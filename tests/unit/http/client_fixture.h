// A client with its pool, used as if it blocked.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/http/client.h"

namespace spanway::http {

// The answers of a client, as they come. Thread-safe; shared with the callbacks.
class AnswerBox {
 public:
  void put(Result<Response> answer) {
    MutexLock lock(mutex_);
    answers_.push_back(std::move(answer));
    arrived_.notify_all();
  }
  // The next answer; an error with reason "test_timeout" after 10 s without one.
  Result<Response> take() {
    MutexLock lock(mutex_);
    arrived_.wait_for(mutex_, std::chrono::seconds(10),
                      [this] { return taken_ < answers_.size(); });
    if (taken_ == answers_.size())
      return unavailable("no answer at all").with_reason("test_timeout");
    return std::move(answers_[taken_++]);
  }
  std::size_t size() const {
    MutexLock lock(mutex_);
    return answers_.size();
  }

 private:
  mutable Mutex mutex_;
  CondVar arrived_;
  std::vector<Result<Response>> answers_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t taken_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

struct TestClient {
  explicit TestClient(const std::string& url, ClientOptions options = {},
                      std::shared_ptr<TlsClientContext> tls = nullptr)
      : pool("client", 1) {
    auto parsed = Url::parse(url);
    EXPECT_TRUE(parsed.ok());
    auto made = Client::create(std::move(parsed).value(), options, std::move(tls), pool);
    EXPECT_TRUE(made.ok());
    client = std::move(made).value();
  }
  void start(ClientRequest request, Duration timeout = std::chrono::seconds(10),
             bool idempotent = false) {
    client->send(std::move(request), Deadline::after(system_clock(), timeout), idempotent,
                 [box = box](Result<Response> answer) { box->put(std::move(answer)); });
  }
  Result<Response> ask(ClientRequest request, Duration timeout = std::chrono::seconds(10),
                       bool idempotent = false) {
    start(std::move(request), timeout, idempotent);
    return box->take();
  }
  Result<Response> get(std::string path) {
    return ask({.method = "GET", .path = std::move(path), .headers = {}, .body = {}});
  }
  Result<Response> post(std::string path, std::string_view body) {
    return ask({.method = "POST", .path = std::move(path), .headers = {}, .body = Bytes(body)});
  }

  std::shared_ptr<AnswerBox> box = std::make_shared<AnswerBox>();
  IoPool pool;
  std::unique_ptr<Client> client;
};

}  // namespace spanway::http
