// The fixture of the contract of TraceStore, on every store.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "services/lib/otlp_blocks/span_reader.h"
#include "tests/contract/store_contract/sent_spans.h"
#include "tests/contract/store_contract/store_fixtures.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {

inline constexpr std::int64_t kSecond = 1'000'000'000;

class StoreContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string unavailable;
    fixture_ = make_trace_store_fixture(GetParam(), unavailable);
    // Real servers come from registries; without them the memory store is tested alone.
    if (!fixture_) GTEST_SKIP() << unavailable;
  }
  // In three requests, so that rows lie in several parts.
  std::vector<SentSpan> fill(std::uint32_t seed, std::size_t count) {
    SpanGenerator generator(seed, base_);
    std::vector<SentSpan> sent;
    for (int part = 0; part < 3; ++part) {
      std::vector<SentSpan> spans;
      for (std::size_t i = 0; i < count / 3; ++i) spans.push_back(generator.span(sent.size() + i));
      fixture_->add("acme", request_of(spans));
      sent.insert(sent.end(), spans.begin(), spans.end());
    }
    fixture_->add("other", request_of({generator.span(1'000'000)}));
    return sent;
  }
  QueryContext context(const std::string& tenant = "acme") {
    QueryContext context;
    context.tenant = tenant;
    context.deadline = Deadline::after(system_clock(), std::chrono::seconds(30));
    return context;
  }
  // The ids of the spans of a stream, in its order.
  static Result<std::vector<std::string>> ids_of(Result<BlockStreamPtr> stream) {
    if (!stream.ok()) return std::move(stream).error();
    std::vector<std::string> ids;
    while (true) {
      SPANWAY_ASSIGN(const auto block, (*stream)->next());
      if (!block) return ids;
      otlp_blocks::SpanReader reader(*block);
      for (std::size_t row = 0; row < reader.rows(); ++row)
        ids.emplace_back(reader.read(row)->span.span_id);
    }
  }
  // All spans of fill() start in it.
  TimeRange whole_range() const {
    return {.begin = base_,
            .end = base_ + static_cast<std::int64_t>(SpanGenerator::kSpanSeconds + 1) * kSecond};
  }
  TraceStore& store() { return fixture_->store(); }

  std::unique_ptr<StoreFixture<TraceStore>> fixture_;
  // Within the TTL of the tables, and on one day.
  const std::int64_t base_ =
      (system_clock().system_now().time_since_epoch().count() / (86'400 * kSecond) - 1) * 86'400 *
          kSecond +
      43'200 * kSecond;
};

}  // namespace spanway::query
