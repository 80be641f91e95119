#include "services/lib/pipeline/batch.h"

#include <utility>

namespace spanway::pipeline {

Batch Batch::clone(Permit copy_permit) const {
  Batch copy;
  copy.signal = signal;
  copy.payload = payload.clone();
  copy.item_count = item_count;
  copy.metadata = metadata;
  copy.deadline = deadline;
  copy.permit = std::move(copy_permit);
  return copy;
}

}  // namespace spanway::pipeline
