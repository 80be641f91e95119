// Errors as Jaeger's clients expect them.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::query::jaeger {

// {"data":null,...,"errors":[{"code":404,"msg":"..."}]}
std::string v1_error(int http_status, std::string_view message);
// {"error":{"grpcCode":5,"httpCode":404,"message":"..."}}
std::string v3_error(Code code, int http_status, std::string_view message);

}  // namespace spanway::query::jaeger
