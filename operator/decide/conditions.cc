#include "operator/decide/conditions.h"

#include "operator/decide/pod_health.h"

namespace spanway::decide {
namespace {

constexpr std::size_t kMessageBytesMax = 512;

}  // namespace

std::string_view to_string(ConditionStatus status) noexcept {
  switch (status) {
    case ConditionStatus::kTrue:
      return "True";
    case ConditionStatus::kFalse:
      return "False";
    case ConditionStatus::kUnknown:
      break;
  }
  return "Unknown";
}

Conditions::Conditions(const Json& before, std::int64_t generation, std::string wall_now)
    : before_(before), generation_(generation), wall_now_(std::move(wall_now)) {}

const Json* Conditions::stored(std::string_view type) const {
  const Json* list = kube::find(before_, "conditions");
  if (list == nullptr || !list->is_array()) return nullptr;
  for (const Json& one : *list) {
    if (kube::string_at(one, "type") == type) return &one;
  }
  return nullptr;
}

ConditionStatus Conditions::stored_status(std::string_view type) const {
  const Json* one = stored(type);
  if (one == nullptr) return ConditionStatus::kUnknown;
  const std::string status = kube::string_at(*one, "status");
  if (status == "True") return ConditionStatus::kTrue;
  return status == "False" ? ConditionStatus::kFalse : ConditionStatus::kUnknown;
}

void Conditions::set(std::string_view type, Condition condition, std::int64_t generation) {
  std::string since = wall_now_;
  if (const Json* one = stored(type);
      one != nullptr && kube::string_at(*one, "status") == to_string(condition.status)) {
    since = kube::string_at(*one, "lastTransitionTime", wall_now_);
  }
  list_.push_back({{"type", type},
                   {"status", to_string(condition.status)},
                   {"reason", std::move(condition.reason)},
                   {"message", one_line(condition.message, kMessageBytesMax)},
                   {"observedGeneration", generation},
                   {"lastTransitionTime", std::move(since)}});
}

void Conditions::keep(std::string_view type, Condition otherwise) {
  if (const Json* one = stored(type)) {
    list_.push_back(*one);
    return;
  }
  set(type, std::move(otherwise));
}

}  // namespace spanway::decide
