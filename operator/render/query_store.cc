#include "operator/render/query_store.h"

#include <algorithm>

namespace spanway::render {
namespace {

void take_from(const api::Destination& destination, api::ClickHouseStore& store) {
  const auto clickhouse = destination.clickhouse.value_or(api::ClickHouseDestination{});
  store.endpoint = destination.endpoint;
  store.database = clickhouse.database;
  if (store.username.empty()) {
    store.username = clickhouse.username;
    store.password = clickhouse.password;
  }
  store.tls = api::ClickHouseStore::Tls{destination.tls.ca_secret_name,
                                        destination.tls.client_certificate_secret_name,
                                        destination.tls.server_name};
}

}  // namespace

api::ClickHouseStore store_of(const api::Pipeline& pipeline) {
  api::ClickHouseStore store = pipeline.spec.query->clickhouse;
  if (store.database.empty()) store.database = "otel";
  for (const api::Exporter& exporter : pipeline.spec.exporters)
    if (!store.exporter.empty() && exporter.name == store.exporter)
      take_from(exporter.destination, store);
  return store;
}

}  // namespace spanway::render
