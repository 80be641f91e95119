// S3 under contract.
#pragma once

#include <memory>

#include "tests/contract/backends.h"

namespace spanway::contract {

std::unique_ptr<Backend> make_s3_backend();

}  // namespace spanway::contract
