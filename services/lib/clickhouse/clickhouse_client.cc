#include "services/lib/clickhouse/clickhouse_client.h"

#include <utility>

#include "services/lib/clickhouse/exception.h"
#include "services/lib/clickhouse/native_reader.h"
#include "services/lib/clickhouse/select_answer.h"
#include "services/lib/config/secret_reloader.h"

namespace spanway::clickhouse {
namespace {

constexpr int kOk = 200;
constexpr std::size_t kInsertAnswerBytesMax = 64u << 10;

std::string printable(const http::Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos && url.host.front() != '[';
  return std::string(url.https ? "https://" : "http://") + (is_v6 ? "[" : "") + url.host +
         (is_v6 ? "]" : "") + ":" + std::to_string(url.port) +
         url.path.substr(0, url.path.find('?'));
}

}  // namespace

// Outlives the client in the callbacks of its requests.
struct Client::Shared {
  Shared(ClientOptions o, std::string path_of_url, std::string name, const Clock& c)
      : options(std::move(o)),
        path(std::move(path_of_url)),
        endpoint(std::move(name)),
        clock(c),
        password({{"password", options.password}},
                 {"", config::HeaderUse::kHttp, options.report_secret}, c) {}
  ClientOptions options;
  std::string path;
  std::string endpoint;
  const Clock& clock;
  const config::SecretReloader password;

  // A 200 that ClickHouse itself has sent.
  Status check_answer(const Result<http::Response>& answer) const {
    if (!answer.ok()) return Error(answer.error()).with_context(endpoint);
    Status status = check_answer(*answer);
    if (!status.ok()) return std::move(status).error().with_context(endpoint);
    return status;
  }
  Status check_answer(const http::Response& answer) const {
    if (answer.status != kOk)
      return error_of(answer, std::chrono::time_point_cast<std::chrono::system_clock::duration>(
                                  clock.system_now()));
    if (!answer.headers.find("x-clickhouse-query-id")) return not_clickhouse("HTTP 200; ");
    return {};
  }
};

std::string insert_sql(std::string_view table, const block::Block& block) {
  std::string sql = "INSERT INTO " + quote_identifier(table) + " (";
  for (std::size_t i = 0; i < block.columns(); ++i)
    sql += (i == 0 ? "" : ", ") + quote_identifier(block.name(i));
  return sql + ") FORMAT Native";
}

Result<std::unique_ptr<Client>> Client::create(ClientOptions options,
                                               const std::shared_ptr<http::TlsClientContext>& tls,
                                               http::IoPool& pool, const Clock& clock) {
  SPANWAY_ASSIGN(http::Url url, http::Url::parse(options.url));
  http::ClientOptions queries;
  queries.connections_max = options.connections_max;
  queries.waiting_max = options.waiting_max;
  queries.response_bytes_max = options.answer_bytes_max;
  http::ClientOptions inserts = queries;
  // The status says it all, and the header holds the exception's code.
  inserts.response_bytes_max = kInsertAnswerBytesMax;
  inserts.truncate_large_responses = true;
  std::unique_ptr<Client> client(
      new Client(std::make_shared<Shared>(std::move(options), url.path, printable(url), clock)));
  SPANWAY_ASSIGN(client->queries_, http::Client::create(url, queries, tls, pool));
  SPANWAY_ASSIGN(client->inserts_, http::Client::create(std::move(url), inserts, tls, pool));
  return client;
}

Client::~Client() = default;

void Client::refresh_password() const { (void)shared_->password.values(); }

const std::string& Client::endpoint() const noexcept { return shared_->endpoint; }

void Client::authenticate(http::ClientRequest& request) const {
  request.headers.add("user-agent", "spanway");
  if (!shared_->options.username.empty())
    request.headers.add("x-clickhouse-user", shared_->options.username);
  const auto secrets = shared_->password.values();
  if (const Secret& password = secrets->at("password"); !password.empty())
    request.headers.add("x-clickhouse-key", password.reveal());
}

void Client::send(http::Client& http, http::ClientRequest request, Deadline deadline,
                  http::Client::Callback callback) {
  authenticate(request);
  // A kept-alive connection that the server has closed: inserts carry a token, or are at least
  // once.
  http.send(std::move(request), deadline, /*idempotent=*/true, std::move(callback));
}

void Client::select(Query query, Deadline deadline, OnBlock on_block, OnEnd on_end) {
  Settings settings = std::move(query.settings);
  settings.emplace_back("default_format", "Native");
  // The server keeps the answer until the query has succeeded: an error then has its status and
  // code, and no part of an answer is taken for all of it.
  settings.emplace_back("wait_end_of_query", "1");
  http::ClientRequest request;
  request.path =
      query_target(shared_->path, shared_->options.database, "", settings, query.parameters);
  request.body = Bytes(query.sql);
  send(*queries_, std::move(request), deadline,
       [shared = shared_, on_block = std::move(on_block),
        on_end = std::move(on_end)](Result<http::Response> answer) {
         if (Status status = shared->check_answer(answer); !status.ok())
           return on_end(std::move(status));
         NativeReader reader(answer->body.view());
         while (true) {
           auto block = reader.next();
           if (!block.ok()) return on_end(std::move(block).error().with_context(shared->endpoint));
           if (!block->has_value()) return on_end(ok_status());
           if (Status status = on_block(std::move(**block)); !status.ok())
             return on_end(std::move(status));
         }
       });
}

std::unique_ptr<SelectStream> Client::stream(const Select& select, Deadline deadline) {
  Settings settings = {{"default_format", "Native"},
                       {"cancel_http_readonly_queries_on_client_close", "1"}};
  const auto limit = [&](const char* name, std::uint64_t value) {
    if (value > 0) settings.emplace_back(name, std::to_string(value));
  };
  limit("max_rows_to_read", select.limits.rows_read);
  limit("max_bytes_to_read", select.limits.bytes_read);
  limit("max_memory_usage", select.limits.memory_bytes);
  limit("max_threads", select.limits.threads);
  if (const Duration left = deadline.remaining(shared_->clock.now()); !deadline.is_never())
    limit("max_execution_time",
          static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(left).count()) + 1);
  http::ClientRequest request;
  // The server takes a GET for read-only, and ends only such queries when their client is gone.
  request.method = "GET";
  request.path = query_target(shared_->path, shared_->options.database, select.sql.text(), settings,
                              select.parameters);
  authenticate(request);
  const auto answer =
      std::make_shared<SelectStream::Answer>([shared = shared_](const http::Response& response) {
        return shared->check_answer(response);
      });
  answer->attach(queries_->stream(std::move(request), deadline, /*idempotent=*/true, answer));
  return std::make_unique<SelectStream>(answer, shared_->endpoint);
}

void Client::execute(Query statement, Deadline deadline, OnEnd on_end) {
  http::ClientRequest request;
  statement.settings.emplace_back("wait_end_of_query", "1");
  request.path = query_target(shared_->path, shared_->options.database, "", statement.settings,
                              statement.parameters);
  request.body = Bytes(statement.sql);
  send(*queries_, std::move(request), deadline,
       [shared = shared_, on_end = std::move(on_end)](const Result<http::Response>& answer) {
         on_end(shared->check_answer(answer));
       });
}

void Client::insert(Insert insert, Deadline deadline, OnEnd on_end) {
  http::ClientRequest request;
  insert.settings.emplace_back("wait_end_of_query", "1");
  request.path =
      query_target(shared_->path, shared_->options.database, insert.sql, insert.settings, {});
  if (!insert.content_encoding.empty())
    request.headers.add("content-encoding", insert.content_encoding);
  request.body = std::move(insert.body);
  send(*inserts_, std::move(request), deadline,
       [shared = shared_, on_end = std::move(on_end)](const Result<http::Response>& answer) {
         on_end(shared->check_answer(answer));
       });
}

}  // namespace spanway::clickhouse
