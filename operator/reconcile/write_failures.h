// Why writes of a Pipeline's objects fail, and since when: what the status reports, and what ends a
// rollout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::reconcile {

// The API server did not answer.
bool is_silent(const Error& error);
// The namespace is being deleted: no object can be created in it.
bool is_namespace_end(const Error& error);

// External lock.
class WriteFailures {
 public:
  // Takes the outcome of one reconciliation's writes. `revision`: the desired one.
  void note(const Status& written, const std::string& revision, SystemTime wall_now);
  // The wall clock has jumped by this.
  void move(Duration by);
  // Part of the status; empty while writes succeed. A refusal for good is reported at once, any
  // other failure after 30 s.
  const std::string& message() const { return message_; }
  // It has failed for 30 s: more than one refusal, which may pass.
  bool repeats() const { return repeats_; }
  // How long the API server has refused an object of this revision; 0 = it does not.
  std::int64_t refused_for_ms(const std::string& revision, SystemTime wall_now) const;
  const std::string& refusal() const { return refusal_; }

 private:
  std::string message_;
  bool repeats_ = false;
  std::optional<SystemTime> failing_since_;
  std::optional<SystemTime> refused_since_;
  std::string refusal_;
  std::string refused_revision_;
};

}  // namespace spanway::reconcile
