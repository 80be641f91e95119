#include "services/demo/student/demo_topics.h"

#include <vector>

#include "services/lib/kafka/admin.h"

namespace spanway::demo {

Status create_topics(const kafka::ClientConfig& client, const Clock& clock,
                     telemetry::Telemetry telemetry, Deadline deadline) {
  kafka::TopicAdmin admin(client, clock, telemetry);
  std::vector<kafka::TopicSpec> specs(2);
  specs[0].name = kStudentTopic;
  specs[1].name = kBillingTopic;
  SPANWAY_ASSIGN(const auto reports, admin.apply(specs, kafka::TopicChanges::kCreate, deadline));
  for (const kafka::TopicReport& report : reports)
    if (report.action == kafka::TopicReport::Action::kFailed)
      return unavailable("topic " + report.name + ": " + report.error);
  return ok_status();
}

}  // namespace spanway::demo
