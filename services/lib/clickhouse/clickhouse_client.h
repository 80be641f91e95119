// A ClickHouse server, by its HTTP interface.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/lib/block/block.h"
#include "services/lib/clickhouse/query.h"
#include "services/lib/clickhouse/select_stream.h"
#include "services/lib/http/client.h"
#include "services/lib/http/tls.h"

namespace spanway::clickhouse {

struct ClientOptions {
  std::string url;  // "http://clickhouse:8123"; a path is kept, for proxies.
  std::string database;
  std::string username;  // Empty = the server's default user.
  Secret password;
  // The file of the password was read again, see config::SecretReloader. May be null.
  std::function<void(const std::string& key, const Status& read)> report_secret;
  std::size_t connections_max = 8;
  std::size_t waiting_max = 256;  // Requests that wait for a connection; more = UNAVAILABLE.
  std::size_t answer_bytes_max = 64u << 20;  // For a SELECT; a larger answer is an error.
};

// One INSERT: the encoded block, complete. `content_encoding` names its compression; empty = none.
struct Insert {
  std::string sql;  // From insert_sql().
  Bytes body;
  std::string content_encoding;
  Settings settings;
};

// "INSERT INTO `spans` (`tenant`, ...) FORMAT Native" for the columns of that block.
std::string insert_sql(std::string_view table, const block::Block& block);

// Thread-safe. Callbacks run on an io thread, on_end exactly once, by the deadline at the latest.
// Errors: exception.h for what the server refuses; transient for what does not reach it. Nothing is
// retried. Destruction ends what is under way with UNAVAILABLE.
class Client {
 public:
  // Each block of an answer, in order, before on_end. An error ends the query with that error.
  using OnBlock = std::function<Status(block::Block)>;
  using OnEnd = std::function<void(Status)>;

  // `tls` is null for http. The pool outlives the client.
  static Result<std::unique_ptr<Client>> create(ClientOptions options,
                                                const std::shared_ptr<http::TlsClientContext>& tls,
                                                http::IoPool& pool, const Clock& clock);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A query with rows. The answer is buffered today, at most `answer_bytes_max`, whose error is
  // known before its first block.
  void select(Query query, Deadline deadline, OnBlock on_block, OnEnd on_end);
  // A query whose rows are read while they come. The text has no part that came into being at run
  // time; see sql.h. Errors are the stream's. May outlive the client.
  std::unique_ptr<SelectStream> stream(const Select& select, Deadline deadline);
  // A statement without rows: CREATE, ALTER, ...
  void execute(Query statement, Deadline deadline, OnEnd on_end);
  void insert(Insert insert, Deadline deadline, OnEnd on_end);

  // Reads the file of the password again, as each request does; see config::SecretReloader.
  void refresh_password() const;

  // The URL without user, password and query, for messages.
  const std::string& endpoint() const noexcept;

 private:
  struct Shared;
  explicit Client(std::shared_ptr<Shared> shared) noexcept : shared_(std::move(shared)) {}
  void authenticate(http::ClientRequest& request) const;
  void send(http::Client& http, http::ClientRequest request, Deadline deadline,
            http::Client::Callback callback);

  const std::shared_ptr<Shared> shared_;
  // Apart, because a large answer to an INSERT is truncated and one to a SELECT must not be.
  std::unique_ptr<http::Client> inserts_, queries_;
};

}  // namespace spanway::clickhouse
