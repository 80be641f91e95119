// Dead letters that were written in parts, joined again (README.md of the bridge, "Dead letters").
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/kafka/range_reader.h"

namespace spanway::kafka_bridge {

// A letter of which parts are missing: its id and the offset of its first part.
struct OpenLetter {
  std::string id;
  std::int64_t first = 0;
  bool operator==(const OpenLetter&) const = default;
};

// The letters of one partition. External lock. Bounds: 64 letters at once and 64 MiB of them; the
// oldest is given up for a new one.
class LetterJoiner {
 public:
  static constexpr std::size_t kLettersMax = 64;
  static constexpr std::size_t kBytesMax = 64u << 20;

  static bool is_part(const kafka::StoredRecord& record) {
    return !record.header("spanway-letter").empty();
  }

  // The complete letter, in the place of its first part, with the last missing part; nothing while
  // parts are missing. DATA: a part that contradicts itself or others, or a letter above kBytesMax.
  Result<std::optional<kafka::StoredRecord>> add(kafka::StoredRecord part);
  // In the order of their first parts.
  std::vector<OpenLetter> open() const;
  // Those that add() had to give up, and at the end of a partition the others: forgotten then.
  std::vector<OpenLetter> take_given_up() { return std::exchange(given_up_, {}); }
  std::vector<OpenLetter> take_open();

 private:
  struct Letter {
    kafka::StoredRecord record;  // The first part's, with the bytes so far in place.
    std::map<std::size_t, std::size_t> covered;  // Begin to end of each part.
  };
  void give_up_oldest();

  std::map<std::string, Letter> letters_;
  std::size_t bytes_ = 0;
  std::vector<OpenLetter> given_up_;
};

}  // namespace spanway::kafka_bridge
