#include "operator/manager/fenced_client.h"

#include <utility>

namespace spanway::manager {
namespace {

Error not_leading() {
  return transient_error(Code::kCancelled, "nothing is written: this operator does not lead")
      .with_reason("not_leading");
}

}  // namespace

// Counts as a write under way as long as it lives, if it is allowed.
class FencedClient::Writing {
 public:
  explicit Writing(FencedClient& client) : client_(client) {
    MutexLock lock(client_.mutex_);
    allowed_ = client_.open_ && client_.leading_();
    if (allowed_) ++client_.writing_;
  }
  ~Writing() {
    if (!allowed_) return;
    MutexLock lock(client_.mutex_);
    --client_.writing_;
    client_.changed_.notify_all();
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

  bool allowed() const noexcept { return allowed_; }

 private:
  FencedClient& client_;
  bool allowed_ = false;
};

FencedClient::FencedClient(kube::Client& behind, std::function<bool()> leading)
    : behind_(behind), leading_(std::move(leading)) {}

void FencedClient::open() {
  MutexLock lock(mutex_);
  open_ = true;
}

void FencedClient::close() {
  MutexLock lock(mutex_);
  open_ = false;
  changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return writing_ == 0; });
}

Result<kube::Json> FencedClient::get(const kube::ResourceType& type, const kube::ObjectKey& key) {
  return behind_.get(type, key);
}

Result<kube::Json> FencedClient::get_cached(const kube::ResourceType& type,
                                            const kube::ObjectKey& key) {
  return behind_.get_cached(type, key);
}

std::unique_ptr<kube::RunningWatch> FencedClient::start_watch(const kube::ResourceType& type,
                                                              const kube::WatchOptions& options,
                                                              kube::WatchCallbacks callbacks) {
  return behind_.start_watch(type, options, std::move(callbacks));
}

Result<kube::ListResult> FencedClient::list(const kube::ResourceType& type,
                                            const kube::ListOptions& options) {
  return behind_.list(type, options);
}

Status FencedClient::watch(const kube::ResourceType& type, const kube::WatchOptions& options,
                           const std::stop_token& stop,
                           const std::function<bool(kube::WatchEvent)>& on_event) {
  return behind_.watch(type, options, stop, on_event);
}

Result<kube::Json> FencedClient::apply(const kube::ResourceType& type, const Json& object,
                                       const kube::ApplyOptions& options,
                                       std::string_view subresource) {
  const Writing writing(*this);
  if (!writing.allowed()) return not_leading();
  return behind_.apply(type, object, options, subresource);
}

Result<kube::Json> FencedClient::create(const kube::ResourceType& type, const Json& object) {
  const Writing writing(*this);
  if (!writing.allowed()) return not_leading();
  return behind_.create(type, object);
}

Result<kube::Json> FencedClient::replace(const kube::ResourceType& type, const Json& object,
                                         std::string_view subresource) {
  const Writing writing(*this);
  if (!writing.allowed()) return not_leading();
  return behind_.replace(type, object, subresource);
}

Result<kube::Json> FencedClient::merge_patch(const kube::ResourceType& type,
                                             const kube::ObjectKey& key, const Json& patch,
                                             std::string_view subresource) {
  const Writing writing(*this);
  if (!writing.allowed()) return not_leading();
  return behind_.merge_patch(type, key, patch, subresource);
}

Status FencedClient::remove(const kube::ResourceType& type, const kube::ObjectKey& key,
                            const std::string& uid) {
  const Writing writing(*this);
  if (!writing.allowed()) return not_leading();
  return behind_.remove(type, key, uid);
}

Result<bool> FencedClient::serves(const kube::ResourceType& type) { return behind_.serves(type); }

}  // namespace spanway::manager
