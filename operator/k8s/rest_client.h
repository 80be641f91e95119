// The Client that speaks to an API server.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "operator/k8s/access.h"
#include "operator/k8s/kube_client.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::http {
class IoPool;
class Http2Client;
}  // namespace spanway::http

namespace spanway::kube {

class RestTransport;
struct HttpRequest;
struct HttpAnswer;

struct RestClientOptions {
  // Deadline of one request.
  Duration request_timeout = std::chrono::seconds(30);
  // Deadline of one page of a list: five hundred objects may take a busy server a while.
  Duration list_timeout = std::chrono::seconds(30);
  // Above it an answer is RESOURCE_EXHAUSTED.
  std::size_t answer_bytes_max = 64u << 20;
  // Pages of 500; a longer list fails.
  std::size_t list_pages_max = 1000;
};

// Thread-safe. After a 401 reads the token file again and repeats the request once; the next
// request uses a changed certificate. The access and the clock outlive it; abandoned requests end
// on their own.
class RestClient final : public Client {
 public:
  // Fails when the certificates cannot be used. Does not connect.
  static Result<std::unique_ptr<RestClient>> create(Access& access, const Clock& clock,
                                                    telemetry::Telemetry telemetry,
                                                    RestClientOptions options = {});
  ~RestClient() override;

  Result<Json> get(const ResourceType& type, const ObjectKey& key) override;
  Result<Json> get_cached(const ResourceType& type, const ObjectKey& key) override;
  Result<ListResult> list(const ResourceType& type, const ListOptions& options) override;
  Status watch(const ResourceType& type, const WatchOptions& options, const std::stop_token& stop,
               const std::function<bool(WatchEvent)>& on_event) override;
  // Over HTTP/2, all watches on one io thread and few connections; a server without HTTP/2 (an http
  // address, a proxy) costs a connection and a thread for each.
  std::unique_ptr<RunningWatch> start_watch(const ResourceType& type, const WatchOptions& options,
                                            WatchCallbacks callbacks) override;
  Result<Json> apply(const ResourceType& type, const Json& object, const ApplyOptions& options,
                     std::string_view subresource = {}) override;
  Result<Json> create(const ResourceType& type, const Json& object) override;
  Result<Json> replace(const ResourceType& type, const Json& object,
                       std::string_view subresource = {}) override;
  Result<Json> merge_patch(const ResourceType& type, const ObjectKey& key, const Json& patch,
                           std::string_view subresource = {}) override;
  Status remove(const ResourceType& type, const ObjectKey& key,
                const std::string& uid = {}) override;
  Result<bool> serves(const ResourceType& type) override;

 private:
  RestClient(Access& access, const Clock& clock, telemetry::Telemetry telemetry,
             RestClientOptions options);
  // The connections with these credentials: the current ones, unless certificates have changed.
  struct Connections {
    std::shared_ptr<RestTransport> requests;
    std::shared_ptr<http::Http2Client> watches;  // Null without HTTP/2.
  };
  static Result<Connections> connect(const Access& access, const Credentials& credentials,
                                     const RestClientOptions& options, http::IoPool* io);
  Connections connections(const Credentials& credentials);
  std::shared_ptr<RestTransport> transport(const Credentials& credentials) {
    return connections(credentials).requests;
  }
  void use_http1();
  // An answer that is not 2xx is returned as its error. `verb` labels the metrics.
  Result<HttpAnswer> call(const char* verb, const HttpRequest& request);
  Result<HttpAnswer> attempt(const HttpRequest& request);
  Result<Json> call_json(const char* verb, const HttpRequest& request);
  Result<HttpAnswer> open_watch(const HttpRequest& request, const WatchOptions& options,
                                const std::stop_token& stop,
                                const std::function<bool(std::string_view)>& on_bytes);
  void count(const char* verb, const Status& outcome);

  Access& access_;
  const Clock& clock_;
  telemetry::Telemetry telemetry_;
  const RestClientOptions options_;
  std::unique_ptr<http::IoPool> io_;  // Null for an http address.
  Mutex mutex_;
  bool http2_ SPANWAY_GUARDED_BY(mutex_) = true;
  Connections connections_ SPANWAY_GUARDED_BY(mutex_);
  Credentials used_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kube
