// The content of /statusz: one struct and one writer for all services and the operator. The fields
// are declared once, in statusz.cc; STATUSZ.md comes from the same declaration. Fields are only
// ever added: the operator and users read those of older and newer processes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/memory_gate.h"

namespace spanway::runtime {

struct NamedStatusz;

// The status of one service. Plain values; no secrets. Members that are not set are left out, or
// null where STATUSZ.md says so: a reader takes a missing one as unknown. Texts are truncated at 1
// KiB.
struct Statusz {
  // How often something happened, and when last.
  struct Activity {
    std::uint64_t count = 0;
    std::optional<SystemTime> last;
  };
  struct Kafka {
    bool reachable = false;
  };
  struct Topic {
    std::string name;
    std::int64_t partitions = 0;
    std::string error;
  };
  // Settings of a topic that are in effect.
  struct TopicSettings {
    std::string name;
    std::int64_t partitions = 0;
    std::int64_t replication_factor = 0;
    std::optional<std::int64_t> min_insync_replicas;
    std::optional<std::int64_t> retention_ms;
    std::optional<std::int64_t> retention_bytes;
    std::optional<bool> unclean_leader_election;
    std::optional<std::string> cleanup_policy;
  };
  // Produce requests: what clients get now.
  struct Produce {
    bool ok = true;
    std::string last_error;
    std::string last_error_reason;
  };
  // The place a service sends to.
  struct Destination {
    std::optional<std::string> name;
    std::optional<std::string> type;
    std::string endpoint;
    std::optional<bool> answered;
    std::optional<bool> reachable;  // Unset = nothing has been sent yet.
    std::string last_error;
    std::string last_error_reason;
    std::optional<std::string> circuit = std::nullopt;
    std::optional<bool> degraded = std::nullopt;
  };
  // The place a service reads from.
  struct Store {
    std::string type;
    std::string endpoint;
    std::optional<bool> reachable;  // Unset = nothing has been read yet.
    std::string last_error;         // Stays after a success.
    std::string last_error_reason;
    std::optional<SystemTime> last_error_time;
    std::optional<SystemTime> last_query;
  };
  struct Queries {
    std::size_t running = 0;
    std::size_t queued = 0;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::uint64_t refused = 0;
    std::uint64_t cancelled = 0;
  };
  // A batch that is in flight or waits to be sent again.
  struct Batch {
    std::int64_t first_offset = 0;
    std::int64_t last_offset = 0;
    std::string tenant;
    int attempts = 0;
    std::string waits_for;  // "answer", "backoff", "probe", "dead letter", ...
    Duration age{};
  };
  // A tenant of a partition whose batches are not answered in time, stall or were left in Kafka.
  struct Tenant {
    std::string tenant;
    std::size_t in_flight = 0;
    std::size_t waiting = 0;
    bool slow = false;
    bool stalled = false;
    bool left_in_kafka = false;
    Duration unanswered{};
  };
  struct Partition {
    std::string topic;
    std::int32_t partition = 0;
    std::optional<std::int64_t> lag_messages;  // Unset until a broker has reported the end.
    double lag_seconds = 0;
    std::size_t in_flight = 0;
    bool stalled = false;
    std::string reason;
    std::optional<std::int64_t> committed_offset;
    std::vector<Batch> batches;   // In offset order, at most kBatchesMax.
    std::vector<Tenant> tenants;  // At most kTenantsMax.
  };
  static constexpr std::size_t kBatchesMax = 8;
  static constexpr std::size_t kTenantsMax = 32;
  struct Assignment {
    bool ok = true;
    std::string reason;
  };
  // A stream that a consumer has stopped delivering.
  struct Stall {
    std::string signal;
    std::string tenant;
    std::string scope;
    std::string reason;
    Duration age{};
  };
  // Where the items of one signal's records went; taken at one moment, so that `read` is the sum of
  // the others.
  struct Items {
    std::string signal;
    std::uint64_t read = 0;
    std::uint64_t delivered = 0;
    std::uint64_t rejected = 0;
    std::uint64_t dead_lettered = 0;
    std::uint64_t released = 0;
    std::uint64_t in_flight = 0;
  };
  struct Listeners {
    std::uint16_t grpc_port = 0;
    std::uint16_t http_port = 0;
    bool tls = false;
  };
  struct Listener {
    std::uint16_t port = 0;
  };
  struct Memory {
    std::size_t limit = 0;
    std::size_t used = 0;
    std::size_t rss = 0;
    std::size_t peak = 0;
    std::size_t budget = 0;
    bool gate_closed = false;
    std::vector<std::pair<std::string, std::size_t>> owners;
  };
  struct Operator {
    std::string identity;
    bool leading = false;
    bool synced = false;
    std::size_t pipelines = 0;
    std::size_t waiting = 0;
    std::size_t cached_objects = 0;
    std::size_t cached_bytes = 0;
  };
  // One logged warning or error.
  struct LoggedError {
    SystemTime time{};
    std::string level;
    std::string message;
  };

  bool ready = false;
  std::string reason;  // Why it is not ready.
  std::optional<std::string> mode;
  std::optional<Kafka> kafka;
  std::optional<std::vector<Topic>> topics;
  std::optional<std::vector<TopicSettings>> topic_settings;
  std::optional<std::uint16_t> grpc_port;
  std::optional<Listeners> listeners;
  std::optional<Listener> listener;
  std::optional<std::size_t> queue_bytes;
  std::optional<Produce> produce;
  std::optional<std::vector<std::string>> weaknesses;
  std::optional<std::string> group;
  std::optional<bool> fused;
  std::optional<Destination> destination;
  std::optional<Destination> next;
  std::optional<Store> store;
  std::optional<Queries> queries;
  std::optional<std::vector<Partition>> partitions;
  std::optional<Assignment> assignment;
  std::optional<std::uint64_t> lost_records;
  std::optional<std::vector<Stall>> stalls;
  std::optional<std::vector<Items>> items;
  std::optional<Activity> polls;
  std::optional<Activity> commits;
  std::optional<Activity> rebalances;
  std::optional<Memory> memory;
  std::vector<std::pair<std::string, std::uint64_t>> received;  // Left out when empty.
  std::optional<std::size_t> merge_waiting;
  std::optional<std::int64_t> certificate_expires_in_seconds;
  std::optional<std::string> certificate_reload_error;
  std::optional<Operator> controller;
  std::optional<std::string> last_error;

  // Several services in one process: an object with one member for each takes the place of all of
  // the above.
  std::optional<std::vector<NamedStatusz>> services;
  // The process's; set by the runtime.
  std::optional<std::vector<std::string>> credential_errors;
  std::optional<std::vector<LoggedError>> errors;
};

struct NamedStatusz {
  std::string name;
  Statusz status;
};

// One line of JSON, without a line feed.
std::string to_json(const Statusz& status);

// STATUSZ.md: every member with its type and meaning.
std::string statusz_markdown();

// One line of the memory account: part of a service's budget, or a share that a client library has.
struct MemoryOwner {
  MemoryOwner(const char* n, const MemoryBudget& account)
      : name(n), bytes(account.used()), of_budget(account.used_of_parent()) {}
  MemoryOwner(const char* n, std::size_t outside) : name(n), bytes(outside) {}

  const char* name;
  std::size_t bytes;
  std::size_t of_budget = 0;
};

// `limit`, `rss` and `peak` (of rss) are the process's and 0 without a gate; `used` and `budget`
// are of the account, whose bytes without an owner in `owners` are those of requests.
Statusz::Memory memory_status(const MemoryGate* gate, const MemoryBudget& budget,
                              std::initializer_list<MemoryOwner> owners);

}  // namespace spanway::runtime
