// Merges a component's `config` over its generated file, except for the keys the operator owns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "operator/render/component_spec.h"
#include "services/lib/config/binder.h"

namespace spanway::render {

// A key of a service's file that the operator writes itself.
struct OwnedKey {
  std::string path;   // "otlp.grpc.port"; everything below belongs to it.
  std::string field;  // The field of the Pipeline that sets it; empty = none.
};
std::vector<OwnedKey> owned_keys(const ComponentSpec& spec);

// Objects are merged, everything else is replaced. Owned keys stay as they are.
void lay_over(Json& generated, const Json& overlay, const std::vector<OwnedKey>& owned);

// The keys of the overlay that lay_over() ignores, with the field to set instead.
void check_overlay(const ComponentSpec& spec, config::Problems& problems);

// The field of the Pipeline that a problem at `path` of the service's file comes from.
std::string field_of(const api::Pipeline& pipeline, const ComponentSpec& spec,
                     std::string_view path);

}  // namespace spanway::render
