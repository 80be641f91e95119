// A WebSocket on a connection whose request upgrades to it. For this module only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "services/lib/http/message.h"
#include "services/lib/http/server/session.h"
#include "services/lib/http/server/web_socket_channel.h"

namespace spanway::http {

// `head` is the request that is_web_socket_request() accepts. `wake` is called on the thread of
// `context`, outside of all calls to the session, when there is something to send or the state has
// changed. Beast does the protocol; its stream reads from and writes to memory.
std::unique_ptr<Session> make_web_socket_session(boost::asio::io_context& context,
                                                 const RequestHead& head,
                                                 std::shared_ptr<WebSocketChannel> channel,
                                                 std::function<void()> wake);

}  // namespace spanway::http
