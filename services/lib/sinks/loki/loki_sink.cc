#include "services/lib/sinks/loki/loki_sink.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/sinks/loki/loki_answer.h"

namespace spanway::sinks {
namespace {

// Streams of one batch that are sent at the same time.
constexpr std::size_t kLokiRequestsMax = 8;
constexpr const char* kOtlpPath = "/otlp/v1/logs";
constexpr const char* kPushPath = "/loki/api/v1/push";

bool is_loki_answer(int status) noexcept {
  return status == kLokiPartlyStored || status == kLokiNothingSent;
}

// The order of the refusals of one batch; the highest decides: what concerns all comes first, and
// what waits for a repetition before what would halve the batch.
int rank(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::kConfiguration:
      return 3;
    case Refusal::kTransient:
      return 2;
    case Refusal::kUnknown:
      return 1;
    case Refusal::kData:
      return 0;
  }
  return 0;
}

// One batch on its way; its answers come on any io thread.
class Upload : public std::enable_shared_from_this<Upload> {
 public:
  Upload(std::shared_ptr<InFlightBatch> delivery, const std::shared_ptr<HttpPoster>& poster,
         std::shared_ptr<StoredRequests> stored, std::vector<std::vector<LokiRequest>> streams,
         std::string content_encoding, pipeline::Batch batch)
      : delivery_(std::move(delivery)),
        poster_(poster),
        stored_(std::move(stored)),
        content_encoding_(std::move(content_encoding)),
        metadata_(std::move(batch.metadata)),
        deadline_(batch.deadline),
        permit_(std::move(batch.permit)),
        streams_(std::move(streams)) {}

  void start() {
    std::size_t first = 0;
    {
      MutexLock lock(mutex_);
      first = std::min(streams_.size(), kLokiRequestsMax);
      running_ = first;
      next_stream_ = first;
    }
    for (std::size_t stream = 0; stream < first; ++stream) post({stream, 0});
  }

 private:
  struct Place {
    std::size_t stream;
    std::size_t request;
  };

  void post(Place place) {
    const auto poster = poster_.lock();
    if (!poster) return;  // The sink is gone; the delivery says so.
    LokiRequest request = take(place);
    auto sent =
        poster->post({.path = {},
                      .content_type = "application/x-protobuf",
                      .body = std::move(request.body),
                      .content_encoding = content_encoding_,
                      .passes = is_loki_answer},
                     metadata_, permit_, deadline_,
                     [self = shared_from_this(), place, entries = request.entries,
                      endpoint = poster->endpoint()](Result<http::Response> answer) {
                       if (!answer.ok()) return self->on_answer(place, answer.error());
                       auto read = read_loki_answer(*answer, entries);
                       if (read.ok()) return self->on_answer(place, std::move(read));
                       self->on_answer(place, std::move(read).error().with_context(endpoint));
                     });
    if (sent.ok()) return;
    {
      MutexLock lock(mutex_);
      refused_by_us_ = true;
    }
    on_answer(place, std::move(sent).error());
  }

  LokiRequest take(Place place) {
    MutexLock lock(mutex_);
    return std::move(streams_[place.stream][place.request]);
  }

  void on_answer(Place place, Result<pipeline::Outcome> answer) {
    std::optional<Place> next;
    bool last = false;
    {
      MutexLock lock(mutex_);
      // A repetition of what was stored in part finds out again how much that was.
      if (answer.ok() && answer->rejected == 0)
        stored_keys_.push_back(streams_[place.stream][place.request].key);
      record(std::move(answer));
      next = next_behind(place);
      if (!next) last = --running_ == 0;
    }
    if (next) return post(*next);
    if (last) finish();
  }

  void record(Result<pipeline::Outcome> answer) SPANWAY_REQUIRES(mutex_) {
    if (answer.ok()) {
      outcome_.rejected += answer->rejected;
      if (outcome_.message.empty()) outcome_.message = std::move(answer->message);
    } else if (!error_ || rank(answer.error().refusal) > rank(error_->refusal)) {
      error_ = std::move(answer).error();
    }
  }

  std::optional<Place> next_behind(Place place) SPANWAY_REQUIRES(mutex_) {
    if (error_) return std::nullopt;
    if (place.request + 1 < streams_[place.stream].size())
      return Place{place.stream, place.request + 1};
    if (next_stream_ < streams_.size()) return Place{next_stream_++, 0};
    return std::nullopt;
  }

  // No request is under way any more.
  void finish() {
    std::optional<Result<pipeline::Outcome>> result;
    bool from_destination = true;
    {
      MutexLock lock(mutex_);
      permit_.release();
      from_destination = !refused_by_us_;
      if (error_) {
        stored_->add(stored_keys_);
        result.emplace(std::move(*error_));
      } else {
        result.emplace(std::move(outcome_));
      }
    }
    delivery_->finish(std::move(*result), from_destination);
  }

  const std::shared_ptr<InFlightBatch> delivery_;
  // Weak: an upload must not keep the client alive on the client's own thread.
  const std::weak_ptr<HttpPoster> poster_;
  const std::shared_ptr<StoredRequests> stored_;
  const std::string content_encoding_;
  const pipeline::Metadata metadata_;
  const Deadline deadline_;
  Permit permit_;  // For all bodies; the poster compresses none, and leaves it alone.
  Mutex mutex_;
  std::vector<std::vector<LokiRequest>> streams_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> stored_keys_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t next_stream_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t running_ SPANWAY_GUARDED_BY(mutex_) = 0;
  pipeline::Outcome outcome_ SPANWAY_GUARDED_BY(mutex_);
  std::optional<Error> error_ SPANWAY_GUARDED_BY(mutex_);
  bool refused_by_us_ SPANWAY_GUARDED_BY(mutex_) = false;
};

std::uint64_t unix_nano(const Clock& clock) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock.system_now().time_since_epoch())
          .count());
}

// Empty where the header is left out: a push request is always a block of snappy.
std::string content_encoding_of(const LokiRequestOptions& requests) {
  if (requests.protocol == LokiConfig::Protocol::kPush ||
      requests.compression == http::ContentCoding::kIdentity)
    return {};
  return std::string(http::to_string(requests.compression));
}

// The requests come compressed.
HttpOptions poster_options(HttpOptions http) {
  http.compression = http::ContentCoding::kIdentity;
  http.in_flight_max *= kLokiRequestsMax;
  return http;
}

}  // namespace

LokiSink::LokiSink(LokiRequestOptions requests, std::size_t in_flight_max, const Clock& clock)
    : requests_(std::move(requests)),
      clock_(clock),
      state_(std::make_shared<SinkState>(in_flight_max, clock)),
      stored_(std::make_shared<StoredRequests>(clock)) {}
LokiSink::~LokiSink() = default;

Result<std::unique_ptr<LokiSink>> LokiSink::create(const LokiSinkOptions& options,
                                                   const HttpSinkDeps& deps) {
  SPANWAY_ASSIGN(http::Url url, http::Url::parse(options.endpoint));
  const bool is_otlp = options.requests.protocol == LokiConfig::Protocol::kOtlp;
  url.path = append_path(url.path, is_otlp ? kOtlpPath : kPushPath);
  LokiRequestOptions requests = options.requests;
  requests.compression = options.http.compression;
  std::unique_ptr<LokiSink> sink(
      new LokiSink(std::move(requests), options.http.in_flight_max, deps.clock));
  SPANWAY_ASSIGN(sink->poster_,
                 HttpPoster::create(std::move(url), poster_options(options.http), deps));
  return sink;
}

void LokiSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  if (batch.signal != otlp::Signal::kLogs) {
    return delivery->finish(
        configuration_error(Code::kUnimplemented, "Loki takes logs only, and was sent " +
                                                      std::string(otlp::to_string(batch.signal)) +
                                                      "; take this signal off this destination")
            .with_reason("signal_not_supported"),
        /*from_destination=*/false);
  }
  if (batch.deadline.passed(clock_.now()))
    return delivery->finish(deadline_passed(poster_->endpoint()), /*from_destination=*/false);
  auto streams = loki_requests(batch, requests_, unix_nano(clock_), *stored_);
  if (!streams.ok())
    return delivery->finish(std::move(streams).error(), /*from_destination=*/false);
  std::make_shared<Upload>(std::move(delivery), poster_, stored_, std::move(streams).value(),
                           content_encoding_of(requests_), std::move(batch))
      ->start();
}

bool LokiSink::drain(Deadline deadline) { return state_->drain(deadline); }
pipeline::SinkHealth LokiSink::health() const { return state_->health(); }

}  // namespace spanway::sinks
