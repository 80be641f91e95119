// The page's files over HTTP: compressed once, at build time, and cached by browsers for ever.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "services/lib/http/message.h"

namespace spanway::query::web {

// A file of the page. The texts are literals.
struct Asset {
  std::string_view path;  // "/" or "/assets/<hash of all files>/main.js"
  std::string_view content_type;
  std::string_view hash;  // The content's.
  std::string_view gzip;  // Its content.
  std::size_t bytes = 0;  // Without gzip.
};

// The built-in files; none with SPANWAY_WEB=OFF.
std::span<const Asset> built_in_assets();

// Answers requests for files, without authentication: they hold no telemetry. Immutable and
// thread-safe; never blocks. The assets outlive it.
class AssetHandler {
 public:
  explicit AssetHandler(std::span<const Asset> assets) : assets_(assets) {}

  // Nothing for a path that is not the page's: neither "/" nor below /assets/.
  std::optional<http::Response> answer(const http::RequestHead& head) const;

 private:
  const std::span<const Asset> assets_;
};

}  // namespace spanway::query::web
