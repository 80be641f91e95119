#include "services/demo/student/database.h"

#include <libpq-fe.h>

#include <charconv>
#include <utility>

namespace spanway::demo {
namespace {

constexpr char kCreate[] =
    "CREATE TABLE IF NOT EXISTS student (id bigserial PRIMARY KEY, firstname text NOT NULL, "
    "lastname text NOT NULL, fees bigint)";
constexpr char kInsert[] = "INSERT INTO student (firstname, lastname) VALUES ($1, $2) RETURNING id";
constexpr char kUpdate[] = "UPDATE student SET fees = $2 WHERE id = $1";

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

Error server_is_away(const PGconn* session) {
  return unavailable("PostgreSQL: " + one_line(PQerrorMessage(session)));
}

}  // namespace

Database::Database(std::string connection, Tracer& tracer)
    : connection_(std::move(connection)), tracer_(tracer), session_(nullptr, PQfinish) {}

Database::~Database() = default;

Status Database::connect() {
  if (session_ && PQstatus(session_.get()) == CONNECTION_OK) return ok_status();
  const std::string bounded =
      connection_ + " connect_timeout=" + std::to_string(kConnectSeconds) +
      " tcp_user_timeout=" + std::to_string(kStatementSeconds * 1000) +
      " options='-c statement_timeout=" + std::to_string(kStatementSeconds * 1000) + "'";
  session_.reset(PQconnectdb(bounded.c_str()));
  // Its notices ("relation already exists, skipping") are for people at a prompt.
  PQsetNoticeProcessor(
      session_.get(), [](void*, const char*) {}, nullptr);
  if (PQstatus(session_.get()) == CONNECTION_OK) return ok_status();
  Error error = server_is_away(session_.get());
  session_.reset();
  return error;
}

Result<std::string> Database::run(const char* statement, const std::vector<std::string>& values) {
  SPANWAY_TRY(connect());
  std::vector<const char*> parameters;
  for (const std::string& value : values) parameters.push_back(value.c_str());
  const std::unique_ptr<PGresult, void (*)(PGresult*)> answer(
      PQexecParams(session_.get(), statement, static_cast<int>(parameters.size()), nullptr,
                   parameters.data(), nullptr, nullptr, 0),
      PQclear);
  const ExecStatusType status = PQresultStatus(answer.get());
  if (status == PGRES_TUPLES_OK && PQntuples(answer.get()) > 0)
    return std::string(PQgetvalue(answer.get(), 0, 0));
  if (status == PGRES_COMMAND_OK) return std::string(PQcmdTuples(answer.get()));
  if (PQstatus(session_.get()) != CONNECTION_OK) return server_is_away(session_.get());
  return unknown_error(Code::kInternal,
                       "PostgreSQL: " + one_line(PQresultErrorMessage(answer.get())));
}

Result<std::string> Database::traced(const char* name, const char* statement,
                                     const std::vector<std::string>& values,
                                     const SpanContext& parent) {
  Span span = tracer_.start(name, testapp::SpanKind::kClient, parent);
  span.set("db.system.name", "postgresql");
  span.set("db.collection.name", "student");
  span.set("db.query.text", statement);
  auto result = run(statement, values);
  if (!result.ok()) span.fail(result.error().message);
  return result;
}

Status Database::create_table() {
  SPANWAY_TRY(run(kCreate, {}));
  return ok_status();
}

Result<std::int64_t> Database::insert(const Student& student, const SpanContext& parent) {
  SPANWAY_ASSIGN(const std::string text,
                 traced("INSERT student", kInsert, {student.firstname, student.lastname}, parent));
  std::int64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);
  return id;
}

Status Database::set_fees(std::int64_t id, std::int64_t fees, const SpanContext& parent) {
  SPANWAY_ASSIGN(
      const std::string rows,
      traced("UPDATE student", kUpdate, {std::to_string(id), std::to_string(fees)}, parent));
  if (rows == "0")
    return data_error(Code::kNotFound, "no student has the id " + std::to_string(id));
  return ok_status();
}

}  // namespace spanway::demo
