#include "operator/k8s/reconcile_scope.h"

namespace spanway::kube {
namespace {

thread_local std::uint64_t current_reconcile_id = 0;

}  // namespace

ReconcileScope::ReconcileScope(std::uint64_t id) noexcept { current_reconcile_id = id; }
ReconcileScope::~ReconcileScope() { current_reconcile_id = 0; }
std::uint64_t ReconcileScope::current() noexcept { return current_reconcile_id; }

}  // namespace spanway::kube
