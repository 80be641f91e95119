#include "services/lib/objectstore/multipart_upload.h"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "services/lib/base/base64.h"
#include "services/lib/objectstore/s3_error.h"

namespace spanway::objectstore {
namespace {

// Its steps follow each other: no two callbacks run at once.
class MultipartUpload : public std::enable_shared_from_this<MultipartUpload> {
 public:
  MultipartUpload(const std::shared_ptr<S3Sender>& sender, PutRequest request,
                  std::size_t part_bytes, Deadline deadline, S3Client::Callback<std::string> done)
      : sender_(sender),
        request_(std::move(request)),
        part_bytes_(part_bytes),
        deadline_(deadline),
        done_(std::move(done)) {}

  void start() {
    S3Request create{.method = "POST", .key = request_.key, .query = {{"uploads", ""}}};
    create.headers.add("content-type", request_.content_type);
    create.headers.add("x-amz-checksum-algorithm", "SHA256");
    send(std::move(create), [](MultipartUpload& self, const http::Response& response) {
      pugi::xml_document document;
      const std::string_view body = response.body.view();
      document.load_buffer(body.data(), body.size());
      self.upload_id_ = document.child("InitiateMultipartUploadResult").child_value("UploadId");
      if (self.upload_id_.empty()) return self.fail(not_s3(response));
      self.send_part();
    });
  }

 private:
  struct Part {
    std::string etag;
    std::string checksum;
  };
  using Step = void (*)(MultipartUpload& self, const http::Response& response);

  void send(S3Request request, Step next) {
    const auto sender = sender_.lock();
    if (!sender)
      return done_(unavailable("The S3 client was stopped").with_reason("client_closed"));
    S3Sender::send(sender, std::move(request), deadline_,
                   [self = shared_from_this(), next](Result<http::Response> answer) {
                     if (!answer.ok()) return self->fail(std::move(answer).error());
                     next(*self, *answer);
                   });
  }

  void send_part() {
    const std::size_t offset = parts_.size() * part_bytes_;
    if (offset >= request_.body.size()) return complete();
    const std::string_view content =
        request_.body.slice(offset, std::min(part_bytes_, request_.body.size() - offset));
    parts_.push_back({.etag = "", .checksum = encode_base64(view(sha256(content)))});
    S3Request put{
        .method = "PUT",
        .key = request_.key,
        .query = {{"partNumber", std::to_string(parts_.size())}, {"uploadId", upload_id_}}};
    put.body = Bytes(content);
    put.send_checksum = true;
    send(std::move(put), [](MultipartUpload& self, const http::Response& response) {
      self.parts_.back().etag = response.headers.get("etag");
      if (self.parts_.back().etag.empty()) return self.fail(not_s3(response));
      self.send_part();
    });
  }

  void complete() {
    pugi::xml_document document;
    pugi::xml_node root = document.append_child("CompleteMultipartUpload");
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      pugi::xml_node part = root.append_child("Part");
      part.append_child("ChecksumSHA256").text().set(parts_[i].checksum.c_str());
      part.append_child("ETag").text().set(parts_[i].etag.c_str());
      part.append_child("PartNumber").text().set(static_cast<unsigned>(i + 1));
    }
    std::ostringstream text;
    document.save(text, "", pugi::format_raw);
    S3Request post{.method = "POST", .key = request_.key, .query = {{"uploadId", upload_id_}}};
    post.headers.add("content-type", "application/xml");
    add_condition(request_.condition, post.headers);
    post.body = Bytes(text.str());
    send(std::move(post), [](MultipartUpload& self, const http::Response& response) {
      pugi::xml_document answer;
      const std::string_view body = response.body.view();
      answer.load_buffer(body.data(), body.size());
      const std::string etag = answer.child("CompleteMultipartUploadResult").child_value("ETag");
      if (etag.empty()) return self.fail(not_s3(response));
      self.upload_id_.clear();
      self.done_(etag);
    });
  }

  void fail(Error error) {
    const auto sender = sender_.lock();
    if (sender && !upload_id_.empty()) {
      S3Request abort{.method = "DELETE", .key = request_.key, .query = {{"uploadId", upload_id_}}};
      S3Sender::send(sender, std::move(abort), deadline_, [](Result<http::Response>) {});
    }
    request_.body = Bytes();
    done_(std::move(error));
  }

  const std::weak_ptr<S3Sender> sender_;
  PutRequest request_;
  const std::size_t part_bytes_;
  const Deadline deadline_;
  const S3Client::Callback<std::string> done_;
  std::string upload_id_;
  std::vector<Part> parts_;
};

}  // namespace

void add_condition(const PutCondition& condition, http::Headers& headers) {
  if (condition.if_absent) headers.add("if-none-match", "*");
  if (!condition.if_match.empty()) headers.add("if-match", condition.if_match);
}

void start_multipart_upload(const std::shared_ptr<S3Sender>& sender, PutRequest request,
                            std::size_t part_bytes, Deadline deadline,
                            S3Client::Callback<std::string> done) {
  std::make_shared<MultipartUpload>(sender, std::move(request), part_bytes, deadline,
                                    std::move(done))
      ->start();
}

}  // namespace spanway::objectstore
