// One object in parts. Internal to objectstore.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "services/lib/objectstore/s3_client.h"
#include "services/lib/objectstore/s3_request.h"

namespace spanway::objectstore {

// if-none-match and if-match of a put.
void add_condition(const PutCondition& condition, http::Headers& headers);

// Creates the upload, sends its parts one after the other, so that one copy of a part is held
// besides the body, and completes it; after a failure the upload is aborted. `done` runs once, with
// the ETag of the object.
void start_multipart_upload(const std::shared_ptr<S3Sender>& sender, PutRequest request,
                            std::size_t part_bytes, Deadline deadline,
                            S3Client::Callback<std::string> done);

}  // namespace spanway::objectstore
