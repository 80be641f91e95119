// Requests of HTTP/1.1 as texts, sent to a TestServer.
#pragma once

#include <string>
#include <string_view>

#include "tests/unit/http/server_fixture.h"

namespace spanway::http {

inline std::string ask(TestServer& server, std::string_view request) {
  RawClient client(server.server->port());
  client.send(request);
  return client.receive_all();
}

inline std::string get(std::string_view target, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

inline std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; ++at) ++found;
  return found;
}

inline std::string post(std::string_view fields, std::string_view body = "abc") {
  return "POST /echo HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace spanway::http
