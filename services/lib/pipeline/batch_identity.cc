#include "services/lib/pipeline/batch_identity.h"

#include <charconv>

namespace spanway::pipeline {
namespace {

bool read_number(std::string_view text, std::uint64_t& number) noexcept {
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end;
}

}  // namespace

bool BatchIdentity::lies_in(const BatchIdentity& other) const noexcept {
  if (batch != other.batch) return false;
  if (other.is_unsplit()) return true;
  return !is_unsplit() && first >= other.first && first - other.first <= other.count &&
         count <= other.count - (first - other.first);
}

std::string to_string(const BatchIdentity& identity) {
  if (identity.is_unsplit()) return identity.batch;
  return identity.batch + '~' + std::to_string(identity.first) + '+' +
         std::to_string(identity.count);
}

BatchIdentity parse_batch_identity(std::string_view text) {
  BatchIdentity undivided{.batch = std::string(text)};
  const std::size_t mark = text.rfind('~');
  if (mark == std::string_view::npos) return undivided;
  const std::string_view part = text.substr(mark + 1);
  const std::size_t plus = part.find('+');
  BatchIdentity identity{.batch = std::string(text.substr(0, mark))};
  if (plus == std::string_view::npos || !read_number(part.substr(0, plus), identity.first) ||
      !read_number(part.substr(plus + 1), identity.count) || identity.is_unsplit())
    return undivided;
  return identity;
}

}  // namespace spanway::pipeline
