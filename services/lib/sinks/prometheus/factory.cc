#include "services/lib/sinks/prometheus/factory.h"

#include "services/lib/sinks/prometheus/remote_write_sink.h"

namespace spanway::sinks {
namespace {

using Config = PrometheusRemoteWriteConfig;

std::optional<prometheus_write::Protocol> protocol_of(Config::Protocol protocol) {
  switch (protocol) {
    case Config::Protocol::kV2:
      return prometheus_write::Protocol::kV2;
    case Config::Protocol::kV1:
      return prometheus_write::Protocol::kV1;
    case Config::Protocol::kAuto:
      break;
  }
  return std::nullopt;
}

promseries::Translation translation_of(Config::Translation translation) {
  switch (translation) {
    case Config::Translation::kUnderscoreEscapingWithoutSuffixes:
      return promseries::Translation::kUnderscoreEscapingWithoutSuffixes;
    case Config::Translation::kNoUtf8EscapingWithSuffixes:
      return promseries::Translation::kNoUtf8EscapingWithSuffixes;
    case Config::Translation::kNoTranslation:
      return promseries::Translation::kNoTranslation;
    case Config::Translation::kUnderscoreEscapingWithSuffixes:
      break;
  }
  return promseries::Translation::kUnderscoreEscapingWithSuffixes;
}

}  // namespace

SinkResult create_prometheus_remote_write(const DestinationConfig& config,
                                          const DestinationDeps& deps) {
  const Config& c = config.prometheus_remote_write;
  RemoteWriteSinkOptions options;
  options.endpoint = c.endpoint;
  options.protocol = protocol_of(c.protocol);
  options.batch.series.translation = translation_of(c.translation);
  options.batch.series.promote = c.promote;
  options.batch.series.delta =
      c.delta == Config::Delta::kAsIs ? promseries::Delta::kAsIs : promseries::Delta::kReject;
  options.batch.series.explicit_histograms = c.histograms == Config::Histograms::kNative
                                                 ? promseries::ExplicitHistograms::kNative
                                                 : promseries::ExplicitHistograms::kClassic;
  options.batch.request_bytes_max = c.request_bytes_max.bytes;
  SPANWAY_ASSIGN(options.http, http_options(c.http, config.in_flight_max));
  return as_sink(RemoteWriteSink::create(options, {deps.io, deps.clock, deps.telemetry}));
}

}  // namespace spanway::sinks
