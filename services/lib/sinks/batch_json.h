// A batch as OTLP/JSON, within its memory permit.
#pragma once

#include <string>

#include "services/lib/base/result.h"
#include "services/lib/pipeline/batch.h"

namespace spanway::sinks {

// Grows the permit by what the text needs before it is written, and leaves it so large: payload and
// text are covered. JSON of usual telemetry is 2 to 4 times its protobuf; of hostile one up to 16
// times, and more than that is refused as data. Errors: RESOURCE_EXHAUSTED transient (no memory
// now), or data.
Result<std::string> batch_to_json(pipeline::Batch& batch);

}  // namespace spanway::sinks
