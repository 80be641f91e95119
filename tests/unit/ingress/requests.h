// OTLP requests and HTTP exchanges for the tests of the ingress.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/base/bytes.h"
#include "services/lib/base/mutex.h"
#include "services/lib/http/server.h"
#include "services/lib/otlp/wire.h"

namespace spanway::ingress::testing {

// A request of `spans` spans under one resource and scope; `bad` more have a span id of 5 bytes.
inline Bytes trace_request(int spans, int bad = 0, std::string_view name = "GET /cart") {
  Bytes bytes;
  otlp::wire::Writer writer(bytes);
  const auto resource = writer.begin(1);
  const auto scope = writer.begin(2);
  for (int i = 0; i < spans + bad; ++i) {
    const auto span = writer.begin(2);
    writer.bytes(1, "0123456789abcdef");
    writer.bytes(2, i < spans ? "01234567" : "01234");
    writer.bytes(5, name);
    writer.fixed64(7, 1'767'225'600'000'000'000ULL);
    writer.fixed64(8, 1'767'225'600'000'000'500ULL);
    writer.end(span);
  }
  writer.end(scope);
  writer.end(resource);
  return bytes;
}

inline std::string json_trace_request() {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{)"
         R"("traceId":"30313233343536373839616263646566","spanId":"3031323334353637",)"
         R"("name":"GET /cart","startTimeUnixNano":"1767225600000000000",)"
         R"("endTimeUnixNano":"1767225600000000500"}]}]}]})";
}

// Keeps the answer that a handler gives. Thread-safe.
class Exchange {
 public:
  http::Responder responder() { return http::Responder(target_); }
  bool answered() const { return target_->take_count() > 0; }
  const http::Response& response() const { return target_->response(); }
  int status() const { return answered() ? response().status : 0; }
  std::string_view header(std::string_view name) const { return response().headers.get(name); }
  std::string_view body() const { return response().body.view(); }

 private:
  class Target final : public http::Responder::Target {
   public:
    void respond(http::Response response) noexcept override {
      MutexLock lock(mutex_);
      response_ = std::move(response);
      ++count_;
    }
    int take_count() const {
      MutexLock lock(mutex_);
      return count_;
    }
    const http::Response& response() const {
      MutexLock lock(mutex_);
      return response_;
    }

   private:
    mutable Mutex mutex_;
    http::Response response_ SPANWAY_GUARDED_BY(mutex_);
    int count_ SPANWAY_GUARDED_BY(mutex_) = 0;
  };
  std::shared_ptr<Target> target_ = std::make_shared<Target>();
};

inline http::RequestHead post(std::string path, std::string content_type,
                              std::optional<std::uint64_t> length = std::nullopt) {
  http::RequestHead head;
  head.method = "POST";
  head.path = std::move(path);
  if (!content_type.empty()) head.headers.add("content-type", std::move(content_type));
  head.content_length = length;
  return head;
}

}  // namespace spanway::ingress::testing
