// The real S3 server of tests/parts, on a free port, with one empty bucket for each test.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "services/lib/http/io_pool.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/objectstore/s3_client.h"

namespace spanway::objectstore {

// Single-thread.
class S3Server {
 public:
  // Started at the first call, for the whole test binary; null when the part cannot be had.
  static S3Server* shared();
  // One of its own: `environment` is put before the command, e.g. "READONLY=1".
  static std::unique_ptr<S3Server> create(const std::string& environment = "");
  ~S3Server();

  const std::string& url() const noexcept { return url_; }
  // Options of the bucket, with the server's own key.
  S3Options options(const std::string& bucket) const;
  // Makes it when it is missing.
  std::string bucket(const std::string& name);
  bool run(const std::string& command) const;  // "start", "stop", "kill9", "stall", "resume"

 private:
  S3Server(std::string folder, int port, const std::string& environment);
  const std::string folder_;
  const std::string environment_;
  const std::string url_;
};

// A client and what it needs.
class TestBucket {
 public:
  explicit TestBucket(const S3Options& options, const std::string& access_key = "testkey",
                      const std::string& secret_key = "testsecret",
                      const Clock& clock = system_clock());
  S3Client& client() noexcept { return *client_; }
  ObjectStore& store() noexcept { return *store_; }
  // Another one for one query.
  std::unique_ptr<ObjectStore> open(Deadline deadline, std::stop_token stop);

 private:
  http::IoPool io_{"s3", 1};
  std::shared_ptr<S3Client> client_;
  std::unique_ptr<ObjectStore> store_;
};

// The server comes from a registry; a machine without one can still run the other tests.
#define SPANWAY_NEEDS_S3()           \
  if (S3Server::shared() == nullptr) \
  GTEST_SKIP() << "tests/parts/s3.sh get: the command failed; its output is above"

}  // namespace spanway::objectstore
