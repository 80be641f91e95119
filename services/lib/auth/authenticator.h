// Authentication: checks the authorization header against the configured tokens or users.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/auth/auth_config.h"
#include "services/lib/auth/keyed_hash.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/http/message.h"

namespace spanway::auth {

// An authenticated caller. The tenant is the one of its token or user; empty when that has none.
struct Identity {
  std::string tenant;
};

// Thread-safe. Fails closed: without good credentials in the right place, once, there is no
// identity. Comparison takes the same time for every wrong credential.
class Authenticator {
 public:
  // Nothing when the file cannot be read. Called by create() and reload() only.
  using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

  // `config` has passed validate(). Fails when a file cannot be read, is empty, or when two
  // entries have the same credential.
  static Result<std::unique_ptr<Authenticator>> create(AuthConfig config, ReadFile read_file,
                                                       KeyedHash::Key key);

  Result<Identity> authenticate(const http::RequestHead& head) const;

  // Re-reads token and password files, also those of ${file:path}. A file that cannot be used is an
  // error and changes nothing. True when credentials changed. Reads files: not for io threads.
  Result<bool> reload();

  // The value of www-authenticate that goes with a 401; "" with mode none.
  std::string_view challenge() const noexcept;

 private:
  struct Entry {
    KeyedHash::Digest digest;
    Secret credential;
    std::string tenant;
  };
  using Table = std::vector<Entry>;

  Authenticator(AuthConfig config, ReadFile read_file, KeyedHash::Key key);
  Result<std::shared_ptr<const Table>> read_table() const;
  // From the file that one of the two names, or the value itself.
  // `path` is the key of `value`; that of its file ends in _file.
  Result<Secret> read_secret(const Secret& value, const std::string& file_key,
                             const std::string& path) const;
  Status add(Table& table, Secret credential, std::string tenant, const std::string& name) const;
  std::optional<Identity> find(std::string_view credential) const;

  const AuthConfig config_;
  const ReadFile read_file_;
  const KeyedHash hash_;
  mutable Mutex mutex_;
  // Shared: a request that is being checked keeps the table it began with.
  std::shared_ptr<const Table> table_ SPANWAY_GUARDED_BY(mutex_);
};

// Reads at most 64 KiB; nothing when the file cannot be read or is larger.
std::optional<std::string> read_small_file(const std::string& path);

}  // namespace spanway::auth
