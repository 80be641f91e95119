#include "operator/decide/conditions.h"

#include "operator/decide/pod_health.h"

namespace spanway::reconcile {
namespace {

constexpr std::size_t kMessageBytesMax = 512;

}  // namespace

std::string_view to_string(Truth truth) noexcept {
  switch (truth) {
    case Truth::kTrue:
      return "True";
    case Truth::kFalse:
      return "False";
    case Truth::kUnknown:
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

Truth Conditions::stored_truth(std::string_view type) const {
  const Json* one = stored(type);
  if (one == nullptr) return Truth::kUnknown;
  const std::string status = kube::string_at(*one, "status");
  if (status == "True") return Truth::kTrue;
  return status == "False" ? Truth::kFalse : Truth::kUnknown;
}

void Conditions::set(std::string_view type, Verdict verdict, std::int64_t generation) {
  std::string since = wall_now_;
  if (const Json* one = stored(type);
      one != nullptr && kube::string_at(*one, "status") == to_string(verdict.truth)) {
    since = kube::string_at(*one, "lastTransitionTime", wall_now_);
  }
  list_.push_back({{"type", type},
                   {"status", to_string(verdict.truth)},
                   {"reason", std::move(verdict.reason)},
                   {"message", one_line(verdict.message, kMessageBytesMax)},
                   {"observedGeneration", generation},
                   {"lastTransitionTime", std::move(since)}});
}

void Conditions::keep(std::string_view type, Verdict otherwise) {
  if (const Json* one = stored(type)) {
    list_.push_back(*one);
    return;
  }
  set(type, std::move(otherwise));
}

}  // namespace spanway::reconcile
