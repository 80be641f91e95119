// The query service: HTTP and Jaeger's gRPC in, the stores of the signals behind. The memory store
// has OTLP in as well.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/repeating_task.h"
#include "services/lib/otlp_server/otlp_listener.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/runtime/service.h"
#include "services/query/config.h"
#include "services/query/configured_apis.h"
#include "services/query/configured_store.h"
#include "services/query/grpc_handler.h"
#include "services/query/insight_runner.h"
#include "services/query/memory_sink.h"
#include "services/query/pipeline_status.h"
#include "services/query/query_handler.h"
#include "services/query/store_health.h"

namespace spanway::query {

// See runtime::Service for the thread contract.
class QueryService final : public runtime::Service {
 public:
  // Binds the port. The store is not queried: the service starts without it and answers 503.
  static Result<std::unique_ptr<QueryService>> create(const QueryConfig& config,
                                                      const runtime::ServiceDeps& deps);
  ~QueryService() override;

  Status start() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;
  void shed_load() override { listener_->shed_connections(); }
  Readiness readiness() const override;
  runtime::Statusz status() const override;

  std::uint16_t port() const noexcept;
  std::uint16_t jaeger_grpc_port() const noexcept;
  // OTLP/gRPC into the memory store; 0 with another store.
  std::uint16_t otlp_port() const noexcept;

 private:
  enum class State { kCreated, kServing, kStopping };

  QueryService(const QueryConfig& config, const runtime::ServiceDeps& deps);
  Status create_parts();
  Status listen();
  rest::Figures figures() const;
  void reload_credentials();
  void log_store(const StoreHealth::Snapshot& store) const;

  const QueryConfig config_;
  const runtime::ServiceDeps deps_;
  // In the order of use: what is below uses what is above.
  MemoryBudget budget_;
  Events events_;
  StoreHealth health_;
  std::unique_ptr<ConfiguredStore> store_;
  std::unique_ptr<InsightRunner> insight_;  // Null where it is switched off.
  std::unique_ptr<PipelineStatus> pipeline_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  ApiRegistry apis_;
  const web::AssetHandler page_{web::built_in_assets()};
  std::unique_ptr<QueryHandler> handler_;
  std::unique_ptr<GrpcHandler> grpc_handler_;
  std::unique_ptr<QueryWorkers> workers_;
  // With the memory store only.
  std::unique_ptr<MemorySink> sink_;
  std::unique_ptr<rpc::Gatekeeper> gatekeeper_;
  std::unique_ptr<rpc::ExportService> export_service_;
  std::unique_ptr<otlp_server::OtlpListener> listener_;
  std::atomic<State> state_{State::kCreated};
  // Run between start() and the destructor.
  std::optional<RepeatingTask> sampler_;
  std::optional<RepeatingTask> reloader_;
  std::optional<RepeatingTask> prober_;
};

}  // namespace spanway::query
