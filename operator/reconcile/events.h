// The operator's own metrics, logs, and Kubernetes Events on the Pipeline.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "operator/decide/rollout.h"
#include "operator/json/json.h"
#include "operator/k8s/reconcile_scope.h"
#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::reconcile {

using kube::Json;

std::span<const telemetry::MetricSpec> metric_specs();

// A Kubernetes Event about a Pipeline, to be written in the background.
struct Announcement {
  Json regarding;  // The Pipeline: apiVersion, kind, metadata.
  bool is_warning = false;
  std::string reason;  // CamelCase.
  std::string action;  // CamelCase: what was done.
  std::string note;    // One sentence, at most 1 KiB.
};
// Never blocks.
using Announce = std::function<void(const Announcement&)>;

using kube::ReconcileScope;

// Thread-safe; outlived by the registry and the log.
class Events {
 public:
  Events(telemetry::Telemetry telemetry, Announce announce);

  void reconciled(const kube::ObjectKey& pipeline, Duration took) const;
  void reconcile_failed(const kube::ObjectKey& pipeline, const Error& error, Duration took) const;
  // The step that a rollout has reached, with its cause.
  void phase_changed(const kube::ObjectKey& pipeline, decide::RolloutDecision::Phase before,
                     const decide::RolloutDecision& decision) const;
  // `verb`: "apply", "delete", "scale", "status".
  void wrote(std::string_view verb, const kube::ResourceType& type,
             const kube::ObjectKey& key) const;
  void drift(const Json& pipeline, const kube::ResourceType& type, const kube::ObjectKey& key,
             const std::string& field, const std::string& manager) const;
  // An object is put back ever more seldom, because another client changes it again and again.
  void contested(const Json& pipeline, const kube::ResourceType& type, const kube::ObjectKey& key,
                 Duration each) const;
  // A webhook has changed a field of an applied object; it is not applied again and again.
  void not_kept(const kube::ResourceType& type, const kube::ObjectKey& key,
                const std::string& field) const;
  void rolled_back(const Json& pipeline, const std::string& reason,
                   const std::string& message) const;
  void scaled(const Json& pipeline, const std::string& name, std::int64_t from, std::int64_t to,
              const std::string& why) const;
  void announce(const Json& pipeline, bool is_warning, std::string reason, std::string action,
                std::string note) const;
  void secret_failed(const kube::ObjectKey& secret, const Error& error) const;
  void pipelines(std::size_t count) const { pipelines_.set(static_cast<double>(count)); }
  void waiting(std::size_t count) const { waiting_.set(static_cast<double>(count)); }
  void cached(std::size_t objects, std::size_t bytes) const;
  const telemetry::Logger& log() const noexcept { return log_; }

 private:
  const telemetry::Logger& log_;
  const Announce announce_;
  telemetry::Counter reconciled_ok_;
  telemetry::Counter reconciled_failed_;
  telemetry::Histogram seconds_;
  telemetry::Counter applies_;
  telemetry::Counter deletes_;
  telemetry::Counter scales_;
  telemetry::Counter statuses_;
  telemetry::Counter drifts_;
  telemetry::Counter rollbacks_;
  telemetry::Gauge pipelines_;
  telemetry::Gauge waiting_;
  telemetry::Gauge cached_objects_;
  telemetry::Gauge cached_bytes_;
};

}  // namespace spanway::reconcile
