#include "services/query/configured_apis.h"

#include <memory>

#include "services/query/api/jaeger/jaeger_api.h"

namespace spanway::query {

ApiRegistry make_apis(const QueryConfig&, const ApiParts& parts) {
  ApiRegistry apis;
  apis.add(std::make_unique<rest::RestApi>(parts.traces, parts.figures));
  apis.add(std::make_unique<jaeger::JaegerApi>(parts.traces));
  return apis;
}

}  // namespace spanway::query
