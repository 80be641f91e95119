// The operator from the first moment of the process, also while the API server cannot be used.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "operator/manager/operator_service.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/mutex.h"

namespace spanway::manager {

// See runtime::Service for the thread contract. One thread of its own asks the API server what it
// serves (discovery.h) until it has answered, with back-off for ever, and starts the
// OperatorService. Until then it is not ready, and the reason is the last error. The first error,
// and each of another kind, is logged as a warning.
class StartingOperator final : public runtime::Service {
 public:
  static constexpr BackoffOptions kRetry{.initial = std::chrono::seconds(1),
                                         .max = std::chrono::seconds(30)};

  StartingOperator(const OperatorSettings& settings, OperatorParts parts,
                   const runtime::ServiceDeps& deps, const BackoffOptions& retry = kRetry);
  // The real parts; fails only for what no cluster can fix: a kubeconfig or certificates that
  // cannot be used. Makes no request.
  static Result<std::unique_ptr<StartingOperator>> create(const OperatorSettings& settings,
                                                          const runtime::ServiceDeps& deps);
  // Waits for a request under way.
  ~StartingOperator() override;

  Status start() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;
  Readiness readiness() const override;
  runtime::Statusz status() const override;
  Status fatal() const override;

 private:
  void run(const std::stop_token& stop);
  // How long to wait before the next try.
  Duration failed(const Error& error);
  void succeeded(const Discovered& found);
  // Null while the API server has not answered.
  OperatorService* running() const;

  const OperatorSettings settings_;
  const runtime::ServiceDeps deps_;
  kube::Client& client_;  // A member of the parts.
  const std::string identity_;
  const std::string server_;

  // Only on run()'s thread.
  Backoff backoff_;
  Code failed_code_ = Code::kOk;

  mutable Mutex mutex_;
  CondVar wakes_;
  OperatorParts parts_ SPANWAY_GUARDED_BY(mutex_);  // Moved to operator_.
  bool stopping_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::string problem_ SPANWAY_GUARDED_BY(mutex_);
  Status started_ SPANWAY_GUARDED_BY(mutex_);
  // Set once.
  std::unique_ptr<OperatorService> operator_ SPANWAY_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace spanway::manager
