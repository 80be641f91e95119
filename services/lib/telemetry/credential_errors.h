// Which credentials of the process were read again and cannot be used, for /statusz.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::telemetry {

// Thread-safe, copyable handle; all copies are one list.
class CredentialErrors {
 public:
  CredentialErrors();
  // "<key>: <problem>", in order, each once, at most kListedMax. Never a value. Calls each
  // CredentialRefresher first.
  std::vector<std::string> list() const;
  static constexpr std::size_t kListedMax = 16;

 private:
  friend class CredentialReporter;
  friend class CredentialRefresher;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// The entries of one component; they leave the list with the last copy of the reporter.
// Thread-safe, copyable handle.
class CredentialReporter {
 public:
  explicit CredentialReporter(const CredentialErrors& errors);
  // `read` is how reading the credential of `key` again has ended: an error, whose message has no
  // part of the value, while the one of before stays in use. At most kKeysMax keys have an entry.
  void report(const std::string& key, const Status& read) const;
  static constexpr std::size_t kKeysMax = 64;

 private:
  struct Entries;
  std::shared_ptr<Entries> entries_;
};

// Reads credentials again before each CredentialErrors::list(), also where nothing is sent that
// would. `refresh` may block on the disk and uses a CredentialReporter; it neither lists nor ends a
// refresher. The destructor waits for a call that is running, and there is none after it.
class CredentialRefresher {
 public:
  CredentialRefresher(const CredentialErrors& errors, std::function<void()> refresh);
  ~CredentialRefresher();
  CredentialRefresher(const CredentialRefresher&) = delete;
  CredentialRefresher& operator=(const CredentialRefresher&) = delete;

 private:
  const std::shared_ptr<CredentialErrors::Impl> impl_;
};

}  // namespace spanway::telemetry
