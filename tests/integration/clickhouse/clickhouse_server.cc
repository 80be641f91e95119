#include "tests/integration/clickhouse/clickhouse_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/block/text_view.h"
#include "services/lib/clickhouse/native_writer.h"

namespace spanway::clickhouse {
namespace {

constexpr const char* kScript = "tests/parts/clickhouse.sh";
constexpr std::chrono::seconds kTimeout{60};

std::string unavailable_reason;

// Bound sockets keep two calls from getting the same port.
std::pair<int, int> free_ports() {
  int ports[2] = {0, 0};
  int sockets[2];
  for (int i = 0; i < 2; ++i) {
    sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    SPANWAY_CHECK(bind(sockets[i], reinterpret_cast<sockaddr*>(&address), size) == 0);
    SPANWAY_CHECK(getsockname(sockets[i], reinterpret_cast<sockaddr*>(&address), &size) == 0);
    ports[i] = ntohs(address.sin_port);
  }
  close(sockets[0]);
  close(sockets[1]);
  return {ports[0], ports[1]};
}

Deadline deadline() { return Deadline::after(system_clock(), kTimeout); }

template <typename Start>
Status wait_for(Start&& start) {
  std::promise<Status> ended;
  start([&ended](Status status) { ended.set_value(std::move(status)); });
  return ended.get_future().get();
}

}  // namespace

ClickHouseServer* ClickHouseServer::shared() {
  static const std::unique_ptr<ClickHouseServer> server =
      []() -> std::unique_ptr<ClickHouseServer> {
    if (std::system((std::string(kScript) + " get").c_str()) != 0) {
      unavailable_reason = "the command failed; its output is above";
      return nullptr;
    }
    char folder[] = "/tmp/spanway-clickhouse-XXXXXX";
    SPANWAY_CHECK(mkdtemp(folder) != nullptr);
    const auto [http_port, tcp_port] = free_ports();
    std::unique_ptr<ClickHouseServer> made(new ClickHouseServer(folder, http_port, tcp_port));
    const Status started = made->start();
    SPANWAY_CHECK(started.ok());
    return made;
  }();
  return server.get();
}

const std::string& ClickHouseServer::unavailable() { return unavailable_reason; }

ClickHouseServer::ClickHouseServer(std::string folder, int http_port, int tcp_port)
    : folder_(std::move(folder)),
      environment_("ROOT=" + folder_ + " PORT=" + std::to_string(http_port) +
                   " TCP_PORT=" + std::to_string(tcp_port) + " "),
      url_("http://127.0.0.1:" + std::to_string(http_port)) {}

ClickHouseServer::~ClickHouseServer() {
  run("stop");
  SPANWAY_CHECK(folder_.starts_with("/tmp/spanway-clickhouse-"));
  if (std::system(("rm -rf " + folder_).c_str()) != 0) unavailable_reason = "not removed";
}

bool ClickHouseServer::run(const std::string& command) const {
  return std::system((environment_ + kScript + " " + command).c_str()) == 0;
}

Status ClickHouseServer::start() {
  return run("start") ? ok_status() : spanway::unavailable("the server does not start");
}
Status ClickHouseServer::stop() {
  return run("stop") ? ok_status() : spanway::unavailable("the server does not stop");
}
Status ClickHouseServer::kill9() {
  return run("kill9") ? ok_status() : spanway::unavailable("the server cannot be killed");
}

std::string ClickHouseServer::database(const std::string& name) {
  BlockingClient client(url_, "default");
  SPANWAY_CHECK(client.execute("DROP DATABASE IF EXISTS " + name).ok());
  SPANWAY_CHECK(client.execute("CREATE DATABASE " + name).ok());
  return name;
}

BlockingClient::BlockingClient(const std::string& url, const std::string& database,
                               const std::string& username, const std::string& password) {
  ClientOptions options;
  options.url = url;
  options.database = database;
  options.username = username;
  options.password = Secret(password);
  auto client = Client::create(std::move(options), nullptr, io_, system_clock());
  SPANWAY_CHECK(client.ok());
  client_ = std::move(client).value();
}

Status BlockingClient::execute(const std::string& sql) {
  return wait_for([&](Client::OnEnd end) {
    client_->execute({.sql = sql, .parameters = {}, .settings = {}}, deadline(), std::move(end));
  });
}

Result<std::vector<block::Block>> BlockingClient::select(const std::string& sql) {
  std::vector<block::Block> blocks;
  SPANWAY_TRY(wait_for([&](Client::OnEnd end) {
    client_->select(
        {.sql = sql, .parameters = {}, .settings = {}}, deadline(),
        [&blocks](block::Block block) {
          blocks.push_back(std::move(block));
          return ok_status();
        },
        std::move(end));
  }));
  return blocks;
}

Status BlockingClient::insert(const std::string& table, const block::Block& block,
                              Settings settings) {
  Bytes body;
  append_native(block, body);
  return insert_bytes(insert_sql(table, block), std::move(body), std::move(settings));
}

Status BlockingClient::insert_bytes(const std::string& sql, Bytes body, Settings settings) {
  return wait_for([&](Client::OnEnd end) {
    client_->insert({.sql = sql,
                     .body = std::move(body),
                     .content_encoding = "",
                     .settings = std::move(settings)},
                    deadline(), std::move(end));
  });
}

std::string BlockingClient::value(const std::string& sql) {
  const auto blocks = select("SELECT toString(tuple(*).1) FROM (" + sql + ")");
  if (!blocks.ok()) return "error: " + blocks.error().message;
  for (const block::Block& block : *blocks)
    if (block.rows() > 0) return std::string(*block::TextView::of(block.column(0))->at(0));
  return "";
}

}  // namespace spanway::clickhouse
