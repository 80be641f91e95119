#include "tests/integration/s3/s3_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::objectstore {
namespace {

constexpr const char* kScript = "tests/parts/s3.sh";

int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  SPANWAY_CHECK(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  SPANWAY_CHECK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(listener);
  return ntohs(address.sin_port);
}

}  // namespace

S3Server* S3Server::shared() {
  static const std::unique_ptr<S3Server> server = [] {
    const bool is_there = std::system((std::string(kScript) + " get").c_str()) == 0;
    return is_there ? create() : nullptr;
  }();
  return server.get();
}

std::unique_ptr<S3Server> S3Server::create(const std::string& environment) {
  char folder[] = "/tmp/spanway-s3-XXXXXX";
  SPANWAY_CHECK(mkdtemp(folder) != nullptr);
  std::unique_ptr<S3Server> made(new S3Server(folder, free_port(), environment));
  SPANWAY_CHECK(made->run("start"));
  return made;
}

S3Server::S3Server(std::string folder, int port, const std::string& environment)
    : folder_(std::move(folder)),
      environment_("ROOT=" + folder_ + " PORT=" + std::to_string(port) + " " + environment + " "),
      url_("http://127.0.0.1:" + std::to_string(port)) {}

S3Server::~S3Server() {
  run("stop");
  SPANWAY_CHECK(folder_.starts_with("/tmp/spanway-s3-"));
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool S3Server::run(const std::string& command) const {
  return std::system((environment_ + kScript + " " + command).c_str()) == 0;
}

S3Options S3Server::options(const std::string& bucket) const {
  S3Options options;
  options.bucket = bucket;
  options.endpoint = url_;
  options.path_style = true;
  return options;
}

std::string S3Server::bucket(const std::string& name) {
  std::filesystem::create_directories(folder_ + "/s3/data/" + name);
  return name;
}

TestBucket::TestBucket(const S3Options& options, const std::string& access_key,
                       const std::string& secret_key, const Clock& clock) {
  CredentialsOptions credentials;
  credentials.source = CredentialsSource::kEnvironment;
  credentials.environment = [=](const char* name) -> std::optional<std::string> {
    if (name == std::string_view("AWS_ACCESS_KEY_ID")) return access_key;
    if (name == std::string_view("AWS_SECRET_ACCESS_KEY")) return secret_key;
    return std::nullopt;
  };
  auto made =
      S3Client::create(options, CredentialsProvider::create(credentials, io_, clock), io_, clock);
  SPANWAY_CHECK(made.ok());
  client_ = std::move(made).value();
  store_ = make_s3_store(client_, io_, clock);
}

std::unique_ptr<ObjectStore> TestBucket::open(Deadline deadline, std::stop_token stop) {
  S3StoreOptions options;
  options.deadline = deadline;
  options.stop = std::move(stop);
  return make_s3_store(client_, io_, system_clock(), std::move(options));
}

}  // namespace spanway::objectstore
