// The two topics of the demo.
#pragma once

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::demo {

inline constexpr char kStudentTopic[] = "student";
inline constexpr char kBillingTopic[] = "student-billing";

// Creates them, with one partition each, unless they are there. Blocks until the deadline at most.
Status create_topics(const kafka::ClientConfig& client, const Clock& clock,
                     telemetry::Telemetry telemetry, Deadline deadline);

}  // namespace spanway::demo
