#include "services/lib/http/server/http1_writer.h"

#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>

#include "services/lib/base/check.h"
#include "services/lib/http/request_target.h"
#include "services/lib/http/server/http_date.h"

namespace spanway::http {

void append_http1_head(std::string& out, const Response& response, Http1HeadOptions options,
                       const Clock& clock) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(reason.data(), reason.size()).append("\r\n");
  for (const auto& [name, value] : response.headers.fields()) {
    const bool ours = name == "content-length" || name == "transfer-encoding" ||
                      name == "connection" || name == "date";
    if (ours) continue;
    if (!is_sendable_field(name, value)) {
      count_bug("http1_unsendable_field");
      continue;
    }
    out.append(name).append(": ").append(value).append("\r\n");
  }
  out.append("date: ").append(http_date(clock)).append("\r\n");
  if (options.framing == Http1Framing::kLength)
    out.append("content-length: ").append(std::to_string(response.body.size())).append("\r\n");
  if (options.framing == Http1Framing::kChunked) out.append("transfer-encoding: chunked\r\n");
  if (!options.keep_alive) out.append("connection: close\r\n");
  if (options.keep_alive && options.http10) out.append("connection: keep-alive\r\n");
  out.append("\r\n");
}

void append_http1_chunk(Bytes& out, std::string_view piece) {
  if (piece.empty()) return;
  std::array<char, 16> length;
  char* const end =
      std::to_chars(length.data(), length.data() + length.size(), piece.size(), 16).ptr;
  out.append({length.data(), static_cast<std::size_t>(end - length.data())});
  out.append("\r\n");
  out.append(piece);
  out.append("\r\n");
}

void append_http1_last_chunk(Bytes& out, const Headers& trailers) {
  out.append("0\r\n");
  for (const auto& [name, value] : trailers.fields()) {
    if (!is_sendable_field(name, value)) {
      count_bug("http1_unsendable_field");
      continue;
    }
    out.append(name);
    out.append(": ");
    out.append(value);
    out.append("\r\n");
  }
  out.append("\r\n");
}

}  // namespace spanway::http
