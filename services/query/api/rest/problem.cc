#include "services/query/api/rest/problem.h"

#include "services/lib/base/json_writer.h"

namespace spanway::query::rest {
namespace {

std::string_view title_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

std::string problem(int http_status, std::string_view detail) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("type", "about:blank").member("title", title_of(http_status));
  json.member("status", http_status).member("detail", detail).end_object();
  return out;
}

}  // namespace spanway::query::rest
