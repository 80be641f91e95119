#include "services/load/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

constexpr std::size_t kHeldBackBytesMax = 32 * 1024;
constexpr int kCodeMax = 16;

Error system_error(const std::string& what) {
  return configuration_error(Code::kUnavailable, what + ": " + std::strerror(errno))
      .with_reason("ledger");
}

std::string_view name_of(LedgerEntry::Outcome outcome) noexcept {
  switch (outcome) {
    case LedgerEntry::Outcome::kAcked:
      return "acked";
    case LedgerEntry::Outcome::kPartial:
      return "partial";
    case LedgerEntry::Outcome::kFailed:
      return "failed";
  }
  return "";
}

// The value behind "key": up to the next comma or brace, without quotes. Enough for lines that
// to_line() writes: no value holds a comma, a brace or a quote.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) noexcept {
  const std::string quoted = "\"" + std::string(key) + "\":";
  const std::size_t at = line.find(quoted);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view value = line.substr(at + quoted.size());
  value = value.substr(0, value.find_first_of(",}"));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return value;
}

std::optional<std::uint64_t> number_of(std::string_view line, std::string_view key) noexcept {
  const auto text = value_of(line, key);
  if (!text) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

Code code_named(std::string_view name) noexcept {
  for (int code = 0; code <= kCodeMax; ++code) {
    if (to_string(static_cast<Code>(code)) == name) return static_cast<Code>(code);
  }
  return Code::kUnknown;
}

std::optional<LedgerEntry> parse_line(std::string_view line) noexcept {
  const auto first = number_of(line, "first");
  const auto count = number_of(line, "count");
  const auto outcome = value_of(line, "outcome");
  if (!first || !count || !outcome || *first == 0 || *count == 0) return std::nullopt;
  LedgerEntry entry{.first = *first, .count = *count};
  if (*outcome == "partial") {
    const auto rejected = number_of(line, "rejected");
    if (!rejected || *rejected > *count) return std::nullopt;
    entry.outcome = LedgerEntry::Outcome::kPartial;
    entry.rejected = *rejected;
  } else if (*outcome == "failed") {
    entry.outcome = LedgerEntry::Outcome::kFailed;
    entry.code = code_named(value_of(line, "code").value_or(""));
  } else if (*outcome != "acked") {
    return std::nullopt;
  }
  return entry;
}

}  // namespace

std::string to_line(const LedgerEntry& entry) {
  std::string line;
  JsonWriter json(line);
  json.begin_object()
      .member("first", entry.first)
      .member("count", entry.count)
      .member("outcome", name_of(entry.outcome));
  if (entry.outcome == LedgerEntry::Outcome::kPartial) json.member("rejected", entry.rejected);
  if (entry.outcome == LedgerEntry::Outcome::kFailed) json.member("code", to_string(entry.code));
  json.end_object();
  return line + "\n";
}

Result<std::unique_ptr<LedgerWriter>> LedgerWriter::create(const std::string& path,
                                                           std::uint64_t run) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("ledger: cannot write '" + path + "'");
  std::unique_ptr<LedgerWriter> writer(new LedgerWriter(fd));
  {
    MutexLock lock(writer->mutex_);
    JsonWriter(writer->held_back_).begin_object().member("run", to_hex(run)).end_object();
    writer->held_back_ += "\n";
  }
  SPANWAY_TRY(writer->flush());
  return writer;
}

LedgerWriter::~LedgerWriter() {
  {
    MutexLock lock(mutex_);
    write_out();
  }
  ::close(fd_);
}

void LedgerWriter::append(const LedgerEntry& entry) {
  MutexLock lock(mutex_);
  held_back_ += to_line(entry);
  if (held_back_.size() >= kHeldBackBytesMax) write_out();
}

Status LedgerWriter::flush() {
  MutexLock lock(mutex_);
  write_out();
  return status_;
}

void LedgerWriter::write_out() {
  std::string_view rest = held_back_;
  while (!rest.empty() && status_.ok()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      status_ = system_error("ledger: a write failed");
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  held_back_.clear();
}

Result<Ledger> parse_ledger(std::string_view text) {
  Ledger ledger;
  std::size_t number = 0;
  while (true) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    ++number;
    if (number == 1) {
      const auto run = parse_hex(value_of(line, "run").value_or(""));
      if (!run) return invalid_argument("ledger: line 1 names no run");
      ledger.run = *run;
      continue;
    }
    const auto entry = parse_line(line);
    if (!entry) return invalid_argument("ledger: line " + std::to_string(number) + " is malformed");
    ledger.entries.push_back(*entry);
  }
  if (number == 0) return invalid_argument("ledger: it is empty");
  return ledger;
}

}  // namespace spanway::load
