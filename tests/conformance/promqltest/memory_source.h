// Series in memory, as the files load them.
#pragma once

#include <map>
#include <vector>

#include "services/query/promql/engine.h"
#include "tests/conformance/promqltest/test_file.h"

namespace spanway::promqltest {

class MemorySource : public query::promql::SeriesSource {
 public:
  void clear() { series_.clear(); }
  void load(const Load& command);
  Result<std::unique_ptr<query::promql::SourceStream>> select(
      const query::promql::SourceSelect& query) override;

 private:
  void set_hints();
  void load_custom_buckets(const Load& command);
  void add(const query::Labels& labels, query::promql::Point point);
  std::map<query::Labels, std::vector<query::promql::Point>> series_;
};

}  // namespace spanway::promqltest
