#include "services/lib/http/server/session.h"

#include <utility>

namespace spanway::http {
namespace {

constexpr int kNotImplemented = 501;
constexpr std::uint16_t kAbnormalClosure = 1006;

}  // namespace

void Session::upgrade(std::uint64_t id, std::shared_ptr<WebSocketChannel> channel) {
  channel->end(kAbnormalClosure);
  Response response;
  response.status = kNotImplemented;
  answer(id, std::move(response), nullptr);
}

}  // namespace spanway::http
