// The conditions of a Pipeline's status, as they are put together for one look.
#pragma once

#include <string>
#include <string_view>

#include "operator/json/json.h"

namespace spanway::reconcile {

using kube::Json;

enum class Truth { kTrue, kFalse, kUnknown };
std::string_view to_string(Truth truth) noexcept;

// What is said of one thing. `reason` is CamelCase.
struct Verdict {
  Truth truth = Truth::kUnknown;
  std::string reason;
  std::string message;
};

// External lock.
class Conditions {
 public:
  // `before` is the stored status: a condition whose status stays keeps its lastTransitionTime.
  Conditions(const Json& before, std::int64_t generation, std::string wall_now);

  // Messages are cut to 512 bytes.
  void set(std::string_view type, Verdict verdict) { set(type, std::move(verdict), generation_); }
  // About another generation than the Pipeline's.
  void set(std::string_view type, Verdict verdict, std::int64_t generation);
  // As it was stored; with this verdict when it was not.
  void keep(std::string_view type, Verdict otherwise);
  // The stored one; null when there is none.
  const Json* stored(std::string_view type) const;
  // Those that are stored, so far as one sees; "Unknown" without.
  Truth stored_truth(std::string_view type) const;

  Json take() { return std::move(list_); }

 private:
  const Json& before_;
  const std::int64_t generation_;
  const std::string wall_now_;
  Json list_ = Json::array();
};

}  // namespace spanway::reconcile
