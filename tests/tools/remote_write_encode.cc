// Reads an OTLP metrics request from stdin and writes it as one uncompressed request of
// Prometheus's remote write 2.0 to stdout. With an argument, explicit histograms are native ones.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <limits>
#include <string>

#include "services/lib/prometheus_write/write_requests.h"
#include "services/lib/promseries/series_converter.h"

int main(int argc, char**) {
  namespace promseries = spanway::promseries;
  const std::string payload{std::istreambuf_iterator<char>(std::cin), {}};
  promseries::Options options;
  if (argc > 1) options.explicit_histograms = promseries::ExplicitHistograms::kNative;
  promseries::Converter converter(options);
  spanway::prometheus_write::WriteRequests requests(std::numeric_limits<std::size_t>::max());
  const auto converted = converter.convert(payload, requests);
  if (!converted.ok()) {
    std::cerr << converted.error().message << '\n';
    return 1;
  }
  for (const auto& request : requests.take()) std::cout << request.body.view();
  return 0;
}
