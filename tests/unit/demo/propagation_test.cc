#include "services/demo/tracing/propagation.h"

#include <gtest/gtest.h>

#include <map>

namespace spanway::demo {
namespace {

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kSpan[] = "00f067aa0ba902b7";

std::optional<SpanContext> extract_from(const std::map<std::string, std::string>& headers) {
  return extract([&headers](std::string_view name) -> std::string_view {
    const auto found = headers.find(std::string(name));
    return found == headers.end() ? std::string_view() : found->second;
  });
}

std::string parent(const std::string& version, const std::string& flags) {
  return version + "-" + kTrace + "-" + kSpan + "-" + flags;
}

TEST(Propagation, WhatIsInjectedIsExtracted) {
  const auto context =
      extract_from({{"traceparent", parent("00", "01")}, {"tracestate", "a=1,b=2"}});
  ASSERT_TRUE(context);
  EXPECT_EQ(hex(context->trace_id), kTrace);
  EXPECT_EQ(hex(context->span_id), kSpan);
  EXPECT_TRUE(context->sampled);
  std::vector<std::pair<std::string, std::string>> headers;
  inject(*context, headers);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"traceparent", parent("00", "01")}, {"tracestate", "a=1,b=2"}};
  EXPECT_EQ(headers, expected);
}

TEST(Propagation, KeepsTheDecisionNotToSample) {
  const auto context = extract_from({{"traceparent", parent("00", "00")}});
  ASSERT_TRUE(context);
  EXPECT_FALSE(context->sampled);
  std::vector<std::pair<std::string, std::string>> headers;
  inject(*context, headers);
  EXPECT_EQ(headers.at(0).second, parent("00", "00"));
}

// Section 3.2.2.1: fields of a later version are left out of account.
TEST(Propagation, ReadsLaterVersions) {
  EXPECT_TRUE(extract_from({{"traceparent", parent("cc", "01")}}));
  EXPECT_TRUE(extract_from({{"traceparent", parent("cc", "01") + "-what-comes"}}));
  EXPECT_FALSE(extract_from({{"traceparent", parent("cc", "01") + ".what-comes"}}));
}

TEST(Propagation, TakesNothingFromAnInvalidHeader) {
  const std::string zeros(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), parent("ff", "01"), parent("00", "01") + "-more",
        parent("00", "0"), parent("0G", "01"), parent("00", "0X"),
        "00-" + zeros + "-" + kSpan + "-01", std::string("00-") + kTrace + "-0000000000000000-01",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-") + kSpan + "-01",
        std::string("00_") + kTrace + "-" + kSpan + "-01"})
    EXPECT_FALSE(extract_from({{"traceparent", text}})) << text;
}

TEST(Propagation, LeavesOutATooLongTraceState) {
  const auto context =
      extract_from({{"traceparent", parent("00", "01")}, {"tracestate", std::string(513, 'x')}});
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_state, "");
}

}  // namespace
}  // namespace spanway::demo
