// Peers, normalized operations, and the tree of a trace.
#include "services/query/insight/sampled_trace.h"

#include <gtest/gtest.h>

#include "services/query/insight/trace_tree.h"

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;

SampledSpan span_with(std::string name, TextAttributes attributes) {
  SampledSpan span{.id = "1"};
  span.name = std::move(name);
  span.attributes = std::move(attributes);
  return span;
}

std::string statement(const std::string& text) {
  return normalized_operation(span_with("SELECT", {{"db.query.text", text}}));
}

TEST(NormalizedOperation, StatementsWithoutOperands) {
  EXPECT_EQ(statement("SELECT a FROM t1 WHERE id = 12 AND name = 'it''s'"),
            "SELECT a FROM t1 WHERE id = ? AND name = ?");
  EXPECT_EQ(statement("SELECT a FROM t WHERE id IN (1, 2, 3)"),
            statement("SELECT a FROM t WHERE id IN (4)"));
  EXPECT_EQ(statement("SELECT  a\n FROM t WHERE id=$1"), statement("SELECT a FROM t WHERE id=7"));
  EXPECT_EQ(statement("SELECT 'open"), "SELECT ?");
  EXPECT_NE(statement("SELECT a FROM t"), statement("SELECT a FROM u"));
  EXPECT_LE(statement("SELECT " + std::string(5000, 'x')).size(), 200u);
}

TEST(NormalizedOperation, NamesAndPathsWithoutIdentifiers) {
  EXPECT_EQ(normalized_operation(span_with("GET /users/123/orders", {})), "GET /users/?/orders");
  EXPECT_EQ(normalized_operation(span_with("get 550e8400-e29b-41d4-a716-446655440000", {})),
            "get ?");
  EXPECT_EQ(normalized_operation(span_with("cafe decade", {})), "cafe decade");
  EXPECT_EQ(normalized_operation(
                span_with("GET", {{"url.full", "http://a:80/b/7?c=1"}, {"server.address", "a"}})),
            "GET a /b/?");
  EXPECT_EQ(normalized_operation(span_with("GET", {{"url.template", "/b/{id}"}})), "GET /b/{id}");
  EXPECT_EQ(normalized_operation(span_with("", {})), "");
}

TEST(Peers, ByTheConventionsOldAndNew) {
  const auto peer = [](TextAttributes attributes) {
    return peer_of(span_with("x", std::move(attributes)));
  };
  EXPECT_EQ(peer({{"db.system.name", "postgresql"}, {"db.namespace", "shop"}}).name,
            "postgresql/shop");
  EXPECT_EQ(peer({{"db.system", "mysql"}, {"net.peer.name", "db1"}}).name, "mysql/db1");
  EXPECT_EQ(peer({{"db.system", "redis"}}).name, "redis");
  EXPECT_TRUE(peer({{"db.system", "redis"}}).is_database);
  EXPECT_EQ(peer({{"peer.service", "pay"}, {"server.address", "10.0.0.1"}}).name, "pay");
  EXPECT_EQ(peer({{"peer.service", ""}, {"server.address", "10.0.0.1"}}).name, "10.0.0.1");
  EXPECT_EQ(peer({}).name, "");
}

SampledSpan in_tree(std::string id, std::string parent, SpanKind kind, std::int64_t start = 0) {
  SampledSpan span{.id = std::move(id), .parent_id = std::move(parent)};
  span.kind = kind;
  span.start_unix_nano = start;
  return span;
}

TEST(TraceTree, SharedIdsRepeatsOrphansAndCycles) {
  SampledTrace trace{
      "t",
      {in_tree("child", "shared", SpanKind::kInternal, 9),
       in_tree("shared", "root", SpanKind::kServer, 3), in_tree("root", "", SpanKind::kServer, 1),
       in_tree("shared", "root", SpanKind::kClient, 2),
       in_tree("root", "", SpanKind::kServer, 1),        // Twice.
       in_tree("orphan", "lost", SpanKind::kServer, 0),  // Earlier than the root.
       in_tree("a", "b", SpanKind::kInternal),           // A cycle.
       in_tree("b", "a", SpanKind::kInternal), in_tree("self", "self", SpanKind::kInternal)}};
  const TraceTree tree(trace);
  EXPECT_EQ(tree.root(), 2u);
  EXPECT_EQ(tree.parent(3), 2u);  // Client below the root,
  EXPECT_EQ(tree.parent(1), 3u);  // server below the client,
  EXPECT_EQ(tree.parent(0), 1u);  // child below the server.
  EXPECT_EQ(tree.parent(5), TraceTree::kNone);
  EXPECT_EQ(tree.spans(), (std::vector<std::size_t>{2, 5, 3, 1, 0}));
}

TEST(TraceTree, WithoutARoot) {
  const SampledTrace trace{"t", {in_tree("a", "lost", SpanKind::kServer)}};
  EXPECT_EQ(TraceTree(trace).root(), TraceTree::kNone);
  EXPECT_EQ(TraceTree({"t", {}}).root(), TraceTree::kNone);
}

}  // namespace
}  // namespace spanway::query::insight
