#include "services/lib/parquet_file/codec_loader.h"

#include <dlfcn.h>

#include <string_view>

namespace spanway::parquet_file {
namespace {

Error cannot_load(const std::string& library, const std::string& why) {
  return configuration_error(Code::kFailedPrecondition,
                             "Parquet files need " + library + ": " + why +
                                 ". Install it into the folder lib beside the program's bin, or "
                                 "into the system's library folder")
      .with_reason("parquet_library");
}

std::string last_error() {
  const char* const text = dlerror();
  return text == nullptr ? "it cannot be loaded" : text;
}

}  // namespace

Result<const Codec*> load_codec(const std::string& library) {
  // Never unloaded: blocks that it has made have their virtual functions there.
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) return cannot_load(library, last_error());
  const auto version = reinterpret_cast<const char* (*)()>(dlsym(handle, kVersionSymbol));
  const auto codec = reinterpret_cast<const Codec* (*)()>(dlsym(handle, kCodecSymbol));
  if (version == nullptr || codec == nullptr)
    return cannot_load(library, "it is not Spanway's library of that name");
  if (std::string_view(version()) != SPANWAY_VERSION)
    return cannot_load(library, std::string("it belongs to version ") + version() +
                                    ", the program is " SPANWAY_VERSION);
  return codec();
}

}  // namespace spanway::parquet_file
