// The io thread's side of a streamed SELECT. Internal to clickhouse.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "services/lib/base/bytes.h"
#include "services/lib/base/mutex.h"
#include "services/lib/clickhouse/select_stream.h"
#include "services/lib/http/client.h"

namespace spanway::clickhouse {

// Thread-safe. Takes bytes until kBufferBytes wait, then holds the server back.
class SelectStream::Answer final : public http::ResponseObserver {
 public:
  // `check` decides on an answer that is not a stream of ClickHouse's: on its status, its headers
  // and the begin of its body.
  using Check = std::function<Status(const http::Response& answer)>;
  explicit Answer(Check check) : check_(std::move(check)) {}

  void attach(http::ClientStream stream);
  void on_head(int status, const http::Headers& headers) override;
  bool on_data(std::string_view data) override;
  void on_end(Status status) override;

  // The bytes since the last call; blocks until something has, or the answer is over.
  struct Arrived {
    Bytes bytes;
    std::optional<Status> end;  // Set once nothing more will come.
  };
  Arrived take();
  void cancel();
  bool cancelled() const;
  std::string exception_tag() const;
  // As sent in X-ClickHouse-Summary.
  SelectCost summary() const;

 private:
  const Check check_;
  mutable Mutex mutex_;
  CondVar changed_;
  http::ClientStream stream_ SPANWAY_GUARDED_BY(mutex_);
  http::Response head_ SPANWAY_GUARDED_BY(mutex_);  // Its body is the text of a refusal.
  Bytes arrived_ SPANWAY_GUARDED_BY(mutex_);
  bool paused_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool cancelled_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::optional<Status> end_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::clickhouse
