#include "services/lib/otlp/wire.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace spanway::otlp::wire {
namespace {

std::string varint(std::uint64_t value) {
  char text[10];
  return {text, put_varint(text, value)};
}

TEST(WireVarint, ReadsWhatWasWritten) {
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t value : {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) - 1}) {
      // A second copy behind it: the reader must stop where it ends.
      const std::string text = varint(value) + varint(value);
      ASSERT_EQ(varint_size(value) * 2, text.size());
      std::uint64_t read = 0;
      EXPECT_EQ(read_varint(begin_of(text), end_of(text), read),
                begin_of(text) + varint_size(value));
      EXPECT_EQ(read, value);
      EXPECT_EQ(skip_varint(begin_of(text), end_of(text)), begin_of(text) + varint_size(value));
    }
  }
}

TEST(WireVarint, RefusesTruncatedAndOverlong) {
  const std::string complete = varint(std::numeric_limits<std::uint64_t>::max());
  std::uint64_t value = 0;
  for (std::size_t size = 0; size < complete.size(); ++size) {
    const std::string text = complete.substr(0, size);
    EXPECT_EQ(read_varint(begin_of(text), end_of(text), value), nullptr);
    EXPECT_EQ(skip_varint(begin_of(text), end_of(text)), nullptr);
  }
  const std::string bit_64 = std::string(9, '\xff') + "\x02";
  const std::string eleven_bytes = std::string(10, '\x80') + std::string(1, '\0') + "padding";
  for (const std::string& text : {bit_64, eleven_bytes}) {
    EXPECT_EQ(read_varint(begin_of(text), end_of(text), value), nullptr);
    EXPECT_EQ(skip_varint(begin_of(text), end_of(text)), nullptr);
  }
}

TEST(WireLength, MustFitWhatIsLeft) {
  std::size_t size = 0;
  const std::string fits = varint(300) + std::string(300, 'x');
  EXPECT_EQ(read_length(begin_of(fits), end_of(fits), size), begin_of(fits) + 2);
  EXPECT_EQ(size, 300u);
  const std::string longer = fits.substr(0, fits.size() - 1);
  EXPECT_EQ(read_length(begin_of(longer), end_of(longer), size), nullptr);
  // 2^31-1, 2^32, and a one in six bytes.
  for (const std::string& text :
       {varint(0x7fffffff), varint(0x100000000), std::string("\x81\x80\x80\x80\x80\x00xxxx", 10)}) {
    EXPECT_EQ(read_length(begin_of(text), end_of(text), size), nullptr);
  }
  // Padded to five bytes, as encoders that reserve the space write it.
  const std::string padded("\x81\x80\x80\x80\x00x", 6);
  EXPECT_EQ(read_length(begin_of(padded), end_of(padded), size), begin_of(padded) + 5);
}

TEST(WireTag, RefusesFieldZeroPaddingAndMoreThan32Bits) {
  std::uint32_t tag = 0;
  for (const std::string& text :
       {std::string(1, '\0'), std::string("\x07"), std::string("\x8a\x00", 2), varint(0x100000008),
        std::string("\x8a"), std::string()}) {
    EXPECT_EQ(read_tag(begin_of(text), end_of(text), tag), nullptr);
  }
  const std::string largest = varint(make_tag((1u << 29) - 1, Type::kFixed32));
  EXPECT_EQ(read_tag(begin_of(largest), end_of(largest), tag), end_of(largest));
  EXPECT_EQ(field_of(tag), (1u << 29) - 1);
}

TEST(WireSkip, RefusesGroupsAndUnassignedTypes) {
  const std::string text(16, '\x01');
  for (const std::uint32_t type : {3u, 4u, 6u, 7u})
    EXPECT_EQ(skip_value(begin_of(text), end_of(text), 1u << 3 | type), nullptr);
  for (const Type type : {Type::kVarint, Type::kFixed64, Type::kLength, Type::kFixed32})
    EXPECT_NE(skip_value(begin_of(text), end_of(text), make_tag(1, type)), nullptr);
  EXPECT_EQ(skip_value(begin_of(text), begin_of(text) + 7, make_tag(1, Type::kFixed64)), nullptr);
  EXPECT_EQ(skip_value(begin_of(text), begin_of(text) + 3, make_tag(1, Type::kFixed32)), nullptr);
}

TEST(WireWriter, PatchesLengthsOfEverySize) {
  for (const std::size_t size : {0u, 1u, 127u, 128u, 16383u, 16384u, 70000u}) {
    Bytes out;
    Writer writer(out);
    const auto outer = writer.begin(1);
    const auto inner = writer.begin(20);
    const std::string text(size, 'x');
    writer.bytes(3, text);
    writer.end(inner);
    writer.fixed32(4, 7);
    writer.end(outer);

    Field field;
    ASSERT_EQ(read_field(begin_of(out.view()), end_of(out.view()), field), end_of(out.view()));
    Field child;
    const Ptr next = read_field(field.begin, field.end, child);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(child.tag, make_tag(20, Type::kLength));
    EXPECT_EQ(left(next, field.end), 5u);
    Field leaf;
    ASSERT_EQ(read_field(child.begin, child.end, leaf), child.end);
    EXPECT_EQ(leaf.bytes(), text);
  }
}

}  // namespace
}  // namespace spanway::otlp::wire
