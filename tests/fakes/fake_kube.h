// A Kubernetes API server in memory, with the controllers and the kubelet as a script: for tests of
// the layers above kube::Client. It keeps what the real server promises and the operator relies
// on: resource versions, generations, uids, status and scale as subresources, ownership of fields
// under server-side apply, conflicts, immutable selectors, garbage collection by owner.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "operator/k8s/kube_client.h"
#include "services/lib/base/mutex.h"

namespace spanway::fakes {

// Thread-safe. Does nothing by itself: step() lets the controllers and the kubelet work once.
class FakeKube final : public kube::Client {
 public:
  using Json = kube::Json;

  explicit FakeKube(const Clock& clock) : clock_(clock) {}

  // kube::Client.
  Result<Json> get(const kube::ResourceType& type, const kube::ObjectKey& key) override;
  Result<kube::ListResult> list(const kube::ResourceType& type,
                                const kube::ListOptions& options) override;
  Status watch(const kube::ResourceType& type, const kube::WatchOptions& options,
               const std::stop_token& stop,
               const std::function<bool(kube::WatchEvent)>& on_event) override;
  Result<Json> apply(const kube::ResourceType& type, const Json& object,
                     const kube::ApplyOptions& options, std::string_view subresource = {}) override;
  Result<Json> create(const kube::ResourceType& type, const Json& object) override;
  Result<Json> replace(const kube::ResourceType& type, const Json& object,
                       std::string_view subresource = {}) override;
  Result<Json> merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key,
                           const Json& patch, std::string_view subresource = {}) override;
  Status remove(const kube::ResourceType& type, const kube::ObjectKey& key,
                const std::string& uid = {}) override;
  Result<bool> serves(const kube::ResourceType& type) override;

  // A mutating webhook: changes an object before it is stored, for any writer.
  std::function<void(const kube::ResourceType& type, Json& object)> on_store;

  // Actions of other clients; not counted as writes of the client.
  // Merge-patches spec, metadata or data as `manager` would with kubectl edit.
  void edit(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& patch,
            const std::string& manager);
  void put(const kube::ResourceType& type, Json object, const std::string& manager = "kubectl");
  void erase(const kube::ResourceType& type, const kube::ObjectKey& key);

  // The state of a pod after this step.
  struct PodFate {
    enum class Kind { kReady, kNotReady, kCrashes, kUnschedulable } kind = Kind::kReady;
    int exit_code = 1;
    std::string message;  // The termination message.
    friend bool operator==(const PodFate&, const PodFate&) = default;
  };
  // Called once at each step for each running pod; of a Job's pod kReady is an end with 0 (its
  // message is the termination message), kCrashes an end with `exit_code`, kNotReady still runs.
  std::function<PodFate(const Json& pod)> fate = [](const Json&) { return PodFate{}; };

  // An admission of pods that refuses, as a quota does: why the owner may have no (further) pod, ""
  // when it may. The owner's controller reports it as it does in a real cluster: a Deployment by
  // its condition ReplicaFailure, others by an Event FailedCreate.
  std::function<std::string(const Json& owner)> refuse_pods = [](const Json&) { return ""; };

  // The Deployment, StatefulSet and Job controllers, the garbage collector and the kubelet do one
  // round.
  void step();

  // The object as stored, null when there is none.
  Json at(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  std::vector<Json> all(const kube::ResourceType& type) const;
  std::vector<std::string> names(const kube::ResourceType& type) const;
  // Moves when an object of the kind comes, changes or goes.
  std::uint64_t version(const kube::ResourceType& type) const;

  // Writes that the client requested: "apply deployments a/b", "patch pipelines/status a/b". Also
  // those that failed or changed nothing.
  std::vector<std::string> writes() const;
  std::size_t write_count() const;
  // All verbs, or one: "get", "list".
  std::size_t read_count(std::string_view verb = {}) const;
  void forget_writes();

  // The next `times` calls of `verb` ("get", "list", "apply", "create", "replace", "patch",
  // "delete") on `plural` (empty = any) fail so.
  void fail(std::string verb, std::string plural, Error error, int times = 1);
  // Nothing fails any more.
  void heal();
  void set_serves(const kube::ResourceType& type, bool yes);

 private:
  // Paths of owned fields, their segments as in fieldsV1, joined by '\n'.
  using FieldSet = std::set<std::string>;
  struct Manager {
    std::string name;
    bool applies = false;  // Else Update.
    friend auto operator<=>(const Manager&, const Manager&) = default;
  };
  struct Stored {
    Json object;  // Without managedFields.
    std::map<Manager, FieldSet> managers;
  };
  using Kind = std::map<kube::ObjectKey, Stored>;
  struct Change {
    std::uint64_t version;
    std::string kind;
    kube::WatchEvent::Type type;
    Json object;
  };
  struct Failure {
    std::string verb;
    std::string plural;
    Error error;
    int times;
  };

  Kind& kind_of(const kube::ResourceType& type) SPANWAY_REQUIRES(mutex_);
  Status begin(std::string_view verb, const kube::ResourceType& type, const std::string& what,
               bool is_write) SPANWAY_REQUIRES(mutex_);
  // Stores `next` when it differs; bumps versions; notifies watchers.
  static bool bumps_generation(const kube::ResourceType& type, const Json& before,
                               const Json& next);
  Json store(const kube::ResourceType& type, const kube::ObjectKey& key, Stored next,
             bool keep_generation) SPANWAY_REQUIRES(mutex_);
  void update(const kube::ResourceType& type, const kube::ObjectKey& key, Json next,
              const std::string& manager, bool status) SPANWAY_REQUIRES(mutex_);
  void erase_locked(const kube::ResourceType& type, const kube::ObjectKey& key)
      SPANWAY_REQUIRES(mutex_);
  void note_version(const kube::ResourceType& type) SPANWAY_REQUIRES(mutex_);
  using Fates = std::map<kube::ObjectKey, PodFate>;
  // The fates of existing pods; those of Jobs are requested when their Job runs.
  Fates read_fates() SPANWAY_REQUIRES(mutex_);
  bool has_running_jobs() SPANWAY_REQUIRES(mutex_);
  const std::string& template_hash(const Json& workload) SPANWAY_REQUIRES(mutex_);
  void run_deployments() SPANWAY_REQUIRES(mutex_);
  void run_stateful_sets() SPANWAY_REQUIRES(mutex_);
  void run_jobs() SPANWAY_REQUIRES(mutex_);
  // Objects whose owner was gone before they came; those that go with it go in erase_locked().
  void run_garbage_collector() SPANWAY_REQUIRES(mutex_);
  void run_pod(const kube::ObjectKey& key, const PodFate& is) SPANWAY_REQUIRES(mutex_);
  // False when it is refused.
  bool make_pod(const Json& owner, const kube::ResourceType& owner_type, const std::string& name)
      SPANWAY_REQUIRES(mutex_);
  std::vector<Json> pods_of(const Json& owner) SPANWAY_REQUIRES(mutex_);
  void workload_status(const kube::ResourceType& type, const Json& workload)
      SPANWAY_REQUIRES(mutex_);
  std::string now_text() const;

  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Kind> kinds_ SPANWAY_GUARDED_BY(mutex_);
  std::uint64_t version_ SPANWAY_GUARDED_BY(mutex_) = 1;
  std::uint64_t uids_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::uint64_t> versions_ SPANWAY_GUARDED_BY(mutex_);  // By plural.
  // The last version that concerns a controller.
  std::uint64_t moved_at_ SPANWAY_GUARDED_BY(mutex_) = 1;
  // A step that changed nothing: as long as nothing has moved and the fates are the same, the next
  // one would not either.
  std::uint64_t idle_at_ SPANWAY_GUARDED_BY(mutex_) = 0;
  Fates idle_with_ SPANWAY_GUARDED_BY(mutex_);
  // By uid and generation.
  std::map<std::string, std::string> template_hashes_ SPANWAY_GUARDED_BY(mutex_);
  std::deque<Change> changes_ SPANWAY_GUARDED_BY(mutex_);  // The last 20'000.
  std::vector<std::string> writes_ SPANWAY_GUARDED_BY(mutex_);
  std::map<std::string, std::size_t> reads_ SPANWAY_GUARDED_BY(mutex_);  // By verb.
  std::vector<Failure> failures_ SPANWAY_GUARDED_BY(mutex_);
  std::set<std::string> unserved_ SPANWAY_GUARDED_BY(mutex_) = {"servicemonitors",
                                                                "prometheusrules", "httproutes"};
};

}  // namespace spanway::fakes
