#include "operator/k8s/watch_decoder.h"

#include <gtest/gtest.h>

#include "operator/k8s/status_error.h"

namespace spanway::kube {
namespace {

using Next = WatchDecoder::Next;
using Type = WatchEvent::Type;

struct Seen {
  std::vector<WatchEvent> events;
  std::function<bool(WatchEvent)> all() {
    return [this](WatchEvent event) {
      events.push_back(std::move(event));
      return true;
    };
  }
};

std::string line(std::string_view type, std::string_view name) {
  return R"({"type":")" + std::string(type) + R"(","object":{"metadata":{"name":")" +
         std::string(name) + R"("}}})" + "\n";
}

TEST(WatchDecoder, EverySplitGivesTheSameEvents) {
  const std::string text = line("ADDED", "a") + line("MODIFIED", "b") + "\n" +
                           line("DELETED", "c") + line("BOOKMARK", "d");
  for (std::size_t size = 1; size <= text.size(); ++size) {
    WatchDecoder decoder("WATCH /x");
    Seen seen;
    for (std::size_t at = 0; at < text.size(); at += size)
      ASSERT_TRUE(decoder.feed(std::string_view(text).substr(at, size), seen.all()).ok());
    ASSERT_EQ(seen.events.size(), 4U) << size;
    EXPECT_EQ(seen.events[0].type, Type::kAdded);
    EXPECT_EQ(seen.events[1].type, Type::kModified);
    EXPECT_EQ(seen.events[2].type, Type::kDeleted);
    EXPECT_EQ(seen.events[3].type, Type::kBookmark);
    EXPECT_EQ(string_at(seen.events[2].object, "metadata/name"), "c");
    EXPECT_TRUE(decoder.finish().ok());
    EXPECT_EQ(decoder.buffered(), 0U);
  }
}

TEST(WatchDecoder, StripsManagedFields) {
  WatchDecoder decoder("WATCH /x");
  Seen seen;
  ASSERT_TRUE(
      decoder
          .feed(R"({"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{}]}}})"
                "\n",
                seen.all())
          .ok());
  EXPECT_EQ(find(seen.events.at(0).object, "metadata/managedFields"), nullptr);
  EXPECT_EQ(string_at(seen.events.at(0).object, "metadata/name"), "a");
}

TEST(WatchDecoder, AnErrorEventEndsItWithItsStatus) {
  WatchDecoder decoder("WATCH /x");
  Seen seen;
  const auto result = decoder.feed(
      line("ADDED", "a") +
          R"j({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",)j"
          R"j("message":"too old resource version: 1 (9)"}})j"
          "\n" +
          line("ADDED", "b"),
      seen.all());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kOutOfRange);
  EXPECT_STREQ(result.error().reason, kReasonExpired);
  EXPECT_NE(result.error().message.find("too old resource version"), std::string::npos);
  EXPECT_EQ(seen.events.size(), 1U);
  const auto after = decoder.feed(line("ADDED", "c"), seen.all());
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(*after, Next::kStop);
  EXPECT_EQ(seen.events.size(), 1U);
}

TEST(WatchDecoder, AnErrorEventThatIsNoStatusIsStillAnError) {
  WatchDecoder decoder("WATCH /x");
  Seen seen;
  const auto result = decoder.feed("{\"type\":\"ERROR\",\"object\":{}}\n", seen.all());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kUnavailable);
}

TEST(WatchDecoder, TheReaderMayStop) {
  WatchDecoder decoder("WATCH /x");
  int count = 0;
  const auto result = decoder.feed(line("ADDED", "a") + line("ADDED", "b"), [&](const WatchEvent&) {
    ++count;
    return false;
  });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, Next::kStop);
  EXPECT_EQ(count, 1);
  EXPECT_TRUE(decoder.finish().ok());
}

TEST(WatchDecoder, UnknownTypesAreSkipped) {
  WatchDecoder decoder("WATCH /x");
  Seen seen;
  ASSERT_TRUE(decoder.feed(line("PINNED", "a") + line("ADDED", "b"), seen.all()).ok());
  ASSERT_EQ(seen.events.size(), 1U);
}

TEST(WatchDecoder, GarbageIsRefused) {
  for (const std::string_view text :
       {"nonsense\n", "[]\n", "7\n", "{}\n", "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"ADDED\",\"object\":7}\n", "{\"type\":7,\"object\":{}}\n", "\x80\xff\n",
        "<html>502</html>\n"}) {
    WatchDecoder decoder("WATCH /x");
    Seen seen;
    const auto result = decoder.feed(text, seen.all());
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().code, Code::kInvalidArgument) << text;
    EXPECT_NE(result.error().message.find("WATCH /x"), std::string::npos);
    EXPECT_TRUE(seen.events.empty());
  }
}

TEST(WatchDecoder, ALineHasABound) {
  const std::string good = line("ADDED", "a");
  WatchDecoder decoder("WATCH /x", good.size() - 1);
  Seen seen;
  ASSERT_TRUE(decoder.feed(good, seen.all()).ok());
  // Also when it never ends, and a byte at a time.
  WatchDecoder endless("WATCH /x", 100);
  Result<Next> result = Next::kMore;
  int fed = 0;
  while (result.ok() && fed < 1000) {
    result = endless.feed("x", seen.all());
    ++fed;
  }
  EXPECT_EQ(fed, 101);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted);
  EXPECT_EQ(endless.buffered(), 0U);
}

TEST(WatchDecoder, AnIncompleteLastLineIsAnError) {
  WatchDecoder decoder("WATCH /x");
  Seen seen;
  ASSERT_TRUE(decoder.feed(line("ADDED", "a") + "{\"type\":", seen.all()).ok());
  const auto end = decoder.finish();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace spanway::kube
