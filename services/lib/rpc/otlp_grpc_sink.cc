#include "services/lib/rpc/otlp_grpc_sink.h"

#include <absl/synchronization/mutex.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "services/lib/base/ascii.h"
#include "services/lib/base/check.h"
#include "services/lib/base/mutex.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/config/secret_reloader.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/pipeline/in_flight.h"
#include "services/lib/rpc/client_status.h"
#include "services/lib/rpc/events.h"
#include "services/lib/rpc/hand_over.h"
#include "services/lib/rpc/otlp_grpc_options.h"

namespace spanway::rpc {
namespace {

constexpr std::size_t kConnectionsMax = 8;
constexpr auto kRetryAfterFull = std::chrono::milliseconds(100);
constexpr auto kRetryAfterDraining = std::chrono::milliseconds(1000);
// After the last answer gRPC lets go of a cancelled call's bytes in microseconds.
constexpr auto kReleaseWait = std::chrono::seconds(10);
constexpr const char* kSystemCaFile = "/etc/ssl/certs/ca-certificates.crt";

// Valid gRPC metadata; the library aborts the process on anything else.
bool is_metadata_value(std::string_view value) noexcept {
  return std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7f; });
}

// --- Channels ---

// The files are watched: a renewed certificate is used by the next connection.
std::shared_ptr<grpc::ChannelCredentials> make_credentials(const OtlpGrpcSinkOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  const std::string ca = options.tls->ca_file.empty() ? kSystemCaFile : options.tls->ca_file;
  const auto seconds = static_cast<unsigned>(
      std::max<Duration::rep>(1, options.tls_reload_interval / std::chrono::seconds(1)));
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      options.tls->key_file, options.tls->certificate_file, ca, seconds));
  tls.watch_root_certs();
  if (!options.tls->certificate_file.empty()) tls.watch_identity_key_cert_pairs();
  tls.set_verify_server_certs(true);
  tls.set_check_call_host(true);
  return grpc::experimental::TlsCredentials(tls);
}

grpc::ChannelArguments make_arguments(const OtlpGrpcSinkOptions& options, std::size_t index) {
  grpc::ChannelArguments arguments;
  // Distinct arguments and a pool of its own: otherwise channels share one connection.
  arguments.SetInt("spanway.connection", static_cast<int>(index));
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Headless Services: resolve the name again soon after a connection was lost.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 2000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Also the least time that one attempt to connect is given.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  // Also becomes TCP_USER_TIMEOUT, so that a vanished peer is noticed. Only with calls open:
  // servers refuse pings on idle connections.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  // Answers are small: measuring the bandwidth of the way back costs pings for nothing.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // Only calls that the peer provably has not seen are repeated by the library (REFUSED_STREAM,
  // GOAWAY); the bytes are shared, so the buffer limit costs no memory.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, 64 << 20);
  arguments.SetMaxReceiveMessageSize(kAnswerBytesMax);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetUserAgentPrefix("spanway/" SPANWAY_VERSION);
  if (options.compression == "gzip") arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  if (options.tls && !options.tls->server_name.empty())
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  return arguments;
}

std::size_t connection_count(const OtlpGrpcSinkOptions& options) noexcept {
  if (options.connections > 0) return options.connections;
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  return std::min(kConnectionsMax, 2 * cores);
}

// --- Bytes ---

// Below this, a copy costs less than what gRPC does for each piece.
constexpr std::size_t kPieceBytesMin = 4096;

// Owned by the gRPC slice that shows these bytes. The library may keep the slice a moment longer
// than the call, and the permit must cover it for as long.
struct Payload {
  pipeline::Pieces bytes;
  Permit permit;
  std::shared_ptr<pipeline::InFlight> alive;

  static void destroy(void* payload) noexcept {
    std::unique_ptr<Payload> owned(static_cast<Payload*>(payload));
    const std::shared_ptr<pipeline::InFlight> alive = owned->alive;
    // gRPC has carried the payload to this thread; the mutex in here, which its maker has held
    // after making it, shows that to ThreadSanitizer, too.
    static_cast<void>(alive->count());
    owned.reset();
    alive->leave();
  }
};

grpc::Slice to_slice(const std::shared_ptr<const Bytes>& bytes, Permit permit,
                     const std::shared_ptr<pipeline::InFlight>& alive) {
  auto payload = std::make_unique<Payload>(Payload{{}, std::move(permit), alive});
  payload->bytes.add(bytes);
  // Counted for the destructor of the sink, which closes it only after the last call.
  if (!alive->enter()) count_bug("otlp_grpc_sink_payload_after_close");
  // gRPC writes to no slice that it sends; it only takes pointers to mutable bytes.
  char* data = const_cast<char*>(bytes->data());
  const std::size_t size = bytes->size();
  return {data, size, &Payload::destroy, payload.release()};
}

grpc::ByteBuffer to_byte_buffer(const pipeline::Pieces& pieces, Permit permit,
                                const std::shared_ptr<pipeline::InFlight>& alive) {
  std::vector<grpc::Slice> slices;
  slices.reserve(pieces.all().size());
  for (const auto& piece : pieces.all()) {
    slices.push_back(to_slice(piece, std::exchange(permit, Permit()), alive));
  }
  // An empty request is one, too.
  if (slices.empty()) slices.emplace_back();
  return {slices.data(), slices.size()};
}

std::string to_text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return {};
  std::string text;
  text.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

// gRPC runs on its own clock, which never jumps either.
gpr_timespec to_timespec(Duration remaining) noexcept {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(remaining.count(), GPR_TIMESPAN));
}

struct Call;
using Calls = std::list<Call*>;

// One call in flight; deletes itself with its answer.
struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  otlp::Signal signal = otlp::Signal::kTraces;
  pipeline::AckToken token;
  SteadyTime start;
  std::size_t lane = 0;
  Calls::iterator place;
};

// One channel, with one connection to each address of the endpoint, and its calls.
struct Lane {
  explicit Lane(std::shared_ptr<grpc::Channel> c) : channel(c), stub(std::move(c)) {}
  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  Mutex mutex;
  Calls calls SPANWAY_GUARDED_BY(mutex);
};

}  // namespace

struct OtlpGrpcSink::Impl {
  Impl(OtlpGrpcSinkOptions o, const Clock& c, telemetry::Telemetry telemetry)
      : options(std::move(o)),
        clock(c),
        events(telemetry, options.endpoint),
        headers(
            options.headers,
            {"headers.", config::HeaderUse::kGrpc,
             [this](const std::string& key, const Status& read) { events.secret_read(key, read); }},
            c),
        refresher(telemetry.credentials, [this] { (void)headers.values(); }) {
    for (const otlp::Signal signal : otlp::kSignals) {
      methods[otlp::index_of(signal)] = std::string(otlp::grpc_path(signal));
    }
  }

  void open_channels();
  std::optional<Duration> time_for(const pipeline::Batch& batch) const noexcept;
  void add_metadata(const pipeline::Metadata& metadata, grpc::ClientContext& context) const;
  std::size_t pick_lane() noexcept;
  void start(pipeline::Batch batch, const pipeline::Pieces& payload, pipeline::AckToken token,
             Duration time);
  void finish(Call* call, const grpc::Status& status) noexcept;
  Result<pipeline::Outcome> read_answer(const Call& call, const grpc::Status& status);
  void remember_good() noexcept;
  void remember_failure(const Error& error);
  void cancel_all() noexcept;

  const OtlpGrpcSinkOptions options;
  const Clock& clock;
  const ClientEvents events;
  const config::SecretReloader headers;  // Those of the options.
  const telemetry::CredentialRefresher refresher;
  std::array<std::string, otlp::kSignals.size()> methods;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::atomic<std::size_t> next_lane{0};
  std::atomic<std::size_t> in_flight_count{0};
  pipeline::InFlight in_flight;
  const std::shared_ptr<pipeline::InFlight> payloads = std::make_shared<pipeline::InFlight>();

  // The state of the last answer: 0 none yet, 1 good, 2 failed.
  std::atomic<int> last_answer{0};
  mutable Mutex health_mutex;
  pipeline::SinkHealth failure SPANWAY_GUARDED_BY(health_mutex);
};

void OtlpGrpcSink::Impl::open_channels() {
  const auto credentials = make_credentials(options);
  for (std::size_t i = 0; i < connection_count(options); ++i) {
    lanes.push_back(std::make_unique<Lane>(grpc::CreateCustomChannel(
        "dns:///" + options.endpoint, credentials, make_arguments(options, i))));
    lanes.back()->channel->GetState(/*try_to_connect=*/true);
  }
}

std::optional<Duration> OtlpGrpcSink::Impl::time_for(const pipeline::Batch& batch) const noexcept {
  const Duration time = std::min(
      options.timeout, batch.deadline.less(options.deadline_margin).remaining(clock.now()));
  if (time <= Duration::zero()) return std::nullopt;
  return time;
}

void OtlpGrpcSink::Impl::add_metadata(const pipeline::Metadata& metadata,
                                      grpc::ClientContext& context) const {
  const auto add = [&context](const char* key, const std::string& value) {
    if (!value.empty() && is_metadata_value(value)) context.AddMetadata(key, value);
  };
  for (const auto& [key, value] : *headers.values()) context.AddMetadata(key, value.reveal());
  add("traceparent", metadata.traceparent);
  add("tracestate", metadata.tracestate);
  if (!options.send_metadata) return;
  add("spanway-tenant", metadata.tenant);
  add("spanway-batch", metadata.batch_id);
  if (metadata.all_or_nothing) add("spanway-all-or-nothing", "1");
}

// In turn, but one that is connected before one that is not: after the peer's restart the lanes
// come back one by one, each at the end of its own back-off.
std::size_t OtlpGrpcSink::Impl::pick_lane() noexcept {
  const std::size_t first = next_lane.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const std::size_t lane = (first + i) % lanes.size();
    if (lanes[lane]->channel->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY) return lane;
  }
  return first % lanes.size();
}

void OtlpGrpcSink::Impl::start(pipeline::Batch batch, const pipeline::Pieces& payload,
                               pipeline::AckToken token, Duration time) {
  auto call = std::make_unique<Call>();
  call->signal = batch.signal;
  call->token = std::move(token);
  call->start = clock.now();
  call->lane = pick_lane();
  call->context.set_deadline(to_timespec(time));
  call->context.set_wait_for_ready(false);
  add_metadata(batch.metadata, call->context);
  events.started(payload.size());
  call->request = to_byte_buffer(payload, std::move(batch.permit), payloads);

  Call* started = call.release();
  Lane& lane = *lanes[started->lane];
  {
    MutexLock lock(lane.mutex);
    started->place = lane.calls.insert(lane.calls.end(), started);
  }
  hand_over(started);
  lane.stub.UnaryCall(&started->context, methods[otlp::index_of(started->signal)], {},
                      &started->request, &started->response,
                      [this, started](const grpc::Status& status) { finish(started, status); });
}

void OtlpGrpcSink::Impl::finish(Call* call, const grpc::Status& status) noexcept {
  take_over(call);
  std::unique_ptr<Call> owned(call);
  {
    MutexLock lock(lanes[call->lane]->mutex);
    lanes[call->lane]->calls.erase(call->place);
  }
  Result<pipeline::Outcome> answer = read_answer(*call, status);
  events.finished(static_cast<Code>(status.error_code()), clock.now() - call->start);
  pipeline::AckToken token = std::move(call->token);
  // The context holds the channel, and a channel must not end on this thread, which is gRPC's: it
  // waits for its own threads then. So it is released before the destructor may continue.
  owned.reset();
  // The owner of the token may send the next batch at once: make room first.
  in_flight_count.fetch_sub(1, std::memory_order_relaxed);
  token.answer(std::move(answer));
  in_flight.leave();
}

Result<pipeline::Outcome> OtlpGrpcSink::Impl::read_answer(const Call& call,
                                                          const grpc::Status& status) {
  if (!status.ok()) {
    Error error = error_from_call(static_cast<int>(status.error_code()), status.error_message(),
                                  status.error_details())
                      .with_context("otlp_grpc " + options.endpoint);
    if (options.log_failures) events.failed(error);
    remember_failure(error);
    return error;
  }
  remember_good();
  if (call.response.Length() == 0) return pipeline::Outcome{};
  Result<otlp::PartialSuccess> partial =
      otlp::parse_export_response(call.signal, to_text(call.response), otlp::Encoding::kProtobuf);
  if (partial.ok()) return pipeline::Outcome{partial->rejected, std::move(partial->message)};
  // The peer said OK: sending again would make duplicates.
  events.unreadable_answer(partial.error());
  return pipeline::Outcome{0, "the destination's answer cannot be read"};
}

void OtlpGrpcSink::Impl::remember_good() noexcept {
  if (last_answer.load(std::memory_order_relaxed) != 1) last_answer.store(1);
}

void OtlpGrpcSink::Impl::remember_failure(const Error& error) {
  MutexLock lock(health_mutex);
  failure.reachable = error.code != Code::kUnavailable && error.code != Code::kDeadlineExceeded &&
                      error.code != Code::kCancelled;
  failure.last_error = error.message;
  failure.last_error_reason = error.reason;
  last_answer.store(2);
}

void OtlpGrpcSink::Impl::cancel_all() noexcept {
  for (const auto& lane : lanes) {
    MutexLock lock(lane->mutex);
    for (Call* call : lane->calls) call->context.TryCancel();
  }
}

Result<std::unique_ptr<OtlpGrpcSink>> OtlpGrpcSink::create(OtlpGrpcSinkOptions options,
                                                           const Clock& clock,
                                                           telemetry::Telemetry telemetry) {
  SPANWAY_TRY(check(options));
  // Debian builds the library under gRPC in its debug form, which draws a graph of all mutexes at
  // each lock, to find deadlocks of gRPC's own.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  std::map<std::string, Secret> lowered;
  for (auto& [name, value] : options.headers)
    lowered.insert_or_assign(to_lower(name), std::move(value));
  options.headers = std::move(lowered);
  auto impl = std::make_unique<Impl>(std::move(options), clock, telemetry);
  impl->open_channels();
  return std::unique_ptr<OtlpGrpcSink>(new OtlpGrpcSink(std::move(impl)));
}

OtlpGrpcSink::OtlpGrpcSink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

OtlpGrpcSink::~OtlpGrpcSink() {
  // Real time, whatever clock was injected: gRPC's threads follow no other.
  const Clock& clock = system_clock();
  if (!impl_->in_flight.close_and_wait(Deadline::after(clock, Duration::zero()))) {
    impl_->cancel_all();
    impl_->in_flight.close_and_wait(Deadline::never());
  }
  impl_->lanes.clear();
  if (!impl_->payloads->close_and_wait(Deadline::after(clock, kReleaseWait))) {
    count_bug("otlp_grpc_sink_payload_kept");
  }
}

void OtlpGrpcSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  pipeline::Pieces payload;
  payload.add(std::make_shared<const Bytes>(std::move(batch.payload)));
  send_pieces(std::move(batch), std::move(payload), std::move(token));
}

void OtlpGrpcSink::send_pieces(pipeline::Batch batch, pipeline::Pieces payload,
                               pipeline::AckToken token) noexcept {
  if (payload.all().size() > 1 && payload.size() < kPieceBytesMin * payload.all().size()) {
    payload.in_one();
  }
  Impl& impl = *impl_;
  const std::optional<Duration> time = impl.time_for(batch);
  if (!time) {
    impl.events.refused(ClientEvents::Refused::kDeadline);
    token.nack(transient_error(Code::kDeadlineExceeded,
                               "otlp_grpc " + impl.options.endpoint +
                                   ": the deadline has passed before the batch could be sent")
                   .with_reason("deadline_exceeded"));
    return;
  }
  if (impl.in_flight_count.fetch_add(1, std::memory_order_relaxed) >= impl.options.in_flight_max) {
    impl.in_flight_count.fetch_sub(1, std::memory_order_relaxed);
    impl.events.refused(ClientEvents::Refused::kFull);
    token.nack(unavailable("otlp_grpc " + impl.options.endpoint + ": " +
                           std::to_string(impl.options.in_flight_max) +
                           " calls are in flight already")
                   .with_reason("sink_full")
                   .with_retry_after(kRetryAfterFull));
    return;
  }
  if (!impl.in_flight.enter()) {
    impl.in_flight_count.fetch_sub(1, std::memory_order_relaxed);
    impl.events.refused(ClientEvents::Refused::kDraining);
    token.nack(unavailable("otlp_grpc " + impl.options.endpoint + ": shutting down")
                   .with_reason("draining")
                   .with_retry_after(kRetryAfterDraining));
    return;
  }
  impl.start(std::move(batch), payload, std::move(token), *time);
}

bool OtlpGrpcSink::drain(Deadline deadline) { return impl_->in_flight.close_and_wait(deadline); }

pipeline::SinkHealth OtlpGrpcSink::health() const {
  pipeline::SinkHealth health;
  switch (impl_->last_answer.load()) {
    case 0:
      // Nothing sent yet: a connection is all that is known.
      health.reachable = std::ranges::any_of(impl_->lanes, [](const auto& lane) {
        return lane->channel->GetState(false) == GRPC_CHANNEL_READY;
      });
      break;
    case 1:
      health.reachable = true;
      break;
    default: {
      MutexLock lock(impl_->health_mutex);
      health = impl_->failure;
    }
  }
  return health;
}

}  // namespace spanway::rpc
