#include "services/lib/pipeline/pieces.h"

#include <utility>

namespace spanway::pipeline {

Pieces::~Pieces() = default;

void Pieces::add(std::shared_ptr<const Bytes> piece) {
  if (piece == nullptr || piece->empty()) return;
  size_ += piece->size();
  pieces_.push_back(std::move(piece));
}

void Pieces::add(const Pieces& others) {
  pieces_.insert(pieces_.end(), others.pieces_.begin(), others.pieces_.end());
  size_ += others.size_;
}

std::string_view Pieces::in_one() {
  if (pieces_.size() > 1) pieces_ = {std::make_shared<const Bytes>(join())};
  return pieces_.empty() ? std::string_view() : pieces_.front()->view();
}

Bytes Pieces::join() const {
  Bytes joined = Bytes::with_capacity(size_);
  for (const auto& piece : pieces_) joined.append(piece->view());
  return joined;
}

}  // namespace spanway::pipeline
