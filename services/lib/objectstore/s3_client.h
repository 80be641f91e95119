// Objects in one bucket of an S3 server, without blocking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/tls.h"
#include "services/lib/objectstore/credentials.h"

namespace spanway::objectstore {

struct S3Options {
  std::string bucket;
  std::string region = "us-east-1";
  // URL of another server than AWS; empty = https://s3.<region>.amazonaws.com
  std::string endpoint;
  // True: endpoint/bucket/key. False: the bucket is part of the host name.
  bool path_style = false;
  ClientTlsConfig tls;
  std::size_t connections_max = 8;
  std::size_t waiting_max = 1024;
  std::size_t answer_bytes_max = 4u << 20;  // Larger answers are errors.
  // A larger object is sent in parts of this size, one after the other. S3 takes 5 MiB and more.
  std::size_t part_bytes = 16u << 20;
};

// When a put is refused with "s3_precondition_failed": FAILED_PRECONDITION.
struct PutCondition {
  bool if_absent = false;     // There is an object of that key.
  std::string if_match = {};  // The object has another ETag; empty = no condition.
};

struct PutRequest {
  std::string key;
  Bytes body;
  std::string content_type = "application/octet-stream";
  PutCondition condition = {};
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct Object {
  Bytes body;
  std::string etag;
};

struct ObjectInfo {
  std::string key;
  std::uint64_t bytes = 0;
  SystemTime modified;
  bool operator==(const ObjectInfo&) const = default;
};

// One page of a listing, ascending by key.
struct ListPage {
  std::vector<ObjectInfo> objects;
  std::vector<std::string> prefixes;  // With their '/', of a listing by folder.
  std::string next;                   // Empty = the last page.
};

struct ListRequest {
  std::string prefix;
  bool by_folder = false;  // Keys with another '/' behind the prefix are joined in `prefixes`.
  std::string page = {};   // ListPage::next of the page before.
  std::size_t keys_max = 1000;
};

// Thread-safe. Requests are signed with SigV4 over the hash of their body; a put also carries it as
// checksum, which the server stores. Retries nothing. Callbacks run once, by the deadline at the
// latest, on an io thread or, when nothing can be sent, on the caller's. Errors: see s3_error.h;
// NOT_FOUND "s3_no_such_key" from get(); those of credentials; transport errors, transient. Refused
// credentials are read again for the next request. Destruction answers what is under way with
// UNAVAILABLE.
class S3Client {
 public:
  template <typename T>
  using Callback = std::function<void(Result<T>)>;

  // `io` and `clock` outlive the client.
  static Result<std::unique_ptr<S3Client>> create(S3Options options,
                                                  std::shared_ptr<CredentialsProvider> credentials,
                                                  http::IoPool& io, const Clock& clock);
  ~S3Client();

  // The ETag of the object that was written, all of it or nothing. An object in parts that fails is
  // aborted, as far as the server can be reached; a lifecycle rule removes what is left.
  void put(PutRequest request, Deadline deadline, Callback<std::string> done);
  // All of it without a range. A range that the object does not have is OUT_OF_RANGE, data.
  void get(std::string key, std::optional<ByteRange> range, Deadline deadline,
           Callback<Object> done);
  void list(ListRequest request, Deadline deadline, Callback<ListPage> done);
  // OK also when there is no such object, as S3 answers.
  void remove(std::string key, Deadline deadline, std::function<void(Status)> done);
  // Reads TLS files again when they have changed.
  Result<bool> reload_tls();

  // "https://host/bucket", for messages.
  const std::string& endpoint() const noexcept;

 private:
  struct Core;
  explicit S3Client(std::shared_ptr<Core> core, std::shared_ptr<http::TlsClientContext> tls);
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<http::TlsClientContext> tls_;
};

}  // namespace spanway::objectstore
