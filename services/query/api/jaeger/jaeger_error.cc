#include "services/query/api/jaeger/jaeger_error.h"

#include "services/lib/base/json_writer.h"

namespace spanway::query::jaeger {

std::string v1_error(int http_status, std::string_view message) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("data").null();
  json.member("total", 0).member("limit", 0).member("offset", 0).begin_array("errors");
  json.begin_object().member("code", http_status).member("msg", message).end_object();
  json.end_array().end_object();
  return out;
}

std::string v3_error(Code code, int http_status, std::string_view message) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_object("error");
  json.member("grpcCode", static_cast<int>(code)).member("httpCode", http_status);
  json.member("message", message).end_object().end_object();
  return out;
}

}  // namespace spanway::query::jaeger
