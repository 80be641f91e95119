#include "services/lib/runtime/statusz.h"

#include <algorithm>
#include <type_traits>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/rfc3339.h"

namespace spanway::runtime {
namespace {

constexpr std::size_t kTextBytesMax = 1024;

// The declaration of all members: `v` is a JsonFields or a MarkdownFields. Each call gives a name,
// a value and its meaning.
template <typename V>
void describe(V& v, const Statusz::Activity& a) {
  v.field("count", a.count, "Since the start of the process.");
  v.optional("last", a.last, "When it happened last.");
}

template <typename V>
void describe(V& v, const Statusz::Kafka& k) {
  v.field("reachable", k.reachable, "A broker is connected.");
}

template <typename V>
void describe(V& v, const Statusz::Topic& t) {
  v.field("name", t.name, "Its name.");
  v.field("partitions", t.partitions, "How many it has; 0 = not known.");
  v.field("error", t.error, "Why its metadata cannot be read.");
}

template <typename V>
void describe(V& v, const Statusz::TopicSettings& t) {
  v.field("name", t.name, "Its name.");
  v.field("partitions", t.partitions, "How many it has; 0 = not known.");
  v.field("replication_factor", t.replication_factor, "Copies of its records; 0 = not known.");
  v.optional("min_insync_replicas", t.min_insync_replicas, "min.insync.replicas.");
  v.optional("retention_ms", t.retention_ms, "retention.ms; -1 = for ever.");
  v.optional("retention_bytes", t.retention_bytes, "retention.bytes; -1 = no limit.");
  v.optional("unclean_leader_election", t.unclean_leader_election,
             "unclean.leader.election.enable.");
  v.optional("cleanup_policy", t.cleanup_policy, "cleanup.policy.");
}

template <typename V>
void describe(V& v, const Statusz::Produce& p) {
  v.field("ok", p.ok, "Produce requests are answered OK now.");
  v.field("last_error", p.last_error,
          "Error of the last failed produce request; empty while `ok` is true.");
  v.field("last_error_reason", p.last_error_reason, "The same as one word.");
}

template <typename V>
void describe(V& v, const Statusz::Destination& d) {
  v.optional("name", d.name, "Consuming bridge: consumer.destination.");
  v.optional("type", d.type, "Exporter: destination.type.");
  v.field("endpoint", d.endpoint, "Its address, or `in process`.");
  v.optional("answered", d.answered, "It has answered at least once.");
  v.nullable("reachable", d.reachable,
             "The last request was answered; null before the first request.");
  v.field("last_error", d.last_error, "The last failure; empty after a success.");
  v.field("last_error_reason", d.last_error_reason, "The same as one word.");
  v.optional("circuit", d.circuit, "Exporter: `closed`, `open` or `half_open`.");
  v.optional("degraded", d.degraded,
             "Exporter: the circuit is not closed, only probes are sent. The pod stays ready.");
}

template <typename V>
void describe(V& v, const Statusz::Store& s) {
  v.field("type", s.type, "`clickhouse`, `s3` or `memory`.");
  v.field("endpoint", s.endpoint, "Its address; empty for `memory`.");
  v.nullable("reachable", s.reachable,
             "The store has answered the last query or probe; null before the first one.");
  v.field("last_error", s.last_error, "The last failure of the store; it stays after a success.");
  v.field("last_error_reason", s.last_error_reason, "The same as one word.");
  v.optional("last_error_time", s.last_error_time, "When it happened.");
  v.optional("last_query", s.last_query, "When a query of a client has ended last.");
}

template <typename V>
void describe(V& v, const Statusz::Queries& q) {
  v.field("running", q.running, "Queries that run now.");
  v.field("queued", q.queued, "Queries that wait for a thread.");
  v.field("answered", q.answered, "Answered since the start of the process.");
  v.field("failed", q.failed, "Answered with an error: of the client, of a limit or of the store.");
  v.field("refused", q.refused, "Refused before they ran: 401, 403, 429.");
  v.field("cancelled", q.cancelled, "Ended because their client had gone.");
}

template <typename V>
void describe(V& v, const Statusz::Batch& b) {
  v.field("first_offset", b.first_offset, "Offset of the first record.");
  v.field("last_offset", b.last_offset, "Offset of the last record.");
  v.field("tenant", b.tenant, "Its tenant.");
  v.field("attempts", b.attempts, "How often it was sent.");
  v.field("waits_for", b.waits_for, "The event that the batch waits for.");
  v.field("age_seconds", b.age, "Since it was built.");
}

template <typename V>
void describe(V& v, const Statusz::Tenant& t) {
  v.field("tenant", t.tenant, "Its name.");
  v.field("in_flight", t.in_flight, "Its batches that are sent and not yet answered.");
  v.field("waiting", t.waiting, "Its batches in memory that wait for others to be answered.");
  v.field("slow", t.slow, "A request of it has no answer for a second, or its requests fail.");
  v.field("stalled", t.stalled, "Its delivery is stopped; `stalls` says why.");
  v.field("left_in_kafka", t.left_in_kafka, "Records of it were passed over and are read later.");
  v.field("unanswered_seconds", t.unanswered,
          "Since its oldest request without an answer was sent.");
}

template <typename V>
void describe(V& v, const Statusz::Partition& p) {
  v.field("topic", p.topic, "Its topic.");
  v.field("partition", p.partition, "Its number.");
  v.nullable("lag_messages", p.lag_messages,
             "Records behind the committed offset; null until a broker has reported the end.");
  v.seconds("lag_seconds", p.lag_seconds, "Age of the oldest record that is not committed.");
  v.field("in_flight", p.in_flight, "Batches that are sent and not yet answered.");
  v.field("stalled", p.stalled, "Delivery is stopped.");
  v.field("reason", p.reason, "Why.");
  v.optional("committed_offset", p.committed_offset, "The last committed offset.");
  v.list_unless_empty("batches", p.batches, "In flight or waiting, in offset order; at most 8.");
  v.list_unless_empty(
      "tenants", p.tenants,
      "Tenants that hold what they have for long: slow, stalled or with records left "
      "in Kafka; at most 32.");
}

template <typename V>
void describe(V& v, const Statusz::Assignment& a) {
  v.field("ok", a.ok, "The group assigns partitions to this member as it should.");
  v.field("reason", a.reason, "Why it does not.");
}

template <typename V>
void describe(V& v, const Statusz::Stall& s) {
  v.field("signal", s.signal, "`traces`, `metrics` or `logs`.");
  v.field("tenant", s.tenant, "Its tenant; empty = all.");
  v.field("scope", s.scope, "`destination`, `signal`, `tenant` or `record`.");
  v.field("reason", s.reason, "The answer of the destination.");
  v.field("seconds", s.age, "Since when.");
}

template <typename V>
void describe(V& v, const Statusz::Items& i) {
  v.field("signal", i.signal, "`traces`, `metrics` or `logs`.");
  v.field("read", i.read, "Spans, data points or log records in the records read since the start.");
  v.field("delivered", i.delivered, "Accepted by the destination.");
  v.field("rejected", i.rejected, "Rejected by it inside batches that it accepted.");
  v.field("dead_lettered", i.dead_lettered, "Written to the dead-letter topic or the fallback.");
  v.field("released", i.released, "Left to the next reading, or settled before.");
  v.field("in_flight", i.in_flight, "Not settled yet.");
}

template <typename V>
void describe(V& v, const Statusz::Listeners& l) {
  v.field("grpc_port", l.grpc_port, "OTLP/gRPC; 0 = off.");
  v.field("http_port", l.http_port, "OTLP/HTTP; 0 = off.");
  v.field("tls", l.tls, "Both speak TLS.");
}

template <typename V>
void describe(V& v, const Statusz::Listener& l) {
  v.field("port", l.port, "Exporter: OTLP/gRPC. Query: its HTTP APIs.");
}

template <typename V>
void describe(V& v, const Statusz::Memory& m) {
  v.field("limit", m.limit, "memory_limit of the process; 0 = not measured. All in bytes.");
  v.field("used", m.used, "Accounted: requests and all owners.");
  v.field("rss", m.rss, "Resident memory of the process, as the kernel reports it.");
  v.field("peak", m.peak, "The highest rss.");
  v.field("budget", m.budget, "Upper bound of `used`.");
  v.field("gate_closed", m.gate_closed,
          "The process is near memory_limit and refuses new work; as the metric "
          "spanway_runtime_memory_gate_closed.");
  v.numbers("owners", m.owners, "The account by owner: `requests`, `connections`, ...");
}

template <typename V>
void describe(V& v, const Statusz::Operator& o) {
  v.field("identity", o.identity, "Operator: its name in the Lease.");
  v.field("leading", o.leading, "Operator: it holds the Lease.");
  v.field("synced", o.synced, "Operator: the caches are filled.");
  v.field("pipelines", o.pipelines, "Operator: Pipelines in the cache.");
  v.field("waiting", o.waiting, "Operator: keys in the work queue.");
  v.field("cached_objects", o.cached_objects, "Operator: objects in the cache.");
  v.field("cached_bytes", o.cached_bytes, "Operator: their size.");
}

template <typename V>
void describe(V& v, const Statusz::LoggedError& e) {
  v.field("time", e.time, "When, in UTC.");
  v.field("level", e.level, "`warn` or `error`.");
  v.field("message", e.message, "The log line: message and fields.");
}

template <typename V>
void describe_service(V& v, const Statusz& s) {
  v.field("ready", s.ready, "As /readyz answers for this service.");
  v.field("reason", s.reason, "Why it is not ready, or what is degraded although it is.");
  v.optional("mode", s.mode, "Bridge: `produce`, `consume` or `both`.");
  v.object("kafka", s.kafka, "Bridge: the brokers.");
  v.list("topics", s.topics, "Bridge: the topics of the signals.");
  v.list("topic_settings", s.topic_settings,
         "Bridge: the settings of topics and dead-letter topics, read every 5 min.");
  v.optional("grpc_port", s.grpc_port,
             "Producing bridge, and query with the memory store: where OTLP/gRPC comes in.");
  v.object("listeners", s.listeners, "Ingress: where it listens.");
  v.object("listener", s.listener, "Exporter, query: where it listens.");
  v.optional("queue_bytes", s.queue_bytes, "Producing bridge: bytes queued in librdkafka.");
  v.object("produce", s.produce, "Producing bridge: produce requests.");
  v.list("weaknesses", s.weaknesses, "Bridge: topic settings that can lose records.");
  v.optional("group", s.group, "Consuming bridge: group.id.");
  v.optional("fused", s.fused, "Exporter in the bridge's process: called without a network hop.");
  v.object("destination", s.destination, "Consuming bridge: its exporter. Exporter: the backend.");
  v.object("next", s.next, "Ingress: the bridge.");
  v.object("store", s.store, "Query: the store of traces.");
  v.object("queries", s.queries, "Query: the queries of its clients.");
  v.list("partitions", s.partitions, "Consuming bridge: the assigned partitions.");
  v.object("assignment", s.assignment, "Consuming bridge: the consumer group.");
  v.optional("lost_records", s.lost_records,
             "Consuming bridge: records deleted from the log before they were read.");
  v.list("stalls", s.stalls, "Consuming bridge: what is not delivered at present.");
  v.list("items", s.items, "Consuming bridge: the items read, by signal; they add up.");
  v.object("polls", s.polls, "Consuming bridge: polls that returned records.");
  v.object("commits", s.commits, "Consuming bridge: offset commits acknowledged by Kafka.");
  v.object("rebalances", s.rebalances, "Consuming bridge: assignments and revocations.");
  v.object("memory", s.memory, "The account by owner beside what the kernel counts.");
  v.numbers_unless_empty("received", s.received,
                         "Ingress: `spans`, `data_points`, `log_records` since the start.");
  v.optional("merge_waiting", s.merge_waiting, "Ingress: requests that wait to be merged.");
  v.optional("certificate_expires_in_seconds", s.certificate_expires_in_seconds,
             "Ingress: remaining validity of the certificate in use.");
  v.optional("certificate_reload_error", s.certificate_reload_error,
             "Ingress: why the newest certificate is not in use.");
  v.inlined(s.controller);
  v.optional("last_error", s.last_error, "Bridge: the newest failure of Kafka or the destination.");
}

constexpr const char* kCredentialErrorsMeaning =
    "Process: credentials (tokens, passwords, headers, TLS files of clients) that were read again "
    "and cannot be used, with the reason; the previous ones stay in use. At most 16.";
constexpr const char* kErrorsMeaning =
    "Process: the last 16 logged warnings and errors, oldest first.";

class JsonFields {
 public:
  explicit JsonFields(JsonWriter& json) : json_(json) {}

  template <typename T>
  void field(const char* name, const T& value, const char*) {
    json_.key(name);
    write(value);
  }
  void seconds(const char* name, double value, const char*) { json_.key(name).fixed(value, 3); }
  template <typename T>
  void optional(const char* name, const std::optional<T>& value, const char* meaning) {
    if (value) field(name, *value, meaning);
  }
  template <typename T>
  void nullable(const char* name, const std::optional<T>& value, const char* meaning) {
    if (value) return field(name, *value, meaning);
    json_.key(name).null();
  }
  template <typename T>
  void object(const char* name, const std::optional<T>& value, const char* meaning) {
    if (value) field(name, *value, meaning);
  }
  template <typename T>
  void inlined(const std::optional<T>& value) {
    if (value) describe(*this, *value);
  }
  template <typename T>
  void list(const char* name, const std::optional<std::vector<T>>& values, const char*) {
    if (!values) return;
    json_.begin_array(name);
    for (const T& value : *values) write(value);
    json_.end_array();
  }
  template <typename T>
  void list_unless_empty(const char* name, const std::vector<T>& values, const char* meaning) {
    if (!values.empty()) list(name, std::optional(values), meaning);
  }
  template <typename T>
  void numbers(const char* name, const std::vector<std::pair<std::string, T>>& values,
               const char*) {
    json_.begin_object(name);
    for (const auto& [key, value] : values) json_.member(key, value);
    json_.end_object();
  }
  template <typename T>
  void numbers_unless_empty(const char* name, const std::vector<std::pair<std::string, T>>& values,
                            const char* meaning) {
    if (!values.empty()) numbers(name, values, meaning);
  }

 private:
  template <typename T>
  void write(const T& value) {
    if constexpr (std::is_same_v<T, Duration>) {
      json_.fixed(std::chrono::duration<double>(value).count(), 3);
    } else if constexpr (std::is_same_v<T, SystemTime>) {
      json_.value(to_rfc3339(value));
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      json_.value(value);
    } else {
      json_.begin_object();
      describe(*this, value);
      json_.end_object();
    }
  }

  JsonWriter& json_;
};

class MarkdownFields {
 public:
  explicit MarkdownFields(std::string& out) : out_(out) {}

  template <typename T>
  void field(const char* name, const T&, const char* meaning) {
    if constexpr (is_object<T>()) {
      nested<T>(name, "", "object", meaning);
    } else {
      row(name, type_name<T>(), meaning);
    }
  }
  void seconds(const char* name, double, const char* meaning) { row(name, "seconds", meaning); }
  template <typename T>
  void optional(const char* name, const std::optional<T>&, const char* meaning) {
    row(name, type_name<T>(), meaning);
  }
  template <typename T>
  void nullable(const char* name, const std::optional<T>&, const char* meaning) {
    row(name, type_name<T>() + ", null", meaning);
  }
  template <typename T>
  void object(const char* name, const std::optional<T>&, const char* meaning) {
    nested<T>(name, "", "object", meaning);
  }
  template <typename T>
  void inlined(const std::optional<T>&) {
    describe(*this, T{});
  }
  template <typename T>
  void list(const char* name, const std::optional<std::vector<T>>&, const char* meaning) {
    nested<T>(name, "[]", "list", meaning);
  }
  template <typename T>
  void list_unless_empty(const char* name, const std::vector<T>&, const char* meaning) {
    nested<T>(name, "[]", "list", meaning);
  }
  template <typename T>
  void numbers(const char* name, const std::vector<std::pair<std::string, T>>&,
               const char* meaning) {
    row(name, "numbers by name", meaning);
  }
  template <typename T>
  void numbers_unless_empty(const char* name, const std::vector<std::pair<std::string, T>>& values,
                            const char* meaning) {
    numbers(name, values, meaning);
  }
  void row(const std::string& name, const std::string& type, const char* meaning) {
    out_ += "| `" + prefix_ + name + "` | " + type + " | " + meaning + " |\n";
  }

 private:
  template <typename T>
  static constexpr bool is_object() {
    return !std::is_arithmetic_v<T> && !std::is_same_v<T, std::string> &&
           !std::is_same_v<T, Duration> && !std::is_same_v<T, SystemTime>;
  }
  template <typename T>
  static std::string type_name() {
    if constexpr (std::is_same_v<T, bool>) return "boolean";
    if constexpr (std::is_same_v<T, std::string>) return "text";
    if constexpr (std::is_same_v<T, Duration>) return "seconds";
    if constexpr (std::is_same_v<T, SystemTime>) return "time";
    return "number";
  }
  template <typename T>
  void nested(const std::string& name, const std::string& mark, const char* type,
              const char* meaning) {
    row(name + mark, is_object<T>() ? type : "list of texts", meaning);
    if constexpr (is_object<T>()) {
      const std::string outer = prefix_;
      prefix_ += name + mark + ".";
      describe(*this, T{});
      prefix_ = outer;
    }
  }

  std::string& out_;
  std::string prefix_;
};

void write_object(JsonWriter& json, const Statusz& status) {
  json.begin_object();
  JsonFields fields(json);
  if (status.services) {
    for (const NamedStatusz& service : *status.services) {
      json.key(service.name);
      write_object(json, service.status);
    }
  } else {
    describe_service(fields, status);
  }
  fields.list("credential_errors", status.credential_errors, kCredentialErrorsMeaning);
  fields.list("errors", status.errors, kErrorsMeaning);
  json.end_object();
}

}  // namespace

std::string to_json(const Statusz& status) {
  std::string text;
  JsonWriter json(text, kTextBytesMax);
  write_object(json, status);
  return text;
}

std::string statusz_markdown() {
  std::string text =
      "# Status\n\n"
      "`GET /statusz` of the admin port returns one JSON object with these members. `make docs` "
      "generates this page from the code, and a test compares the two. Members are only ever "
      "added. One that is missing "
      "is unknown, or belongs to another service. A process with several services returns one such "
      "object for each, under its name. Times are UTC as in RFC 3339; texts are truncated at 1 "
      "KiB.\n\n"
      "| member | type | meaning |\n|---|---|---|\n";
  MarkdownFields fields(text);
  describe_service(fields, Statusz{});
  fields.list("credential_errors", Statusz{}.credential_errors, kCredentialErrorsMeaning);
  fields.list("errors", Statusz{}.errors, kErrorsMeaning);
  return text;
}

Statusz::Memory memory_status(const MemoryGate* gate, const MemoryBudget& budget,
                              std::initializer_list<MemoryOwner> owners) {
  Statusz::Memory memory;
  if (gate != nullptr) {
    memory.limit = gate->limit();
    memory.rss = gate->resident();
    memory.peak = gate->peak();
    memory.gate_closed = !gate->is_open();
  }
  memory.budget = budget.limit();
  std::size_t of_budget = 0;
  for (const MemoryOwner& owner : owners) {
    memory.used += owner.bytes;
    of_budget += owner.of_budget;
    memory.owners.emplace_back(owner.name, owner.bytes);
  }
  const std::size_t requests = budget.used() - std::min(budget.used(), of_budget);
  memory.used += requests;
  memory.owners.emplace(memory.owners.begin(), "requests", requests);
  return memory;
}

}  // namespace spanway::runtime
