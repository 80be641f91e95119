#include "services/lib/otlp_blocks/identity.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace spanway::otlp_blocks {
namespace {

constexpr std::uint64_t kC1 = 0x87c37b91114253d5ULL;
constexpr std::uint64_t kC2 = 0x4cf5ad432745937fULL;

std::uint64_t load(const char* bytes, std::size_t size) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size);
  return word;
}

std::uint64_t mix1(std::uint64_t k) noexcept { return std::rotl(k * kC1, 31) * kC2; }
std::uint64_t mix2(std::uint64_t k) noexcept { return std::rotl(k * kC2, 33) * kC1; }

std::uint64_t finish(std::uint64_t k) noexcept {
  k = (k ^ k >> 33) * 0xff51afd7ed558ccdULL;
  k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53ULL;
  return k ^ k >> 33;
}

void append_word(std::string& out, std::uint64_t word) {
  out.append(reinterpret_cast<const char*>(&word), sizeof(word));
}

void append_value(std::string& out, const otlp::ValueView& value) {
  out.push_back(static_cast<char>(value.kind));
  switch (value.kind) {
    case otlp::ValueKind::kBool:
      out.push_back(value.boolean ? 1 : 0);
      return;
    case otlp::ValueKind::kInt:
      return append_word(out, static_cast<std::uint64_t>(value.integer));
    case otlp::ValueKind::kDouble:
      return append_word(out, std::bit_cast<std::uint64_t>(value.number));
    default:
      return append_part(out, value.text);
  }
}

}  // namespace

Hash128 murmur3(std::string_view bytes) noexcept {
  std::uint64_t h1 = 0, h2 = 0;
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; p += 16, left -= 16) {
    h1 = (std::rotl(h1 ^ mix1(load(p, 8)), 27) + h2) * 5 + 0x52dce729;
    h2 = (std::rotl(h2 ^ mix2(load(p + 8, 8)), 31) + h1) * 5 + 0x38495ab5;
  }
  if (left > 8) h2 ^= mix2(load(p + 8, left - 8));
  if (left > 0) h1 ^= mix1(load(p, std::min<std::size_t>(left, 8)));
  h1 ^= bytes.size();
  h2 ^= bytes.size();
  h1 += h2;
  h2 += h1;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 += h2;
  h2 += h1;
  return {.low = h1, .high = h2};
}

void append_part(std::string& out, std::string_view part) {
  append_word(out, part.size());
  out.append(part);
}

void append_attributes(std::string& out, otlp::Attributes attributes) {
  std::vector<const otlp::AttributeView*> sorted;
  sorted.reserve(attributes.size());
  for (const otlp::AttributeView& attribute : attributes) sorted.push_back(&attribute);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->key < b->key; });
  for (const otlp::AttributeView* attribute : sorted) {
    append_part(out, attribute->key);
    append_value(out, attribute->value);
  }
}

std::uint64_t resource_id(const otlp::ResourceView& resource) {
  std::string content;
  append_part(content, resource.schema_url);
  append_attributes(content, resource.attributes);
  return murmur3(content).low;
}

}  // namespace spanway::otlp_blocks
