// Stores spans and log records in ClickHouse: one block, one INSERT, one token.
#pragma once

#include <memory>
#include <string>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/clickhouse/insert_settings.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {

struct ClickHouseSinkOptions {
  clickhouse::ClientOptions client;
  ClientTlsConfig tls;  // Used when the URL is https.
  InsertPolicy policy;
  bool compress = true;                                // zstd.
  Duration insert_timeout = std::chrono::seconds(30);  // For one request.
  // Taken off the batch's deadline, so that the answer is in time one hop further up.
  Duration deadline_margin = std::chrono::milliseconds(200);
  std::size_t in_flight_max = 64;  // Batches; more are refused.
};

// Thread-safe. A batch is converted on the thread that sends it. Its dictionary rows are inserted
// first, then its data blocks side by side; it is acknowledged after the last 200. A batch with a
// batch id may be sent again after any failure: the server drops what it has (effectively once);
// without one it is at least once. Before the first insert, and after one that the server refuses
// as data, the server's columns are compared with the schema: a difference is a configuration
// error.
class ClickHouseSink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<ClickHouseSink>> create(ClickHouseSinkOptions options,
                                                        const HttpSinkDeps& deps);
  ~ClickHouseSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  struct Shared;
  explicit ClickHouseSink(std::shared_ptr<Shared> shared);
  const std::shared_ptr<Shared> shared_;
};

}  // namespace spanway::sinks
