// HTTP/2 as a server, on libnghttp2. For this module only.
#pragma once

#include <memory>

#include "services/lib/http/server/session.h"

namespace spanway::http {

// Frames out of proportion to the requests, resets in series, headers beyond the limits end the
// connection with ENHANCE_YOUR_CALM. `responders` outlives the session.
std::unique_ptr<Session> make_http2_session(SessionContext context, ResponderSource& responders);

}  // namespace spanway::http
