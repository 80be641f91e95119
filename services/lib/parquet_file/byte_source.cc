#include "services/lib/parquet_file/byte_source.h"

#include <utility>

namespace spanway::parquet_file {
namespace {

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const noexcept override { return bytes_.size(); }
  Result<Bytes> read(std::uint64_t offset, std::uint64_t length) override {
    if (offset > bytes_.size() || length > bytes_.size() - offset)
      return invalid_argument("The object does not have the range that was requested");
    return Bytes(bytes_.slice(offset, length));
  }

 private:
  const Bytes bytes_;
};

}  // namespace

std::shared_ptr<ByteSource> memory_source(Bytes bytes) {
  return std::make_shared<MemorySource>(std::move(bytes));
}

}  // namespace spanway::parquet_file
