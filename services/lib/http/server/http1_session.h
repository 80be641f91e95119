// HTTP/1.0 and 1.1 as a server: one request at a time, strict framing. For this module only.
#pragma once

#include <memory>

#include "services/lib/http/server/session.h"

namespace spanway::http {

// Any doubt about the framing is answered with 400 and the connection closed. `responders` outlives
// the session.
std::unique_ptr<Session> make_http1_session(SessionContext context, ResponderSource& responders);

}  // namespace spanway::http
