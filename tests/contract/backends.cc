#include "tests/contract/backends.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/sinks/file/file_sink.h"
#include "services/lib/sinks/registry.h"
#include "tests/contract/clickhouse_backend.h"
#include "tests/contract/s3_backend.h"
#include "tests/fakes/fake_file_ops.h"
#include "tests/fakes/fake_http_backend.h"

namespace spanway::contract {
namespace {

using fakes::SeenRequest;
using sinks::DestinationConfig;
using sinks::DestinationType;

constexpr std::size_t kHugeBytes = 5u << 20;

// Backend of the destinations that FakeHttpBackend serves.
class NetworkBackend : public Backend {
 public:
  bool takes(otlp::Signal signal) const override {
    return sinks::descriptor_of(config_.type).signals[otlp::index_of(signal)];
  }
  std::unique_ptr<pipeline::Sink> make_sink(const Limits& limits) override {
    DestinationConfig config = config_;
    config.in_flight_max = static_cast<std::int64_t>(limits.in_flight_max);
    config.otlp_grpc.timeout = limits.timeout;
    config.otlp_http.http.timeout = limits.timeout;
    config.zipkin.http.timeout = limits.timeout;
    config.loki.http.timeout = limits.timeout;
    config.prometheus_remote_write.http.timeout = limits.timeout;
    auto sink =
        sinks::builtin_destinations().create(config, {io_, system_clock(), {log_, metrics_}});
    SPANWAY_CHECK(sink.ok());
    return std::move(sink).value();
  }
  std::size_t requests() const override { return backend_.requests().size(); }
  bool wait_for_requests(std::size_t count) const override {
    return backend_.wait_for_requests(count);
  }
  bool stop() override {
    backend_.stop();
    return true;
  }
  void restart() override { backend_.restart(); }

 protected:
  explicit NetworkBackend(DestinationType type) { config_.type = type; }

  fakes::FakeHttpBackend backend_;
  DestinationConfig config_;
};

class HttpBackend : public NetworkBackend {
 public:
  HttpBackend(DestinationType type, bool json) : NetworkBackend(type) {
    config_.zipkin.endpoint = backend_.url();
    config_.otlp_http.endpoint = backend_.url();
    if (json) config_.otlp_http.encoding = sinks::OtlpHttpConfig::Encoding::kJson;
    encoding_ = json ? otlp::Encoding::kJson : otlp::Encoding::kProtobuf;
    answer_with(BackendAnswer::kAccept);
  }
  bool can(BackendAnswer kind) const override {
    return kind != BackendAnswer::kPartial || config_.type == DestinationType::kOtlpHttp;
  }
  void answer_with(BackendAnswer kind) override {
    backend_.answer_with([this, kind](const SeenRequest& seen) { return answer(kind, seen); });
  }
  void release() override {
    backend_.release([this] { return accept(); });
  }

 protected:
  virtual http::Response accept() const {
    return fakes::http_answer(config_.type == DestinationType::kZipkin ? 202 : 200);
  }
  virtual fakes::Answer answer(BackendAnswer kind, const SeenRequest&) const {
    switch (kind) {
      case BackendAnswer::kAccept:
        return accept();
      case BackendAnswer::kPartial: {
        const Bytes body = otlp::export_response(otlp::Signal::kTraces, 2, "two", encoding_);
        const bool json = encoding_ == otlp::Encoding::kJson;
        return fakes::http_answer(200, body.view(),
                                  json ? "application/json" : "application/x-protobuf");
      }
      case BackendAnswer::kBusy:
        return fakes::http_answer(503, "busy");
      case BackendAnswer::kRetryAfter: {
        http::Response busy = fakes::http_answer(429);
        busy.headers.add("retry-after", "7");
        return busy;
      }
      case BackendAnswer::kRetryAfterDate: {
        http::Response busy = fakes::http_answer(503);
        busy.headers.add("retry-after", http_date_in(std::chrono::seconds(7)));
        return busy;
      }
      case BackendAnswer::kBadData:
        return fakes::http_answer(400, "bad");
      case BackendAnswer::kTooLarge:
        return fakes::http_answer(413);
      case BackendAnswer::kUnauthenticated:
        return fakes::http_answer(401);
      case BackendAnswer::kForbidden:
        return fakes::http_answer(403);
      case BackendAnswer::kNotFound:
        return fakes::http_answer(404);
      case BackendAnswer::kBroken:
        return fakes::http_answer(500);
      case BackendAnswer::kHuge:
        return fakes::http_answer(
            200, std::string(kHugeBytes, 'x'),
            encoding_ == otlp::Encoding::kJson ? "application/json" : "application/x-protobuf");
      case BackendAnswer::kHugeRefusal:
        return fakes::http_answer(400, std::string(kHugeBytes, 'x'));
      case BackendAnswer::kHang:
        break;
    }
    return std::nullopt;
  }

 private:
  static std::string http_date_in(std::chrono::seconds wait) {
    const std::time_t when = std::chrono::duration_cast<std::chrono::seconds>(
                                 (system_clock().system_now() + wait).time_since_epoch())
                                 .count();
    std::tm parts = {};
    gmtime_r(&when, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
  }

  otlp::Encoding encoding_ = otlp::Encoding::kProtobuf;
};

class LokiBackend final : public HttpBackend {
 public:
  explicit LokiBackend(sinks::LokiConfig::Protocol protocol)
      : HttpBackend(DestinationType::kLoki, false) {
    config_.loki.endpoint = backend_.url();
    config_.loki.protocol = protocol;
  }
  // Loki's answers have no body.
  bool can(BackendAnswer kind) const override { return kind != BackendAnswer::kHuge; }

 private:
  http::Response accept() const override { return fakes::http_answer(204); }
  fakes::Answer answer(BackendAnswer kind, const SeenRequest& seen) const override {
    if (kind != BackendAnswer::kPartial) return HttpBackend::answer(kind, seen);
    return fakes::http_answer(400,
                              "entry with timestamp 0 ignored, reason: 'entry too far behind',\n"
                              "user 'two', total ignored: 2 out of 3 for stream: {}");
  }
};

class RemoteWriteBackend final : public HttpBackend {
 public:
  explicit RemoteWriteBackend(sinks::PrometheusRemoteWriteConfig::Protocol protocol)
      : HttpBackend(DestinationType::kPrometheusRemoteWrite, false),
        is_v1_(protocol == sinks::PrometheusRemoteWriteConfig::Protocol::kV1) {
    config_.prometheus_remote_write.endpoint = backend_.url() + "/api/v1/write";
    config_.prometheus_remote_write.protocol = protocol;
  }
  // A receiver of 1.0 stores all of a request or nothing.
  bool can(BackendAnswer kind) const override { return kind != BackendAnswer::kPartial || !is_v1_; }

 private:
  static http::Response with_written(http::Response response, const char* samples) {
    response.headers.add("x-prometheus-remote-write-samples-written", samples);
    return response;
  }
  http::Response accept() const override { return with_written(fakes::http_answer(204), "3"); }
  fakes::Answer answer(BackendAnswer kind, const SeenRequest& seen) const override {
    if (kind == BackendAnswer::kPartial)
      return with_written(fakes::http_answer(400, "out of order sample for series two"), "1");
    fakes::Answer answer = HttpBackend::answer(kind, seen);
    if (kind == BackendAnswer::kHuge) return with_written(std::move(*answer), "3");
    return answer;
  }
  const bool is_v1_;
};

class GrpcBackend final : public NetworkBackend {
 public:
  GrpcBackend() : NetworkBackend(DestinationType::kOtlpGrpc) {
    config_.otlp_grpc.endpoint = backend_.address();
    config_.otlp_grpc.connections = 1;
    answer_with(BackendAnswer::kAccept);
  }
  bool can(BackendAnswer kind) const override {
    return kind != BackendAnswer::kRetryAfterDate && kind != BackendAnswer::kHugeRefusal;
  }
  void answer_with(BackendAnswer kind) override {
    backend_.answer_with([kind](const SeenRequest&) { return answer(kind); });
  }
  void release() override {
    backend_.release([] { return fakes::grpc_answer(); });
  }

 private:
  static http::Response failure(const Error& error) {
    http::Response response = fakes::grpc_failure(static_cast<int>(error.code), error.message);
    const Bytes details = otlp::status_body(error, otlp::Encoding::kProtobuf);
    response.trailers.add("grpc-status-details-bin",
                          encode_base64(details.view(), Base64Padding::kOmitted));
    return response;
  }
  static http::Response bare(Code code) {
    return fakes::grpc_failure(static_cast<int>(code), "no");
  }
  static fakes::Answer answer(BackendAnswer kind) {
    switch (kind) {
      case BackendAnswer::kAccept:
        return fakes::grpc_answer();
      case BackendAnswer::kPartial:
        return fakes::grpc_answer(
            otlp::export_response(otlp::Signal::kTraces, 2, "two", otlp::Encoding::kProtobuf)
                .view());
      case BackendAnswer::kBusy:
        return bare(Code::kUnavailable);
      case BackendAnswer::kRetryAfter:
        return failure(transient_error(Code::kResourceExhausted, "busy")
                           .with_retry_after(std::chrono::seconds(7)));
      case BackendAnswer::kBadData:
        return bare(Code::kInvalidArgument);
      case BackendAnswer::kTooLarge:
        return bare(Code::kResourceExhausted);
      case BackendAnswer::kUnauthenticated:
        return bare(Code::kUnauthenticated);
      case BackendAnswer::kForbidden:
        return bare(Code::kPermissionDenied);
      case BackendAnswer::kNotFound:
        return bare(Code::kUnimplemented);
      case BackendAnswer::kBroken:
        return bare(Code::kInternal);
      case BackendAnswer::kHuge:
        return fakes::grpc_answer(std::string(kHugeBytes, 'x'));
      case BackendAnswer::kRetryAfterDate:
      case BackendAnswer::kHugeRefusal:
      case BackendAnswer::kHang:
        break;
    }
    return std::nullopt;
  }
};

class FileBackend final : public Backend {
 public:
  bool can(BackendAnswer kind) const override {
    return kind == BackendAnswer::kAccept || kind == BackendAnswer::kBusy ||
           kind == BackendAnswer::kForbidden || kind == BackendAnswer::kNotFound ||
           kind == BackendAnswer::kHang;
  }
  bool takes(otlp::Signal) const override { return true; }
  std::unique_ptr<pipeline::Sink> make_sink(const Limits& limits) override {
    sinks::FileSinkOptions options;
    options.path = "file";
    options.queue_batches_max = limits.in_flight_max;
    return std::make_unique<sinks::FileSink>(
        options, sinks::FileSinkDeps{ops_, io_.executor(0), system_clock(), {log_, metrics_}});
  }
  void answer_with(BackendAnswer kind) override {
    ops_.fail_write(kind == BackendAnswer::kBusy ? ENOSPC : 0);
    ops_.fail_open(kind == BackendAnswer::kForbidden  ? EACCES
                   : kind == BackendAnswer::kNotFound ? ENOENT
                                                      : 0);
    if (kind == BackendAnswer::kHang) ops_.hang();
  }
  // The writer takes one batch after the other: one hanging is all there can be.
  std::size_t requests() const override {
    const std::string text = ops_.content("file").value_or("");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  bool wait_for_requests(std::size_t) const override { return ops_.wait_until_hanging(); }
  void release() override { ops_.unhang(); }
  bool stop() override { return false; }
  void restart() override {}

 private:
  fakes::FakeFileOps ops_;
};

class DebugBackend final : public Backend {
 public:
  bool can(BackendAnswer kind) const override { return kind == BackendAnswer::kAccept; }
  bool takes(otlp::Signal) const override { return true; }
  std::unique_ptr<pipeline::Sink> make_sink(const Limits&) override {
    DestinationConfig config;
    config.type = DestinationType::kDebug;
    auto sink =
        sinks::builtin_destinations().create(config, {io_, system_clock(), {log_, metrics_}});
    SPANWAY_CHECK(sink.ok());
    return std::move(sink).value();
  }
  void answer_with(BackendAnswer) override {}
  std::size_t requests() const override { return 0; }
  bool wait_for_requests(std::size_t) const override { return true; }
  void release() override {}
  bool stop() override { return false; }
  void restart() override {}
};

}  // namespace

std::string_view to_string(BackendAnswer kind) {
  constexpr std::array<std::string_view, 14> names = {
      "Accept",         "Partial",  "Busy",     "RetryAfter",
      "RetryAfterDate", "BadData",  "TooLarge", "Unauthenticated",
      "Forbidden",      "NotFound", "Broken",   "Huge",
      "HugeRefusal",    "Hang"};
  return names[static_cast<std::size_t>(kind)];
}

std::vector<std::string> destination_names() {
  return {"otlp_grpc", "otlp_http", "otlp_http_json", "zipkin",
          "file",      "debug",     "clickhouse",     "s3",
          "loki",      "loki_push", "remote_write",   "remote_write_v1"};
}

std::unique_ptr<Backend> make_backend(const std::string& destination) {
  if (destination == "otlp_grpc") return std::make_unique<GrpcBackend>();
  if (destination == "otlp_http")
    return std::make_unique<HttpBackend>(DestinationType::kOtlpHttp, false);
  if (destination == "otlp_http_json")
    return std::make_unique<HttpBackend>(DestinationType::kOtlpHttp, true);
  if (destination == "zipkin")
    return std::make_unique<HttpBackend>(DestinationType::kZipkin, false);
  if (destination == "file") return std::make_unique<FileBackend>();
  if (destination == "clickhouse") return make_clickhouse_backend();
  if (destination == "s3") return make_s3_backend();
  if (destination == "loki")
    return std::make_unique<LokiBackend>(sinks::LokiConfig::Protocol::kOtlp);
  if (destination == "loki_push")
    return std::make_unique<LokiBackend>(sinks::LokiConfig::Protocol::kPush);
  using RemoteWriteProtocol = sinks::PrometheusRemoteWriteConfig::Protocol;
  if (destination == "remote_write")
    return std::make_unique<RemoteWriteBackend>(RemoteWriteProtocol::kAuto);
  if (destination == "remote_write_v1")
    return std::make_unique<RemoteWriteBackend>(RemoteWriteProtocol::kV1);
  SPANWAY_CHECK(destination == "debug");
  return std::make_unique<DebugBackend>();
}

}  // namespace spanway::contract
