#include "services/demo/student/student_api.h"

#include <utility>

#include "services/demo/student/demo_topics.h"
#include "services/lib/base/json_writer.h"

namespace spanway::demo {
namespace {

constexpr char kPath[] = "/api/v1/student";
constexpr int kCreated = 201, kBadRequest = 400, kNotFound = 404, kMethodNotAllowed = 405,
              kPayloadTooLarge = 413, kUnavailable = 503;

http::Response json_response(int status, std::string_view body) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", "application/json");
  if (status == kUnavailable) response.headers.add("retry-after", "1");
  if (status == kMethodNotAllowed) response.headers.add("allow", "POST");
  response.body = Bytes(body);
  return response;
}

http::Response error_response(int status, const std::string& message) {
  std::string body;
  JsonWriter(body).begin_object().member("error", message).end_object();
  return json_response(status, body + "\n");
}

}  // namespace

// One request until its answer. Owned by one thread at a time.
struct StudentApi::Request {
  Span span;
  http::Responder responder;
  std::string body = {};
  Student student = {};

  void refuse(int status, const std::string& message) {
    span.set("http.response.status_code", std::int64_t{status});
    if (status >= 500) span.fail(message);
    span.end();
    responder.send(error_response(status, message));
  }
  void accept() {
    span.set("http.response.status_code", std::int64_t{kCreated});
    span.end();
    std::string answer;
    JsonWriter(answer)
        .begin_object()
        .member("id", student.id)
        .member("trace_id", hex(span.context().trace_id))
        .end_object();
    responder.send(json_response(kCreated, answer + "\n"));
  }
};

class StudentApi::Reader final : public http::BodyReader {
 public:
  Reader(StudentApi& api, std::shared_ptr<Request> request)
      : api_(api), request_(std::move(request)) {}

  bool on_data(std::string_view data) override {
    if (request_->body.size() + data.size() > kStudentBytesMax) {
      request_->refuse(kPayloadTooLarge, "the body is longer than a student can be");
      return false;
    }
    request_->body += data;
    return true;
  }
  void on_end() override { api_.submit(std::move(request_)); }

 private:
  StudentApi& api_;
  std::shared_ptr<Request> request_;
};

std::unique_ptr<http::BodyReader> StudentApi::on_request(const http::RequestHead& head,
                                                         http::Responder responder) {
  if (head.path != kPath) {
    responder.send(error_response(kNotFound, std::string("there is ") + kPath + " only"));
    return nullptr;
  }
  if (head.method != "POST") {
    responder.send(error_response(kMethodNotAllowed, "only POST is answered here"));
    return nullptr;
  }
  const auto parent = extract([&head](std::string_view name) { return head.headers.get(name); });
  Span span = parts_.tracer.start(std::string("POST ") + kPath, testapp::SpanKind::kServer, parent);
  span.set("http.request.method", "POST");
  span.set("http.route", kPath);
  return std::make_unique<Reader>(
      *this, std::make_shared<Request>(Request{std::move(span), std::move(responder)}));
}

void StudentApi::submit(std::shared_ptr<Request> request) {
  if (pending_.fetch_add(1) >= kPendingMax) {
    --pending_;
    request->refuse(kUnavailable, "too many requests at once; try again");
    return;
  }
  parts_.worker.post([this, request = std::move(request)] {
    store(request);
    --pending_;
  });
}

void StudentApi::store(const std::shared_ptr<Request>& request) {
  auto student = parse_student(request->body);
  if (!student.ok()) return request->refuse(kBadRequest, student.error().message);
  request->student = std::move(*student);
  const auto id = parts_.database.insert(request->student, request->span.context());
  if (!id.ok()) return request->refuse(kUnavailable, id.error().message);
  request->student.id = *id;
  publish(request);
}

void StudentApi::publish(const std::shared_ptr<Request>& request) {
  auto span = std::make_shared<Span>(parts_.tracer.start(
      std::string("send ") + kStudentTopic, testapp::SpanKind::kProducer, request->span.context()));
  span->set("messaging.system", "kafka");
  span->set("messaging.operation.type", "send");
  span->set("messaging.destination.name", kStudentTopic);
  const std::string message = to_json(request->student);
  kafka::Record record{.topic = kStudentTopic,
                       .partition = 0,
                       .key = std::to_string(request->student.id),
                       .payload = Bytes(message),
                       .headers = {}};
  inject(span->context(), record.headers);
  parts_.producer.produce(std::move(record), [request, span](const Status& written) {
    if (!written.ok()) span->fail(written.error().message);
    span->end();
    if (!written.ok()) return request->refuse(kUnavailable, "Kafka: " + written.error().message);
    request->accept();
  });
}

}  // namespace spanway::demo
