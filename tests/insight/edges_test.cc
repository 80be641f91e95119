// The rules of edges, one by one; planted_truth_test.cc has whole graphs.
#include "services/query/insight/edges.h"

#include <gtest/gtest.h>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;
constexpr std::size_t kRoot = TraceBuilder::kNoParent;

class Edges : public testing::Test {
 protected:
  // "a>b call 1" of each edge.
  static std::vector<std::string> texts(const std::vector<SampledTrace>& traces) {
    std::vector<std::string> result;
    for (const Edge& edge : edges_of(traces))
      result.push_back(edge.parent + ">" + edge.child + " " + std::string(to_string(edge.kind)) +
                       " " + std::to_string(edge.calls));
    return result;
  }
  using Texts = std::vector<std::string>;

  PlantedRandom random_{1};
  TraceBuilder trace_{random_};
};

TEST_F(Edges, FiguresAreTheCallees) {
  const std::size_t client = trace_.add(kRoot, {"a", "GET", SpanKind::kClient}, 0, 100);
  for (const std::int64_t duration : {16, 64}) {
    const std::size_t server = trace_.add(client, {"b", "GET /", SpanKind::kServer}, 0, duration);
    trace_[server].has_failed = duration == 64;
  }
  const SampledTrace trace = std::move(trace_).take();
  const Edge expected{"a", "b", EdgeKind::kCall, 2, 1, 80, {{15, 1}, {23, 1}}};
  EXPECT_EQ(edges_of({&trace, 1}), std::vector<Edge>{expected});
}

TEST_F(Edges, UnansweredClientsNameTheirPeer) {
  const std::size_t root = trace_.add(kRoot, {"a", "GET /", SpanKind::kServer}, 0, 100);
  const std::size_t query = trace_.add(root, {"a", "SELECT", SpanKind::kClient}, 0, 10);
  trace_.set(query, "db.system", "mysql");
  trace_.add(root, {"a", "nameless", SpanKind::kClient}, 0, 10);
  const std::size_t own = trace_.add(root, {"a", "GET", SpanKind::kClient}, 0, 10);
  trace_.set(own, "peer.service", "a");
  // An internal span has no peer.
  trace_.set(trace_.add(root, {"a", "work", SpanKind::kInternal}, 0, 10), "peer.service", "b");
  EXPECT_EQ(texts({std::move(trace_).take()}), (Texts{"a>mysql db 1"}));
}

TEST_F(Edges, OneCallHasOnePeer) {
  const std::size_t driver = trace_.add(kRoot, {"a", "search", SpanKind::kClient}, 0, 100);
  trace_.set(driver, "db.system", "elasticsearch");
  const std::size_t pool = trace_.add(driver, {"a", "pool", SpanKind::kInternal}, 0, 90);
  const std::size_t transport = trace_.add(pool, {"a", "POST", SpanKind::kClient}, 0, 90);
  trace_.set(transport, "server.address", "10.1.1.1");
  EXPECT_EQ(texts({std::move(trace_).take()}), (Texts{"a>elasticsearch db 1"}));
}

TEST_F(Edges, HostsAreKnownByTheServicesThatAnswerForThem) {
  for (const char* host : {"known", "shared"})
    for (const char* service : {"b", "c"}) {
      if (std::string(host) + service == "knownc") continue;
      const std::size_t client = trace_.add(kRoot, {"a", "GET", SpanKind::kClient}, 0, 100);
      trace_.set(client, "server.address", host);
      trace_.add(client, {service, "GET /", SpanKind::kServer}, 0, 100);
    }
  for (const char* host : {"known", "shared"})
    trace_.set(trace_.add(kRoot, {"a", "GET", SpanKind::kClient}, 0, 9), "server.address", host);
  EXPECT_EQ(texts({std::move(trace_).take()}),
            (Texts{"a>b call 3", "a>c call 1", "a>shared call 1"}));
}

TEST_F(Edges, MessagesByParentAndByLink) {
  const std::size_t sent = trace_.add(kRoot, {"a", "send", SpanKind::kProducer}, 0, 10);
  const std::size_t linked = trace_.add(sent, {"b", "process", SpanKind::kConsumer}, 20, 30);
  trace_[linked].links.push_back(trace_.reference(sent));
  TraceBuilder other(random_);
  const std::size_t batch = other.add(kRoot, {"c", "receive", SpanKind::kConsumer}, 50, 90);
  other[batch].links = {trace_.reference(sent), {"lost trace", "lost"}};
  const std::size_t part = other.add(batch, {"c", "process", SpanKind::kConsumer}, 51, 60);
  other[part].links = other[batch].links;
  // A service may consume its own messages.
  TraceBuilder third(random_);
  const std::size_t own = third.add(kRoot, {"a", "receive", SpanKind::kConsumer}, 50, 90);
  third[own].links = {trace_.reference(sent)};
  // A link that is no message.
  const std::size_t job = third.add(kRoot, {"d", "job", SpanKind::kInternal}, 50, 90);
  third[job].links = {trace_.reference(linked)};
  EXPECT_EQ(texts({std::move(other).take(), std::move(trace_).take(), std::move(third).take()}),
            (Texts{"a>a messaging 1", "a>b messaging 1", "a>c messaging 1", "b>d link 1"}));
}

TEST_F(Edges, NoneOfNothing) { EXPECT_TRUE(edges_of({}).empty()); }

}  // namespace
}  // namespace spanway::query::insight
