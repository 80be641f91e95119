// The state of a consumer's membership and assignment, with the reason. Private to
// services/lib/kafka.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"

namespace spanway::kafka {

// Thread-safe.
class Membership {
 public:
  // The coordinator has answered with an assignment, which may be empty.
  void assigned(std::size_t partitions_now);
  void revoked(std::size_t partitions_now);
  // The session was lost: until the next assignment this is no member.
  void lost();
  // The coordinator does not let this consumer in.
  void refused(std::string reason);
  Assignment state(const std::vector<TopicState>& topics) const;
  // The group has refused this member and has never had it.
  bool never_admitted() const;

 private:
  mutable Mutex mutex_;
  bool member_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool admitted_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::size_t assigned_count_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::string refusal_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka
