#include "operator/decide/query_status.h"

#include <algorithm>

#include "operator/decide/pod_health.h"

namespace spanway::decide {
namespace {

constexpr std::size_t kErrorBytesMax = 300;
constexpr char kReachable[] = "Reachable";
constexpr char kUnreachable[] = "Unreachable";
constexpr char kUnknown[] = "Unknown";

// The pods' reports of now; `store` is empty without one.
QueryStatus report_of(const StatusInput& input, const ComponentView& view) {
  std::size_t reporting = 0;
  std::size_t failing = 0;
  std::string error;
  for (const PodView& pod : view.pods) {
    if (pod.deleting) continue;
    const auto report = input.reports.find(pod.name);
    if (report == input.reports.end() || !report->second.answered || !report->second.store)
      continue;
    ++reporting;
    if (report->second.store->ok) continue;
    if (failing++ == 0) error = report->second.store->error;
  }
  QueryStatus status;
  if (reporting == 0) return status;
  status.store = failing == 0 ? kReachable : kUnreachable;
  if (failing == 0) return status;
  status.message = one_line(std::to_string(failing) + " of " + std::to_string(reporting) +
                                " pods do not reach it" + (error.empty() ? "" : ": " + error),
                            kErrorBytesMax);
  return status;
}

}  // namespace

std::optional<QueryStatus> observe_query(const StatusInput& input, const Json& before) {
  const auto view =
      std::find_if(input.components.begin(), input.components.end(),
                   [](const ComponentView& one) { return one.id.role == render::Role::kQuery; });
  if (view == input.components.end()) return std::nullopt;
  QueryStatus now = report_of(input, *view);
  now.ready = std::to_string(view->stable.ready) + "/" + std::to_string(view->stable.replicas);
  now.since = input.wall_now;
  const std::string store = kube::string_at(before, "query/store");
  const std::string since = kube::string_at(before, "query/since");
  const bool keeps = !store.empty() && (now.store.empty() || now.store == store ||
                                        (store != kUnknown && !may_move(since, input.wall_now)));
  if (keeps) {
    now.store = store;
    now.since = since;
    now.message = kube::string_at(before, "query/message");
  }
  if (now.store.empty()) now.store = kUnknown;
  return now;
}

Json to_json(const QueryStatus& query) {
  Json json = {{"ready", query.ready}, {"store", query.store}, {"since", query.since}};
  if (!query.message.empty()) json["message"] = query.message;
  return json;
}

}  // namespace spanway::decide
