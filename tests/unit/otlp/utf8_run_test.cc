#include "services/lib/otlp/utf8_run.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spanway::otlp {
namespace {

const std::vector<std::string> kValid = {"",
                                         "a",
                                         std::string(1, '\0'),
                                         "\x7f",
                                         "\xc2\x80",
                                         "\xdf\xbf",
                                         "\xe0\xa0\x80",
                                         "\xed\x9f\xbf",
                                         "\xee\x80\x80",
                                         "\xef\xbf\xbf",
                                         "\xf0\x90\x80\x80",
                                         "\xf4\x8f\xbf\xbf"};
const std::vector<std::string> kBroken = {"\x80",              // Continuation without a start.
                                          "\xc0\x80",          // Over-long NUL.
                                          "\xc1\xbf",          // Over-long.
                                          "\xc3",              // Cut off.
                                          "\xc3\x28",          // Not a continuation.
                                          "\xe0\x9f\xbf",      // Over-long.
                                          "\xe2\x82",          // Cut off.
                                          "\xed\xa0\x80",      // Surrogate.
                                          "\xed\xbf\xbf",      // Surrogate.
                                          "\xf0\x8f\xbf\xbf",  // Over-long.
                                          "\xf0\x9f\x98",      // Cut off.
                                          "\xf4\x90\x80\x80",  // Above U+10FFFF.
                                          "\xf5\x80\x80\x80",
                                          "\xff",
                                          "\xfe"};

// In front of, behind and between ASCII of every length up to some blocks of the vector code.
TEST(Utf8, DistinguishesBrokenFromValidAtEveryOffset) {
  for (std::size_t before = 0; before < 80; ++before) {
    for (const std::size_t after : {0u, 1u, 7u, 15u, 16u, 70u}) {
      const std::string front(before, 'x');
      const std::string back(after, 'y');
      for (const std::string& text : kValid) EXPECT_TRUE(is_utf8(front + text + back));
      for (const std::string& text : kBroken) EXPECT_FALSE(is_utf8(front + text + back));
      for (const std::string& text : kBroken)
        EXPECT_FALSE(is_utf8(front + "\xc3\xa4" + text + back));
    }
  }
}

TEST(Utf8, AsciiEndsAtTheFirstHighByte) {
  for (std::size_t size = 0; size < 150; ++size) {
    std::string text(size, 'x');
    EXPECT_EQ(ascii_end(wire::begin_of(text), wire::end_of(text)), wire::end_of(text));
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      EXPECT_EQ(ascii_end(wire::begin_of(text), wire::end_of(text)), wire::begin_of(text) + at);
      text[at] = 'x';
    }
  }
}

// Strings with binary between them, as in a span.
TEST(Utf8Run, ChecksEachStringOfABuffer) {
  const std::string gap("\xff\x00\x80", 3);
  std::string buffer;
  struct Expected {
    std::size_t begin, end;
    bool valid;
  };
  std::vector<Expected> strings;
  for (std::size_t i = 0; i < 200; ++i) {
    if (i % 3 == 0) buffer += gap;
    const bool broken = i % 7 == 5;
    const std::size_t begin = buffer.size();
    buffer += std::string(i % 37, 'a') + (i % 5 == 2 ? "\xc3\xa4" : "");
    if (broken) buffer += "\xc3";
    buffer += std::string(i % 11, 'b');
    strings.push_back({begin, buffer.size(), !broken});
  }
  Utf8Run run(buffer);
  for (const Expected& s : strings) {
    EXPECT_EQ(run.valid(wire::begin_of(buffer) + s.begin, wire::begin_of(buffer) + s.end), s.valid)
        << s.begin;
  }
}

}  // namespace
}  // namespace spanway::otlp
