#include "services/lib/objectstore/object_store.h"

#include <optional>
#include <string_view>
#include <utility>

#include "services/lib/base/backoff.h"
#include "services/lib/base/mutex.h"

namespace spanway::objectstore {
namespace {

class ObjectSource final : public parquet_file::ByteSource {
 public:
  ObjectSource(ObjectStore& store, std::string key, std::uint64_t bytes)
      : store_(store), key_(std::move(key)), bytes_(bytes) {}
  std::uint64_t size() const noexcept override { return bytes_; }
  Result<Bytes> read(std::uint64_t offset, std::uint64_t length) override {
    if (length == 0) return Bytes();
    return store_.read(key_, {.offset = offset, .length = length});
  }

 private:
  ObjectStore& store_;
  const std::string key_;
  const std::uint64_t bytes_;
};

// A result that one thread waits for: the first that is set.
template <typename T>
class Answer {
 public:
  void set(T value) {
    {
      MutexLock lock(mutex_);
      if (is_set_) return;
      is_set_ = true;
      value_ = std::move(value);
    }
    arrived_.notify_all();
  }
  T wait() {
    MutexLock lock(mutex_);
    arrived_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return value_.has_value(); });
    return std::move(*value_);
  }

 private:
  Mutex mutex_;
  CondVar arrived_;
  bool is_set_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::optional<T> value_ SPANWAY_GUARDED_BY(mutex_);
};

class S3Store final : public ObjectStore {
 public:
  S3Store(std::shared_ptr<S3Client> client, http::IoPool& io, const Clock& clock,
          S3StoreOptions options)
      : client_(std::move(client)), io_(io), clock_(clock), options_(std::move(options)) {}

  Result<Listing> list(const std::string& prefix, bool by_folder) override {
    Listing all;
    ListRequest request{.prefix = prefix, .by_folder = by_folder};
    do {
      SPANWAY_ASSIGN(ListPage page, call<ListPage>([&](auto done) {
                       client_->list(request, deadline(), std::move(done));
                     }));
      std::move(page.objects.begin(), page.objects.end(), std::back_inserter(all.objects));
      std::move(page.prefixes.begin(), page.prefixes.end(), std::back_inserter(all.prefixes));
      if (all.objects.size() + all.prefixes.size() > kKeysMax)
        return unknown_error(Code::kResourceExhausted,
                             "More than " + std::to_string(kKeysMax) + " objects below " + prefix)
            .with_reason("too_many_objects");
      request.page = page.next;
    } while (!request.page.empty());
    return all;
  }
  Result<Object> get(const std::string& key) override {
    return call<Object>(
        [&](auto done) { client_->get(key, std::nullopt, deadline(), std::move(done)); });
  }
  Result<Bytes> read(const std::string& key, ByteRange range) override {
    SPANWAY_ASSIGN(Object object, call<Object>([&](auto done) {
                     client_->get(key, range, deadline(), std::move(done));
                   }));
    return std::move(object.body);
  }
  Result<std::string> put(PutRequest request) override {
    return call<std::string>([&](auto done) {
      client_->put({.key = request.key,
                    .body = request.body.clone(),
                    .content_type = request.content_type,
                    .condition = request.condition},
                   deadline(), std::move(done));
    });
  }
  Status remove(const std::string& key) override {
    return call<void>([&](auto done) { client_->remove(key, deadline(), std::move(done)); });
  }

 private:
  Deadline deadline() const {
    return Deadline::after(clock_, options_.timeout).earlier(options_.deadline);
  }
  static Error cancelled() {
    return transient_error(Code::kCancelled, "the request was cancelled").with_reason("cancelled");
  }

  // `send` is called once for each attempt, with the function that takes the answer.
  template <typename T, typename Send>
  Result<T> call(const Send& send) {
    Backoff backoff({.initial = std::chrono::milliseconds(200)}, Random::from_entropy());
    for (int attempt = 1;; ++attempt) {
      if (options_.stop.stop_requested()) return cancelled();
      const auto answer = std::make_shared<Answer<Result<T>>>();
      const std::stop_callback stopped(options_.stop, [answer] { answer->set(cancelled()); });
      send([answer](Result<T> result) { answer->set(std::move(result)); });
      Result<T> result = answer->wait();
      if (result.ok() || result.error().refusal != Refusal::kTransient ||
          attempt >= options_.attempts || options_.deadline.passed(clock_.now()))
        return result;
      const Duration requested = result.error().retry_after.value_or(std::chrono::milliseconds(0));
      pause(std::max(backoff.next(), requested));
    }
  }
  void pause(Duration wait) {
    const auto over = std::make_shared<Answer<bool>>();
    const std::stop_callback stopped(options_.stop, [over] { over->set(true); });
    const Duration left = options_.deadline.remaining(clock_.now());
    io_.executor(0).post_after(std::min({wait, options_.timeout, left}),
                               [over] { over->set(true); });
    over->wait();
  }

  const std::shared_ptr<S3Client> client_;
  http::IoPool& io_;
  const Clock& clock_;
  const S3StoreOptions options_;
};

}  // namespace

std::shared_ptr<parquet_file::ByteSource> object_source(ObjectStore& store, std::string key,
                                                        std::uint64_t bytes) {
  return std::make_shared<ObjectSource>(store, std::move(key), bytes);
}

std::unique_ptr<ObjectStore> make_s3_store(std::shared_ptr<S3Client> client, http::IoPool& io,
                                           const Clock& clock, S3StoreOptions options) {
  return std::make_unique<S3Store>(std::move(client), io, clock, std::move(options));
}

}  // namespace spanway::objectstore
