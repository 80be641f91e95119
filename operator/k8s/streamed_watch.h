// A watch as one stream of an HTTP/2 connection: no thread, no connection of its own. cpprestsdk,
// which carries every other request, speaks HTTP/1.1 only: there each watch is a connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "operator/k8s/kube_client.h"
#include "operator/k8s/watch_decoder.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/secret.h"
#include "services/lib/http/http2_client.h"

namespace spanway::kube {

struct StreamedWatchRequest {
  std::string what;  // Verb and path, for messages.
  std::string target;
  std::string user_agent;
  Duration head_timeout{};
  Duration silence_max{};
};

// Functions of the client that a watch needs. Called on the io thread.
struct StreamedWatchHooks {
  // After a 401 with `refused`: the token to use now, if there is another.
  std::function<std::optional<Secret>(const Secret& refused)> renew;
  // The server does not offer HTTP/2: the same watch by other means.
  std::function<std::unique_ptr<RunningWatch>(WatchCallbacks)> without_http2;
};

class StreamedWatch final : public RunningWatch {
 public:
  StreamedWatch(std::shared_ptr<http::Http2Client> streams, StreamedWatchRequest request,
                const Secret& token, StreamedWatchHooks hooks, WatchCallbacks callbacks);
  ~StreamedWatch() override;
  void cancel() override;

 private:
  void open(const Secret& token);
  bool take(std::string_view bytes);
  void stream_ended(const Secret& token, Result<http::Response> result);
  Status outcome_of(Result<http::Response> result);
  void end(Status outcome);

  const std::shared_ptr<http::Http2Client> streams_;
  const StreamedWatchRequest request_;
  const StreamedWatchHooks hooks_;
  const WatchCallbacks callbacks_;
  // On the io thread only.
  WatchDecoder decoder_;
  std::optional<Error> broken_;
  bool renewed_ = false;

  Mutex mutex_;
  CondVar ended_changed_;
  http::Http2Client::StreamId stream_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<RunningWatch> fallback_ SPANWAY_GUARDED_BY(mutex_);
  bool cancelled_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool ended_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway::kube
