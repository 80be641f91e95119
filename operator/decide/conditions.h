// The conditions of one Pipeline status while it is built.
#pragma once

#include <string>
#include <string_view>

#include "operator/json/json.h"

namespace spanway::decide {

using kube::Json;

enum class ConditionStatus { kTrue, kFalse, kUnknown };
std::string_view to_string(ConditionStatus status) noexcept;

// One condition without its type. `reason` is CamelCase.
struct Condition {
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;
  std::string message;
};

// External lock.
class Conditions {
 public:
  // `before` is the stored status: a condition whose status stays keeps its lastTransitionTime.
  Conditions(const Json& before, std::int64_t generation, std::string wall_now);

  // Messages are cut to 512 bytes.
  void set(std::string_view type, Condition condition) {
    set(type, std::move(condition), generation_);
  }
  // About another generation than the Pipeline's.
  void set(std::string_view type, Condition condition, std::int64_t generation);
  // As it was stored; with this condition when it was not.
  void keep(std::string_view type, Condition otherwise);
  // The stored one; null when there is none.
  const Json* stored(std::string_view type) const;
  // The status of the stored condition; kUnknown when it is missing or unreadable.
  ConditionStatus stored_status(std::string_view type) const;

  Json take() { return std::move(list_); }

 private:
  const Json& before_;
  const std::int64_t generation_;
  const std::string wall_now_;
  Json list_ = Json::array();
};

}  // namespace spanway::decide
