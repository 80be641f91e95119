#include "services/query/promql/label_hash.h"

#include <bit>
#include <cstring>
#include <string>

namespace spanway::query::promql {
namespace {

constexpr std::uint64_t kPrime1 = 11400714785074694791ULL, kPrime2 = 14029467366897019727ULL,
                        kPrime3 = 1609587929392839161ULL, kPrime4 = 9650029242287828579ULL,
                        kPrime5 = 2870177450012600261ULL;

template <typename T>
T take(std::string_view& bytes) noexcept {
  static_assert(std::endian::native == std::endian::little);
  T value = 0;
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) noexcept {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

std::uint64_t merge(std::uint64_t hash, std::uint64_t lane) noexcept {
  return (hash ^ round(0, lane)) * kPrime1 + kPrime4;
}

void append_text(std::string_view text, std::string& out) {
  constexpr std::size_t kShort = 255;
  if (text.size() < kShort) {
    out += static_cast<char>(text.size());
  } else {
    out += static_cast<char>(kShort);
    for (const int shift : {0, 8, 16}) out += static_cast<char>(text.size() >> shift);
  }
  out += text;
}

}  // namespace

std::uint64_t xxh64(std::string_view bytes) noexcept {
  const std::uint64_t size = bytes.size();
  std::uint64_t hash = kPrime5;
  if (bytes.size() >= 32) {
    std::uint64_t a = kPrime1 + kPrime2, b = kPrime2, c = 0, d = 0 - kPrime1;
    while (bytes.size() >= 32) {
      a = round(a, take<std::uint64_t>(bytes));
      b = round(b, take<std::uint64_t>(bytes));
      c = round(c, take<std::uint64_t>(bytes));
      d = round(d, take<std::uint64_t>(bytes));
    }
    hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
    for (const std::uint64_t lane : {a, b, c, d}) hash = merge(hash, lane);
  }
  hash += size;
  while (bytes.size() >= 8)
    hash = std::rotl(hash ^ round(0, take<std::uint64_t>(bytes)), 27) * kPrime1 + kPrime4;
  if (bytes.size() >= 4)
    hash = std::rotl(hash ^ take<std::uint32_t>(bytes) * kPrime1, 23) * kPrime2 + kPrime3;
  while (!bytes.empty()) hash = std::rotl(hash ^ take<std::uint8_t>(bytes) * kPrime5, 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

std::uint64_t label_hash(const Labels& labels) {
  std::string bytes;
  for (const auto& [name, value] : labels) {
    append_text(name, bytes);
    append_text(value, bytes);
  }
  return xxh64(bytes);
}

}  // namespace spanway::query::promql
