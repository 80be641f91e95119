#include "services/lib/sinks/clickhouse/clickhouse_sink.h"

#include <atomic>
#include <utility>

#include "services/lib/sinks/batch_converter.h"
#include "services/lib/sinks/clickhouse/events.h"
#include "services/lib/sinks/clickhouse/recent_rows.h"
#include "services/lib/sinks/clickhouse/upload.h"

namespace spanway::sinks {
namespace {

// The only answers with content are columns and error texts.
constexpr std::size_t kAnswerBytesMax = 4u << 20;

}  // namespace

struct ClickHouseSink::Shared {
  Shared(ClickHouseSinkOptions sink_options, const HttpSinkDeps& deps)
      : options(std::move(sink_options)), clock(deps.clock) {}

  const ClickHouseSinkOptions options;
  const Clock& clock;
  std::shared_ptr<SinkState> state;
  std::shared_ptr<const ClickHouseEvents> events;
  std::shared_ptr<RecentRows> recent;
  std::shared_ptr<clickhouse::Client> client;
  const std::shared_ptr<std::atomic<bool>> schema_fits = std::make_shared<std::atomic<bool>>();
  BatchConverter converter;
  std::unique_ptr<http::TlsReloader> tls_reloader;  // Null without TLS.
  std::unique_ptr<telemetry::CredentialRefresher> refresher;
};

ClickHouseSink::ClickHouseSink(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
ClickHouseSink::~ClickHouseSink() = default;

Result<std::unique_ptr<ClickHouseSink>> ClickHouseSink::create(ClickHouseSinkOptions options,
                                                               const HttpSinkDeps& deps) {
  options.client.waiting_max = 8 * options.in_flight_max;  // Inserts of a batch.
  options.client.answer_bytes_max = kAnswerBytesMax;
  SPANWAY_ASSIGN(const http::Url url, http::Url::parse(options.client.url));
  const auto events = std::make_shared<const ClickHouseEvents>(deps.telemetry, printable(url));
  options.client.report_secret = [events](const std::string& key, const Status& read) {
    events->secret_read(key, read);
  };
  auto shared = std::make_shared<Shared>(std::move(options), deps);
  shared->events = events;
  shared->state = std::make_shared<SinkState>(shared->options.in_flight_max, deps.clock);
  std::shared_ptr<http::TlsClientContext> tls;
  if (url.https) {
    SPANWAY_ASSIGN(tls, http::TlsClientContext::create(shared->options.tls));
  }
  SPANWAY_ASSIGN(auto client,
                 clickhouse::Client::create(shared->options.client, tls, deps.io, deps.clock));
  shared->recent = std::make_shared<RecentRows>(deps.clock);
  shared->client = std::move(client);
  shared->refresher = std::make_unique<telemetry::CredentialRefresher>(
      deps.telemetry.credentials, [own = shared->client.get()] { own->refresh_password(); });
  if (tls) {
    shared->tls_reloader = std::make_unique<http::TlsReloader>(
        [tls] { return tls->reload(); },
        [events = shared->events](const Result<bool>& read) { events->tls_read(read); },
        deps.io.executor(0), http::kClientTlsReloadInterval);
  }
  return std::unique_ptr<ClickHouseSink>(new ClickHouseSink(std::move(shared)));
}

void ClickHouseSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), shared_->state);
  if (!delivery) return;
  const auto refuse = [&](Error error) {
    batch.permit.release();
    delivery->finish(std::move(error), /*from_destination=*/false);
  };
  if (batch.deadline.less(shared_->options.deadline_margin).passed(shared_->clock.now()))
    return refuse(deadline_passed(shared_->client->endpoint()));
  auto blocks = shared_->converter.convert(batch, shared_->recent.get());
  if (!blocks.ok()) return refuse(std::move(blocks).error());
  batch.payload = Bytes();
  batch.permit.shrink_to(blocks->memory_bytes());
  pipeline::Outcome outcome = outcome_of(*blocks);
  auto inserts = prepare(std::move(blocks).value(), batch.metadata.batch_id,
                         shared_->options.policy, shared_->options.compress, batch.permit);
  if (!inserts.ok()) return refuse(std::move(inserts).error());
  const UploadDeps deps{.clock = shared_->clock,
                        .client = shared_->client,
                        .events = shared_->events,
                        .recent = shared_->recent,
                        .schema_fits = shared_->schema_fits,
                        .policy = shared_->options.policy,
                        .insert_timeout = shared_->options.insert_timeout,
                        .deadline_margin = shared_->options.deadline_margin};
  std::make_shared<Upload>(deps, std::move(delivery), std::move(batch.permit), batch.metadata,
                           batch.deadline, std::move(outcome))
      ->start(std::move(inserts).value());
}

bool ClickHouseSink::drain(Deadline deadline) { return shared_->state->drain(deadline); }
pipeline::SinkHealth ClickHouseSink::health() const { return shared_->state->health(); }

}  // namespace spanway::sinks
