// The outcome of every request, for finding lost and duplicated items later.
//
// One JSON object per line. The first names the run: {"run":"53570123456789ab"}. Then one for each
// request when it has been decided:
//   {"first":1,"count":512,"outcome":"acked"}
//   {"first":513,"count":512,"outcome":"partial","rejected":3}   the receiver did not say which
//   {"first":1025,"count":512,"outcome":"failed","code":"UNAVAILABLE"}   may have arrived or not
// A last line without its end of line is not counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"

namespace spanway::load {

struct LedgerEntry {
  enum class Outcome : unsigned char { kAcked, kPartial, kFailed };
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  Outcome outcome = Outcome::kAcked;
  std::uint64_t rejected = 0;  // kPartial: items that the receiver refused for good.
  Code code = Code::kOk;       // kFailed: the last answer.
};
std::string to_line(const LedgerEntry& entry);

// Thread-safe. Holds back at most 32 KiB; the destructor writes the rest.
class LedgerWriter {
 public:
  // Overwrites the file.
  static Result<std::unique_ptr<LedgerWriter>> create(const std::string& path, std::uint64_t run);
  ~LedgerWriter();
  LedgerWriter(const LedgerWriter&) = delete;
  LedgerWriter& operator=(const LedgerWriter&) = delete;

  void append(const LedgerEntry& entry);
  // Writes what is held back; the first error of any write. Loud in the end: a ledger with holes
  // proves nothing.
  Status flush();

 private:
  explicit LedgerWriter(int fd) : fd_(fd) {}
  void write_out() SPANWAY_REQUIRES(mutex_);

  const int fd_;
  Mutex mutex_;
  std::string held_back_ SPANWAY_GUARDED_BY(mutex_);
  Status status_ SPANWAY_GUARDED_BY(mutex_);
};

struct Ledger {
  std::uint64_t run = 0;
  std::vector<LedgerEntry> entries;
};
Result<Ledger> parse_ledger(std::string_view text);

}  // namespace spanway::load
