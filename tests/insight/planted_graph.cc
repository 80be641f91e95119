#include "tests/insight/planted_graph.h"

#include <algorithm>
#include <utility>

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;
constexpr std::int64_t kMilli = 1'000'000;
constexpr int kRequests = 40;

enum class Way : unsigned char {
  kCall,
  kMessageByParent,
  kMessageByLink,
  kDatabase,
  kHost,
  kNamed
};

struct PlannedEdge {
  std::string to;
  Way way;
};
struct Producer {
  SpanReference span;
  std::string service;
};

class GraphPlanter {
 public:
  explicit GraphPlanter(std::uint64_t seed) : random_(seed) { plan(); }

  PlantedGraph plant() {
    for (int request = 0; request < kRequests; ++request) {
      TraceBuilder trace(random_);
      serve(trace, TraceBuilder::kNoParent, 0, request * kMilli);
      finish(std::move(trace));
    }
    consume_links();
    link_a_job();
    return std::move(graph_);
  }

 private:
  static std::string name_of(std::size_t service) { return "svc-" + std::to_string(service); }

  // Edges lead to services of higher numbers, so that no request runs in a circle.
  void plan() {
    const auto services = static_cast<std::size_t>(random_.integer(8, 14));
    planned_.resize(services);
    for (std::size_t from = 0; from + 1 < services; ++from) {
      const auto callees = random_.integer(1, 3);
      for (std::int64_t n = 0; n < callees; ++n) {
        const auto to = static_cast<std::size_t>(random_.integer(
            static_cast<std::int64_t>(from) + 1, static_cast<std::int64_t>(services) - 1));
        const double way = random_.unit();
        planned_[from].push_back({name_of(to), way < 0.7    ? Way::kCall
                                               : way < 0.85 ? Way::kMessageByParent
                                                            : Way::kMessageByLink});
      }
      const std::string number = std::to_string(from);
      if (random_.chance(0.5))
        planned_[from].push_back({"postgresql/db-" + number, Way::kDatabase});
      if (random_.chance(0.2))
        planned_[from].push_back({"api-" + number + ".example.com", Way::kHost});
      if (random_.chance(0.2)) planned_[from].push_back({"legacy-" + number, Way::kNamed});
    }
  }

  static std::size_t number_of(const std::string& service) {
    return std::stoul(service.substr(std::string("svc-").size()));
  }

  // The server's span of a service and the calls below it.
  void serve(TraceBuilder& trace, std::size_t parent, std::size_t service, std::int64_t begin) {
    const std::size_t server = trace.add(parent, {name_of(service), "GET /work", SpanKind::kServer},
                                         begin, begin + 90 * kMilli);
    work(trace, server, service, begin);
  }

  void work(TraceBuilder& trace, std::size_t server, std::size_t service, std::int64_t begin) {
    std::size_t above = server;
    if (random_.chance(0.4))
      above = trace.add(server, {name_of(service), "handle", SpanKind::kInternal}, begin,
                        begin + 80 * kMilli);
    if (random_.chance(0.1)) call_itself(trace, above, service, begin);
    for (const PlannedEdge& edge : planned_[service])
      if (random_.chance(0.7) && trace.size() < 400) follow(trace, above, service, edge, begin);
  }

  void follow(TraceBuilder& trace, std::size_t above, std::size_t service, const PlannedEdge& edge,
              std::int64_t begin) {
    const std::string from = name_of(service);
    switch (edge.way) {
      case Way::kCall:
        call(trace, above, service, edge.to, begin);
        break;
      case Way::kMessageByParent: {
        const std::size_t producer =
            trace.add(above, {from, "orders send", SpanKind::kProducer}, begin, begin + kMilli);
        const std::size_t consumer =
            trace.add(producer, {edge.to, "orders process", SpanKind::kConsumer},
                      begin + 200 * kMilli, begin + 300 * kMilli);
        // Some libraries link the producer as well.
        if (random_.chance(0.3)) trace[consumer].links.push_back(trace.reference(producer));
        count(from, edge.to, EdgeKind::kMessaging);
        work(trace, consumer, number_of(edge.to), begin + 200 * kMilli);
        break;
      }
      case Way::kMessageByLink: {
        const std::size_t producer =
            trace.add(above, {from, "events send", SpanKind::kProducer}, begin, begin + kMilli);
        produced_[edge.to].push_back({trace.reference(producer), from});
        break;
      }
      case Way::kDatabase:
      case Way::kHost:
      case Way::kNamed:
        call_peer(trace, above, from, edge, begin);
        break;
    }
  }

  void call(TraceBuilder& trace, std::size_t above, std::size_t service, const std::string& to,
            std::int64_t begin) {
    const Place client{name_of(service), "GET", SpanKind::kClient};
    const std::string host = to + ".internal";
    std::size_t outer = trace.add(above, client, begin, begin + 50 * kMilli);
    trace.set(outer, random_.chance(0.5) ? "server.address" : "net.peer.name", host);
    // A retry, beside or inside of the call that is answered in the end.
    if (random_.chance(0.1)) {
      const std::size_t failed = trace.add(above, client, begin, begin + kMilli);
      trace.set(failed, "server.address", host);
      trace[failed].has_failed = true;
      count(name_of(service), to, EdgeKind::kCall);
    }
    if (random_.chance(0.2)) {
      const std::size_t failed = trace.add(outer, client, begin, begin + kMilli);
      trace.set(failed, "server.address", host);
      trace[failed].has_failed = true;
      outer = trace.add(outer, client, begin, begin + 40 * kMilli);
    }
    const std::size_t first = trace.size();
    serve(trace, outer, number_of(to), begin + kMilli);
    count(name_of(service), to, EdgeKind::kCall);
    if (random_.chance(0.1)) share_id(trace, outer, first);
  }

  // As Zipkin's clients and servers do.
  static void share_id(TraceBuilder& trace, std::size_t client, std::size_t server) {
    const std::string own = trace[server].id;
    trace[server].id = trace[client].id;
    trace[server].parent_id = trace[client].parent_id;
    for (std::size_t index = server + 1; index < trace.size(); ++index)
      if (trace[index].parent_id == own) trace[index].parent_id = trace[client].id;
  }

  void call_peer(TraceBuilder& trace, std::size_t above, const std::string& from,
                 const PlannedEdge& edge, std::int64_t begin) {
    const std::size_t client =
        trace.add(above, {from, "SELECT", SpanKind::kClient}, begin, begin + 5 * kMilli);
    const bool is_old = random_.chance(0.5);
    if (edge.way == Way::kDatabase) {
      trace.set(client, is_old ? "db.system" : "db.system.name", "postgresql");
      trace.set(client, is_old ? "db.name" : "db.namespace", edge.to.substr(edge.to.find('/') + 1));
      trace.set(client, "server.address", "10.0.0.7");
    } else if (edge.way == Way::kHost) {
      trace.set(client, is_old ? "net.peer.name" : "server.address", edge.to);
    } else {
      trace.set(client, "peer.service", edge.to);
      trace.set(client, "server.address", "10.0.0.8");
    }
    // The driver's transport has a span as well.
    if (random_.chance(0.3)) {
      const std::size_t inner =
          trace.add(client, {from, "POST", SpanKind::kClient}, begin, begin + 4 * kMilli);
      trace.set(inner, "server.address", "10.0.0.9");
    }
    count(from, edge.to, edge.way == Way::kDatabase ? EdgeKind::kDatabase : EdgeKind::kCall);
  }

  void call_itself(TraceBuilder& trace, std::size_t above, std::size_t service,
                   std::int64_t begin) {
    const std::string name = name_of(service);
    const std::size_t client =
        trace.add(above, {name, "GET", SpanKind::kClient}, begin, begin + kMilli);
    trace.set(client, "server.address", name + ".internal");
    trace.add(client, {name, "GET /self", SpanKind::kServer}, begin, begin + kMilli);
  }

  // Consumers with traces of their own, of one to three messages each.
  void consume_links() {
    while (!produced_.empty()) {
      auto [to, producers] = *produced_.begin();
      produced_.erase(produced_.begin());
      random_.shuffle(producers);
      for (std::size_t next = 0; next < producers.size();) {
        const auto end =
            std::min(producers.size(), next + static_cast<std::size_t>(random_.integer(1, 3)));
        TraceBuilder trace(random_);
        const std::size_t receive = trace.add(
            TraceBuilder::kNoParent, {to, "events receive", SpanKind::kConsumer}, 0, 90 * kMilli);
        for (; next < end; ++next) {
          trace[receive].links.push_back(producers[next].span);
          count(producers[next].service, to, EdgeKind::kMessaging);
        }
        // The span of the processing repeats the links.
        if (random_.chance(0.3)) {
          const std::size_t process =
              trace.add(receive, {to, "events process", SpanKind::kConsumer}, 0, 80 * kMilli);
          trace[process].links = trace[receive].links;
        }
        work(trace, receive, number_of(to), 0);
        finish(std::move(trace));
      }
    }
  }

  // A job that links the request that started it.
  void link_a_job() {
    const SampledTrace& started = graph_.traces.front();
    const auto server =
        std::find_if(started.spans.begin(), started.spans.end(), [](const SampledSpan& span) {
          return span.service == "svc-0" && span.kind == SpanKind::kServer;
        });
    TraceBuilder trace(random_);
    const std::size_t job =
        trace.add(TraceBuilder::kNoParent, {"nightly", "job", SpanKind::kInternal}, 0, kMilli);
    trace[job].links.push_back({started.id, server->id});
    count("svc-0", "nightly", EdgeKind::kLink);
    finish(std::move(trace));
  }

  void count(const std::string& from, const std::string& to, EdgeKind kind) {
    ++graph_.calls[{from, to, kind}];
  }

  void finish(TraceBuilder trace) {
    SampledTrace done = std::move(trace).shuffled();
    // An internal span that was lost: its children have no parent.
    std::erase_if(done.spans, [&](const SampledSpan& span) {
      return span.name == "handle" && random_.chance(0.05);
    });
    const std::size_t spans = done.spans.size();
    for (std::size_t index = 0; index < spans; ++index)
      if (random_.chance(0.03)) done.spans.push_back(SampledSpan(done.spans[index]));
    graph_.traces.push_back(std::move(done));
  }

  PlantedRandom random_;
  PlantedGraph graph_;
  std::vector<std::vector<PlannedEdge>> planned_;
  std::map<std::string, std::vector<Producer>> produced_;  // By consumer.
};

}  // namespace

PlantedGraph plant_graph(std::uint64_t seed) { return GraphPlanter(seed).plant(); }

}  // namespace spanway::query::insight
