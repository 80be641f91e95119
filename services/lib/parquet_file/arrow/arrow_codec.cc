#include "services/lib/parquet_file/arrow/arrow_codec.h"

#include <utility>

#include "services/lib/parquet_file/arrow/parquet_reader.h"
#include "services/lib/parquet_file/arrow/parquet_writer.h"

namespace spanway::parquet_file {
namespace {

class ArrowCodec final : public Codec {
 public:
  Result<Bytes> encode(block::Block rows, const WriteOptions& options) const override {
    return encode_parquet(std::move(rows), options);
  }
  Result<std::unique_ptr<File>> open(std::shared_ptr<ByteSource> source) const override {
    return open_parquet(std::move(source));
  }
};

}  // namespace

const Codec& arrow_codec() noexcept {
  static const ArrowCodec codec;
  return codec;
}

}  // namespace spanway::parquet_file
