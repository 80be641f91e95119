// Secrets whose ${file:path} is read again while the process runs.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/endpoint.h"

namespace spanway::config {

// Secret::file() has each ${file:path} of the text that a secret was made of; the functions read
// these files. They block on the disk. FAILED_PRECONDITION, configuration, when a file cannot be
// read, is empty or larger than 1 MiB: "<key>: the file '<path>' ...", never with a content.

// Nothing when the file cannot be read; as in Sources.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

// The value now. `key` is that of the configuration.
Result<std::string> read_again(const Secret& secret, const std::string& key);
Result<std::string> read_again(const Secret& secret, const std::string& key, const ReadFile& read);

// The secrets of a map of texts that was bound with `secret` and `reread`: its values keep each
// ${file:path}, and $$ for a single $.
Result<std::map<std::string, Secret>> secrets_of(const std::string& key,
                                                 const std::map<std::string, std::string>& texts);

// Thread-safe. The files are read at most every 5 s, by one of the threads that call values(); the
// others get the values of before meanwhile.
class SecretReloader {
 public:
  using Values = std::map<std::string, Secret>;  // By name.
  struct Checks {
    std::string section;  // Before the names in errors: "headers.".
    HeaderUse use;        // A value that no header can carry is not used.
    // An error: a file of `key` cannot be used, the value of before stays; once for each new
    // reason. Then once OK, when it can be used again. May be null.
    std::function<void(const std::string& key, const Status& read)> report;
  };

  // `clock` outlives it.
  SecretReloader(Values values, Checks checks, const Clock& clock);

  // Takes no lock where no value comes from a file, else one for the copy of the pointer.
  std::shared_ptr<const Values> values() const;

 private:
  std::shared_ptr<const Values> current() const;
  void read_all_again() const;
  Result<std::string> read_checked(const std::string& name, const Secret& secret) const;

  const Checks checks_;
  const Clock& clock_;
  const std::shared_ptr<const Values> first_;
  const bool has_files_;
  mutable std::atomic<SteadyTime> due_;
  mutable std::atomic<bool> reading_ = false;
  mutable std::map<std::string, std::string> reported_;  // By name; while reading_ is owned.
  mutable Mutex mutex_;
  mutable std::shared_ptr<const Values> current_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::config
