#include "operator/render/file_volume.h"

#include "operator/api/yaml.h"
#include "services/exporter/config.h"
#include "services/lib/config/load.h"
#include "services/lib/otlp/signal.h"

namespace spanway::render {

std::optional<std::uint64_t> file_volume_bytes(const kube::Json& config) {
  exporter::ExporterConfig exporter;
  config::Sources nothing;
  nothing.resolve_nothing = true;
  (void)config::load(
      api::to_yaml(config), "", nothing, [&exporter](config::Binder& b) { describe(b, exporter); },
      nullptr);
  const sinks::FileConfig& file = exporter.destination.file;
  if (file.rotate.bytes_max.bytes == 0) return std::nullopt;
  const bool is_split = file.path.find("{signal}") != std::string::npos;
  const std::uint64_t series = is_split ? otlp::kSignals.size() : 1;
  const auto files = static_cast<std::uint64_t>(file.rotate.files_max) + 1;
  return series * files * file.rotate.bytes_max.bytes + file.queue_bytes_max.bytes;
}

}  // namespace spanway::render
